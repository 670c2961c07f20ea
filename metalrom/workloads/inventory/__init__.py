"""Workloads: what a network stores, multiplies and moves, counted exactly from its layers (loaded on first use)."""

from interconnect.lazy import lazy_stub

__getattr__, __all__ = lazy_stub(__file__)
