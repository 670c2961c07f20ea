"""From waveforms of a converter to its codes; the same for the transistor circuits and their behavioral twins."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from characterization.readout.testbench import UndecidedError, Waves
from interconnect.arrays import BoolArray, FloatArray, IntArray
from ngspice_runner.errors import EngineError


def sar_codes(waves: Waves) -> IntArray:
    """Codes (conversions,) of a deck of `Sar.deck`.

    Every bit is read at the comparator, within its trial, and must be kept by the register.
    Raises UndecidedError for a decision that had not fallen by then, EngineError if the register holds something else.
    """
    reads = np.asarray(waves.deck.reads, dtype=np.float64)
    n = reads.shape[1]
    times = reads.ravel()
    above = _decisions(waves, "v(out_p)", "v(out_n)", times).reshape(reads.shape)
    kept = np.stack([waves.bits(f"v(q_{k})", reads[:, -1]) for k in reversed(range(n))], axis=1)
    wrong = np.argwhere(above != kept)
    if wrong.size:
        conversion, bit = wrong[0]
        raise EngineError(f"readout: conversion {conversion} of '{waves.deck.title}' lost bit {n - 1 - bit}")
    return np.asarray(above @ (1 << np.arange(n)[::-1]), dtype=np.int64)


def flash_thermometer(waves: Waves) -> BoolArray:
    """Outputs (conversions, comparators) of a deck of `Flash.deck`, lowest tap first.

    Raises UndecidedError for a comparator that had not decided when it was read.
    """
    times = np.asarray(waves.deck.reads, dtype=np.float64)[:, 0]
    taps = sum(name.startswith("v(t_") for name in waves.deck.outputs)
    return np.stack([_decisions(waves, f"v(t_{k})", f"v(n_{k})", times) for k in range(1, taps + 1)], axis=1)


def flash_codes(waves: Waves) -> IntArray:
    """Codes (conversions,): the number of comparators whose tap the input exceeds.

    Counting ones (a Wallace tree in hardware, not part of the simulated circuit) keeps the transfer monotonic when
    offsets put thresholds out of order; an encoder that looks for the first zero would jump at such bubbles.
    `flash_bubbles` tells how many there are.
    """
    return np.asarray(flash_thermometer(waves).sum(axis=1), dtype=np.int64)


def flash_bubbles(waves: Waves) -> IntArray:
    """Comparators (conversions,) that are high although the one below is low."""
    t = flash_thermometer(waves)
    return np.asarray((t[:, 1:] & ~t[:, :-1]).sum(axis=1), dtype=np.int64)


def ramp_times(waves: Waves) -> FloatArray:
    """Time (conversions,) from the start of the ramp until the comparator's output rises, s.

    Raises UndecidedError if it does not rise before the ramp ends.
    """
    return np.array([waves.crossing("v(out)", (start, stop)) - start for start, stop in waves.deck.reads])


@dataclass(frozen=True, slots=True)
class RampCalibration:
    """What turns a time into a code: start of code 0 and duration of a code, s."""

    start: float
    count: float

    @classmethod
    def of(cls, low: float, high: float, bits: int) -> RampCalibration:
        """From the times at which inputs at ref_low and ref_high are met (two reference conversions)."""
        if not high > low:
            raise EngineError(f"readout: the ramp meets ref_high at {high:g} s, not after ref_low at {low:g} s")
        return cls(low, (high - low) / 2**bits)


def ramp_codes(times: FloatArray, calibration: RampCalibration, bits: int) -> IntArray:
    """Codes that a counter reads at `times` (s)."""
    count = np.floor((times - calibration.start) / calibration.count)
    return np.asarray(np.clip(count, 0, 2**bits - 1), dtype=np.int64)


def _decisions(waves: Waves, yes: str, no: str, times: FloatArray) -> BoolArray:
    """Which of a comparator's two outputs is high; neither or both is no decision."""
    up, down = waves.bits(yes, times), waves.bits(no, times)
    open_ = np.flatnonzero(up == down)
    if open_.size:
        raise UndecidedError(
            f"readout: {yes} and {no} are equal at {times[open_[0]]:.5g} s in '{waves.deck.title}': no decision"
        )
    return up
