"""Cases of the fuzz benchmark: configurations and input files, damaged in every way a user or a disk manages."""

from __future__ import annotations

import io
import json
import random
import struct
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import yaml


@dataclass(frozen=True)
class Case:
    """One call. name: kind and number; words: of the command line, `@` is the case's own folder; files: by path in it.

    copy: a finished run that becomes the folder `run` before the files are written over it.
    """

    name: str
    words: tuple[str, ...]
    files: dict[str, bytes] = field(default_factory=dict)
    copy: Path | None = None


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


def _places(data: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path] if path else []
    items: Any = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, inner in items:
        found += _places(inner, (*path, key))
    return found


def _parent(data: Any, path: tuple[Any, ...]) -> Any:
    for key in path[:-1]:
        data = data[key]
    return data


def _tree(rng: random.Random) -> bytes:
    """A configuration with one to three keys dropped, replaced, renamed, moved or doubled."""
    data = deepcopy(rng.choice((BASE, BASE, RES)))
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        places = _places(data)
        if not places:
            break
        path = rng.choice(places)
        parent, key = _parent(data, path), path[-1]
        what = rng.randrange(7)
        if what == 0:
            del parent[key]
        elif what in (1, 2, 3):
            parent[key] = deepcopy(rng.choice(ODD))
        elif what == 4:
            other = rng.choice(places)
            parent[key] = deepcopy(_parent(data, other)[other[-1]])
        elif what == 5 and isinstance(parent, dict):
            word = str(key)
            at = rng.randrange(len(word) + 1)
            parent[word[:at] + rng.choice(("", "x", "_", "ü", " ", word)) + word[at + 1 :]] = parent.pop(key)
        elif isinstance(parent[key], str):
            parent[key] = "".join(rng.choice((c, c, c, "", c + c, "-", "9")) for c in parent[key])
        elif isinstance(parent[key], int | float) and not isinstance(parent[key], bool):
            parent[key] = parent[key] * rng.choice((-1, 0, 0.5, 10, 1e3, 1e6, 1e18))
    return yaml.safe_dump(data, allow_unicode=rng.random() < 0.5, sort_keys=False).encode("utf-8", "replace")


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


_CALLS: tuple[tuple[str, ...], ...] = (
    ("extract", "@/c.yaml", "--method", "formula", "--json"),
    ("netlist", "@/c.yaml", "--level", "array", "-o", "@/out.cir"),
    ("netlist", "@/c.yaml", "--level", "column", "-o", "@/out.cir"),
    ("netlist", "@/c.yaml", "--level", "cell", "-o", "@/out.cir"),
    ("netlist", "@/c.yaml", "--level", "macro", "-o", "@/out.cir"),
    ("run", "@/c.yaml", "-o", "@/out"),
    ("netlist", "@/c.yaml", "--level", "column", "--baseline", "rom_1t", "-o", "@/out.cir"),
    ("explore", "@/c.yaml", "-o", "@/out"),
    ("layout", "@/c.yaml", "--level", "tile", "-o", "@/out.gds"),
)


