"""NetCDF-4: named dimensions, units, validity domain, thresholds and provenance in one binary file."""

from __future__ import annotations

import hashlib
import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray

from characterization.tables.content import (
    LEVEL_ARRAYS,
    arrays_of,
    canonical_json,
    content_sha256,
    count_range,
    header_of,
    parse_json,
    table_from,
    validity_of,
)
from characterization.tables.registry import TableFormat
from characterization.tables.table import ReadoutTable
from interconnect.errors import InputError
from interconnect.files import atomic_write_files, read_bytes
from netlists.condition import NOMINAL_METALS

if TYPE_CHECKING:
    import xarray

FILE = "readout.nc"


def dataset_of(table: ReadoutTable) -> xarray.Dataset:
    """The table as an xarray dataset with dimensions condition, active, count, threshold."""
    arrays = arrays_of(table)
    unit = {"units": table.unit}
    active = np.arange(table.rows + 1, dtype=np.int32)
    count = np.arange(table.max_count + 1, dtype=np.int32)
    label = np.array([c.label for c in table.conditions], dtype=object)
    variables: dict[str, Any] = {
        name: (("condition", "active", "count"), arrays[name], {**unit, "long_name": text})
        for name, text in LEVEL_ARRAYS.items()
    }
    variables["row_energy"] = (
        ("condition", "active"),
        arrays["row_energy"],
        {"units": "J", "long_name": "energy of the row drivers per conversion and column"},
    )
    variables["adc_threshold"] = (
        ("condition", "active", "threshold"),
        np.stack([table.thresholds(c) for c in table.conditions]),
        {**unit, "long_name": "decision level between code k and k + 1 (derived)"},
    )
    variables["code_error_probability"] = (
        ("condition", "active", "count"),
        np.stack([table.code_error(c) for c in table.conditions]),
        {"units": "1", "long_name": "probability that the code is not the count, all spreads together (derived)"},
    )
    coordinates = {
        "condition": ("condition", label, {"long_name": "corner, supply and temperature"}),
        "corner": ("condition", np.array([c.corner for c in table.conditions], dtype=object)),
        "vdd": ("condition", np.array([float(c.vdd) for c in table.conditions]), {"units": "V"}),
        "temperature": ("condition", np.array([float(c.temperature) for c in table.conditions]), {"units": "degC"}),
        **_metals(table),
        "active": ("active", active, {"units": "1", "long_name": "driven rows of the group"}),
        "count": ("count", count, {"units": "1", "long_name": f"ideal sum of the conversion, {count_range(table)}"}),
    }
    header = header_of(table)
    attributes = {
        "Conventions": "CF-1.8",
        "title": f"metalrom readout table of cell {table.cell}",
        "header": canonical_json(header),
        "validity": canonical_json(validity_of(table)),
        "assumptions": canonical_json(header["assumptions"]),
        "provenance": canonical_json(header["provenance"]),
        "content_sha256": content_sha256(table),
    }
    return xarray.Dataset(variables, coordinates, attributes)


def _metals(table: ReadoutTable) -> dict[str, Any]:
    """The corner of the metals as a coordinate, where one beside the nominal one was characterized."""
    names = [c.beol for c in table.conditions]
    if set(names) == {NOMINAL_METALS}:
        return {}
    return {"beol": ("condition", np.array(names, dtype=object), {"long_name": "corner of the metal stack"})}


def write_netcdf(table: ReadoutTable, folder: Path) -> list[Path]:
    """Write `readout.nc`; equal tables give byte-identical files."""
    dataset = dataset_of(table)
    dataset.attrs["file_sha256"] = _fingerprint(dataset)
    packed = {"zlib": True, "complevel": 4, "_FillValue": None}
    plain = {"_FillValue": None}
    encoding: dict[Any, dict[str, Any]] = {
        str(name): packed if variable.ndim > 1 else plain
        for name, variable in dataset.variables.items()
        if variable.dtype.kind == "f"
    }
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / FILE
        dataset.to_netcdf(path, engine="h5netcdf", encoding=encoding)
        content = path.read_bytes()
    return atomic_write_files(folder, {FILE: content})


def read_netcdf(folder: Path) -> ReadoutTable:
    """The table of `readout.nc`. Raises InputError if the file is missing, truncated or edited."""
    path = folder / FILE
    where = str(path)
    read_bytes(path)
    try:
        with xarray.open_dataset(path, engine="h5netcdf") as opened:
            dataset = opened.load()
    except Exception as error:  # the HDF5 stack raises nearly anything on damaged files
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"not readable as NetCDF ({reason})", where=where, hint="truncated or edited") from None
    expected = dataset.attrs.pop("file_sha256", None)
    if expected != _fingerprint(dataset):
        raise InputError("its content does not match its checksum", where=where, hint="truncated or edited")
    arrays = {str(name): np.asarray(v.values, dtype=np.float64) for name, v in dataset.data_vars.items()}
    table = table_from(parse_json(str(dataset.attrs.get("header")), where), arrays, where)
    if dataset.attrs.get("content_sha256") != content_sha256(table):
        raise InputError("its values do not match their fingerprint", where=where, hint="truncated or edited")
    return table


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
    "exact: binary64",
    (FILE,),
    write_netcdf,
    read_netcdf,
)
