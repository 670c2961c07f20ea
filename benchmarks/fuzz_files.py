"""Damaged input files of every kind that a command or a library reads, and the calls that read them."""

from __future__ import annotations

import functools
import io
import json
import lzma
import random
import struct
import zipfile
from collections.abc import Callable, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from safetensors.numpy import save

from benchmarks.fuzz_cases import BASE, Case, changed, damaged, dumped
from benchmarks.fuzz_seeds import SYSTEM_PATH, Seeds
from metalrom.studies.systems import description

ROOT = Path(__file__).resolve().parent.parent
MATRIX = np.random.default_rng(1).standard_normal((16, 32)).astype(np.float32)


def _text(text: str) -> bytes:
    return struct.pack("<Q", len(text.encode())) + text.encode()


def gguf(shape: Sequence[int], kind: int, data: bytes, *, name: str = "w", offset: int = 0, count: int = 1) -> bytes:
    """A GGUF file of version 3 with one tensor, from the format's specification. shape: fastest dimension first."""
    head = b"GGUF" + struct.pack("<IQQ", 3, count, 2) + _text("general.alignment") + struct.pack("<II", 4, 32)
    head += _text("general.architecture") + struct.pack("<I", 8) + _text("llama")
    head += _text(name) + struct.pack("<I", len(shape)) + b"".join(struct.pack("<Q", n & (2**64 - 1)) for n in shape)
    head += struct.pack("<IQ", kind, offset)
    return head + bytes(-len(head) % 32) + data


def safetensors(entries: dict[str, Any], data: bytes) -> bytes:
    """A safetensors file with any header."""
    header = json.dumps(entries).encode()
    return struct.pack("<Q", len(header)) + header + data


def _entry(dtype: str, shape: Sequence[Any], size: int) -> dict[str, Any]:
    return {"w": {"dtype": dtype, "shape": list(shape), "data_offsets": [0, size]}}


@functools.cache
def whole_weights() -> dict[str, bytes]:
    """Whole files of every weight format and storage type; 16 inputs, 32 outputs."""
    plain, packed, stored = io.BytesIO(), io.BytesIO(), io.BytesIO()
    np.save(plain, MATRIX)
    np.savez(stored, w=MATRIX, other=MATRIX[:3])
    np.savez_compressed(packed, w=MATRIX)
    blocks = {2: 18, 3: 20, 8: 34, 12: 144, 34: 54, 35: 66}
    return {
        "f4.npy": plain.getvalue(),
        "stored.npz": stored.getvalue(),
        "packed.npz": packed.getvalue(),
        **{f"{method}.npz": _archive(plain.getvalue(), method) for method in (zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2)},
        "f4.safetensors": save({"w": MATRIX, "v": MATRIX[:3]}),
        **{f"{t}.safetensors": safetensors(_entry(t, (16, 32), n * 512), bytes(range(256)) * 2 * n)
           for t, n in (("BF16", 2), ("F8_E4M3", 1), ("F8_E5M2", 1), ("F16", 2), ("BOOL", 1), ("U64", 8), ("F4", 1))},
        "f4.gguf": gguf((32, 16), 0, MATRIX.tobytes()),
        "bf16.gguf": gguf((32, 16), 30, bytes(1024)),
        **{f"type{t}.gguf": gguf((32, 16), t, random.Random(t).randbytes(16 * n)) for t, n in blocks.items()},  # noqa: S311
        "w.csv": "\n".join(",".join(f"{v:.6g}" for v in row) for row in MATRIX).encode() + b"\n",
        "named.csv": b"# weights\na,b\n1,2\n-3.5e-1,4\n",
        "w.hex": "\n".join(f"{int(v * 3) & 15:x}" for v in MATRIX[:, :2].ravel()).encode() + b"\n",
    }  # fmt: skip


@functools.cache
def _archive(member: bytes, method: int) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        archive.writestr("w.npy", member)
    return out.getvalue()


_NUMBERS = ("٣", "１", "१२", "1_0", "nan", "-inf", "1e999", "", " ", "0x10", "1e5000", "½", "\u202e1", "1\r", '"1"',
            '"1', "1;2", "+", "--1", "1" * 400, "\x00", "−1", "1.٣", "𝟙", "1e-400", "True", "1+1j", "1,1",
            "²")  # fmt: skip
_SIZES = (0, 1, 2**31, 2**32, 2**61, 2**63 - 1, 2**63, 2**64 - 1, -1, 3, 31)