def config_cases(count: int, seed: int) -> Iterator[Case]:
    """`count` damaged configurations, each through one of the commands that read one."""
    rng = random.Random(f"config {seed}")  # noqa: S311
    bombs = _bombs()
    for k in range(count):
        if k % 16 == 0:
            kind, data = "bomb", bombs[k // 16 % len(bombs)]
        elif rng.random() < 0.25:
            kind, data = "bytes", damaged(yaml.safe_dump(rng.choice((BASE, RES))).encode(), rng)
        else:
            kind, data = "tree", _tree(rng)
        words = rng.choice(_CALLS)
        yield Case(f"{kind}:{k}", words, {"c.yaml": data})


def _weights() -> dict[str, bytes]:
    """One whole file of every weight format; 16 inputs, 2 outputs."""
    from safetensors.numpy import save

    matrix = np.random.default_rng(1).standard_normal((16, 2)).astype(np.float32)
    plain, packed = io.BytesIO(), io.BytesIO()
    np.save(plain, matrix)
    np.savez(packed, w=matrix, other=matrix[:3])
    return {
        "w.npy": plain.getvalue(),
        "w.npz": packed.getvalue(),
        "w.safetensors": save({"w": matrix, "v": matrix[:3]}),
        "w.gguf": _gguf("w", matrix),
        "w.csv": "\n".join(",".join(f"{v:.6g}" for v in row) for row in matrix).encode() + b"\n",
        "w.hex": "\n".join(f"{int(v * 3) & 15:x}" for v in matrix.ravel()).encode() + b"\n",
    }


def _gguf(name: str, matrix: np.ndarray[Any, np.dtype[np.float32]]) -> bytes:
    """A GGUF of version 3 with one float tensor, from the format's specification."""

    def word(text: str) -> bytes:
        return struct.pack("<Q", len(text)) + text.encode()

    head = b"GGUF" + struct.pack("<IQQ", 3, 1, 1) + word("general.alignment") + struct.pack("<II", 4, 32)
    head += word(name) + struct.pack("<IQQIQ", 2, matrix.shape[1], matrix.shape[0], 0, 0)
    return head + bytes(-len(head) % 32) + matrix.tobytes()


def _weight_case(rng: random.Random, whole: dict[str, bytes]) -> Case:
    name = rng.choice(sorted(whole))
    kept = deepcopy(BASE)
    kept["weights"] = {"file": name, "bits": 4, "shape": [16, 2]}
    if name.endswith((".npz", ".safetensors", ".gguf")):
        kept["weights"]["tensor"] = "w"
    if rng.random() < 0.4:
        kept["weights"].pop("shape")
    data = damaged(whole[name], rng)
    if name.endswith((".safetensors", ".gguf")) and rng.random() < 0.3:
        return Case(f"{name[2:]}:inventory", ("inventory", f"@/{name}", "--json"), {name: data})
    words = ("netlist", "@/c.yaml", "--level", "array", "-o", "@/out.cir")
    return Case(f"{name[2:]}:", words, {"c.yaml": yaml.safe_dump(kept).encode(), name: data})


def _technology_case(rng: random.Random) -> Case:
    folder = Path(__file__).resolve().parent.parent
    stacks = sorted((folder / "interconnect").rglob("generic28*.y*ml"))
    devices = [p for p in sorted((folder / "netlists").rglob("open45*")) if p.suffix in (".yaml", ".yml", ".json")]
    kept = deepcopy(BASE)
    key, found = rng.choice([(k, p) for k, p in (("stack", stacks), ("devices", devices)) if p])
    name = f"t{found[0].suffix}"
    kept["technology"][key] = name
    data = damaged(found[0].read_bytes(), rng)
    words = rng.choice(_CALLS[:3])
    return Case(f"{key}:", words, {"c.yaml": yaml.safe_dump(kept).encode(), name: data})


_RUN_CALLS: tuple[tuple[str, ...], ...] = (
    ("report", "@/run"),
    ("estimate", "@/run", "--json"),
    ("estimate", "@/run", "--workload", "bert-base", "--json"),
    ("export", "@/run", "--format", "netcdf", "-o", "@/out"),
    ("export", "@/run", "--format", "csv", "-o", "@/out", "--check"),
    ("export", "@/run", "--format", "veriloga", "-o", "@/out"),
    ("export", "@/run", "--format", "neurosim", "-o", "@/out"),
    ("export", "@/run", "--format", "liberty", "-o", "@/out"),
)
_RUN_FILES = ("results.json", "lut/readout.json", "manifest.json", "layer.npz", "procedures.json", "lut/readout.nc")


def _run_case(rng: random.Random, folder: Path) -> Case:
    name = rng.choice([f for f in (*_RUN_FILES, "results.json", "lut/readout.json") if (folder / f).exists()])
    data = (folder / name).read_bytes()
    if name.endswith(".json") and rng.random() < 0.6:
        tree = json.loads(data)
        place = rng.choice(_places(tree))
        _parent(tree, place)[place[-1]] = deepcopy(rng.choice([v for v in ODD if not isinstance(v, dict) or not v]))
        data = json.dumps(tree).encode()
    else:
        data = damaged(data, rng)
    words = rng.choice((*_RUN_CALLS, ("diff", str(folder), "@/run", "--json")))
    return Case(f"run:{name}", words, {f"run/{name}": data}, copy=folder)


def _audit_case(rng: random.Random, netlist: bytes) -> Case:
    words = ("audit", "@/n.cir", "@/c.yaml", "--json")
    return Case("audit:", words, {"c.yaml": yaml.safe_dump(BASE).encode(), "n.cir": damaged(netlist, rng)})


def file_cases(count: int, seed: int, run: Path | None) -> Iterator[Case]:
    """`count` damaged input files of every kind; `run`: a finished run's folder, None: no cases with one."""
    rng = random.Random(f"files {seed}")  # noqa: S311
    whole, netlist = _weights(), _netlist()
    kinds: list[tuple[float, Callable[[], Case]]] = [
        (0.35, lambda: _weight_case(rng, whole)),
        (0.15, lambda: _technology_case(rng)),
        (0.1, lambda: _audit_case(rng, netlist)),
    ]
    if run is not None:
        kinds.append((0.4, lambda: _run_case(rng, run)))
    for _ in range(count):
        yield rng.choices([make for _, make in kinds], [weight for weight, _ in kinds])[0]()


def _netlist() -> bytes:
    """A whole array netlist of the base configuration, to be damaged."""
    import tempfile

    from metalrom.api import load

    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "c.yaml"
        path.write_text(yaml.safe_dump(BASE), encoding="utf-8")
        load(path).netlist("array", Path(name) / "n.cir")
        return (Path(name) / "n.cir").read_bytes()
