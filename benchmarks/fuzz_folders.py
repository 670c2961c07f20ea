"""Damaged output folders, tables, models and caches: as a disk leaves them, and with their checksums made right."""

from __future__ import annotations

import hashlib
import io
import json
import random
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.fuzz_cases import ODD, Case, changed, damaged, parent_of, places_of
from benchmarks.fuzz_seeds import Seeds

_RUN_CALLS: tuple[tuple[int, tuple[str, ...]], ...] = (
    (1, ("report", "@/run")),
    (24, ("estimate", "@/run", "--json")),
    (12, ("estimate", "@/run", "--workload", "bert-base", "--json")),
    (12, ("export", "@/run", "--format", "netcdf", "-o", "@/out")),
    (12, ("export", "@/run", "--format", "csv", "-o", "@/out", "--check")),
    (4, ("export", "@/run", "--format", "json", "-o", "@/out", "--check")),
    (4, ("export", "@/run", "--format", "parquet", "-o", "@/out", "--check")),
    *((4, ("export", "@/run", "--format", name, "-o", "@/out")) for name in (
        "veriloga", "neurosim", "liberty", "systemverilog", "touchstone", "lef", "crosssim", "aihwkit",
        "mnsim", "zigzag", "accelergy", "hwcomponents", "spice_macro")),
    (16, ("diff", "@/whole", "@/run", "--json")),
    (8, ("evaluate", "minilm", "--macro", "@/run", "--json")),
    (4, ("compare", "--macro", "@/run", "--json")),
)  # fmt: skip
_READ = ("results.json", "results.json", "lut/readout.json", "lut/readout.nc", "manifest.json", "layer.npz",
         "program.npz",
         "models.json", "config.json", "config.yaml", "lut/readout.csv", "samples.csv")  # fmt: skip


def _tree_or_bytes(name: str, data: bytes, rng: random.Random) -> bytes:
    if name.endswith(".json") and rng.random() < 0.75:
        tree = json.loads(data)
        if rng.random() < 0.5:
            tree = changed(tree, rng)
        else:
            place = rng.choice(places_of(tree))
            parent_of(tree, place)[place[-1]] = deepcopy(
                rng.choice([v for v in ODD if not isinstance(v, dict) or not v])
            )
        return json.dumps(tree).encode()
    if name.endswith(".npz") and rng.random() < 0.6:
        return _arrays(data, rng)
    return damaged(data, rng)


def _arrays(data: bytes, rng: random.Random) -> bytes:
    """A whole archive with one array of another shape, type or content."""
    with np.load(io.BytesIO(data), allow_pickle=False) as archive:
        arrays = dict(archive)
    name = rng.choice(sorted(arrays))
    value = arrays[name]
    what = rng.randrange(8)
    if what == 0:
        del arrays[name]
    elif what == 1 and value.dtype.kind in "biuf":
        arrays[name] = value.astype(rng.choice(("f8", "i8", "u1", "U8", "c16", "f2")))
    elif what == 2:
        arrays[name] = value[..., None] if rng.random() < 0.5 else value.ravel()[:1]
    elif what == 3:
        arrays[name] = value[:0] if value.ndim else np.zeros(0)
    elif what == 4 and value.dtype.kind in "iuf":
        arrays[name] = value * 0 + rng.choice((-1, 7, 100))
    elif what == 5 and value.dtype.kind in "iuf":
        with np.errstate(invalid="ignore"):
            arrays[name] = value.astype(float) * rng.choice((np.nan, np.inf, 1e300))
    elif what == 6:
        arrays["more"] = value
    else:
        arrays[name] = value.T
    out = io.BytesIO()
    np.savez(out, **arrays)
    return out.getvalue()


def run_case(rng: random.Random, seeds: Seeds) -> Case:
    """A file of a finished run's folder; half the time with its hash in the manifest made right."""
    assert seeds.run is not None
    name = rng.choice([f for f in _READ if (seeds.run / f).exists()])
    data = _tree_or_bytes(name, (seeds.run / name).read_bytes(), rng)
    words = rng.choices([words for _, words in _RUN_CALLS], [weight for weight, _ in _RUN_CALLS])[0]
    words = tuple(str(seeds.run) if word == "@/whole" else word for word in words)
    files = {f"run/{name}": data}
    resealed = name != "manifest.json" and rng.random() < 0.6
    if resealed:
        manifest = json.loads((seeds.run / "manifest.json").read_bytes())
        manifest["files"][name] = hashlib.sha256(data).hexdigest()
        files["run/manifest.json"] = json.dumps(manifest).encode()
    kind = "run folder, resealed" if resealed else "run folder"
    return Case(kind, words, files, copy=seeds.run)


