"""Check columns that correct single wrong counts: a one-error-correcting code over the integers modulo P.

S neighbouring bit columns form a set. Their counts are sums over the driven rows, so a weighted sum of them is the
count of a column that stores, in every row, the weighted sum of the set's cells: sum_k h_k count_k = sum_r x_r t_r with
t_r = sum_k h_k level_rk. The set's check columns hold t_r modulo P = K^J - 1 as J digits of base K (K levels per cell).
The syndrome, sum_k h_k code_k - sum_i K^i check_i modulo P, is 0 for right codes. A data column that is off by +-1
leaves +-h_k, a check column -+K^i; the h_k are chosen so that all these residues differ. One wrong count of +-1 in a
set is hence located and corrected; several at once, or a count off by more, may be corrected wrongly.

The construction is the classical one of single-error-correcting arithmetic codes in the Lee metric.
"""

from dataclasses import dataclass

import numpy as np

from interconnect.arrays import ByteArray, IntArray
from interconnect.errors import InputError


@dataclass(frozen=True)
class ResidueCode:
    """J check columns of `levels`-level cells for `size` data columns, modulo `modulus`.

    weight (size,), check_weight (J,): in the syndrome. place, step (modulus,): column accused by a syndrome
    (-1: none; size + i: check column i) and its error, +1 or -1.
    """

    levels: int
    modulus: int
    weight: IntArray
    check_weight: IntArray
    place: IntArray
    step: IntArray

    @property
    def size(self) -> int:
        """Data columns of a full set."""
        return len(self.weight)

    @property
    def checks(self) -> int:
        """Check columns of a set."""
        return len(self.check_weight)

    def sets(self, columns: int) -> int:
        """Sets that `columns` neighbouring columns need."""
        return -(-columns // self.size)

    def check_levels(self, level: ByteArray) -> ByteArray:
        """Cell levels of the check columns, (rows, sets x checks), for data columns `level` (rows, columns)."""
        rows, columns = level.shape
        sets = self.sets(columns)
        padded = np.zeros((rows, sets * self.size), np.int64)
        padded[:, :columns] = level
        t = (padded.reshape(rows, sets, self.size) @ self.weight) % self.modulus
        digits = t[:, :, None] // self.check_weight % self.levels
        return digits.reshape(rows, sets * self.checks).astype(np.uint8)


def residue_code(checks: int, levels: int = 2) -> ResidueCode:
    """The code with `checks` check columns per set and the greatest number of data columns.

    With one-bit cells 4 check columns guard 3 data columns, 5 guard 10, 6 guard 25, 7 guard 56, 8 guard 119. Raises
    InputError if `checks` is too small to guard anything, or the modulus exceeds 2^16.
    """
    modulus = levels**checks - 1
    if checks < 1 or modulus > 2**16:
        raise InputError(
            f"residue check: {checks} check columns of {levels} levels, expected 1 to {16 // _bits(levels)}"
        )
    places = [levels**i for i in range(checks)]
    taken: dict[int, tuple[int, int]] = {}
    for i, place in enumerate(places):
        for step, residue in ((-1, place % modulus), (1, -place % modulus)):
            if residue == 0 or residue in taken:
                raise InputError(f"residue check: {checks} check columns of {levels} levels cannot tell errors apart")
            taken[residue] = (i, step)
    free = [h for h in range(1, (modulus + 1) // 2) if h not in taken and 2 * h != modulus]
    if not free:
        raise InputError(f"residue check: {checks} check columns of {levels} levels leave no data column to guard")
    place_of, step_of = np.full(modulus, -1), np.zeros(modulus, np.int64)
    for k, h in enumerate(free):
        place_of[[h, modulus - h]] = k
        step_of[[h, modulus - h]] = 1, -1
    for residue, (i, step) in taken.items():
        place_of[residue] = len(free) + i
        step_of[residue] = step
    return ResidueCode(levels, modulus, np.array(free), np.array(places), place_of, step_of)


def _bits(levels: int) -> int:
    return max(1, (levels - 1).bit_length())
