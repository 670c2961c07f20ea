"""Counter-based random numbers of compiled loops, and the median of several draws."""

from typing import Any

import numpy as np

from metalrom.macro.kernels import compiled

GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX2 = np.uint64(0x94D049BB133111EB)
_S11, _S27, _S30, _S31 = np.uint64(11), np.uint64(27), np.uint64(30), np.uint64(31)


@compiled
def mixed(counter: Any) -> Any:
    """SplitMix64 finalizer (Steele, Lea, Flood 2014): 64 well-mixed bits from a 64-bit counter."""
    z = (counter ^ (counter >> _S30)) * _MIX1
    z = (z ^ (z >> _S27)) * _MIX2
    return z ^ (z >> _S31)


@compiled
def median(p: float, reads: int) -> float:
    """Probability that more than half of `reads` independent draws do what one does with probability p."""
    if reads == 1:
        return p
    total, ways = 0.0, 1.0
    for k in range(reads + 1):
        if 2 * k > reads:
            total += ways * p**k * (1.0 - p) ** (reads - k)
        ways = ways * (reads - k) / (k + 1)
    return total


@compiled
def uniform(word: Any) -> float:
    """A number between 0 and 1, never either, from the upper 53 bits."""
    return float((np.float64(word >> _S11) + 0.5) * 2.0**-53)
