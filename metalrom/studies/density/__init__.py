"""Design space exploration: which cell, pitch, planes, group and converter buy density, and what they cost in signal.

`explore_designs` does it all: it rates every combination of the values that
keys of the configuration take, from few decks per column, finds the frontier and characterizes some of it in full.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__all__ = ["DesignPoint", "Exploration", "explore_designs"]

if TYPE_CHECKING:
    from metalrom.studies.density.point import DesignPoint
    from metalrom.studies.density.run import Exploration, explore_designs


def __getattr__(name: str) -> Any:
    homes = {"DesignPoint": "point", "Exploration": "run", "explore_designs": "run"}
    if name in homes:
        return getattr(import_module(f"metalrom.studies.density.{homes[name]}"), name)
    raise AttributeError(name)