def crafted_weights(rng: random.Random) -> tuple[str, bytes]:
    """A weight file of a class of damage that flipped bytes seldom meet: sizes, types, digits, bombs, headers."""
    what = rng.randrange(9)
    if what == 0:
        shape = [rng.choice((*_SIZES, 32, 16)) for _ in range(rng.choice((0, 1, 2, 2, 2, 3, 4, 5, 9)))]
        kind = rng.choice((0, 1, 2, 3, 8, 12, 24, 28, 30, 34, 99, 2**31))
        return "x.gguf", gguf(shape, kind, MATRIX.tobytes(), offset=rng.choice(_SIZES[:-1]) & (2**64 - 1))
    if what == 1:
        return "x.gguf", gguf((32, 16), 0, MATRIX.tobytes(), count=rng.choice((0, 2, 2**20, 2**63, 2**64 - 1)))
    if what == 2:
        shape = [
            rng.choice((*_SIZES, "16", None, 1.5, [], 32, 16, True)) for _ in range(rng.choice((0, 1, 2, 2, 3, 33)))
        ]
        dtype = rng.choice(("F32", "BF16", "F8_E4M3", "F16", "BOOL", "x", "", "I64"))
        entry = _entry(dtype, shape, rng.choice((0, 4, 2048, 2**63, -4)))
        if rng.random() < 0.3:
            entry["w"]["data_offsets"] = rng.choice(([], [0], [4, 0], ["0", "4"], [0, 1e300], None, [0, 2**70], {}))
        return "x.safetensors", safetensors(entry, bytes(2048))
    if what == 3:
        rows = [[rng.choice(("1", "-0.5", "3e-2")) for _ in range(4)] for _ in range(4)]
        rows[rng.randrange(4)][rng.randrange(4)] = rng.choice(_NUMBERS)
        return "x.csv", "\n".join(map(",".join, rows)).encode()
    if what == 4:
        return "x.npz", _npz_bomb(rng)
    if what == 5:
        return "x.npy", _npy_header(rng)
    if what == 6:
        words = " ".join(rng.choice(("1", "f", "8", "0", rng.choice(_NUMBERS), "@0", "@ffffffffffffffff", "//", "/*"))
                         for _ in range(32))  # fmt: skip
        return "x.hex", words.encode()
    if what == 7:
        values = MATRIX.copy()
        values[rng.randrange(16), rng.randrange(32)] = rng.choice((np.nan, np.inf, -np.inf, 3e38, 1e-45))
        return rng.choice((("x.gguf", gguf((32, 16), 0, values.tobytes())), ("x.safetensors", save({"w": values}))))
    header = rng.choice((b"[" * 100_000, b'{"w":' * 5000, b"{" + b'"a":1,' * 50_000 + b'"b":2}', b"\xff" * 64, b"null"))
    return "x.safetensors", struct.pack("<Q", rng.choice((len(header), 2**63, 0, 10**8))) + header


