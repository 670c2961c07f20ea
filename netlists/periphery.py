"""What surrounds the array in a deck: row drivers, reset switch, sense input; and when things happen."""

from dataclasses import dataclass, fields
from typing import Any, Literal

from netlists.devices.device_set import DeviceSet
from netlists.parameters import parameter, require, require_all_positive, require_positive, require_whole, tidy
from netlists.plane_select import PlaneSelect


@dataclass(frozen=True, slots=True, kw_only=True)
class Periphery:
    """Sizes of the circuits at the ends of rows and columns; SI units. The defaults are those of a 45 nm process.

    `transistor`: inverter chains drive the rows of a charge cell, transmission gates those of a current cell, an
    NMOS resets the bit line. `ideal`: Thevenin sources and an ideal switch, for comparison with exact solutions.
    plane_select: of a current cell whose planes share a sense circuit, with transistors alone; None: none is shared.
    """

    kind: Literal["transistor", "ideal"] = parameter("transistor", "", "transistor or ideal")
    driver_stages: int = parameter(1, "", "inverters in a row driver")
    driver_nmos_width: float = parameter(1.0e-6, "m", "NMOS width of the last driver stage")
    driver_pmos_width: float = parameter(1.5e-6, "m", "PMOS width of the last driver stage")
    driver_taper: float = parameter(3.0, "", "width ratio of a driver stage to the stage before it")
    length: float = parameter(50e-9, "m", "channel length of every transistor")
    reset_width: float = parameter(0.12e-6, "m", "width of the reset NMOS")
    reset_driver_width: float = parameter(0.5e-6, "m", "NMOS width of the inverter that drives the reset gate")
    gate_width: float = parameter(0.3e-6, "m", "NMOS width of a transmission gate (plane select, column mux, sampler)")
    sense_capacitance: float = parameter(0.5e-15, "F", "input capacitance of the readout circuit per bit line")
    sense_resistance: float = parameter(100.0, "ohm", "series resistance into the virtual ground of a current cell")
    read_voltage: float = parameter(0.1, "V", "row voltage of a current cell")
    driver_resistance: float = parameter(1.0e3, "ohm", "source resistance of an ideal row driver")
    switch_resistance: float = parameter(1.0e3, "ohm", "on-resistance of the ideal reset switch")
    plane_select: PlaneSelect | None = None

    def __post_init__(self) -> None:
        require(
            self.kind in ("transistor", "ideal"),
            f"is {self.kind!r}",
            where="periphery.kind",
            hint="transistor or ideal",
        )
        require_whole(self.driver_stages, 1, 8, where="periphery.driver_stages")
        require_all_positive(self, where="periphery", besides=("kind", "driver_stages", "sense_capacitance"))
        require_positive(self.sense_capacitance, where="periphery.sense_capacitance", unit="F", zero=True)

    def stage_widths(self) -> tuple[tuple[float, float], ...]:
        """(NMOS, PMOS) widths of the driver stages, first stage first, m."""
        scale = [self.driver_taper ** (i - self.driver_stages + 1) for i in range(self.driver_stages)]
        return tuple((self.driver_nmos_width * s, self.driver_pmos_width * s) for s in scale)


def default_periphery(devices: DeviceSet, **given: Any) -> Periphery:
    """A periphery in the sizes of a technology: lengths and widths that are not `given` (or None) follow the device
    set (`default_length`, `width_scale`); other values keep their defaults. InputError for a value that is none."""
    values = {name: value for name, value in given.items() if value is not None}
    values.setdefault("length", devices.default_length)
    for field in fields(Periphery):
        if field.name.endswith("_width"):
            usual: Any = field.default
            values.setdefault(field.name, float(f"{usual * devices.width_scale:.12g}"))
    return Periphery(**values)


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """One read: reset until `reset_end`, then the inputs rise at `input_start`; the level is read `read_after` the
    end of the input edge. Seconds. `max_step`: largest time step; None takes twice the input edge (the engine takes
    shorter ones by itself where a waveform bends; a level then moves by less than 1 uV)."""

    reset_end: float = parameter(0.3e-9, "s", "end of the reset phase")
    reset_edge: float = parameter(20e-12, "s", "fall time of the reset signal")
    input_start: float = parameter(0.5e-9, "s", "start of the input edge")
    input_edge: float = parameter(20e-12, "s", "rise time of the inputs")
    read_after: float = parameter(0.5e-9, "s", "from the end of the input edge to the read")
    max_step: float | None = parameter(None, "s", "largest time step; twice the input edge by default")

    def __post_init__(self) -> None:
        require_all_positive(self, where="timing", besides=("max_step",))
        if self.max_step is not None:
            require_positive(self.max_step, where="timing.max_step", unit="s")
        require(
            self.input_start >= self.reset_end + self.reset_edge,
            "the inputs start before the reset is over",
            where="timing.input_start",
            hint="it must be at least reset_end + reset_edge",
        )

    @property
    def read_at(self) -> float:
        """Time of the read, s."""
        return tidy(self.input_end + self.read_after, 14)

    @property
    def reset_done(self) -> float:
        """End of the reset signal's edge, s."""
        return tidy(self.reset_end + self.reset_edge, 14)

    @property
    def input_end(self) -> float:
        """End of the input edge, s."""
        return tidy(self.input_start + self.input_edge, 14)

    @property
    def step(self) -> float:
        """Largest time step, s."""
        return self.max_step if self.max_step is not None else 2 * self.input_edge
