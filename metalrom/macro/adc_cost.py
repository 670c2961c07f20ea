"""Published regressions for the cost of one analog-to-digital converter."""

from dataclasses import dataclass

from interconnect.errors import InputError
from interconnect.provenance import Provenance

MAX_BITS = 11
MAX_ROWS = 4096
MAX_VDD = 2.0

REGRESSION = Provenance(
    "published",
    "published regression: converter model of the ZigZag-IMC cost framework (github.com/KULeuven-MICAS/zigzag-imc)",
)
CAVEAT = (
    "one fit for all nodes and converter kinds; its source states no error and changes the area formula at 12 bits, "
    f"so 1 to {MAX_BITS} bits are accepted"
)


@dataclass(frozen=True, slots=True)
class AdcCost:
    """Cost of one conversion (energy J, time s) and of one converter (area m^2)."""

    energy: float
    area: float
    time: float
    provenance: Provenance = REGRESSION
    caveat: str = CAVEAT


def adc_cost(bits: int, *, vdd: float, rows: int) -> AdcCost:
    """Energy, area and time of a converter of `bits` at `vdd` volts behind `rows` rows.

    E = (100 fF * B + 0.001 fF * 4^B) * VDD^2;  area = 10^(-0.0369 B + 1.206) * 2^B um^2;
    t = B * (0.00653 * rows + 0.640) ns. Raises InputError outside the domain of the regression.
    """
    if isinstance(bits, bool) or not isinstance(bits, int) or not 1 <= bits <= MAX_BITS:
        raise InputError(f"ADC regression: {bits} bits is outside its domain", hint=f"expected 1 to {MAX_BITS} bits")
    if not 0.3 <= vdd <= MAX_VDD:
        raise InputError(
            f"ADC regression: a supply of {vdd:g} V is outside its domain", hint=f"expected 0.3 to {MAX_VDD:g} V"
        )
    if not 1 <= rows <= MAX_ROWS:
        raise InputError(f"ADC regression: {rows} rows is outside its domain", hint=f"expected 1 to {MAX_ROWS} rows")
    return AdcCost(
        energy=(100e-15 * bits + 0.001e-15 * 4.0**bits) * vdd**2,
        area=10 ** (-0.0369 * bits + 1.206) * 2.0**bits * 1e-12,
        time=bits * (0.00653 * rows + 0.640) * 1e-9,
    )