def _npz_bomb(rng: random.Random) -> bytes:
    """An archive whose member is packed a thousandfold, damaged inside its packing, or lies about its sizes."""
    size = rng.choice((10**3, 10**6, 10**7))
    member = io.BytesIO()
    np.save(member, np.zeros(size // 8))
    raw = _archive(member.getvalue(), rng.choice((zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2)))
    buffer = bytearray(raw)
    if rng.random() < 0.7:  # inside the packed data: zlib, LZMA and bzip2 each fail in their own way
        for _ in range(rng.choice((1, 4, 16))):
            buffer[rng.randrange(30, len(buffer))] = rng.randrange(256)
    if rng.random() < 0.1:
        return lzma.compress(bytes(buffer))
    return bytes(buffer)


def _npy_header(rng: random.Random) -> bytes:
    shape = rng.choice(("(16, 32)", "(-1, 32)", "(2**62,)", "(4611686018427387904, 4)", "()", "(1,)*99", "16",
                        "(0, 5)", "(True, 2)", "('a',)", "(1e3, 2)", "(" * 500, "(9999999999,)",
                        "(0, 4611686018427387904)"))  # fmt: skip
    kind = rng.choice(
        ("<f4", ">f8", "|O", "|V8", "<U4", "<M8[s]", "|S0", "<c8", "<f2", "x", "[('a','<f4')]", "|b1", "<f16")
    )
    text = f"{{'descr': {kind!r}, 'fortran_order': {rng.choice((True, False, 1, None))}, 'shape': {shape}, }}"
    version = rng.choice(((1, 0), (2, 0), (3, 0), (9, 9)))
    packed = struct.pack("<H" if version == (1, 0) else "<I", len(text)) + text.encode()
    return b"\x93NUMPY" + bytes(version) + packed + MATRIX.tobytes()


def weight_case(rng: random.Random, _: Seeds) -> Case:
    """A weight file through a command or the reader alone."""
    if rng.random() < 0.45:
        name, data = crafted_weights(rng)
    else:
        name, whole = rng.choice(sorted(whole_weights().items()))
        data = damaged(whole, rng) if rng.random() < 0.9 else whole
    suffix = name.rpartition(".")[2]
    if suffix in ("safetensors", "gguf") and rng.random() < 0.3:
        return Case(f"weights: {suffix}", ("inventory", f"@/{name}", "--json"), {name: data})
    if rng.random() < 0.7:
        reader = "read:blocks" if suffix == "gguf" and rng.random() < 0.4 else "read:weights"
        return Case(f"weights: {suffix}", (reader, f"@/{name}"), {name: data})
    kept = deepcopy(BASE)
    kept["weights"] = {"file": name, "bits": 4, "shape": [16, 2] if suffix == "hex" else [16, 32]}
    kept["array"]["columns"] = 128
    if suffix in ("npz", "safetensors", "gguf"):
        kept["weights"]["tensor"] = "w"
    if rng.random() < 0.4:
        kept["weights"].pop("shape")
    words = ("netlist", "@/c.yaml", "--level", "cell", "-o", "@/out.cir")
    return Case(f"weights: {suffix}", words, {"c.yaml": dumped(kept, rng), name: data})


@functools.cache
def _loaded(path: Path) -> Any:
    return yaml.safe_load(path.read_bytes())


def _yaml_or_bytes(path: Path, rng: random.Random) -> bytes:
    return damaged(path.read_bytes(), rng) if rng.random() < 0.5 else dumped(changed(_loaded(path), rng), rng)


def technology_case(rng: random.Random, _: Seeds) -> Case:
    """A stack or a device file."""
    key, folder, names = rng.choice((
        ("stack", "interconnect/stacks", ("generic28", "open45")), ("devices", "netlists/devices", ("open45",
        "sky130")),
    ))  # fmt: skip
    found = [p for name in names for p in sorted((ROOT / folder).rglob(f"{name}.y*ml"))]
    data = _yaml_or_bytes(rng.choice(found), rng)
    if key == "devices" and rng.random() < 0.4:
        return Case(f"{key} file", ("read:devices", "@/t.yaml"), {"t.yaml": data})
    kept = deepcopy(BASE)
    kept["technology"][key] = "t.yaml"
    words = rng.choice((
        ("extract", "@/c.yaml", "--method", "formula", "--json"),
        ("netlist", "@/c.yaml", "--level", "cell", "-o", "@/out.cir"),
        ("layout", "@/c.yaml", "--level", "cell", "-o", "@/out.gds"),
    ))  # fmt: skip
    return Case(f"{key} file", words, {"c.yaml": dumped(kept, rng), "t.yaml": data})


def kit_case(rng: random.Random, seeds: Seeds) -> Case:
    """A device kit: a SPICE library with sections and the files that it includes."""
    files = dict(seeds.kit)
    name = rng.choice(sorted(files))
    data = files[name]
    if name.endswith(".yaml"):
        data = dumped(changed(yaml.safe_load(data), rng), rng)
    elif rng.random() < 0.5:
        lines = data.decode().split("\n")
        odd = (".include kit.lib", ".lib kit.lib TT", ".include /dev/zero", ".inc ../../x", ".endl",
        ".lib TT", ".model",
               ".control\nshell id\n.endc", ".include 'shells.inc'", "+ a=", ".if (1)", ".subckt",
               ".param a={a}", "\x00")  # fmt: skip
        lines.insert(rng.randrange(len(lines)), rng.choice(odd))
        data = "\n".join(lines).encode()
    else:
        data = damaged(data, rng)
    return Case("device library", ("read:devices", "@/kit.yaml"), files | {name: data})


_LAYERS = {"name": "net", "layers": [
    {"name": "in", "rows": 64, "columns": 128, "uses": 2},
    {"name": "a", "rows": 128, "columns": 64, "parallel": "p"},
    {"name": "b", "rows": 128, "columns": 64, "parallel": "p", "depends_on": ["in"]},
    {"name": "out", "rows": 64, "columns": 10, "depends_on": ["a", "b"]},
]}  # fmt: skip
_TABLE = (
    b"name,rows,columns,uses,parallel,depends_on\nin,64,128,2,,\na,128,64,1,p,in\nb,128,64,,p,in\nout,64,10,1,,a;b\n"
)
_CONFIGS: tuple[dict[str, Any], ...] = (
    {"model_type": "bert", "hidden_size": 384, "num_hidden_layers": 2, "num_attention_heads": 12,
     "intermediate_size": 1536, "vocab_size": 1000, "max_position_embeddings": 512},
    {"model_type": "llama", "hidden_size": 576, "num_hidden_layers": 2, "num_attention_heads": 9,
     "num_key_value_heads": 3, "intermediate_size": 1536, "vocab_size": 4915, "tie_word_embeddings": True},
    {"model_type": "vit", "hidden_size": 192, "num_hidden_layers": 2, "num_attention_heads": 3,
     "intermediate_size": 768, "image_size": 224, "patch_size": 16, "num_channels": 3, "qkv_bias": True},
    {"model_type": "resnet", "depths": [2, 2], "hidden_sizes": [64, 128], "layer_type": "basic", "embedding_size": 64},
)  # fmt: skip


def list_case(rng: random.Random, _: Seeds) -> Case:
    """A list of layers or a network's configuration."""
    what = rng.randrange(4)
    if what == 0:
        name, data = "n.csv", damaged(_TABLE, rng)
        if rng.random() < 0.5:
            cells = [row.split(",") for row in _TABLE.decode().strip().split("\n")]
            cells[rng.randrange(1, 5)][rng.randrange(6)] = rng.choice(_NUMBERS)
            data = "\n".join(map(",".join, cells)).encode()
    elif what == 1:
        name, data = "n.yaml", dumped(changed(_LAYERS, rng), rng)
    else:
        name, data = "n.json", json.dumps(changed(rng.choice(_CONFIGS), rng)).encode()
        data = damaged(data, rng) if what == 3 else data
    words = rng.choice((
        ("inventory", f"@/{name}", "--json"), ("inventory", f"@/{name}"),
        ("inventory", f"@/{name}", "--tile", "64x64x2", "--json"), ("compare", "--workloads", f"@/{name}", "--json"),
    ))  # fmt: skip
    return Case(f"network: {name[2:]}", words, {name: data})


def system_case(rng: random.Random, _: Seeds) -> Case:
    """A system of the literature."""
    data = _yaml_or_bytes(rng.choice(sorted(Path(description.__file__).parent.rglob("literature/*.yaml"))), rng)
    words = ("read:system", "@/s.yaml") if rng.random() < 0.7 else ("compare", "--systems", "@/s.yaml", "--json")
    return Case("system file", words, {"s.yaml": data})


def deck_case(rng: random.Random, seeds: Seeds) -> Case:
    """A SPICE deck or what it includes; small enough for the engine."""
    deck, include = b"t\n.include part.inc\nv1 in 0 dc 1 pulse(0 1 0 1n 1n)\nx1 in out part\n.tran 1n 20n\n.end\n", (
        b".subckt part a b\nr1 a b 1k\nc1 b 0 1p ic=0\n.ends\n.param p=1\n"
    )  # fmt: skip
    if rng.random() < 0.5:
        include = damaged(include, rng)
    else:
        deck = damaged(deck, rng) if rng.random() < 0.6 else _odd_deck(deck, rng)
    files = {"d.cir": deck, "part.inc": include}
    words = (
        "simulate",
        "@/d.cir",
        "--save",
        rng.choice(("v(out)", "v(out),i(v1)", "v(nowhere)", "x", "v(")),
        "--timeout",
        "4",
    )
    words += ("--json",) if rng.random() < 0.5 else ()
    return Case("deck", words, files, path=SYSTEM_PATH if rng.random() < 0.5 else "/nonexistent")


def _odd_deck(deck: bytes, rng: random.Random) -> bytes:
    lines = deck.decode().split("\n")
    odd = (".include d.cir", ".include /dev/zero", ".include part.inc", "r9 out 0 0", "r9 out 0 1M",
    "c9 out 0 1F", ".end",
           ".tran 0 0", ".tran 1f 1", ".control\nrun\n.endc", ".control\nshell id\n.endc", ".meas tran x max v(out)",
           "b1 q 0 v=1/0", "b1 q 0 v={nan}", ".param a={a}", ".subckt", "l1 in 0 1n", "v2 in 0 2", "x9 in out nothing",
           "٣ in 0 1", ".lib x", "e1 a 0 b 0 1e300", ".model m nmos level=999", "m1 a b c d m", "\x00", "+",
           "* " + "x" * 9000,
           ".dc v1 0 1 1e-9", ".ac dec 10 1 1e30", ".save all", ".options reltol=-1", ".ic v(out)=1e30",
           "a" * 300 + " in 0 1")  # fmt: skip
    for _ in range(rng.choice((1, 1, 2))):
        lines.insert(rng.randrange(1, len(lines)), rng.choice(odd))
    return "\n".join(lines).encode()


def audit_case(rng: random.Random, seeds: Seeds) -> Case:
    """A written netlist or layout."""
    name = rng.choice(sorted(seeds.audited))
    data = damaged(seeds.audited[name], rng)
    return Case(
        f"audit: {Path(name).suffix[1:]}",
        ("audit", f"@/{name}", "@/c.yaml", "--json"),
        {"c.yaml": seeds.config, name: data},
    )


FILE_KINDS: tuple[tuple[float, Callable[[random.Random, Seeds], Case]], ...] = (
    (26, weight_case), (6, technology_case), (6, kit_case), (12, list_case), (6, system_case),
    (8, deck_case), (2, audit_case),
)  # fmt: skip
"""Share of all cases -> what makes one."""
