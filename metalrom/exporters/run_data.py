"""What every export is made from: a finished run with its table, its estimate and its layer."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from characterization.tables.content import content_sha256
from characterization.tables.table import ReadoutTable
from interconnect.errors import InputError
from interconnect.stack import Stack
from interconnect.stackfile import load_stack
from metalrom.macro import Macro
from metalrom.macro.estimate import LayerEstimate
from metalrom.run.estimate import run_layer
from metalrom.run.folder import Run, open_run
from metalrom.run.layer import StoredLayer
from metalrom.run.results import RunResults
from metalrom.version import __version__
from netlists.mapping import ViaProgram


@dataclass(frozen=True)
class RunData:
    """A finished run with its results and its table, or others in their place."""

    run: Run
    results: RunResults
    table: ReadoutTable

    @cached_property
    def estimate(self) -> LayerEstimate:
        """Cost of the run's layer at the nominal condition."""
        return run_layer(self.results, self.table)

    @cached_property
    def layer(self) -> StoredLayer:
        """Weights and activations of the run. Raises InputError for a run of an older version or a damaged file."""
        return self.run.layer

    @cached_property
    def program(self) -> ViaProgram:
        """The via program of the run. Raises InputError for a run of an older version or a damaged file."""
        return self.run.program

    def macro(self, condition: str | None = None, **options: Any) -> Macro:
        """The run's macro as a calculator, at a condition (default: the nominal one). options: further ones of it."""
        g = self.results.macro_geometry
        return Macro(
            self.table,
            condition or self.results.condition,
            weight_bits=g.weight_bits,
            input_bits=g.input_bits,
            mapping=g.mapping,
            seed=self.results.seed,
            columns_per_adc=g.columns_per_adc // g.columns_per_conversion,
            groups_per_adc=-(-g.rows // self.table.rows),
            symbol_values=g.read_scheme.encoding.symbol_values,
            **(g.rule.options | options),
        )

    @cached_property
    def stack(self) -> Stack:
        """The metal stack that the run was made with; a file of one's own is looked for under the configured path.

        Raises InputError where it is not there, or not the one that the run recorded.
        """
        recorded = self.results.provenance.get("stack", "")
        name = str(self.results.config.get("technology", {}).get("stack", ""))
        hint = "run the configuration again, or export from its folder"
        if not name or not recorded:
            raise InputError("records no metal stack", where=str(self.run.path), hint=hint)
        stack = load_stack(Path(name) if name.endswith((".yaml", ".yml")) else name)
        if recorded != f"{stack.name}, sha256 {stack.sha256}":
            raise InputError(f"the metal stack {name} is not the one of the run", where=str(self.run.path), hint=hint)
        return stack

    @property
    def assumptions(self) -> tuple[str, ...]:
        """Every assumption and warning as one line of text, for comments in exported files."""
        listed = (f"{a.name}: {a.value} ({a.status}; {a.source})" for a in self.table.assumptions)
        return (*(f"WARNING: {w}" for w in self.results.warnings), *listed)

    @property
    def stamp(self) -> tuple[str, ...]:
        """Lines that say what an exported file is: version, run, domain, fingerprint."""
        labels = ", ".join(c.label for c in self.table.conditions)
        table = self.table
        return (
            f"metalrom {__version__}, run {self.results.name}, cell {table.cell}, {table.rows} rows per conversion",
            f"domain: conditions {labels}; counts 0..driven rows, driven rows 0..{self.table.rows}; nothing beyond",
            f"content sha256 {content_sha256(self.table)}",
        )


def load_source(folder: Path) -> RunData:
    """A finished run's folder. Raises InputError for an unfinished or damaged one."""
    run = open_run(folder)
    return RunData(run, run.results, run.table)
