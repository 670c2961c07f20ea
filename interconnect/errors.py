"""What the packages raise: wrong input, or a solver that cannot certify its answer.

InputError              the user's input is wrong; one sentence says what, where and what would be right
    UnknownName         a name that no registry, section or file holds
    DomainError         a value outside the range in which a model or table was fitted and checked
    DamagedFile         a file that is truncated, edited, or not of the format it claims
    UnsupportedCell     a cell that lacks a capability that was asked for
    MissingLibrary      an optional library that is not installed
SolverError             a solver failed, or could not certify its answer
"""


class InputError(ValueError):
    """Bad input, reported in one sentence: what is wrong, where (file, key path, line), what would be right.

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


class UnknownName(InputError):
    """A name that is not known; the hint holds the closest one."""


class DomainError(InputError):
    """A value outside the range in which a model or table was fitted and checked."""


class DamagedFile(InputError):
    """A file that is truncated, edited, or not of the format that it claims."""


class UnsupportedCell(InputError):
    """A cell that lacks a capability that was asked for."""


class MissingLibrary(InputError):
    """An optional library that is not installed; the hint says how to get it."""


class SolverError(RuntimeError):
    """A solver of this package failed, or could not certify its answer; the input itself was well-formed."""


def shortened(text: str, limit: int = 60) -> str:
    """`text`, or its beginning and three dots if it is longer than `limit`: no input may flood a message."""
    return text if len(text) <= limit else text[: limit - 3] + "..."


def error_text(error: BaseException) -> str:
    """What an error says; nothing if it is somebody else's and cannot say it."""
    try:
        return str(error)
    except Exception:
        return ""


def one_line(text: str) -> str:
    """Text that a hostile name cannot use to forge lines or drive the terminal."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text)
