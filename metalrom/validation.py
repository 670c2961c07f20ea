"""pydantic's complaints about a config in one sentence: key path, what is wrong, what would be right."""

from __future__ import annotations

import difflib
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from interconnect.errors import InputError


def input_error(
    error: ValidationError, *, where: str | None = None, model: type[BaseModel] | None = None
) -> InputError:
    """The InputError that tells what `error` found first, and how many more there are.

    where: the config file. model: the class that was validated; with it, unknown keys get a suggestion and the names
    that pydantic adds for members of unions leave the key path.
    """
    found = error.errors(include_url=False)
    # A misspelt key is both unknown and missing: the first explains the second.
    first = min(found, key=lambda item: item["type"] != "extra_forbidden")
    path, siblings = _walk(model, first["loc"])
    what, hint = _told(first, path, siblings)
    others = len(found) - 1
    if others:
        hint = "; ".join(filter(None, [hint, f"and {others} more {'error' if others == 1 else 'errors'}"]))
    return InputError(what, where=where, hint=hint or None)


def _told(item: Any, path: str, siblings: list[str]) -> tuple[str, str]:
    """What is wrong and what would be right, for one of pydantic's error records."""
    if item["type"] == "extra_forbidden":
        key = str(item["loc"][-1])
        near = difflib.get_close_matches(key, siblings, n=1)
        hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(siblings)}" if siblings else ""
        return f"{path}: unknown key", hint
    if item["type"] == "missing":
        return f"{path} is missing", ""
    if item["type"] == "value_error":
        cause = item.get("ctx", {}).get("error")
        told = str(cause) if cause is not None else item["msg"].removeprefix("Value error, ")
        return (f"{path}: {told}" if path else told), ""
    told = item["msg"].removeprefix("Input ")
    value = repr(item["input"])
    got = "" if len(value) > 60 else f", got {value}"
    return f"{path}: {told}{got}" if path else f"{told}{got}", ""


def _walk(model: type[BaseModel] | None, loc: tuple[int | str, ...]) -> tuple[str, list[str]]:
    """The key path as the user wrote it, and the keys allowed beside its last part."""
    shown, siblings = "", list[str]()
    current: list[Any] = [model] if model else []
    for position, part in enumerate(loc):
        models = [kind for kind in current if isinstance(kind, type) and issubclass(kind, BaseModel)]
        fields = {(field.alias or name): field for kind in models for name, field in kind.model_fields.items()}
        values = [get_args(kind)[-1] for kind in current if get_origin(kind) is dict and get_args(kind)]
        last = position == len(loc) - 1
        if isinstance(part, int):
            shown += f"[{part}]"
            current = [leaf for kind in current for item in get_args(kind) for leaf in _leaves(item)]
            continue
        if part in fields:
            siblings = list(fields)
            current = _leaves(fields[part].annotation)
        elif values:
            current = [leaf for item in values for leaf in _leaves(item)]
        elif models and last:
            siblings = list(fields)
        elif model is not None:  # the name of a union's member, not a key
            continue
        shown += f".{part}" if shown else part
    return shown, siblings


def _leaves(annotation: Any) -> list[Any]:
    """The types an annotation stands for, Annotated and unions opened."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return _leaves(get_args(annotation)[0])
    if origin in (Union, UnionType):
        return [leaf for item in get_args(annotation) for leaf in _leaves(item)]
    return [annotation]
