"""A column deck as one standalone file: `ngspice -b FILE` prints the level that it reads, by `.meas`."""

from collections.abc import Sequence
from dataclasses import replace

from netlists.column import ColumnDeck
from netlists.render import comment, number, vector

LEVEL = "level"
"""Name of the measure that gives the level, V or A."""

HOLD = 1e-9
"""s; an operating point is kept for so long, since `.meas` reads analyses with an axis alone."""


def measured_deck(deck: ColumnDeck, *, double_sampling: bool, notes: Sequence[str] = ()) -> ColumnDeck:
    """The deck with `.meas` statements for its level and comments at its top.

    The level is defined as for the readout table: what is read at the sample instant, less what is read before the
    inputs rise where the readout samples twice; of a readout by a ramp what is left of it at the output's edge.

    Parameters
    ----------
    deck : ColumnDeck
        A read by `column_deck`.
    double_sampling : bool
        Whether the level is the difference of two samples.
    notes : Sequence[str]
        Comment lines below the deck's title.

    Returns
    -------
    ColumnDeck
        The same deck with another text; an operating point has become a transient of `HOLD` at constant sources.
    """
    lines = deck.text.rstrip("\n").split("\n")
    if lines.pop() != ".end":
        raise ValueError("the deck does not end with .end")
    read_at = deck.read_at
    if read_at is None:
        read_at = HOLD
        lines[lines.index(".op")] = f".tran {number(HOLD / 10)} {number(HOLD)}"
        deck = replace(deck, stop=read_at, read_at=read_at)
    head = next(i for i, line in enumerate(lines) if not line.startswith("*"))
    lines[head:head] = [f"* {comment(note)}" if note else "*" for note in notes]
    measures = [f".meas tran {words}" for words in _measures(deck, read_at, double_sampling)]
    text = "\n".join([*lines, "", f"* ---- what is read, {deck.unit}", *measures, ".end", ""])
    return replace(deck, text=text)


def _measures(deck: ColumnDeck, read_at: float, double_sampling: bool) -> list[str]:
    read = str(vector(deck.target))
    if deck.target_minus:
        read = f"par('{read}-{vector(deck.target_minus)}')"
    out = []
    first = ""
    if double_sampling and deck.input_at is not None:
        out.append(f"first_sample FIND {read} AT={number(deck.input_at)}")
        first = "-first_sample"
    if deck.edge is not None:
        e = deck.edge
        out.append(f"output_edge WHEN {vector(e.line)}={number(e.level)} FALL=1 TD={number(e.start)}")
        rate = number(e.swing / (e.stop - e.start))
        return [*out, f"{LEVEL} PARAM='{rate}*({number(e.stop)}-output_edge){first}'"]
    if not first:
        return [f"{LEVEL} FIND {read} AT={number(read_at)}"]
    out.append(f"second_sample FIND {read} AT={number(read_at)}")
    return [*out, f"{LEVEL} PARAM='second_sample{first}'"]
