"""What every fuzz case is made of: a call, damage to bytes and to trees; and damaged configurations."""

from __future__ import annotations

import functools
import random
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml


@dataclass(frozen=True)
class Case:
    """One call. kind: reader or command; words: of the command line, `@` is the case's folder; files: by path in it.

    copy: a finished run that becomes the folder `run` before the files are written over it. apart: in a process of its
    own. own_cache: the case's folder `cache` is the cache. path: where programs are looked for; no ngspice by default.
    allowed: further exit codes. own_files: a plugin writes them, and answers for them.
    """

    kind: str
    words: tuple[str, ...]
    files: dict[str, bytes] = field(default_factory=dict)
    copy: Path | None = None
    apart: bool = False
    own_cache: bool = False
    path: str = "/nonexistent"
    allowed: tuple[int, ...] = ()
    own_files: bool = False


BASE: dict[str, Any] = {
    "name": "fuzz",
    "technology": {"stack": "generic28", "devices": "open45", "beol": "nominal"},
    "cell": {
        "kind": "cap_balanced", "row_pitch": "200nm", "column_pitch": "300nm", "row_width": "50nm",
        "column_width": "50nm", "tab_length": "150nm", "planes": [{"row": "M2", "column": "M3"}],
    },
    "array": {"rows": 16, "columns": 16, "group_rows": 4, "group_candidates": [4, 8], "columns_per_adc": 8},
    "mapping": "differential",
    "weights": {"random": [16, 2], "bits": 4},
    "inputs": {"bits": 4, "source": "random", "vectors": 4},
    "periphery": {"driver_stages": 1, "sense_capacitance": "100aF"},
    "timing": {"reset_end": "0.3ns", "read_after": "0.5ns"},
    "readout": {"double_sampling": True, "code_error_target": 1e-4, "offset_sigma": "5%"},
    "variation": {"cell_sigma": "2.5%"},
    "conditions": {"corners": ["tt", "ff"], "vdd": ["1.0V"], "temperature": ["27degC"]},
    "characterization": {"samples": 30, "seed": 1, "procedures": ["transfer", "mismatch", "adc_margin"]},
    "specs": ["code_error < 1e-4", "csnr > 20 at all"],
}  # fmt: skip
RES = deepcopy(BASE) | {
    "technology": {"stack": "open45", "devices": "open45"},
    "cell": {"kind": "res_via", "row_pitch": "160nm", "column_pitch": "160nm", "resistance": "500kohm",
             "planes": [{"row": "metal2", "column": "metal3"}]},
    "readout": {"code_error_target": 1e-4},
}  # fmt: skip

ODD: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 3, 7, 2**31, 2**63, 2**200, -(2**64), 0.0, -0.0, 1e-300, 1e300, -1e300, 5e-324,
    float("nan"), float("inf"), float("-inf"), "", " ", "nan", "inf", "1e999nm", "-5nm", "0nm", "1e-30nm", "1e30nm",
    "200 nm", "200nmm", "200NM", "2OOnm", "٣nm", "１００nm", "200µm", "200um", "1/0 nm", "1e400", "0x10", "1_000",
    "\u202eabc", "naïve", "名前", "😀", "a\nb", "\x00", "a" * 5000, "../../etc/passwd", "/dev/zero", "/dev/stdin", ".",
    "asset:", "asset:x", "asset:minilm/../x", "$(id)", ".control", "{{ 1 }}", "%s%n", "auto", [], [[]], [None],
    [1] * 999,
    "/", "--1", "nm",
    {}, {"a": {"b": 1}}, {"random": 1}, ["tt", "tt"], [1, 2, 3], [0, 0], [-1, 4], [2**40, 2**40], "true", "1;2",
)  # fmt: skip


_DUMPER: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
"""libyaml's where it is built in: ten times as fast."""


