"""The model file: the fitted model, what it is a model of, and a checksum over both."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import metalrom.studies.surrogates.laws  # noqa: F401 - registers the closed forms that a file may name
from characterization.models.surrogate import SurrogateModel, surrogate_from_json
from interconnect.errors import InputError
from interconnect.files import atomic_write_text, read_text
from interconnect.jsonable import to_jsonable

FORMAT = "metalrom fit 1"
_LARGEST = 64_000_000
_AGAIN = "fit it again with metalrom fit"


@dataclass(frozen=True)
class ModelFile:
    """A model with its provenance. about: plain values (configuration, versions, seed, error, simulations...)."""

    model: SurrogateModel
    about: Mapping[str, Any]

    @property
    def meaning(self) -> str:
        """The quantity in words."""
        return str(self.about.get("meaning", self.model.quantity))


def write_model(file: ModelFile, path: Path) -> Path:
    """Write the file, all at once; equal models give equal bytes. Raises InputError if it cannot be written."""
    body = {"format": FORMAT, "about": to_jsonable(file.about), "model": file.model.to_json()}
    return atomic_write_text(path, json.dumps({**body, "sha256": _digest(body)}, indent=1, allow_nan=False) + "\n")


def read_model(path: str | Path) -> ModelFile:
    """Read what `write_model` wrote. Raises InputError, one sentence, for any other file or a changed one."""
    try:
        data = json.loads(read_text(path, limit=_LARGEST))
    except InputError:
        raise
    except (ValueError, RecursionError):
        raise InputError("is not a complete JSON document", where=str(path), hint=_AGAIN) from None
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise InputError("is not a model file of metalrom", where=str(path), hint="metalrom fit writes one")
    said = data.pop("sha256", None)
    if set(data) != {"format", "about", "model"} or not isinstance(data["about"], dict) or said != _digest(data):
        raise InputError(
            "is damaged or was edited: its content does not match its checksum", where=str(path), hint=_AGAIN
        )
    try:
        return ModelFile(surrogate_from_json(data["model"]), data["about"])
    except InputError as error:
        raise InputError(error.what, where=f"{path}: {error.where or 'model'}", hint=error.hint) from None


def _digest(body: Mapping[str, Any]) -> str:
    text = json.dumps(body, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
