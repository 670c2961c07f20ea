"""What `metalrom diff` finds, as typed values."""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["configuration", "weights", "technology", "extraction", "version"]
Effect = Literal["figures", "specs", "nothing"]
Verdict = Literal["nothing changed", "proved", "candidates", "unexplained"]


@dataclass(frozen=True, slots=True)
class Cause:
    """Something that went into the runs and differs. old, new: in words. effect: what it can change at all."""

    kind: Kind
    name: str
    old: str
    new: str
    effect: Effect = "figures"


@dataclass(frozen=True, slots=True)
class Attribution:
    """Why a change happened.

    `proved`: one cause is the only recorded difference that can have this effect; `candidates`: several can;
    `unexplained`: none that is recorded.
    """

    verdict: Verdict
    causes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FigureChange:
    """A number that differs, or that only one run has (then the other is None).

    old, new, absolute: in `unit`; absolute: new - old; relative: absolute / |old|, None for a value in dB; both None
    where one side is missing or not finite. condition: label, empty where it does not matter.
    """

    section: str
    name: str
    condition: str
    unit: str
    old: float | None
    new: float | None
    absolute: float | None
    relative: float | None
    attribution: Attribution


@dataclass(frozen=True, slots=True)
class SpecChange:
    """A specification with another verdict, or in one run only. old, new: `pass`, `fail` or `not asked`, and the value
    in words."""

    spec: str
    old: str
    new: str
    old_value: str
    new_value: str
    flipped: bool
    attribution: Attribution


@dataclass(frozen=True, slots=True)
class ConditionChange:
    """A condition that one run characterized and the other did not: `characterized`, `failed: ...` or `not asked`."""

    condition: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Difference:
    """All that differs between two runs, each part most important first. files: outputs whose bytes differ or that only
    one folder has. evidence: what equal hashes prove."""

    old: str
    new: str
    specs: tuple[SpecChange, ...]
    conditions: tuple[ConditionChange, ...]
    causes: tuple[Cause, ...]
    figures: tuple[FigureChange, ...]
    files: tuple[str, ...]
    evidence: tuple[str, ...]
    attribution: Attribution

    @property
    def same(self) -> bool:
        """Whether nothing differs at all."""
        return not (self.specs or self.conditions or self.causes or self.figures or self.files)
