"""The via program of a run as its output folder keeps it: what pictures and exports show is what the macro holds."""

import io
import json
from pathlib import Path

import numpy as np

from interconnect.errors import DamagedFile, InputError, one_line
from interconnect.files import atomic_file
from netlists.mapping import Encoding, ViaProgram
from netlists.weights.numpy_files import DAMAGED, check_arrays

PROGRAM = "program.npz"

_AGAIN = "run the configuration again"
_COLUMNS = ("weight_column", "sign", "significance")
_ARRAYS = {"symbols": "u", **dict.fromkeys(_COLUMNS, "iu"), "encoding": "U"}
"""Arrays of the file and the kinds of their entries."""


def write_stored_program(folder: Path, program: ViaProgram) -> Path:
    """Write `program.npz` (equal programs give equal bytes) and return its path.

    symbols: (rows, bit columns), uint8. weight_column, sign, significance: (bit columns,), see `ViaProgram`.
    encoding: what a symbol means, as JSON text.
    """
    path = folder / PROGRAM
    with atomic_file(path) as file:
        np.savez_compressed(
            file,
            symbols=program.bits,
            weight_column=program.weight_column,
            sign=program.sign,
            significance=program.significance,
            encoding=np.array(json.dumps(program.encoding.to_json())),
        )
    return path


def parse_stored_program(content: bytes, *, where: str) -> ViaProgram:
    """What `write_stored_program` wrote, from the file's bytes. Raises DamagedFile naming `where` for anything else."""
    found = {}
    try:
        check_arrays(io.BytesIO(content))
        with np.load(io.BytesIO(content), allow_pickle=False) as data:
            for name, kinds in _ARRAYS.items():
                found[name] = data[name]
                if found[name].dtype.kind not in kinds:
                    raise DamagedFile(f"{name} is of type {found[name].dtype}", where=where, hint=_AGAIN)
        encoding = Encoding.from_json(json.loads(str(found["encoding"])))
        column, sign, significance = (found[name].astype(np.int64) for name in _COLUMNS)
        return ViaProgram(found["symbols"], column, sign, significance, encoding)
    except DamagedFile:
        raise
    except (OSError, KeyError, InputError, *DAMAGED) as error:
        raise DamagedFile(f"is damaged ({one_line(str(error))})", where=where, hint=_AGAIN) from None
