"""Metal stacks, extraction of resistance and capacitance, and exact solutions of linear R-C networks.

Names load on first use, so that importing the package stays cheap.
"""

from interconnect.lazy import lazy_stub

__getattr__, __all__ = lazy_stub(__file__)