def places_of(data: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Keys that lead to every value of a tree."""
    found = [path] if path else []
    items: Any = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, inner in items:
        found += places_of(inner, (*path, key))
    return found


def parent_of(data: Any, path: tuple[Any, ...]) -> Any:
    """The mapping or list that holds the value."""
    for key in path[:-1]:
        data = data[key]
    return data


def changed(tree: Any, rng: random.Random) -> Any:
    """A copy of a tree with one to three keys dropped, replaced, renamed, moved or doubled."""
    data = deepcopy(tree)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        places = places_of(data)
        if not places:
            break
        path = rng.choice(places)
        parent, key = parent_of(data, path), path[-1]
        what = rng.randrange(7)
        if what == 0:
            del parent[key]
        elif what in (1, 2, 3):
            parent[key] = deepcopy(rng.choice(ODD))
        elif what == 4:
            other = rng.choice(places)
            parent[key] = deepcopy(parent_of(data, other)[other[-1]])
        elif what == 5 and isinstance(parent, dict):
            word = str(key)
            at = rng.randrange(len(word) + 1)
            parent[word[:at] + rng.choice(("", "x", "_", "ü", " ", word)) + word[at + 1 :]] = parent.pop(key)
        elif isinstance(parent[key], str):
            parent[key] = "".join(rng.choice((c, c, c, "", c + c, "-", "9")) for c in parent[key])
        elif isinstance(parent[key], int | float) and not isinstance(parent[key], bool):
            parent[key] = _times(parent[key], rng.choice((-1, 0, 0.5, 10, 1e3, 1e6, 1e18)))
    return data


def _times(value: float, factor: float) -> float:
    try:
        return value * factor
    except OverflowError:
        return factor


def dumped(tree: Any, rng: random.Random) -> bytes:
    """A tree as YAML."""
    text = yaml.dump(tree, Dumper=_DUMPER, allow_unicode=rng.random() < 0.5, sort_keys=False)
    return text.encode("utf-8", "replace")


@functools.cache
def _bombs() -> list[bytes]:
    """YAML that is small on disk and large, deep, recursive or of a forbidden kind when read."""
    laughs = "a0: &a0 [x, x]\n" + "".join(f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}, *a{i - 1}]\n" for i in range(1, 40))
    merged = "a: &a {x: 1}\n" + "".join(f"{c}: &{c} {{<<: [*a, *a]}}\n" for c in "bcdefg")
    whole = yaml.safe_dump(BASE)
    return [text.encode("utf-8", "surrogatepass") for text in (
        laughs, merged, "a: &a [*a]\n", "&a [*a]", "name: &x {y: *x}\n", "[" * 3000, "{a: " * 3000, "- " * 5000,
        "a:\n", "!!python/object/apply:os.system [id]", "name: !!binary abc", "name: !!python/name:os.system",
        "? [a, b]\n: 1", "name: !!timestamp 99999-01-01", "name: 2001-01-01", "name: !!float x", "name: !!int 0b9",
        "%YAML 9.9\n---\na: 1", "---\na: 1\n---\nb: 2\n", "", "\n\n", "# nothing", "null", "3", "'text'", "[1, 2]",
        "\ufeff" + whole, "\t" + whole, whole.replace("\n", "\r"), whole.replace("\n", "\r\n"), whole + whole,
        whole + "\n...\ngarbage: [", "a: " + "9" * 6000, "name: 1e" + "9" * 400, "0: 1\n1: 2", "true: 1", "null: 2",
        "1.5: x", "name: [" + "1," * 100000 + "]", whole + "\x00", "name: \x07", "name: \ud800", "~: ~", "<<: 1",
        "<<: {name: x}", "? \n: x", "name: >\n" + " x\n" * 3000, "=: 1", "- - - - x", "name: 190:20:30.15",
        "name: 0o17", "name: .inf", "specs: [" + "a" * 70000 + "]",
    )]  # fmt: skip


def damaged(data: bytes, rng: random.Random) -> bytes:
    """`data` cut, flipped, filled, doubled or with a piece moved."""
    if not data:
        return b"\x00"
    buffer = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 8))):
        if not buffer:
            break
        at, length = rng.randrange(len(buffer)), rng.choice((1, 1, 2, 8, 64))
        if rng.random() < 0.4:
            at = rng.randrange(min(len(buffer), 256))  # headers break more than bodies
        what = rng.randrange(8)
        if what == 0:
            del buffer[at:]
        elif what == 1:
            buffer[at] ^= 1 << rng.randrange(8)
        elif what == 2:
            buffer[at : at + length] = bytes(len(buffer[at : at + length]))
        elif what == 3:
            buffer[at : at + length] = rng.randbytes(length)
        elif what == 4:
            buffer[at : at + length] = b"\xff" * len(buffer[at : at + length])
        elif what == 5:
            buffer[at:at] = buffer[at : at + length]
        elif what == 6:
            del buffer[at : at + length]
        else:
            digits = [i for i, c in enumerate(buffer[:20000]) if 48 <= c <= 57]
            if digits:
                place = rng.choice(digits)
                odd = (b"-", b"99999999", b"nan", b"1e999", b"null", b"", b"0", b'"', b"[", b".", b"x")
                buffer[place : place + 1] = rng.choice(odd)
    return bytes(buffer)


_CALLS: tuple[tuple[int, tuple[str, ...]], ...] = (
    (4, ("extract", "@/c.yaml", "--method", "formula", "--json")),
    (4, ("netlist", "@/c.yaml", "--level", "array", "-o", "@/out.cir")),
    (4, ("netlist", "@/c.yaml", "--level", "column", "-o", "@/out.cir")),
    (4, ("netlist", "@/c.yaml", "--level", "cell", "-o", "@/out.cir")),
    (4, ("netlist", "@/c.yaml", "--level", "macro", "--json", "-o", "@/out.cir")),
    (4, ("run", "@/c.yaml", "-o", "@/out")),
    (2, ("characterize", "@/c.yaml", "-o", "@/out", "--json")),
    (2, ("netlist", "@/c.yaml", "--level", "column", "--baseline", "rom_1t", "-o", "@/out.cir")),
    (2, ("explore", "@/c.yaml", "-o", "@/out")),
    (2, ("optimize", "@/c.yaml", "-o", "@/out", "--minimize", "energy_per_mac", "--trials", "4")),
    (2, ("fit", "@/c.yaml", "-o", "@/m.json", "--vary", "conditions.vdd=0.9V:1.1V", "--most", "12")),
    (1, ("cells", "@/c.yaml", "-o", "@/out")),
    (4, ("layout", "@/c.yaml", "--level", "tile", "-o", "@/out.gds")),
    (2, ("layout", "@/c.yaml", "--level", "cell", "-o", "@/out.oas", "--picture", "@/out.svg")),
)
CALLS = tuple(words for _, words in _CALLS)
"""Command lines that read the configuration `c.yaml`."""


@functools.cache
def _whole(resistive: bool) -> bytes:
    return yaml.safe_dump(RES if resistive else BASE).encode()


def config_case(rng: random.Random) -> Case:
    """A damaged configuration through one of the commands that read one."""
    what = rng.random()
    if what < 0.06:
        kind, data = "config: bomb", rng.choice(_bombs())
    elif what < 0.3:
        kind, data = "config: bytes", damaged(_whole(rng.random() < 0.5), rng)
    else:
        kind, data = "config: tree", dumped(changed(rng.choice((BASE, BASE, RES)), rng), rng)
    return Case(kind, rng.choices(CALLS, [weight for weight, *_ in _CALLS])[0], {"c.yaml": data})
