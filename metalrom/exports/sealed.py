"""Text files that notice an edit: the last comment line (or a JSON key) holds the SHA-256 of everything else."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from interconnect.errors import InputError
from interconnect.files import read_text
from metalrom.exports.content import json_sha256, parse_json

if TYPE_CHECKING:
    from jinja2 import Environment

_WORDS = "sha256 of all lines above:"
_KEY = "file_sha256"
_HINT = "truncated or edited; export it again"


def seal(text: str, mark: str) -> bytes:
    """`text` with a last comment line (`mark` starts a comment of the format) that holds its SHA-256."""
    body = text if text.endswith("\n") else text + "\n"
    return f"{body}{mark} {_WORDS} {hashlib.sha256(body.encode()).hexdigest()}\n".encode()


def unseal(path: Path, mark: str) -> str:
    """The text of a sealed file without its seal. Raises InputError if it is missing, truncated or edited."""
    text = read_text(path)
    body, _, line = text.removesuffix("\n").rpartition("\n")
    if seal(body, mark).decode() != text or not line.startswith(f"{mark} {_WORDS}"):
        raise InputError("its content does not match its checksum", where=str(path), hint=_HINT)
    return body + "\n"


def seal_json(document: Mapping[str, Any]) -> bytes:
    """One JSON object, one line per key, with the SHA-256 of its canonical form under `file_sha256`."""
    full = {**document, _KEY: json_sha256(dict(document))}
    lines = [f"{json.dumps(key)}: {json.dumps(value, sort_keys=True, allow_nan=False)}" for key, value in full.items()]
    return ("{\n" + ",\n".join(lines) + "\n}\n").encode()


def unseal_json(path: Path) -> dict[str, Any]:
    """The object that `seal_json` wrote. Raises InputError if it is missing, truncated or edited."""
    document = parse_json(read_text(path), str(path))
    if document.pop(_KEY, None) != json_sha256(document):
        raise InputError("its content does not match its checksum", where=str(path), hint=_HINT)
    return document


def fill(template: str, **values: Any) -> str:
    """A template of `templates/exports` with its values; a name without value is an error."""
    return _environment().get_template(template).render(**values)


@lru_cache(maxsize=1)
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    from netlists.render import TEMPLATES

    # autoescape is for HTML; what goes in here are numbers, checked names and comment lines made by `commented`
    return Environment(  # noqa: S701
        loader=FileSystemLoader(TEMPLATES / "exports"),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
