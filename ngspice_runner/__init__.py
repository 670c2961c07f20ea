"""A simulation harness for ngspice: job in, judged result out. Runs any deck; knows nothing of ROMs.

    result = ngspice_runner.run(Job(text=deck, outputs=("v(out)",)), cache=Cache())
    if result.ok: result.signals["v(out)"].values

Names load on first use, so that importing the package costs nothing.
"""

from interconnect.lazy import lazy_stub

__getattr__, __all__ = lazy_stub(__file__)
