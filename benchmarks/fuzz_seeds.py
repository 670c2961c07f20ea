"""Whole files and folders that the fuzz benchmark damages, made once by the program itself."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent
SYSTEM_PATH = os.environ.get("PATH", os.defpath)

CONFIG = """\
name: fuzz
technology: {stack: generic28, devices: open45}
cell:
  {kind: cap_balanced, row_pitch: 200nm, column_pitch: 300nm, row_width: 50nm, column_width: 50nm,
   planes: [{row: M2, column: M3}]}
array: {rows: 16, columns: 64, group_rows: 4, columns_per_adc: 8}
weights: {random: [16, 4], bits: 4}
inputs: {bits: 4, source: random, vectors: 8}
readout: {double_sampling: true, code_error_target: 1e-2}
conditions: {corners: [tt]}
characterization: {patterns: 2, samples: 30, max_levels: 5, seed: 1}
explore: {vary: {array.group_rows: [4, 8]}}
"""
"""Runs in seconds."""

_KIT = {
    "name": "kit", "title": "a kit",
    "devices": {"vdd": "1.0V", "nmos": "nfet", "pmos": "pfet", "l_min": 5.0e-8, "l_max": 5.0e-7, "w_min": 1.0e-7,
                "w_max": 1.0e-5, "diffusion_length": 1.0e-7, "status": "user", "source": "kit manual"},
    "matching": {"avt_n": 2.0e-9, "avt_p": 2.0e-9, "status": "user", "source": "kit manual"},
    "library": {"status": "user", "source": "kit", "corners": {
        "tt": [{"file": "kit.lib", "section": "TT"}], "ff": [{"file": "kit.lib", "section": "ff"}]}},
    "call": {"style": "X", "unit": "um", "sizes": {"w": "w", "l": "l", "m": "mult"}},
}  # fmt: skip
_MODELS = "".join(f".model m{kind} {kind}mos level=1 vto={v} kp=1e-4\n" for kind, v in (("n", 0.4), ("p", -0.4)))
_SHELLS = "".join(
    f".subckt {kind}fet d g s b w=1 l=1 mult=1\n"
    f"m1 d g s b m{kind} w={{w*1e-6}} l={{l*1e-6}} m={{mult}}\n.ends {kind}fet\n"
    for kind in "np"
)


@dataclass(frozen=True)
class Seeds:
    """run, tables, model, points: None without an engine, as is what was made with it. kit, audited: bytes by name."""

    config: bytes
    kit: dict[str, bytes]
    audited: dict[str, bytes]
    run: Path | None = None
    tables: dict[str, Path] = field(default_factory=dict)
    model: bytes | None = None
    points: bytes | None = None


def make_seeds(folder: Path, *, engine: bool = True) -> Seeds:
    """Make what `folder` lacks; a folder of an earlier call saves a minute. Raises RuntimeError.

    engine: also what takes simulations, where there is one.
    """
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "c.yaml"
    config.write_text(CONFIG, encoding="utf-8")
    for name, words in (("n.cir", ("netlist", "--level", "array")), ("t.gds", ("layout", "--level", "tile")),
                        ("t.oas", ("layout", "--level", "tile"))):  # fmt: skip
        _made(folder / name, words[0], str(config), *words[1:])
    engine = engine and _has_engine()
    tables = {}
    if engine:
        _made(folder / "run", "run", str(config))
        vary = ("--vary", "conditions.vdd=0.9V:1.1V", "--extraction", "formula", "--most", "20", "--error", "20%")
        _made(folder / "m.json", "fit", str(config), *vary)
        _made(folder / "explored", "explore", str(config))
        for name in ("csv", "json", "netcdf", "parquet"):
            tables[name] = folder / name
            _made(folder / name, "export", str(folder / "run"), "--format", name)
    sections = "".join(f".lib {c}\n{_MODELS}.inc shells.inc\n.endl {c}\n" for c in ("TT", "ff"))
    return Seeds(
        config=config.read_bytes(),
        kit={
            "kit.yaml": yaml.safe_dump(_KIT, sort_keys=False).encode(),
            "shells.inc": f"* subcircuits\n{_SHELLS}".encode(),
            "kit.lib": f"* a library\n{sections}".encode(),
        },
        audited={name: (folder / name).read_bytes() for name in ("n.cir", "t.gds", "t.oas")},
        run=folder / "run" if engine else None,
        tables=tables,
        model=(folder / "m.json").read_bytes() if engine else None,
        points=(folder / "explored" / "points.jsonl").read_bytes() if engine else None,
    )  # fmt: skip


def _has_engine() -> bool:
    from ngspice_runner import EngineError, find_engine

    try:
        find_engine()
    except EngineError:
        return False
    return True


def _made(target: Path, *words: str) -> None:
    if not target.exists():
        environment = {**os.environ, "METALROM_CACHE": str(target.parent / "cache"), "PYTHONPATH": str(ROOT)}
        done = subprocess.run(
            [sys.executable, "-c", _PROGRAM, *words, "-o", str(target)],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode not in (0, 1):
            raise RuntimeError(f"{' '.join(words)} ended with {done.returncode}: {done.stderr[-500:]}")


_PROGRAM = "from metalrom.cli.start import start_program; start_program()"
