"""Charge at the terminals of a switch: what a closed form asks of it, and one answer, from the transistor's model card.

Junction charge integrates C0 (1 + V / pb)^-mj over area, side wall and gate edge; overlaps are linear (`cgso` and half
of the bias-dependent `cgsl`); the channel of a conducting switch at the voltage V holds Cox W L (Vg - Vt(V) - V) with
Vt(V) = vth0 + k1 (sqrt(phi + V) - sqrt(phi)): first terms of the BSIM4 manual. Temperature and the charge thickness
are left out, so a closed form made of these is good to some percent of the switch charge. The other answer is measured:
`netlists.baselines.switch_bench`.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np

from interconnect.arrays import FloatArray
from netlists.devices.device_set import DeviceSet

TransistorType = Literal["n", "p"]

_EPS0 = 8.8541878128e-12
_PHI = 0.9
"""Surface potential in strong inversion, V."""


class SwitchCharges(Protocol):
    """What a switch holds at one of its two terminals, C, both counted from one zero; shape of `volts`."""

    def off(self, volts: FloatArray) -> FloatArray:
        """While it is off and the terminal is at `volts`."""
        ...

    def conducting(self, volts: FloatArray) -> FloatArray:
        """While it is on, both terminals at `volts`, with half of the channel."""
        ...


Charges = Callable[[TransistorType, float], SwitchCharges]
"""The charges of a switch of a type and width (m)."""


@dataclass(frozen=True, slots=True)
class Terminal:
    """Source or drain of one switch transistor of `width`, `length` (m) at a supply `vdd` (V) of its bulk's rail."""

    devices: DeviceSet
    corner: str
    type: TransistorType
    width: float
    length: float
    vdd: float

    def _get(self, name: str, default: float) -> float:
        card = self.devices.card(self.corner, "nmos" if self.type == "n" else "pmos")
        return float(card.parameters.get(name, default))

    @property
    def _effective(self) -> tuple[float, float]:
        return self.width - 2 * self._get("wint", 0.0), self.length - 2 * self._get("lint", 0.0)

    @property
    def overlap(self) -> float:
        """Gate to terminal, F."""
        return self._effective[0] * (self._get("cgso", 2.5e-10) + self._get("cgsl", 0.0) / 2)

    @property
    def oxide(self) -> float:
        """Gate to channel in inversion, F."""
        w, l = self._effective  # noqa: E741 - the SPICE name
        return w * l * self._get("epsrox", 3.9) * _EPS0 / self._get("toxe", 3e-9)

    @property
    def gate(self) -> float:
        """Gate of a transistor in inversion to everything, F: channel and both overlaps."""
        return self.oxide + 2 * self.overlap

    def junction(self, volts: FloatArray) -> FloatArray:
        """Charge on the terminal towards the bulk, C, zero at no reverse bias; shape of `volts`."""
        w = self._effective[0]
        d = self.devices.diffusion(self.width)
        parts = (
            (d.area * self._get("cjs", 5e-4), self._get("pbs", 1.0), self._get("mjs", 0.5)),
            ((d.perimeter - w) * self._get("cjsws", 5e-10), self._get("pbsws", 1.0), self._get("mjsws", 0.33)),
            (w * self._get("cjswgs", self._get("cjsws", 5e-10)), self._get("pbswgs", 1.0), self._get("mjswgs", 0.33)),
        )
        reverse = volts if self.type == "n" else self.vdd - volts
        total = np.zeros_like(reverse)
        for c0, pb, m in parts:
            total += c0 * pb / (1 - m) * ((1 + np.maximum(reverse, -0.5 * pb) / pb) ** (1 - m) - 1)
        return total if self.type == "n" else -total

    def off(self, volts: FloatArray) -> FloatArray:
        """Charge on the terminal of a switch that is off, C (gate at its off rail)."""
        rail = 0.0 if self.type == "n" else self.vdd
        return np.asarray(self.junction(volts) + self.overlap * (volts - rail))

    def on(self, volts: FloatArray) -> FloatArray:
        """Charge on the terminal of a switch that is on, C, without the channel."""
        rail = self.vdd if self.type == "n" else 0.0
        return np.asarray(self.junction(volts) + self.overlap * (volts - rail))

    def conducting(self, volts: FloatArray) -> FloatArray:
        """Charge on the terminal of a switch that is on, C, with half of the channel."""
        return self.on(volts) + self.channel(volts) / 2

    def channel(self, volts: FloatArray) -> FloatArray:
        """Charge of the whole channel of a switch that is on, both ends at `volts`, C (negative for electrons)."""
        bias = volts if self.type == "n" else self.vdd - volts
        body = np.sqrt(_PHI + np.maximum(bias, -0.5 * _PHI)) - math.sqrt(_PHI)
        threshold = abs(self._get("vth0", 0.4)) + self._get("k1", 0.4) * body
        charge = self.oxide * np.maximum(self.vdd - threshold - bias, 0.0)
        return -charge if self.type == "n" else charge
