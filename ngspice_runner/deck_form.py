"""What decks of a campaign have in common: their text without the numbers that no rule of the lint looks at.

Left out are plain numbers other than zero that are the value of an R, C or L or of an assignment of an element. Names,
nodes, zeros, signs of values, suffixes, sources and all cards with a dot stay as they are, so that the rules find the
same in two decks of one form.
"""

from __future__ import annotations

import hashlib
import re

from ngspice_runner.deck import ParsedDeck
from ngspice_runner.includes import IncludeSet
from ngspice_runner.job import Job

_KINDS = frozenset("rRcClLmMxXdDqQ")
_PLAIN = r"(?=[0.]*[1-9])\d+(?:\.\d*)?(?:[eE][+-]?\d+)?(?=\s|$)"
_NUMBER = re.compile(rf"(?:(?<==)[+-]?|(?<=\n)([rclRCL]\S*\s+\S+\s+\S+\s+)){_PLAIN}")


def deck_form(job: Job, deck: ParsedDeck, includes: IncludeSet, version: float) -> str:
    """A digest of a deck's form and of what else the lint knows; empty where the deck does not stand for itself: with
    other files, a control section or cards behind its end."""
    after_end = deck.end_line is not None and bool(deck.cards) and deck.cards[-1][0] > deck.end_line
    if deck.control or after_end or includes != IncludeSet():
        return ""
    masked, exact = [""], [repr((job.stop, job.options, version, "rshunt" in job.text.lower()))]
    for _, card in deck.cards:
        first = card[0]
        if first in _KINDS:
            masked.append(card)
        else:
            exact.append(card)
            if first == ".":
                masked.append(".")  # the scope of what follows
    text = "\n".join((_NUMBER.sub(r"\g<1>9", "\n".join(masked)), *exact))
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
