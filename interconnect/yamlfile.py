"""Strict YAML: safe loader, duplicate keys refused, unknown keys told with their path and a suggestion."""

from __future__ import annotations

import difflib
from collections.abc import Hashable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import yaml

from interconnect.errors import InputError

if TYPE_CHECKING:
    from pydantic import BaseModel, ValidationError

    Model = TypeVar("Model", bound=BaseModel)

MAX_BYTES = 4_000_000
"""A technology or configuration file larger than this is not one."""


class _StrictLoader(yaml.SafeLoader):
    """Safe loader that refuses duplicate keys (plain YAML silently keeps the last one) and aliases."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.events.AliasEvent):
            # Nested aliases expand exponentially ("billion laughs"); no file of ours needs them.
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.composer.ComposerError(None, None, "aliases are not accepted", mark)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if key.value in seen:
                raise yaml.constructor.ConstructorError(None, None, f"key {key.value!r} twice", key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep=deep)


def read_yaml(path: Path) -> tuple[dict[str, Any], bytes]:
    """Return the mapping in the YAML file `path` and the file's bytes.

    Raises:
        InputError: unreadable file, not UTF-8, bad syntax (with line), duplicate key, or no mapping at the top.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror or error}", where=str(path)) from None
    if len(raw) > MAX_BYTES:
        raise InputError(f"is larger than {MAX_BYTES} bytes", where=str(path))
    try:
        data = yaml.load(raw.decode("utf-8"), Loader=_StrictLoader)  # noqa: S506 (a SafeLoader subclass)
    except UnicodeDecodeError:
        raise InputError("is not UTF-8 text", where=str(path)) from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}, line {mark.line + 1}" if mark else str(path)
        raise InputError(f"bad YAML: {getattr(error, 'problem', None) or 'syntax error'}", where=where) from None
    except (RecursionError, ValueError) as error:
        raise InputError(f"bad YAML: {str(error) or 'nested too deeply'}", where=str(path)) from None
    if not isinstance(data, dict):
        raise InputError("holds no mapping of keys at its top level", where=str(path))
    return data, raw


def validate(model: type[Model], data: object, *, where: str) -> Model:
    """Check `data` against a pydantic model; the first problem becomes one InputError naming `where` and key path."""
    from pydantic import ValidationError

    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise _as_input_error(error, model, where) from None


def _as_input_error(error: ValidationError, model: type[BaseModel], where: str) -> InputError:
    problems = error.errors(include_url=False)
    # A misspelt key is reported as one unknown and one missing: the unknown one says more.
    problem = next((p for p in problems if p["type"] == "extra_forbidden"), problems[0])
    location = problem["loc"]
    place = f"{where}: {key_path(location)}" if location else where
    hint = None
    if problem["type"] == "extra_forbidden":
        close = difflib.get_close_matches(str(location[-1]), _field_names(model), n=1)
        message = f"unknown key {str(location[-1])!r}"
        hint = f"did you mean {close[0]!r}?" if close else None
    elif problem["type"] == "missing":
        message = "this key is missing"
    elif isinstance(cause := problem.get("ctx", {}).get("error"), InputError):
        message, hint = cause.what, cause.hint
        if cause.where:
            place = f"{place}.{cause.where}" if location else f"{where}: {cause.where}"
    else:
        message = f"{problem['msg'][:1].lower()}{problem['msg'][1:]}, got {repr(problem['input'])[:40]}"
    return InputError(message, where=place, hint=hint)


def key_path(location: tuple[int | str, ...]) -> str:
    """`("metals", 2, "thickness")` -> `metals[2].thickness`."""
    path = ""
    for part in location:
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else part
    return path


def _field_names(model: type[BaseModel]) -> list[str]:
    """All field names of a model and of the models inside it (for suggestions)."""
    from pydantic import BaseModel

    names: list[str] = []
    todo: list[Any] = [model]
    seen: set[Any] = set()
    while todo:
        item = todo.pop()
        if item in seen:
            continue
        seen.add(item)
        if isinstance(item, type) and issubclass(item, BaseModel):
            names += list(item.model_fields)
            todo += [field.annotation for field in item.model_fields.values()]
        else:
            todo += list(getattr(item, "__args__", ()))
    return names
