"""The harness in place of `vlsirtools.spice.sim`: the same input and options, each run judged.

The netlist is vlsirtools' own, and so is the reading of the raw file; only the engine's run is the harness's. Needs
vlsirtools.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import vlsir.spice_pb2 as vsp
from vlsirtools.spice import SimOptions, SupportedSimulators
from vlsirtools.spice.ngspice import NGSpiceSim

from interconnect.files import read_bytes
from ngspice_runner.adapters.errors import NotOk
from ngspice_runner.errors import JobError
from ngspice_runner.executor import run
from ngspice_runner.export import export_result
from ngspice_runner.job import Job


class HarnessSim(NGSpiceSim):  # type: ignore[misc]
    """vlsirtools' simulation with ngspice, run by the harness; a result that is not ok raises `NotOk`."""

    def run_sim_process(self) -> None:
        """Run the netlist of the run's folder and write its raw file there."""
        folder = Path(self.rundir)
        text = read_bytes(folder / "netlist.sp").decode("utf-8", "surrogateescape")
        result = run(Job(text, (), folder=str(folder)))
        if not result.ok:
            raise NotOk(result)
        export_result(result, folder / "netlist.raw")


def sim(inp: vsp.SimInput | Sequence[vsp.SimInput], opts: SimOptions | None = None) -> Any:
    """One result or a list of them, as `vlsirtools.spice.sim` returns them.

    inp: one or several `vlsir.spice.SimInput`. opts: the simulator must be ngspice. Raises JobError for another
    simulator, and NotOk.
    """
    opts = opts or SimOptions(simulator=SupportedSimulators.NGSPICE)
    if opts.simulator is not SupportedSimulators.NGSPICE:
        raise JobError(f"the harness runs ngspice, not {opts.simulator}")
    if isinstance(inp, vsp.SimInput):
        return HarnessSim.sim(inp, opts)
    folders = [None if opts.rundir is None else Path(opts.rundir) / str(i) for i in range(len(inp))]
    return [HarnessSim.sim(one, replace(opts, rundir=folder)) for one, folder in zip(inp, folders, strict=True)]
