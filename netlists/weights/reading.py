"""What the readers of weight files share."""

from collections.abc import Sequence
from typing import Any

from numpy.typing import NDArray

from interconnect.errors import InputError
from interconnect.suggestion import suggest


def library_message(error: BaseException) -> str:
    """What a library said, on one line of bounded length."""
    text = " ".join(str(error).split())
    return text[:200] or type(error).__name__


def pick(name: str | None, known: Sequence[str], where: str) -> str:
    """The tensor that is meant: the named one, or the only one. InputError with a suggestion otherwise."""
    if name is None and len(known) == 1:
        return known[0]
    if name is None:
        raise InputError(
            f"the file holds {len(known)} tensors and none is named", where=where, hint=suggest("weight", known)
        )
    if name not in known:
        raise InputError(f"there is no tensor {name!r}", where=where, hint=suggest(name, known))
    return name


def widen_bfloat16(halves: NDArray[Any]) -> NDArray[Any]:
    """bfloat16, stored as 16-bit integers, in float32, of which it is the upper half (numpy has no bfloat16)."""
    return (halves.astype("<u4") << 16).view("<f4")
