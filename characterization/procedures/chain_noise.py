"""`chain_noise`: noise of a readout chain, which the margin reads."""

from characterization.column_testbench import ColumnTestbench
from characterization.procedures.registry import ProcedureResults, measured
from characterization.readout.chain_noise import ChainNoise, measure_chain_noise
from characterization.testbench import Testbench


def _measure(setup: Testbench, bench: ColumnTestbench, results: ProcedureResults) -> ChainNoise:
    return measure_chain_noise(setup, bench)


def _refuses(setup: Testbench) -> str | None:
    return None if setup.chain is not None else "its readout is ideal, the noise is a number of the configuration"


PROCEDURE = measured(
    "chain_noise",
    "noise of the readout chain: line and samples by the engine's noise analysis, the comparator",
    _measure,
    refuses=_refuses,
    result=ChainNoise,
    through_chain=True,
)
