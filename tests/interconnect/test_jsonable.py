"""Values that come back from JSON."""

from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from typing_extensions import TypeAliasType

from interconnect.jsonable import from_jsonable, to_jsonable

Scalar = TypeVar("Scalar", bound=np.generic)
Vector = TypeAliasType("Vector", np.ndarray[Any, np.dtype[Scalar]], type_params=(Scalar,))
"""numpy declares NDArray in this way from 2.5 on, and as a plain generic array before."""


@dataclass(frozen=True)
class Levels:
    volts: Vector[np.float64]


def test_an_array_behind_a_type_alias_comes_back() -> None:
    back = from_jsonable(Levels, to_jsonable(Levels(np.array([0.25, np.nan]))))
    assert back.volts.dtype == np.float64
    np.testing.assert_array_equal(back.volts, [0.25, np.nan])
