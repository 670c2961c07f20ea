"""Typed values as plain ones that JSON can hold, and back."""

import dataclasses
import math
from collections.abc import Mapping
from enum import Enum
from pathlib import PurePath
from types import UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import numpy as np

from interconnect.errors import InputError, shortened

Value = TypeVar("Value")


def to_jsonable(data: object) -> Any:
    """`data` as JSON can hold it: dataclasses, pydantic models, arrays, paths, enums opened; NaN and infinity are null.

    Raises TypeError for anything else: a result must not turn into its repr unnoticed.
    """
    if data is None or (isinstance(data, bool | str | int) and not isinstance(data, Enum)):
        return data
    if isinstance(data, float):
        return float(data) if math.isfinite(data) else None
    if isinstance(data, Enum):
        return to_jsonable(data.value)
    if isinstance(data, PurePath):
        return str(data)
    if isinstance(data, Mapping):
        return {str(to_jsonable(key)): to_jsonable(value) for key, value in data.items()}
    if isinstance(data, list | tuple | set | frozenset):
        return [to_jsonable(item) for item in (sorted(data) if isinstance(data, set | frozenset) else data)]
    if dataclasses.is_dataclass(data) and not isinstance(data, type):
        return {field.name: to_jsonable(getattr(data, field.name)) for field in dataclasses.fields(data)}
    for opener in ("model_dump", "tolist"):  # pydantic models; numpy arrays and scalars
        if callable(open_ := getattr(data, opener, None)):
            return to_jsonable(open_())
    raise TypeError(f"{type(data).__name__} cannot be written as JSON")


def from_jsonable(kind: type[Value], data: object) -> Value:
    """A dataclass from what `to_jsonable` made of it; the inverse up to infinities, which come back as NaN.

    Parameters
    ----------
    kind
        A dataclass of numbers, texts, literals, tuples, mappings, arrays, other dataclasses, and unions with None.
    data
        The plain value. A number that is null becomes NaN, a missing key the field's default; unknown keys are ignored.

    Raises
    ------
    InputError
        A key that is missing or a value of another type; names the key path.
    """
    value: Value = _read(kind, data, "")
    return value


def _read(kind: Any, data: object, path: str) -> Any:
    origin, arguments = get_origin(kind), get_args(kind)
    if hasattr(origin, "__value__"):  # a `type` alias: NDArray[...] from numpy 2.5 on
        return _read(origin.__value__[arguments], data, path)
    if kind is float:
        return _number(data, path)
    if kind in (bool, int, str):
        return data if type(data) is kind else _refuse(data, path, f"a value of type {kind.__name__}")
    if kind is Any:
        return data
    if origin is Literal:
        return data if data in arguments else _refuse(data, path, f"one of {', '.join(map(repr, arguments))}")
    if origin in (Union, UnionType):
        (inner,) = [a for a in arguments if a is not type(None)]
        return None if data is None else _read(inner, data, path)
    if origin is np.ndarray:
        return _array(get_args(arguments[1])[0], data, path)
    if origin is tuple:
        return _tuple(arguments, data, path)
    if origin in (dict, Mapping):
        entries = _mapping(data, path)
        return {key: _read(arguments[1], value, f"{path}.{key}".lstrip(".")) for key, value in entries.items()}
    if dataclasses.is_dataclass(kind):
        return _dataclass(kind, _mapping(data, path), path)
    raise TypeError(f"{kind} cannot be read from JSON")


def _number(data: object, path: str) -> float:
    if data is None:
        return math.nan
    if isinstance(data, int | float) and not isinstance(data, bool):
        try:
            return float(data)
        except OverflowError:
            pass
    return float(_refuse(data, path, "a number"))


def _array(dtype: Any, data: object, path: str) -> Any:
    if not isinstance(data, list):
        return _refuse(data, path, "a list of numbers")
    try:
        found = np.array(data, dtype=np.float64)  # None becomes NaN, a ragged list or a text is refused
        with np.errstate(invalid="ignore"):
            exact = found.astype(dtype)
        if np.array_equal(found, exact, equal_nan=True):
            return exact
    except (ValueError, TypeError, OverflowError):
        pass
    return _refuse(data, path, "a list of numbers of one shape")


def _tuple(kinds: tuple[Any, ...], data: object, path: str) -> tuple[Any, ...]:
    if not isinstance(data, list | tuple):
        return tuple(_refuse(data, path, "a list"))
    if len(kinds) == 2 and kinds[1] is Ellipsis:
        kinds = (kinds[0],) * len(data)
    if len(kinds) != len(data):
        return tuple(_refuse(data, path, f"a list of {len(kinds)}"))
    return tuple(_read(kind, item, f"{path}[{i}]") for i, (kind, item) in enumerate(zip(kinds, data, strict=True)))


def _mapping(data: object, path: str) -> Mapping[str, object]:
    found: Mapping[str, object] = data if isinstance(data, Mapping) else _refuse(data, path, "a mapping of keys")
    return found


def _dataclass(kind: Any, data: Mapping[str, object], path: str) -> Any:
    hints = get_type_hints(kind)
    values = {}
    for field in dataclasses.fields(kind):
        place = f"{path}.{field.name}".lstrip(".")
        if field.name in data:
            values[field.name] = _read(hints[field.name], data[field.name], place)
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise InputError("this key is missing", where=place)
    return kind(**values)


def _refuse(data: object, path: str, expected: str) -> Any:
    raise InputError(f"should be {expected}, got {shortened(repr(data))}", where=path or None)
