"""Accuracy of real networks with their weights in the macro: similarity judgements, next tokens (loaded lazily)."""

from interconnect.lazy import lazy_stub

__getattr__, __all__ = lazy_stub(__file__)
