"""What exported files are made from: JSON that carries its own fingerprint, and templates of `templates/exports`."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from characterization.tables.content import json_sha256, parse_json
from interconnect.errors import InputError
from interconnect.files import read_text
from netlists.render import cards, render

_KEY = "file_sha256"


def with_json_digest(document: Mapping[str, Any]) -> bytes:
    """One JSON object, one line per key, with the SHA-256 of its canonical form under `file_sha256`."""
    full = {**document, _KEY: json_sha256(dict(document))}
    lines = [f"{json.dumps(key)}: {json.dumps(value, sort_keys=True, allow_nan=False)}" for key, value in full.items()]
    return ("{\n" + ",\n".join(lines) + "\n}\n").encode()


def read_checked_json(path: Path) -> dict[str, Any]:
    """The object that `with_json_digest` wrote. Raises InputError if it is missing, truncated or edited."""
    document = parse_json(read_text(path), str(path))
    if document.pop(_KEY, None) != json_sha256(document):
        raise InputError("its content does not match its checksum", where=str(path), hint="truncated or edited")
    return document


def fill(template: str, **values: str | int) -> str:
    """A template of `templates/exports`. Texts go in as they are: numbers, comment lines, literals from `literal`."""
    return render(f"exports/{template}", {k: cards(v) if isinstance(v, str) else v for k, v in values.items()})


def literal(text: str) -> str:
    """A text as a quoted ASCII literal of Python, JSON or YAML; no line break or quote of it can end it."""
    return json.dumps(text, ensure_ascii=True)
