"""NetCDF-4: named dimensions, units, validity domain, thresholds and provenance in one binary file."""

import hashlib
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import xarray

from characterization.tables.content import SCHEMA, canonical_json, content_sha256, validity_of
from characterization.tables.planes import PlaneTables, stacked_datasets
from characterization.tables.registry import EXACT_BINARY, TableFormat
from characterization.tables.table import PLANE, STEP, ReadoutTable
from interconnect.arrays import FloatArray
from interconnect.errors import InputError
from interconnect.files import atomic_write_files, read_bytes
from netlists.condition import Condition
from ngspice_runner.workspace import scratch_folder

FILE = "readout.nc"
PLANES_FILE = "planes.nc"
MAX_BYTES = 2**30
"""Bytes of all variables of a file, unpacked."""


DERIVED = ("adc_threshold", "code_error_probability", "margin")
"""Variables of the file that follow from the others."""

_FILE_ATTRIBUTES = ("Conventions", "title", "schema", "validity", "content_sha256")


def _with_derived(table: ReadoutTable) -> xarray.Dataset:
    """The table's dataset with what a reader without this package wants: thresholds, code errors, margins, validity."""
    of_level, unit = ("condition", "active", "count"), {"units": table.unit}
    wrong = {"units": "1", "long_name": "probability that the code is not the count, all spreads together (derived)"}
    margin = {"units": "sigma", "long_name": "distance to the nearer threshold, negative on the wrong side (derived)"}
    edges = {**unit, "long_name": "decision level between code k and k + 1 (derived)"}
    step = "threshold" if table.threshold is None else STEP
    out = table.dataset.assign(
        adc_threshold=(("condition", "active", step), _stacked(table, table.thresholds), edges),
        code_error_probability=(of_level, _stacked(table, table.code_errors), wrong),
        margin=(of_level, _stacked(table, table.margins), margin),
    )
    return out.assign_attrs(
        Conventions="CF-1.8",
        title=f"metalrom readout table of cell {table.cell}",
        schema=SCHEMA,
        validity=canonical_json(validity_of(table)),
        content_sha256=content_sha256(table),
    )


def _stacked(table: ReadoutTable, of: Callable[[Condition], FloatArray]) -> FloatArray:
    return np.stack([of(c) for c in table.conditions])


def write_netcdf(table: ReadoutTable, folder: Path) -> list[Path]:
    """Write `readout.nc`; equal tables give byte-identical files."""
    return _write_dataset(_with_derived(table), folder / FILE)


def write_plane_tables(tables: PlaneTables, folder: Path) -> list[Path]:
    """Write `planes.nc`: the tables of all planes with their thresholds, margins and code errors.

    Parameters
    ----------
    tables : PlaneTables
        The tables.
    folder : Path
        Output folder.

    Returns
    -------
    list[Path]
        The file; equal tables give byte-identical ones.
    """
    derived = [_with_derived(t) for t in tables.tables]
    dataset = stacked_datasets(derived, tables.classes, tables.planes)
    hashes = [content_sha256(t) for t in tables.tables]
    text = {"long_name": "SHA-256 of the content of the table"}
    dataset = dataset.assign_coords(content_sha256=(PLANE, np.array(hashes, dtype=object), text))
    return _write_dataset(dataset, folder / PLANES_FILE)


def _write_dataset(dataset: xarray.Dataset, file: Path) -> list[Path]:
    dataset.attrs["file_sha256"] = _fingerprint(dataset)
    packed = {"zlib": True, "complevel": 4, "_FillValue": None}
    plain = {"_FillValue": None}
    encoding: dict[Any, dict[str, Any]] = {
        str(name): packed if variable.ndim > 1 else plain
        for name, variable in dataset.variables.items()
        if variable.dtype.kind == "f"
    }
    with scratch_folder() as scratch:
        path = scratch / file.name
        dataset.to_netcdf(path, engine="h5netcdf", encoding=encoding)
        content = path.read_bytes()
    return atomic_write_files(file.parent, {file.name: content})


