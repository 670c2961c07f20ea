"""The Python API: a configuration as an object that is netlisted, characterized, and used as a macro."""

from functools import cached_property
from pathlib import Path

from characterization.level_testbench import level_testbench
from characterization.testbench import Testbench
from interconnect.errors import InputError
from metalrom.config.schema import read_config
from metalrom.design.conditions import named_condition
from metalrom.design.design import Design
from metalrom.design.readout import written_chain
from metalrom.design.setup import group_setup
from metalrom.macro import Macro
from metalrom.run.characterize import CharacterizationRun, characterize, group_rows
from metalrom.run.evaluate import macro_of
from netlists.audit import AuditReport, audit_netlist
from netlists.column import ColumnDeck
from netlists.condition import Condition
from netlists.readout.tile_chain import TileChain
from netlists.writer import WrittenNetlist, write_netlist
from ngspice_runner import Workers
from ngspice_runner.workspace import scratch_folder


class Project(Design):
    """A configuration as an object: inspect it, write its netlists, characterize it, compute with it.

    Everything that follows from the configuration (stack, cell models, weights, via program, ...) is a property that
    is computed on first use. `load` makes a project from a file.

    See Also
    --------
    load : make a project from a configuration file.

    Examples
    --------
    >>> import metalrom
    >>> project = metalrom.load("metalrom.yaml")  # doctest: +SKIP
    >>> deck = project.netlist("column")  # doctest: +SKIP
    >>> y = project.macro().matmul(x, w)  # doctest: +SKIP
    """

    @cached_property
    def group_rows(self) -> int:
        """Rows that one conversion sums: as configured, or the largest number that meets the code-error target.

        Returns
        -------
        int
            Rows per conversion.

        Raises
        ------
        EngineError
            `array.group_rows` is `auto` and ngspice is missing.
        """
        return group_rows(self)

    def netlist(self, level: str = "column", path: str | Path | None = None) -> WrittenNetlist | str:
        """Write the netlist of a cell, a column, an array or the macro.

        Bit lines are cut after every group of rows; a group size of `auto` is chosen first, with a few cached
        simulations.

        Parameters
        ----------
        level
            `cell`, `column`, `array` or `macro`.
        path
            File to write; None returns the text instead.

        Returns
        -------
        WrittenNetlist or str
            Path, size and counts of the written file, or the text of the netlist.

        Raises
        ------
        InputError
            Unknown level, or a path that cannot be written.
        """
        with scratch_folder() as folder:
            target = Path(path) if path is not None else folder / "netlist.cir"
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
                tile_chain=self._tile_chain(level),
            )
            return written if path is not None else target.read_text(encoding="ascii")

    def _tile_chain(self, level: str) -> TileChain | None:
        """Return the readout chain of netlists of a level; None where they hold none."""
        return written_chain(self, self.group_rows) if level in ("array", "macro") else None

    def testbench(
        self,
        active: int | None = None,
        count: int | None = None,
        *,
        condition: Condition | str | None = None,
        plane: int | str | None = None,
    ) -> ColumnDeck:
        """Return the read of one level of the readout table as a standalone SPICE file.

        `ngspice -b FILE` runs the text by itself and prints `level` by `.meas`. A group size of `auto` is chosen first,
        with a few cached simulations.

        Parameters
        ----------
        active
            Driven rows; None: all rows of the group.
        count
            Count of the driven rows, as in the table; None: the largest.
        condition
            Condition or its label, such as `tt_1.00V_27C`; None is the nominal condition.
        plane
            Plane by number from 0 or by label; None is the plane that is characterized.

        Returns
        -------
        ColumnDeck
            `text` is the file; the comments at its top say what the column stores and what to compare `level` with.

        Raises
        ------
        InputError
            The group has no such level, or the configuration no such condition or plane.
        """
        setup = self.setup(self.group_rows)
        where = self.conditions[0] if condition is None else condition
        where = named_condition(self.conditions, where) if isinstance(where, str) else where
        if isinstance(plane, int):
            if not 0 <= plane < len(self.planes):
                raise InputError(f"plane {plane}: the configuration has planes 0 to {len(self.planes) - 1}")
            plane = self.planes[plane].label
        active = setup.rows if active is None else active
        count = active * (setup.levels - 1) if count is None else count
        return level_testbench(setup, where, active, count, plane=plane)

    def audit(self, netlist: str | Path, level: str) -> AuditReport:
        """Read a netlist of this configuration back and compare it with the weights, statement by statement.

        Parameters
        ----------
        netlist
            File that `netlist` wrote.
        level
            Level at which it was written.

        Returns
        -------
        AuditReport
            Number of cells and bits that were verified, and every fault with its line.

        Raises
        ------
        InputError
            The file is not a netlist of this configuration.
        """
        return audit_netlist(
            netlist,
            self.program,
            self.manifest,
            self.models,
            level=level,
            group_rows=self.group_rows,
            options=self.array_options,
            tile_chain=self._tile_chain(level),
            technology=self.technology,
            periphery=self.periphery,
            condition=self.conditions[0],
        )

    def characterize(self, *, jobs: Workers = None) -> CharacterizationRun:
        """Simulate the column and fit its readout, as `metalrom characterize` does.

        Parameters
        ----------
        jobs
            Simulations at a time, or a `Cluster`; None uses every core.

        Returns
        -------
        CharacterizationRun
            Readout table, fits, results of the procedures, samples and excluded conditions.

        Raises
        ------
        InputError
            The cell cannot be characterized, or a procedure does not apply to it.
        EngineError
            ngspice is missing, or the nominal condition failed.
        """
        return characterize(self, jobs=jobs)

    def macro(self, done: CharacterizationRun | None = None, condition: Condition | str | None = None) -> Macro:
        """Return the characterized macro as a calculator.

        Parameters
        ----------
        done
            Result of `characterize`; None characterizes now (from the cache, if this was done before).
        condition
            Condition or its label, such as `tt_1.00V_27C`; None is the nominal condition.

        Returns
        -------
        Macro
            `Macro.matmul(x, w)` multiplies integer activations, shape (batch, inputs), by integer weights, shape
            (inputs, outputs), conversion by conversion.
        """
        return macro_of(self, (done or self.characterize()).layer_table, condition or self.conditions[0])

    def setup(self, rows: int, *, nominal_only: bool = False) -> Testbench:
        """Return the testbench of a group of rows.

        Parameters
        ----------
        rows
            Rows that one conversion sums.
        nominal_only
            Only the nominal condition instead of all.

        Returns
        -------
        Testbench
            Cell, periphery, timing, conditions and samples of the group.

        Raises
        ------
        InputError
            The cell cannot be characterized.
        """
        return group_setup(self, rows, nominal_only=nominal_only)


def load(path: str | Path) -> Project:
    """Read and validate a configuration file; nothing is computed yet.

    Parameters
    ----------
    path
        YAML file, as `metalrom init` writes it.

    Returns
    -------
    Project
        The configuration as an object; its properties are computed on first use.

    Raises
    ------
    InputError
        The file cannot be read, or a key, unit or specification is wrong; the message names the key.

    Examples
    --------
    >>> project = load("examples/res_via_column.yaml")
    >>> project.cell.kind
    'res_via'
    """
    config, source = read_config(path)
    project = Project(config, Path(path), source=source)
    if project.config.specs:
        _ = project.specs  # conditions come from the device set
    return project
