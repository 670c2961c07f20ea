"""Libraries of an extra: imported where they are used, named with their remedy where they are missing."""

from importlib import import_module
from importlib.util import find_spec
from typing import Any

from interconnect.errors import MissingLibrary


def has_library(*names: str) -> bool:
    """Whether all of these top-level packages can be imported here; none of them is."""
    return all(find_spec(name) is not None for name in names)


def optional_library(name: str, *, extra: str, purpose: str) -> Any:
    """Import a module of an optional dependency.

    Parameters
    ----------
    name : str
        Dotted module name, such as `pyarrow.parquet`.
    extra : str
        The extra of this project that installs it.
    purpose : str
        What needs it, as the subject of the message: `Parquet files`.

    Raises
    ------
    MissingLibrary
        If it is not installed or cannot be loaded.
    """
    try:
        return import_module(name)
    except ImportError as error:
        package = name.partition(".")[0]
        raise MissingLibrary(
            f"{purpose} need the package {package}", hint=f"pip install 'metalrom[{extra}]'"
        ) from error
