"""What a format is: a writer, a reader, and the check that the written files say what the table says."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from characterization.tables.content import arrays_of, header_of
from characterization.tables.table import ReadoutTable
from interconnect.errors import InputError

EXACT_BINARY = "exact: binary64"
EXACT_TEXT = "exact: shortest decimal text that reads back as the same binary64"


@dataclass(frozen=True, slots=True)
class CheckReport:
    """Outcome of reading an export back: files looked at, values compared, greatest absolute difference."""

    format: str
    files: tuple[Path, ...]
    values: int
    worst_difference: float


@dataclass(frozen=True, slots=True)
class TableFormat:
    """One export format. write(table, folder) -> files; read(folder) -> table; precision: the format's promise."""

    name: str
    description: str
    precision: str
    file_names: tuple[str, ...]
    write: Callable[[ReadoutTable, Path], list[Path]]
    read: Callable[[Path], ReadoutTable]

    def check(self, table: ReadoutTable, folder: Path) -> CheckReport:
        """Read the files of `folder` back and compare every value bit for bit with `table`.

        Raises InputError naming the first thing that differs, or if the files are missing or damaged.
        """
        back = self.read(folder)
        if header_of(back) != header_of(table):
            expected, reported = header_of(table), header_of(back)
            key = next(k for k in expected if expected[k] != reported[k])
            raise InputError(f"the {self.name} export differs from the table in {key!r}", where=str(folder))
        values, worst = 0, 0.0
        for (name, ours_array), theirs_array in zip(arrays_of(table).items(), arrays_of(back).values(), strict=True):
            if ours_array.tobytes() != theirs_array.tobytes():
                raise InputError(f"the {self.name} export differs from the table in {name!r}", where=str(folder))
            values += int(np.isfinite(ours_array).sum())
        return CheckReport(self.name, tuple(folder / n for n in self.file_names), values, worst)
