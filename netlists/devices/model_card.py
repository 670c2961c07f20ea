"""A transistor's `.model` card: numbers in, text out, and back again.

A card only ever holds a checked name, a type and numbers, so nothing read from a file can bring a SPICE line along.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, cast

from interconnect.errors import InputError

Kind = Literal["nmos", "pmos"]
KINDS: tuple[Kind, Kind] = ("nmos", "pmos")

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}", re.ASCII)
_PARAMETER = re.compile(r"[a-z][a-z0-9_]{0,31}", re.ASCII)
_HEAD = re.compile(r"\.model\s+(\S+)\s+(\S+)\s*(.*)", re.IGNORECASE | re.DOTALL)
_PAIR = re.compile(r"([A-Za-z]\w*)\s*=\s*([^\s=()]+)", re.ASCII)
_PER_LINE = 6


def check_name(text: str, *, where: str) -> str:
    """Return `text` if it may stand in a deck as a model name, else raise InputError."""
    hint = "use a letter, then up to 63 letters, digits or underscores"
    return _matching(_NAME, text, "usable name", where=where, hint=hint)


def check_parameter(text: str, *, where: str) -> str:
    """Return `text` if it may stand in a deck as a (lower-case) model parameter, else raise InputError."""
    hint = "use a lower-case letter, then letters, digits or underscores"
    return _matching(_PARAMETER, text, "model parameter", where=where, hint=hint)


def _matching(pattern: re.Pattern[str], text: str, what: str, *, where: str, hint: str) -> str:
    if not pattern.fullmatch(text):
        raise InputError(f"{text!r} is not a {what}", where=where, hint=hint)
    return text


def check_value(value: object, *, where: str) -> int | float:
    """Return a finite number (integers stay integers: they are selectors), else raise InputError."""
    if isinstance(value, str):
        # YAML 1.1 reads 1e-9 (no dot) as text; it is a number all the same.
        try:
            value = float(value)
        except ValueError:
            raise InputError(
                f"{value!r} is not a number", where=where, hint="write it like 5.0e-17, without a unit"
            ) from None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InputError(f"{value!r} is not a number", where=where, hint="write it like 5.0e-17, without a unit")
    if not math.isfinite(value):
        raise InputError(f"{value!r} is not finite", where=where, hint="write a finite number like 5.0e-17")
    return value


@dataclass(frozen=True, slots=True)
class ModelCard:
    """One `.model` card: name, type and parameters in BSIM4 units (SI but for ndep, nsd in 1/cm3 and rdsw in ohm um).

    Raises InputError if the name, a parameter's name or a value cannot stand in a deck.
    """

    name: str
    kind: Kind
    parameters: Mapping[str, int | float]

    def __post_init__(self) -> None:
        check_name(self.name, where="model")
        if self.kind not in KINDS:
            raise InputError(f"model type {self.kind!r} is unknown", where=self.name, hint="use nmos or pmos")
        checked = {
            check_parameter(key, where=self.name): check_value(value, where=f"{self.name}.{key}")
            for key, value in self.parameters.items()
        }
        object.__setattr__(self, "parameters", MappingProxyType(checked))

    def shifted(self, delta: Mapping[str, float]) -> ModelCard:
        """A card with `delta` added to its parameters; raises InputError for a parameter that the card does not set."""
        for key in delta:
            if key not in self.parameters:
                raise InputError(
                    f"no parameter {key!r} to shift", where=self.name, hint="corners shift what the typical card sets"
                )
        return ModelCard(
            self.name, self.kind, {k: v + delta[k] if k in delta else v for k, v in self.parameters.items()}
        )

    def render(self) -> str:
        """The card as deck text, `.model` line and continuation lines, numbers without suffixes, newline at the end."""
        words = [f"{key}={_printed(value)}" for key, value in self.parameters.items()]
        lines = [f".model {self.name} {self.kind}"]
        lines += ["+ " + " ".join(words[i : i + _PER_LINE]) for i in range(0, len(words), _PER_LINE)]
        return "\n".join(lines) + "\n"


def parse_model_cards(text: str, *, where: str) -> dict[str, ModelCard]:
    """MOS `.model` cards of a SPICE file, by lower-case name.

    Comments are skipped, `+` lines joined; any other line than `.model`, `.lib`, `.endl` or `.end` raises InputError,
    so do values that are not plain numbers. Cards of other types than nmos and pmos are left out.
    """
    logical: list[tuple[int, str]] = []
    for number, raw in enumerate(text.splitlines(), start=1):
        line = raw.split("$")[0].strip()
        if not line or line.startswith("*"):
            continue
        if line.startswith("+"):
            if not logical:
                raise InputError(
                    "a continuation line without a card before it", where=f"{where}:{number}", hint="begin with .model"
                )
            logical[-1] = (logical[-1][0], f"{logical[-1][1]} {line[1:]}")
        else:
            logical.append((number, line))
    cards: dict[str, ModelCard] = {}
    for number, line in logical:
        place = f"{where}:{number}"
        if line.lower().split()[0] in (".lib", ".endl", ".end"):
            continue
        head = _HEAD.fullmatch(line)
        if head is None:
            raise InputError(
                f"{line[:40]!r} is not a .model card",
                where=place,
                hint="a card file holds .model cards and comments only",
            )
        name, kind, rest = head[1].lower(), head[2].lower(), head[3]
        if kind not in KINDS:
            continue
        left = _PAIR.sub("", rest).replace("(", "").replace(")", "").strip()
        if left:
            raise InputError(f"{left[:40]!r} in model {name} is not name=number", where=place, hint="write vth0=0.4")
        values = {key.lower(): _plain(value, where=f"{place} {name}.{key}") for key, value in _PAIR.findall(rest)}
        if name in cards:
            raise InputError(f"model {name} appears twice", where=place, hint="give each model its own name")
        cards[name] = ModelCard(name, cast(Kind, kind), values)
    return cards


def _printed(value: int | float) -> str:
    if isinstance(value, int):
        return str(value)
    # Twelve digits drop the dust of adding a corner's difference. A float keeps a point or an exponent: ngspice
    # chooses the BSIM4 code by the text of `version`, and 4 is not 4.0 to it.
    text = format(value, ".12g")
    return text if "." in text or "e" in text else f"{text}.0"


def _plain(text: str, *, where: str) -> int | float:
    return int(text) if re.fullmatch(r"[+-]?\d{1,9}", text, re.ASCII) else check_value(text, where=where)