def table_case(rng: random.Random, seeds: Seeds) -> Case:
    """A readout table in one of the neutral formats."""
    form = rng.choice(sorted(seeds.tables))
    folder = seeds.tables[form]
    files = {f"t/{p.relative_to(folder)}": p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    name = rng.choice(sorted(files))
    files[name] = _tree_or_bytes(name, files[name], rng)
    schema = next((n for n in files if n.endswith(".schema.json")), None)
    if schema is not None and name != schema and rng.random() < 0.5:
        document = json.loads(files[schema])
        _replace(document, {Path(n).name: hashlib.sha256(d).hexdigest() for n, d in files.items()})
        files[schema] = json.dumps(document).encode()
    reader = "planes" if form == "netcdf" and rng.random() < 0.3 else form
    return Case(f"table: {form}", (f"read:{reader}", "@/t"), files)


def _replace(tree: Any, digests: dict[str, str]) -> None:
    """Right hashes wherever a mapping names a file and its hash."""
    if isinstance(tree, dict):
        for key, value in tree.items():
            if key in digests and isinstance(value, str):
                tree[key] = digests[key]
            else:
                _replace(value, digests)
        if tree.get("name") in digests or tree.get("path") in digests:
            tree["sha256"] = digests[tree.get("name") or tree["path"]]
    elif isinstance(tree, list):
        for value in tree:
            _replace(value, digests)


_CELLS = ("1", "0.95", "1.05", "nan", "inf", "1e999", "", " ", "٣", "１", "1_0", "1V", "-1", "0x1", "1e-999",
          '"1"', "1;1",
          "½", "2", "=1", "\x00", "9" * 5000, "1 ", "+1", "true", "\u2212" + "1")  # fmt: skip


def model_case(rng: random.Random, seeds: Seeds) -> Case:
    """A fitted model, damaged or edited with a right checksum, or the points that it is asked for."""
    assert seeds.model is not None
    what = rng.randrange(4)
    key = next(iter(json.loads(seeds.model)["model"]["inputs"]))
    key = key["name"] if isinstance(key, dict) else "conditions.vdd"
    if what == 0:
        rows = [
            [rng.choice((key, key, key, rng.choice(_CELLS)))],
            *([rng.choice(_CELLS)] for _ in range(rng.randrange(4))),
        ]
        table = "\n".join(",".join(row) for row in rows).encode()
        table = damaged(table, rng) if rng.random() < 0.3 else table
        return Case(
            "points", ("predict", "@/m.json", "--points", "@/p.csv", "--json"), {"m.json": seeds.model, "p.csv": table}
        )
    if what == 1:
        point = rng.choice(
            (f"{key}={rng.choice(_CELLS)}", rng.choice(_CELLS), f"{key}", f"{key}=1,{key}=1", f"{key}=1=1")
        )
        return Case("points", ("predict", "@/m.json", "--at", point, "--json"), {"m.json": seeds.model})
    if what == 2:
        data = _tree_or_bytes("m.json", seeds.model, rng)
        return Case("model", ("predict", "@/m.json", "--at", f"{key}=1V", "-o", "@/out.csv"), {"m.json": data})
    tree = json.loads(seeds.model)
    del tree["sha256"]
    inner = changed(tree["model"], rng) if rng.random() < 0.85 else tree["model"]
    tree = {**(changed(tree, rng) if inner is tree["model"] else tree), "model": inner}
    text = json.dumps(tree, sort_keys=True, separators=(",", ":"))
    data = json.dumps({**tree, "sha256": hashlib.sha256(text.encode()).hexdigest()}, indent=1).encode()
    if rng.random() < 0.3:
        return Case("model, resealed", ("read:surrogate", "@/m.json"), {"m.json": json.dumps(inner).encode()})
    return Case("model, resealed", ("predict", "@/m.json", "--at", f"{key}=1V", "--json"), {"m.json": data})


def kept_case(rng: random.Random, seeds: Seeds) -> Case:
    """Kept points of an exploration, damaged or with right checksums; or a cache of simulations."""
    assert seeds.points is not None
    if rng.random() < 0.4:
        database = b"SQLite format 3\x00" + rng.randbytes(100) if rng.random() < 0.5 else rng.randbytes(5000)
        names = ("cache/simulations/results.sqlite",)
        words = ("cache", rng.choice(("stats", "verify", "prune")), "--json")
        return Case("simulation cache", words, dict.fromkeys(names, database), own_cache=True)
    lines = seeds.points.decode().splitlines()
    if rng.random() < 0.5:
        data = damaged(seeds.points, rng)
        kind = "kept points"
    else:
        at = rng.randrange(1, len(lines)) if len(lines) > 1 else 0
        body = json.dumps(changed(json.loads(lines[at][17:]), rng))
        lines[at] = f"{hashlib.sha256(body.encode()).hexdigest()[:16]} {body}"
        data, kind = ("\n".join(lines) + "\n").encode(), "kept points, resealed"
    words = ("explore", "@/c.yaml", "-o", "@/out")
    return Case(kind, words, {"c.yaml": seeds.config, "out/points.jsonl": data})


FOLDER_KINDS: tuple[tuple[float, Callable[[random.Random, Seeds], Case]], ...] = (
    (5, run_case), (6, table_case), (8, model_case), (0.5, kept_case),
)  # fmt: skip
"""Share of all cases -> what makes one; all need what only an engine makes."""
