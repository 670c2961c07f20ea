"""Read a readout table without metalrom: `python read_lut.py readout.nc`. Needs numpy, xarray and h5netcdf only."""

import hashlib
import json
import sys

import xarray


def read_lut(path):
    """The dataset of a `readout.nc`: dimensions condition, active, count. ValueError if truncated or edited."""
    try:
        data = xarray.load_dataset(path, engine="h5netcdf")
    except Exception as error:
        raise ValueError(f"{path}: not readable as NetCDF, truncated or edited ({type(error).__name__})") from None
    expected, digest = data.attrs.pop("file_sha256", None), hashlib.sha256()
    for name, part in (("", data), *sorted(data.variables.items())):
        attributes = json.dumps({k: str(v) for k, v in part.attrs.items()}, sort_keys=True)
        digest.update((f"{name}{part.dims}{part.shape}{attributes}" if name else attributes).encode())
        if name and part.dtype.kind in "fi":
            digest.update(part.values.astype(f"<{part.dtype.kind}8").tobytes())
        elif name:
            digest.update(json.dumps([str(v) for v in part.values.ravel()], separators=(",", ":")).encode())
    if digest.hexdigest() != expected:
        raise ValueError(f"{path}: its content does not match its checksum, truncated or edited")
    return data


if __name__ == "__main__":
    print(read_lut(sys.argv[1])["level"].isel(condition=0, active=-1).to_series())  # levels with all rows driven
