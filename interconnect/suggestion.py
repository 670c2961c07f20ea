"""The hint for a name that is not known."""

import difflib
from collections.abc import Iterable

from interconnect.errors import shortened

_LISTED = 20
_LONGEST = 80


def suggest(name: str, known: Iterable[str]) -> str:
    """What the user may have meant by `name`: the closest known name, those that contain it, or else a list."""
    folded: dict[str, str] = {}
    for candidate in known:
        folded.setdefault(candidate.casefold(), candidate)
    wanted = name[:_LONGEST].casefold()
    close = difflib.get_close_matches(wanted, folded, n=1)
    if not close and len(wanted) > 2:
        close = [key for key in folded if wanted in key][:3]
    if close:
        return f"did you mean {' or '.join(repr(shortened(folded[key], _LONGEST)) for key in close)}?"
    shown = [shortened(candidate, _LONGEST) for candidate in list(folded.values())[:_LISTED]]
    if not shown:
        return "there is none"
    return f"known: {', '.join(shown)}{', ...' if len(folded) > _LISTED else ''}"
