"""Fitted models with error bars, sampling that asks where the fit is least sure, rare events, statistical chips.

Names load on first use, so that importing the package costs nothing.
"""

from interconnect.lazy import lazy_stub

__getattr__, __all__ = lazy_stub(__file__)
