"""How often every conversion occurs in data, and the wrong ones among those that a look-up makes without counting."""

from collections.abc import Iterable

import numpy as np

from interconnect.arrays import IntArray
from metalrom.macro.batches import split_batch
from metalrom.macro.section import MacroSection, StoredSection


def seen_conversions(
    section: MacroSection, stored: StoredSection, x: IntArray, input_bits: int, threads: int
) -> IntArray:
    """Conversions of one section by (significance, active, entry); x: (batch, rows)."""
    x_words, active = (np.ascontiguousarray(a[:, :, section.first :]) for a in section.drive(x, input_bits))
    rank = np.array([section.scheme.rank[u] for u in section.units])
    shape = (len(section.scheme.magnitudes), *section.readout.wrong.shape)

    def part(rows: slice) -> IntArray:
        out = np.zeros(shape, np.int64)
        section.histogram(x_words[rows], active[rows], stored, rank, out)
        return out

    return np.asarray(np.sum(split_batch(threads, len(x), part), axis=0), np.int64)


def uncounted_errors(
    parts: Iterable[tuple[MacroSection, StoredSection]], x: IntArray, input_bits: int, threads: int
) -> int:
    """Wrong codes of the sections without noise and check columns, which count none as they convert."""
    errors = 0
    for section, stored in parts:
        by_lookup = section.readout.deterministic and stored.checks is None
        if by_lookup and section.thinning(stored, input_bits) is None:
            seen = seen_conversions(section, stored, x, input_bits, threads)
            errors += int(seen.sum(axis=0)[section.readout.wrong].sum())
            if stored.empty.size:
                errors -= _among_empty(section, stored, x, input_bits)
    return errors


def _among_empty(section: MacroSection, stored: StoredSection, x: IntArray, input_bits: int) -> int:
    """Wrong codes among the conversions of empty columns, which are not made."""
    _, active = section.drive(x, input_bits)
    active = active[:, :, section.first :]
    errors = 0
    for g, u, j in np.argwhere(stored.empty).tolist():
        driven = active[:, g].astype(np.int64).ravel()
        entry = section.zero_level * driven + int(stored.first_entry[u, j])
        errors += int(section.readout.wrong[driven, entry].sum())
    return errors
