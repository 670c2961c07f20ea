"""What the rooms below the command line raise: wrong input, or a solver that cannot vouch for its answer."""

from __future__ import annotations


class InputError(ValueError):
    """Bad input, told in one sentence: what is wrong, where (file, key path, line), what would be right.

    The message is one printable line, whatever the input held.
    """

    def __init__(self, what: str, *, where: str | None = None, hint: str | None = None) -> None:
        self.what = what
        self.where = where
        self.hint = hint
        parts = [f"{where}: {what}" if where else what]
        if hint:
            parts.append(hint)
        super().__init__(one_line("; ".join(parts)))


class SolverError(RuntimeError):
    """A solver of ours failed, or could not certify its answer; the input itself was well-formed."""


def shortened(text: str, limit: int = 60) -> str:
    """`text`, or its beginning and three dots if it is longer than `limit`: no input may flood a message."""
    return text if len(text) <= limit else text[: limit - 3] + "..."


def one_line(text: str) -> str:
    """Text that a hostile name cannot use to forge lines or drive the terminal."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text)
