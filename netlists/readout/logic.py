"""Static gates of the readout circuits."""

from dataclasses import dataclass

from netlists.parameters import parameter, require_all_positive


@dataclass(frozen=True, slots=True, kw_only=True)
class Logic:
    """Sizes of an inverter; stacked transistors of a gate are twice as wide. SI units."""

    nmos_width: float = parameter(0.2e-6, "m", "NMOS width of an inverter")
    pmos_width: float = parameter(0.3e-6, "m", "PMOS width of an inverter")

    def __post_init__(self) -> None:
        require_all_positive(self, where="logic")
