"""Extraction results on disk: one checksummed JSON file per key; a damaged file is a miss, never an answer."""

import hashlib
import json
from pathlib import Path
from typing import Any

from interconnect.cachefolder import is_shared, private_folder
from interconnect.files import atomic_write_files

VERSION = 3
"""Raised whenever our part of an extraction changes its numbers."""


def cache_key(geometry_key: str, method: str, **settings: str | int) -> str:
    """Key of one result: the geometry's content, the method, its version and its settings."""
    content = json.dumps([VERSION, geometry_key, method, sorted(settings.items())])
    return hashlib.sha256(content.encode()).hexdigest()


def load_extraction(directory: Path, key: str) -> dict[str, Any] | None:
    """The stored result, or None if there is none that passes its checksum, or others can write there."""
    if is_shared(directory):
        return None
    try:
        document = json.loads((directory / f"{key}.json").read_text("utf-8"))
        result = document["result"]
        if document["key"] == key and document["sha256"] == _digest(result) and isinstance(result, dict):
            return result
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return None


def store_extraction(directory: Path, key: str, result: dict[str, Any]) -> None:
    """Write the result whole or not at all; raises InputError if the cache directory is shared or not writable."""
    document = {"key": key, "sha256": _digest(result), "result": result}
    atomic_write_files(private_folder(directory), {f"{key}.json": json.dumps(document, indent=1).encode()})


def _digest(result: object) -> str:
    return hashlib.sha256(json.dumps(result, sort_keys=True).encode()).hexdigest()
