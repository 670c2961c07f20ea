"""Money for masks: what a set costs at a node, and what a new model costs if it changes some of its masks.

price of a DUV mask = set / (DUV masks + k EUV masks), k the price of an EUV mask in DUV masks
first chips         = shared masks + chips x changed masks
a new model         = chips x changed masks

Changed layers are vias or wires above the finest ones, so their masks are DUV masks.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from pydantic import Field, model_validator

from interconnect.errors import InputError
from interconnect.suggestion import suggest
from interconnect.validation import validate
from interconnect.yamlfile import read_yaml
from metalrom.macro.quantity import Span
from metalrom.studies.systems.description import Frozen, SourcedNumber

DATA = Path(__file__).parent / "data"

NODE_RATIO = 1.5
"""Largest ratio of a node to the nearest one whose prices are known."""


class MaskSet(Frozen):
    """A node (nm) and what its mask set costs. masks: of the set, `euv_masks` of them EUV at `euv_price` DUV prices."""

    node: float = Field(gt=0)
    masks: int = Field(ge=1)
    euv_masks: int = Field(default=0, ge=0)
    euv_price: float = Field(default=1.0, ge=1)
    set_price: SourcedNumber

    @model_validator(mode="after")
    def _money(self) -> MaskSet:
        if self.set_price.unit != "M$":
            raise InputError(f"has the unit {self.set_price.unit!r}", where="set_price", hint="expected M$")
        if self.euv_masks > self.masks:
            raise InputError(f"{self.euv_masks} EUV masks of {self.masks}", where="euv_masks")
        return self

    @property
    def plain(self) -> float:
        """Price of one DUV mask, M$, middle."""
        return self.price.mid

    @property
    def price(self) -> Span:
        """Price of one DUV mask, M$."""
        shares = self.masks - self.euv_masks + self.euv_price * self.euv_masks
        fact = self.set_price
        return Span(fact.low, fact.mid, fact.high) * (1 / shares)


class PublishedCase(Frozen):
    """A published hard-wired chip: its node, chips, and masks of each layer that holds weights."""

    name: str
    node: float = Field(gt=0)
    chips: int = Field(ge=1)
    layers: dict[str, int]
    source: str

    @property
    def changed(self) -> Mapping[str, int]:
        """Masks by layer."""
        return self.layers


@dataclass(frozen=True, slots=True)
class MaskBill:
    """changed: masks of each layer, per chip. node: nm as asked, `priced`: the node whose prices are used. M$."""

    changed: Mapping[str, int]
    node: float
    priced: MaskSet
    chips: int

    @property
    def masks(self) -> int:
        """Masks that a new model takes, of all chips."""
        return self.chips * sum(self.changed.values())

    @property
    def respin(self) -> Span:
        """Masks of a new model, M$."""
        return self.priced.price * self.masks

    @property
    def whole(self) -> Span:
        """Masks of the first model, M$: the shared ones once, the changed ones for every chip."""
        fact, price = self.priced.set_price, self.priced.price
        shared = price * sum(self.changed.values())
        ends = [getattr(fact, end) - getattr(shared, end) for end in ("low", "mid", "high")]
        return Span(*ends) + self.respin

    @property
    def again(self) -> float:
        """Middle of `respin`, M$."""
        return self.respin.mid

    @property
    def first(self) -> float:
        """Middle of `whole`, M$."""
        return self.whole.mid

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "node_nm": self.node,
            "prices_of_node_nm": self.priced.node,
            "chips": self.chips,
            "changed_masks_per_chip": dict(self.changed),
            "masks_in_set": self.priced.masks,
            "mask_price_Musd": self.priced.price.to_dict(),
            "set_price": self.priced.set_price.model_dump(),
            "first_masks_Musd": self.whole.to_dict(),
            "respin_masks_Musd": self.respin.to_dict(),
        }


@cache
def mask_sets() -> tuple[MaskSet, ...]:
    """Prices of all known nodes."""
    return _read("mask_sets.yaml", _MaskSets).sets


@cache
def _cases() -> tuple[PublishedCase, ...]:
    return _read("cases.yaml", _PublishedCases).cases


class _MaskSets(Frozen):
    sets: tuple[MaskSet, ...]


class _PublishedCases(Frozen):
    cases: tuple[PublishedCase, ...]


Document = TypeVar("Document", bound=Frozen)


def _read(name: str, kind: type[Document]) -> Document:
    path = DATA / name
    data, _ = read_yaml(path)
    return validate(kind, data, where=str(path))


def published_case(name: str) -> PublishedCase:
    """A published chip by name. Raises InputError for an unknown one."""
    for case in _cases():
        if case.name == name:
            return case
    raise InputError(f"there is no published chip {name!r}", hint=suggest(name, [c.name for c in _cases()]))


def mask_price(node: float) -> MaskSet:
    """Prices of the node (nm) that is nearest by ratio. Raises InputError if none is near."""
    if not (node > 0 and math.isfinite(node)):
        raise InputError(f"process node is {node:g}, expected more than 0")
    nearest = min(mask_sets(), key=lambda known: abs(math.log(known.node / node)))
    if max(nearest.node / node, node / nearest.node) > NODE_RATIO:
        known = ", ".join(f"{s.node:g}" for s in mask_sets())
        raise InputError(f"no mask prices near {node:g} nm are known", hint=f"nodes with prices: {known}")
    return nearest


def mask_bill(changed: Mapping[str, int], node: float, *, chips: int = 1) -> MaskBill:
    """Money for `changed` (layer -> masks) on each of `chips` different chips at `node`, nm.

    Raises InputError for no chip, a layer without a mask, more masks than the set has, or an unknown node.
    """
    priced = mask_price(node)
    if chips < 1:
        raise InputError(f"{chips} chips", hint="expected at least 1")
    if any(number < 1 for number in changed.values()):
        raise InputError("a layer that changes needs at least one mask")
    if sum(changed.values()) > priced.masks - priced.euv_masks:
        raise InputError(f"{sum(changed.values())} masks change, but a set of {priced.node:g} nm has {priced.masks}")
    return MaskBill(dict(changed), node, priced, chips)
