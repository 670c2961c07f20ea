"""Whether what stands before the planes is as it should be: cell subcircuits, cards, circuits of the periphery."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence

from netlists.audit_wiring import statements
from netlists.cells.base import CellModel, Variant

_ELEMENT = re.compile(r"(\S+) (\S+) (\S+) (?:\{ ?(?P<varying>\S+) ?\* ?k ?\}|(?P<fixed>\S+))")


def cell_faults(models: Sequence[CellModel], bodies: Mapping[str, str]) -> list[str]:
    """Elements of the cells' subcircuits that differ from the model's in name, nodes or value, or are too many."""
    variants: dict[str, Variant] = {v.subckt.lower(): v for m in models for v in m.variants}
    faults: list[str] = []
    for name, variant in variants.items():
        expected = {e.name.lower(): ((e.a.lower(), e.b.lower()), e.value, e.varies) for e in variant.elements}
        for line in statements(bodies.get(name, ""))[1:]:  # the first one is its .subckt
            match = _ELEMENT.fullmatch(line)
            element = expected.pop(match[1], None) if match else None
            if match is None or element is None:
                faults.append(f"{line.split()[0]} in {name} is not an element of the cell")
                continue
            nodes, value, varies = element
            if (match[2], match[3]) != nodes:
                faults.append(f"{match[1]} in {name} is between {match[2]} and {match[3]}, not {' and '.join(nodes)}")
            elif _number(match["varying" if varies else "fixed"]) != value:
                faults.append(f"{match[1]} in {name} has another value than {value:g}")
        faults += [f"{element} is missing in {name}" for element in expected]
    return faults


def head_faults(bodies: Mapping[str, str], head: str) -> list[str]:
    """Statements outside the planes and tiles that are missing, changed, added or in another subcircuit.

    bodies: text of every such subcircuit of a file, its `.subckt` line first; under the empty name what is in none.
    head: the text that should be there, as rendered.
    """
    there = Counter((name, line) for name, text in bodies.items() for line in statements(text) if line != ".end")
    wanted: Counter[tuple[str, str]] = Counter()
    inside = ""
    for line in statements(head.replace("\n+", " ")):
        if line.startswith(".subckt "):
            inside = line.split()[1]
        if line.startswith(".ends"):
            inside = ""
        else:
            wanted[inside, line] += 1
    faults = [f"{_short(line)!r} does not belong {_where(name)}" for name, line in there - wanted]
    return faults + [f"{_short(line)!r} is missing {_where(name)}" for name, line in wanted - there]


def loose_elements(bodies: Mapping[str, str]) -> list[str]:
    """Element statements outside of every subcircuit; a netlist has none."""
    return [line for line in statements(bodies.get("", "")) if not line.startswith(".")]


def _where(name: str) -> str:
    return f"in {name}" if name else "outside the subcircuits"


def _short(line: str) -> str:
    return line if len(line) <= 80 else line[:77] + "..."


def _number(text: str | None) -> float | None:
    try:
        return None if text is None else float(text)
    except ValueError:
        return None
