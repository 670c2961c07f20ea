"""pydantic's complaints about a file in one sentence: key path, what is wrong, what would be right."""

from types import UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel, ValidationError

from interconnect.errors import InputError, shortened
from interconnect.suggestion import suggest

Model = TypeVar("Model", bound=BaseModel)

_WORDS = {
    "model_type": "should be a mapping of keys",
    "dict_type": "should be a mapping of keys",
    "list_type": "should be a list",
    "tuple_type": "should be a list",
}
"""pydantic's messages that speak of Python instead of YAML, in our words."""


def validate(model: type[Model], data: object, *, where: str) -> Model:
    """`data` as a `model`. Raises InputError that names `where` (the file), the key path and what would be right."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise input_error(error, where=where, model=model) from None


def input_error(
    error: ValidationError, *, where: str | None = None, model: type[BaseModel] | None = None
) -> InputError:
    """The InputError that tells what `error` found first, and at how many more keys something is wrong.

    where: the file. model: the class that was validated; with it, unknown keys get a suggestion and the names that
    pydantic adds for members of unions leave the key path.
    """
    first, *more = input_errors(error, where=where, model=model)
    if not more:
        return first
    hint = "; ".join(filter(None, [first.hint, f"and {len(more)} more {'error' if len(more) == 1 else 'errors'}"]))
    return InputError(first.what, where=first.where, hint=hint)


def input_errors(
    error: ValidationError, *, where: str | None = None, model: type[BaseModel] | None = None
) -> tuple[InputError, ...]:
    """One InputError for every key at which `error` found something, unknown keys first; arguments as `input_error`."""
    found = [(*_walk(model, item["loc"]), item) for item in error.errors(include_url=False)]
    # A misspelt key is both unknown and missing: the first explains the second.
    found.sort(key=lambda entry: entry[2]["type"] != "extra_forbidden")
    firsts = {path: (siblings, item) for path, siblings, item in reversed(found)}
    out = []
    for path in dict.fromkeys(path for path, _, _ in found):
        siblings, first = firsts[path]
        what, place, hint = _message(first, path, siblings, [item for shown, _, item in found if shown == path])
        out.append(InputError(what, where=": ".join(filter(None, [where, place])) or None, hint=hint))
    return tuple(out)


def _message(first: Any, path: str, siblings: list[str], same: list[Any]) -> tuple[str, str, str | None]:
    """What is wrong, where, and what would be right, for pydantic's records `same` of one key."""
    if first["type"] == "extra_forbidden":
        key = str(first["loc"][-1])
        return f"unknown key {shortened(repr(key))}", path, suggest(key, siblings) if siblings else None
    if first["type"] == "missing":
        return "this key is missing", path, None
    if first["type"] == "value_error":
        cause = first.get("ctx", {}).get("error")
        if isinstance(cause, InputError):
            return cause.what, ".".join(filter(None, [path, cause.where])), cause.hint
        return str(cause) if cause is not None else first["msg"].removeprefix("Value error, "), path, None
    # Members of a union that all refuse one value are alternatives: reported together.
    message = dict.fromkeys(_WORDS.get(item["type"]) or item["msg"].removeprefix("Input ") for item in same)
    return f"{' or '.join(message)}, got {shortened(repr(first['input']))}", path, None


def _walk(model: type[BaseModel] | None, loc: tuple[int | str, ...]) -> tuple[str, list[str]]:
    """The key path as the user wrote it, and the keys allowed beside its last part."""
    shown, siblings = "", list[str]()
    current: list[Any] = [model] if model else []
    for part in loc:
        if len([kind for kind in current if kind is not type(None)]) > 1:  # pydantic names the union's member here
            current = [kind for kind in current if _is_member(kind, part)] or current
            if len(current) == 1:
                continue
        if isinstance(part, int):
            shown += f"[{part}]"
            current = [leaf for kind in current for item in get_args(kind) for leaf in _leaves(item)]
            continue
        siblings = [key for kind in current for key in _fields(kind)]
        current = [leaf for kind in current for leaf in _value_of(kind, part)]
        shown += f".{shortened(part)}" if shown else shortened(part)
    return shown, siblings


def _is_member(kind: Any, label: int | str) -> bool:
    """Whether pydantic calls this member of a union `label`: by its class, its discriminator's value or its type."""
    if not _is_model(kind):
        return str(label).startswith(str(getattr(get_origin(kind) or kind, "__name__", kind)).lower())
    tags = [tag for field in kind.model_fields.values() for tag in get_args(field.annotation)]
    return label == kind.__name__ or label in tags


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _fields(kind: Any) -> dict[str, Any]:
    """Key -> annotation of a model; empty for other types."""
    if not _is_model(kind):
        return {}
    return {field.alias or name: field.annotation for name, field in kind.model_fields.items()}


def _value_of(kind: Any, key: str) -> list[Any]:
    """The types that may stand behind `key` in a model or a mapping."""
    if _is_model(kind):
        if key in (fields := _fields(kind)):
            return _leaves(fields[key])
        if kind.model_config.get("extra") != "allow":
            return []
        kind = get_type_hints(kind, include_extras=True).get("__pydantic_extra__")
    return _leaves(get_args(kind)[-1]) if get_origin(kind) is dict else []


def _leaves(annotation: Any) -> list[Any]:
    """The types an annotation stands for, Annotated and unions opened."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return _leaves(get_args(annotation)[0])
    if origin in (Union, UnionType):
        return [leaf for item in get_args(annotation) for leaf in _leaves(item)]
    return [annotation]
