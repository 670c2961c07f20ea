"""Workloads: what a network stores, multiplies and moves, counted exactly from its layers (loaded on first use)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from interconnect.lazy import lazy_names

if TYPE_CHECKING:
    from metalrom.workloads.inventory.catalogue import MODELS, SIZES, Size, build_inventory
    from metalrom.workloads.inventory.inventory import Inventory
    from metalrom.workloads.inventory.read import read_inventory
    from metalrom.workloads.inventory.tiling import NetworkTiling, tile_inventory

_HOME = {
    "MODELS": "catalogue",
    "SIZES": "catalogue",
    "Size": "catalogue",
    "build_inventory": "catalogue",
    "Inventory": "inventory",
    "read_inventory": "read",
    "NetworkTiling": "tiling",
    "tile_inventory": "tiling",
}

__all__ = [
    "MODELS",
    "SIZES",
    "Inventory",
    "NetworkTiling",
    "Size",
    "build_inventory",
    "read_inventory",
    "tile_inventory",
]

__getattr__ = lazy_names(__name__, _HOME)