def read_netcdf(folder: Path) -> ReadoutTable:
    """The table of `readout.nc`. Raises InputError if the file is missing, truncated or edited."""
    path = folder / FILE
    where = str(path)
    dataset = _parsed(read_bytes(path), where)
    attributes = {key: value for key, value in dataset.attrs.items() if key not in _FILE_ATTRIBUTES}
    own = dataset.drop_vars(DERIVED, errors="ignore")
    own.attrs = attributes
    try:
        table = ReadoutTable(own)
    except InputError as error:
        raise InputError(error.what, where=where) from None
    if dataset.attrs.get("schema") != SCHEMA:
        raise InputError(f"content is {dataset.attrs.get('schema')!r}", where=where, hint=f"this reader knows {SCHEMA}")
    if dataset.attrs.get("content_sha256") != content_sha256(table):
        raise InputError("its values do not match their fingerprint", where=where, hint="truncated or edited")
    return table


def read_plane_tables(folder: Path) -> PlaneTables:
    """The tables of `planes.nc`.

    Parameters
    ----------
    folder : Path
        Folder of the file.

    Returns
    -------
    PlaneTables
        The tables.

    Raises
    ------
    InputError
        If the file is missing, truncated or edited.
    """
    path = folder / PLANES_FILE
    return parse_plane_tables(read_bytes(path), where=str(path))


def parse_plane_tables(content: bytes, *, where: str) -> PlaneTables:
    """The tables in the bytes of a `planes.nc`. Raises InputError naming `where` if they are truncated or edited."""
    dataset = _parsed(content, where)
    if dataset.attrs.get("schema") != SCHEMA:
        raise InputError(f"content is {dataset.attrs.get('schema')!r}", where=where, hint=f"this reader knows {SCHEMA}")
    own = dataset.drop_vars([*DERIVED, "content_sha256"], errors="ignore")
    own.attrs = {key: value for key, value in dataset.attrs.items() if key not in _FILE_ATTRIBUTES}
    try:
        tables = PlaneTables(own)
    except InputError as error:
        raise InputError(error.what, where=where) from None
    if [str(v) for v in dataset["content_sha256"].values] != [content_sha256(t) for t in tables.tables]:
        raise InputError("its values do not match their fingerprint", where=where, hint="truncated or edited")
    return tables


def _parsed(content: bytes, where: str) -> xarray.Dataset:
    """The dataset of a file whose checksum holds. Raises InputError."""
    try:
        with h5py.File(io.BytesIO(content), "r") as file:
            dict(file.attrs)  # where these cannot be read, h5netcdf leaves a traceback on standard error
        with xarray.open_dataset(io.BytesIO(content), engine="h5netcdf") as opened:
            if opened.nbytes > MAX_BYTES:  # nothing is read yet; a few packed bytes can stand for gigabytes
                raise ValueError(f"its variables take {opened.nbytes} bytes, more than {MAX_BYTES}")
            dataset = opened.load()
    except Exception as error:  # the HDF5 stack raises nearly anything on damaged files
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"not readable as NetCDF ({reason})", where=where, hint="truncated or edited") from None
    expected = dataset.attrs.pop("file_sha256", None)
    if expected != _fingerprint(dataset):
        raise InputError("its content does not match its checksum", where=where, hint="truncated or edited")
    return dataset


def _fingerprint(dataset: xarray.Dataset) -> str:
    """SHA-256 over every variable (name, dimensions, attributes, values) and every global attribute."""
    digest = hashlib.sha256(_attributes(dataset.attrs).encode())
    for name in sorted(map(str, dataset.variables)):
        variable = dataset.variables[name]
        values = np.asarray(variable.values)
        digest.update(f"{name}{variable.dims}{values.shape}{_attributes(variable.attrs)}".encode())
        if values.dtype.kind in "fi":
            digest.update(np.ascontiguousarray(values, dtype=f"<{values.dtype.kind}8").tobytes())
        else:
            digest.update(canonical_json([str(v) for v in values.ravel()]).encode())
    return digest.hexdigest()


def _attributes(attributes: Any) -> str:
    return json.dumps({str(k): str(v) for k, v in attributes.items()}, sort_keys=True)


FORMAT = TableFormat(
    "netcdf",
    "NetCDF-4 file with named dimensions, units, thresholds and provenance",
    EXACT_BINARY,
    (FILE,),
    write_netcdf,
    read_netcdf,
)
