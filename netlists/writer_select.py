"""Column circuits of resistive planes: a select per segment and plane joins a bit line to its column's sense node."""

from collections.abc import Iterator, Sequence

from netlists.writer_scope import Scope


def select_ports(planes: Sequence[Scope], sharing: Sequence[int], prefix: str) -> list[str]:
    """Gates of the selects by segment and plane, then the sense nodes of the columns.

    sharing: per readable column how many planes have it."""
    selects = [f"sel{g}_p{s.placement.plane}" for g in range(planes[0].segments) for s in planes]
    return [*selects, *(f"sense_{prefix}_{planes[0].readable.start + i}" for i in range(len(sharing)))]


def select_circuits(planes: Sequence[Scope], sharing: Sequence[int], prefix: str) -> Iterator[str]:
    """Inverters of the gates, then one circuit per segment and column."""
    first = planes[0].readable.start
    for g in range(planes[0].segments):
        for s in planes:
            gate = f"sel{g}_p{s.placement.plane}"
            yield f"X_not_{gate} {gate} {gate}_b vdd_lcc 0 lcc_inverter\n"
    for g in range(planes[0].segments):
        for i, n in enumerate(sharing):
            numbers = [s.placement.plane for s in planes[:n]]
            bit_lines = " ".join(f"{prefix}{g}_p{p}_{first + i}" for p in numbers)
            selects = " ".join(f"sel{g}_p{p} sel{g}_p{p}_b" for p in numbers)
            yield f"X_lcc_{prefix}{g}_{first + i} {bit_lines} {selects} sense_{prefix}_{first + i} vdd_lcc 0 lcc_{n}\n"
