"""`procedures.json`: the results of a run's procedures as one document, written and read back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from characterization.charts import Chart
from characterization.failures import FailedProcedure
from characterization.procedure_registry import PROCEDURES
from characterization.procedure_result import ProcedureResult, ResultRow
from interconnect.errors import DamagedFile, InputError
from interconnect.jsonable import from_jsonable, to_jsonable

_BESIDES = ("unit", "rows", "figures", "failed")
"""Keys of the document that are no procedures."""


@dataclass(frozen=True)
class UnreadResult:
    """The result of a procedure that is not loaded, or that declares no class to read it: its rows as written.

    reason: one sentence. document: what the procedure wrote.
    """

    reason: str
    rows: tuple[ResultRow, ...]
    document: Mapping[str, Any]

    def figures(self) -> Sequence[ResultRow]:
        """The rows that the file holds."""
        return self.rows

    def charts(self) -> Sequence[Chart]:
        """None: only the procedure could draw them."""
        return ()

    def to_json(self) -> Mapping[str, Any]:
        """As written."""
        return self.document

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> UnreadResult:
        """A document without rows."""
        return cls("its procedure is not loaded", (), document)


def procedures_document(
    results: Mapping[str, ProcedureResult], unit: str, rows: int, failed: Sequence[FailedProcedure] = ()
) -> dict[str, Any]:
    """What `procedures.json` holds: the rows of all results, each result whole, and what failed.

    Parameters
    ----------
    results
        By the procedure's name, in the order of the run.
    unit
        Of a level: V or A.
    rows
        Of a group.
    failed
        Procedures without a result, and where.
    """
    figures = [{"procedure": name, **to_jsonable(row)} for name, r in results.items() for row in r.figures()]
    document = {"unit": unit, "rows": rows, "figures": figures} | {name: r.to_json() for name, r in results.items()}
    return document | ({"failed": [asdict(f) for f in failed]} if failed else {})


def read_procedure_results(document: Mapping[str, Any]) -> dict[str, ProcedureResult]:
    """The results in a document of `procedures_document`, by the procedure's name, in the order of the run.

    The result of a procedure that this process does not know comes as an `UnreadResult`, which says so.

    Raises
    ------
    DamagedFile
        A result that is incomplete or contradicts itself.
    """
    return {name: _read(name, part, document) for name, part in document.items() if name not in _BESIDES}


def _read(name: str, part: object, document: Mapping[str, Any]) -> ProcedureResult:
    if not isinstance(part, Mapping):
        raise DamagedFile("should be a mapping of keys", where=name)
    procedure = PROCEDURES.get(name)
    try:
        if procedure is None or procedure.result is None:
            reason = "declares no class of results" if procedure else "is not loaded; name its file with --plugin"
            listed = [
                from_jsonable(ResultRow, row) for row in document.get("figures", ()) if row.get("procedure") == name
            ]
            return UnreadResult(f"the procedure {name} {reason}", tuple(listed), part)
        result: ProcedureResult = procedure.result.from_json(part)
        result.figures()
        result.charts()
        return result
    except InputError as error:
        raise DamagedFile(error.what, where=f"{name}.{error.where}" if error.where else name) from error
    except (ValueError, LookupError, ArithmeticError, AttributeError, TypeError) as error:
        raise DamagedFile(f"contradicts itself ({error})", where=name) from error
