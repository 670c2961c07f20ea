"""Statistical draws of transistors: what a whole chip shares, and what each transistor has for itself.

Global (process): one sample is one chip. A fast or slow corner is taken to stand three standard deviations from the
typical one, as corners of kits usually do: the shift of a type's threshold and the factor on its drive come from
how far `ff` and `ss` are away from `tt` in the device set's targets. That is an estimate: a corner tells no
distribution. NMOS and PMOS are drawn with a correlation of their own.

Local (device): Pelgrom, Duinmaijer, Welbers, JSSC 1989: sigma = A_vt / sqrt(2 W L) of one transistor's threshold.

Sample k of a seed always comes out the same, whatever else is drawn: its generators are made from (seed, k, stream).
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from interconnect.arrays import FloatArray
from interconnect.errors import InputError
from netlists.devices.device_set import DeviceSet
from netlists.devices.model_card import Kind

CORNER_SIGMAS = 3.0
"""Standard deviations between the typical corner and a fast or slow one; an assumption."""
CORRELATION = 0.5
"""Of the global draws of NMOS and PMOS (both share gate oxide and gate length); an assumption."""
_GLOBAL, _LOCAL = 0, 1


@dataclass(frozen=True, slots=True)
class GlobalSpread:
    """Standard deviations from chip to chip, per type: threshold, V (of its magnitude), and drive, relative.

    correlation: of the two types. source: where the numbers come from, in words; they are estimates.
    """

    vth_n: float
    vth_p: float
    drive_n: float
    drive_p: float
    correlation: float = CORRELATION
    source: str = ""

    def __post_init__(self) -> None:
        for name in ("vth_n", "vth_p", "drive_n", "drive_p"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= 0):
                raise InputError(f"is {value!r}", where=f"global spread: {name}", hint="a number that is not negative")
        if not -1.0 <= self.correlation <= 1.0:
            raise InputError(f"is {self.correlation!r}", where="global spread: correlation", hint="-1 to 1")


@dataclass(frozen=True, slots=True)
class GlobalDraw:
    """One chip. vth_n, vth_p: shift to print as a transistor's `shift`, V (added to the signed threshold: a positive
    one makes an NMOS slower and a PMOS faster). drive_n, drive_p: factors on the drive (mobility)."""

    vth_n: float
    vth_p: float
    drive_n: float
    drive_p: float


def global_spread(devices: DeviceSet, fast: str = "ff", slow: str = "ss") -> GlobalSpread:
    """Chip-to-chip spread of a device set from its targets at the corners `fast` and `slow`, each 3 sigma away.

    The drive's part is what the threshold does not explain: to first order the drain current goes as the overdrive
    (velocity saturation), so dI/I = -dVth/(Vdd - Vth) + d(drive). Raises InputError if a corner has no targets.
    """
    found: dict[str, Mapping[str, float]] = {}
    for corner in ("tt", fast, slow):
        if corner not in devices.targets:
            raise InputError(
                f"corner {corner!r} has no targets from which to derive the spread",
                where=devices.name,
                hint="measure it (characterization.device_testbench) and give the values as `targets`",
            )
        found[corner] = {key: float(value) for key, value in devices.targets[corner].items()}
    sigma: dict[str, float] = {}
    for kind in ("n", "p"):
        vth = {corner: abs(values[f"vth_{kind}"]) for corner, values in found.items()}
        ion = {corner: values[f"ion_{kind}"] for corner, values in found.items()}
        shift = (vth[slow] - vth[fast]) / 2
        explained = shift / (devices.vdd - vth["tt"])
        total = (ion[fast] - ion[slow]) / (2 * ion["tt"])
        sigma[f"vth_{kind}"] = abs(shift) / CORNER_SIGMAS
        sigma[f"drive_{kind}"] = abs(total - explained) / CORNER_SIGMAS
    source = f"estimate: targets of {devices.name} at {fast} and {slow}, taken as {CORNER_SIGMAS:g} sigma from tt"
    return GlobalSpread(**sigma, source=source)


def global_draw(spread: GlobalSpread, seed: int, sample: int) -> GlobalDraw:
    """The chip of a sample; bit-identical for the same seed and sample."""
    rng = _generator(seed, sample, _GLOBAL)
    normal = rng.standard_normal(4)
    rho = spread.correlation
    paired = rho * normal[:2] + math.sqrt(1 - rho * rho) * normal[2:]
    # normal: threshold and drive of the NMOS; paired: of the PMOS. A larger magnitude is a lower signed PMOS threshold.
    return GlobalDraw(
        vth_n=float(spread.vth_n * normal[0]),
        vth_p=float(-spread.vth_p * paired[0]),
        drive_n=float(math.exp(spread.drive_n * normal[1])),
        drive_p=float(math.exp(spread.drive_p * paired[1])),
    )


def local_draws(
    devices: DeviceSet, kind: Kind, width: ArrayLike, length: ArrayLike, seed: int, sample: int, *, group: int = 0
) -> FloatArray:
    """Threshold shifts (V) of single transistors of these sizes (m, broadcast together), of the broadcast shape.

    group: tells apart sets of transistors that are drawn by separate calls for one sample. Bit-identical for the same
    seed, sample, group and shape.
    """
    w, l = np.broadcast_arrays(np.asarray(width, dtype=np.float64), np.asarray(length, dtype=np.float64))  # noqa: E741
    if not ((w > 0) & (l > 0)).all():
        raise InputError("widths and lengths of transistors must be positive", where=f"{devices.name}: local draws")
    avt = devices.avt_n if kind == "nmos" else devices.avt_p
    sigma = avt / np.sqrt(2.0 * w * l)
    rng = _generator(seed, sample, _LOCAL, 0 if kind == "nmos" else 1, group)
    return np.asarray(rng.standard_normal(w.shape) * sigma, dtype=np.float64)


def _generator(seed: int, sample: int, *stream: int) -> np.random.Generator:
    if seed < 0 or sample < 0:
        raise InputError(f"seed {seed} and sample {sample} must not be negative")
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(sample, *stream)))
