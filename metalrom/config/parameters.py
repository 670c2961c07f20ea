"""Blocks of the configuration whose keys are the parameters that a class declares with `netlists.parameters`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from pydantic import ConfigDict, model_validator

from interconnect.errors import InputError, UnknownName, shortened
from interconnect.quantity import EXAMPLES, parse_quantity
from interconnect.suggestion import suggest
from metalrom.config.base import ConfigSection
from netlists.parameters import ParameterInfo, describe_parameters


def si_value(declared: ParameterInfo, value: Any) -> float | int:
    """One value in SI units: a whole number stays one where the parameter counts something."""
    if isinstance(declared.default, int) and isinstance(value, int) and not isinstance(value, bool):
        return value
    if declared.unit in EXAMPLES:
        return parse_quantity(value, declared.unit, where=declared.name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InputError(f"{shortened(repr(value))} is not a number in {declared.unit}", where=declared.name)
    return float(value)


class ParameterSection(ConfigSection):
    """A block whose keys are the parameters of the class `declares`; those that are left out keep its defaults.

    hidden: parameters that are no keys, because the design decides them.
    """

    model_config = ConfigDict(frozen=True, extra="allow")

    declares: ClassVar[type]
    hidden: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def declaring(cls, given: Mapping[str, Any]) -> Sequence[type]:
        """Classes whose parameters may be keys beside those that are `given`, for the schema (nothing given) of all
        kinds."""
        return (cls.declares,)

    @classmethod
    def declared(cls, given: Mapping[str, Any] | None = None) -> dict[str, ParameterInfo]:
        """The parameters that may be given, by name."""
        classes = cls.declaring(given or {})
        return {p.name: p for c in reversed(classes) for p in describe_parameters(c) if p.name not in cls.hidden}

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: Any, handler: Any) -> dict[str, Any]:
        """The declared parameters as properties of the block's JSON schema."""
        schema = handler.resolve_ref_schema(handler(core_schema))
        schema["additionalProperties"] = False
        schema["properties"] = schema.get("properties", {}) | {
            p.name: {
                "type": ["number", "string"],
                "description": f"{p.description} ({p.unit or '1'})",
                "default": p.default,
            }
            for p in cls.declared().values()
        }
        return dict(schema)

    @model_validator(mode="before")
    @classmethod
    def _declared(cls, data: Any) -> Any:
        if isinstance(data, Mapping):
            cls._si_values({str(key): value for key, value in data.items()})
        return data

    def parameters(self) -> dict[str, Any]:
        """Parameters that are given here, in SI units."""
        fields = {name: getattr(self, name) for name in type(self).model_fields}
        return self._si_values(fields | (self.model_extra or {}))

    @classmethod
    def _si_values(cls, given: Mapping[str, Any]) -> dict[str, Any]:
        known = cls.declared(given)
        further = {name: value for name, value in given.items() if name not in cls.model_fields}
        for name in further:
            if name not in known:
                raise UnknownName(f"unknown key {shortened(repr(name))}", where=name, hint=suggest(name, known))
        return {name: _value(known[name], value) for name, value in further.items() if value is not None}


def _value(declared: ParameterInfo, value: Any) -> Any:
    if not isinstance(declared.default, str):
        return si_value(declared, value)
    if not isinstance(value, str):
        raise InputError(f"{shortened(repr(value))} is not text", where=declared.name)
    return value
