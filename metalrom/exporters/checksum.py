"""Text files that carry their own fingerprint: a reader refuses what was truncated, edited or mixed with another."""

import hashlib
import re
from collections.abc import Iterable
from pathlib import Path

from interconnect.errors import InputError
from interconnect.files import decode, read_bytes
from metalrom.exporters.exporter import commented
from metalrom.exporters.run_data import RunData

_CONTENT = re.compile(r"content sha256 ([0-9a-f]{64})")
LIMIT = 2**28
"""Bytes of one file that a reader takes."""


def add_digest(text: str, mark: str, end: str = "") -> bytes:
    """`text` and a last comment line with its SHA-256. mark, end: how a comment of the format begins and ends."""
    body = text if text.endswith("\n") else text + "\n"
    return (body + _digest_line(body, mark, end)).encode("ascii")


def _digest_line(body: str, mark: str, end: str) -> str:
    return f"{mark} file sha256 {hashlib.sha256(body.encode('ascii')).hexdigest()}{end}\n"


def verify_digest(path: Path, mark: str, end: str = "") -> str:
    """Text of a file without its digest line. Raises InputError if it is missing, truncated or edited."""
    text = decode(read_bytes(path, limit=LIMIT), where=str(path))
    body = text[: text.rfind("\n", 0, len(text) - 1) + 1] if text.isascii() else ""
    if not body or text[len(body) :] != _digest_line(body, mark, end):
        raise InputError("its content does not match its checksum", where=str(path), hint="truncated or edited")
    return body


def verify_digests(folder: Path, names: Iterable[str], mark: str, end: str = "") -> dict[str, str]:
    """Texts of files with a digest, by name. Raises InputError as `verify_digest`, and for files of different runs."""
    texts = {name: verify_digest(folder / name, mark, end) for name in names}
    found = {name: content_of(text) for name, text in texts.items()}
    first = next(iter(found))
    for name, content in found.items():
        if content != found[first]:
            raise InputError(f"belongs to a different run than {first}", where=str(folder / name), hint="export again")
    return texts


def content_of(text: str) -> str:
    """Fingerprint of the run's table that an exported file names, empty if it names none."""
    match = _CONTENT.search(text)
    return match.group(1) if match else ""


def header(source: RunData, mark: str, *lines: str, end: str = "") -> str:
    """Comment lines of an exported file: what it is, `lines` of its own, and every assumption behind it."""
    message = (*source.stamp, *lines, "Assumptions and warnings of the run:", *source.assumptions)
    # a text of the run must not end a comment of the format that holds it
    safe = (line.replace("*/", "* /").replace("/*", "/ *") for line in message)
    text = commented(safe, mark)
    return "".join(f"{line}{end}\n" for line in text.splitlines()) if end else text


def two_levels(source: RunData, what: str) -> None:
    """Refuse a table of cells with more than two levels, or of pairs of columns: counts exceed the driven rows."""
    if source.table.levels != 2:
        pair = "a pair of columns in " if source.results.macro_geometry.columns_per_conversion > 1 else ""
        raise InputError(f"{what} supports cells of two levels, {pair}this run has {source.table.levels}")


def symbol(label: str) -> str:
    """A condition's label as a name in any format: `tt_1.00V_-40C` becomes `tt_1p00v_m40c`."""
    text = label.lower().replace(".", "p").replace("-", "m")
    return re.sub(r"[^a-z0-9_]", "_", text)


def symbols(source: RunData) -> list[str]:
    """Names of the table's conditions, in order. Raises InputError if two of them would be one."""
    names = [symbol(c.label) for c in source.table.conditions]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"two conditions would share the name {name}", hint="rename a corner")
    return names


def conditions_in(text: str, where: str) -> tuple[list[str], int]:
    """Labels and nominal index that `condition_lines` wrote. Raises InputError if there are none."""
    found = re.findall(r"^\S+ condition (\d+): (\S+)( \(nominal\))?(?: \*/)?$", text, re.MULTILINE)
    labels = [label for _, label, _ in found]
    nominal = [i for i, (_, _, mark) in enumerate(found) if mark]
    if [int(i) for i, _, _ in found] != list(range(len(found))) or len(nominal) != 1:
        raise InputError("does not list its conditions", where=where, hint="truncated or edited")
    return labels, nominal[0]


def condition_lines(source: RunData) -> tuple[str, ...]:
    """One line per condition with its number, for a file's header."""
    return tuple(
        f"condition {i}: {c.label}{' (nominal)' if c.label == source.results.condition else ''}"
        for i, c in enumerate(source.table.conditions)
    )
