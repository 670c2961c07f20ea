"""Typed values as plain ones that JSON can hold."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from enum import Enum
from pathlib import PurePath
from typing import Any


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
