"""The Python front door: a configuration as an object that is simulated, written as a netlist or run as a macro."""

from __future__ import annotations

import tempfile
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from metalrom.config.schema import read_config
from metalrom.design.design import Design
from metalrom.design.setup import group_setup
from metalrom.run.characterize import Characterized, characterize, group_rows
from metalrom.run.evaluate import macro_of
from netlists.audit import audit_netlist
from netlists.writer import write_netlist

if TYPE_CHECKING:
    from characterization.testbench import Testbench
    from metalrom.macro import Macro
    from netlists.audit import AuditReport
    from netlists.condition import Condition
    from netlists.writer import WrittenNetlist
    from ngspice_runner import Workers


class Project(Design):
    """A design with everything that simulates, writes or computes.

    Examples
    --------
    >>> import metalrom
    >>> project = metalrom.load("metalrom.yaml")  # doctest: +SKIP
    >>> deck = project.netlist("column")  # doctest: +SKIP
    """

    @cached_property
    def group_rows(self) -> int:
        """Rows that one conversion sums: as configured, or chosen by the margin. Raises EngineError without ngspice."""
        return group_rows(self)

    def netlist(self, level: str = "column", path: str | Path | None = None) -> WrittenNetlist | str:
        """Netlist of one cell, column, array or the macro: written to `path`, or returned as text without one.

        Bit lines are cut after every group of rows; a group size of `auto` is chosen by the margin first, with a few
        cached simulations. Raises InputError for an unknown level or a place that cannot be written.
        """
        with tempfile.TemporaryDirectory() as folder:
            target = Path(path) if path is not None else Path(folder) / "netlist.cir"
            written = write_netlist(
                target,
                level,
                self.program,
                self.manifest,
                self.models,
                self.technology,
                periphery=self.periphery,
                condition=self.conditions[0],
                config_hash=self.sha256,
                group_rows=None if level == "cell" else self.group_rows,
                options=self.array_options,
            )
            return written if path is not None else target.read_text(encoding="ascii")

    def audit(self, netlist: str | Path, level: str) -> AuditReport:
        """Read a netlist of this configuration back, statement by statement. Raises InputError for another file."""
        return audit_netlist(
            netlist,
            self.program,
            self.manifest,
            self.models,
            level=level,
            group_rows=self.group_rows,
            options=self.array_options,
            technology=self.technology,
            periphery=self.periphery,
            condition=self.conditions[0],
        )

    def characterize(self, *, jobs: Workers = None) -> Characterized:
        """Simulate and fit as `metalrom characterize` does. Raises InputError and EngineError."""
        return characterize(self, jobs=jobs)

    def macro(self, done: Characterized | None = None, condition: Condition | str | None = None) -> Macro:
        """The characterized macro as a calculator, at a condition (default: the nominal one)."""
        return macro_of(self, (done or self.characterize()).table, condition or self.conditions[0])

    def setup(self, rows: int, *, nominal_only: bool = False) -> Testbench:
        """What characterization needs, for groups of `rows` rows, at every condition or the nominal one alone.

        Raises InputError for a cell it cannot measure.
        """
        return group_setup(self, rows, nominal_only=nominal_only)


def load(path: str | Path) -> Project:
    """Read a configuration file and check what it asks for; nothing is computed yet. Raises InputError."""
    config, source = read_config(path)
    project = Project(config, Path(path), source=source)
    if project.config.specs:
        _ = project.specs  # conditions come from the device set
    return project
