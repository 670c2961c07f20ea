"""Decks that differ in a few values: their template is rendered once, then the values are filled in.

What a template is given is divided in two. `fixed` values decide the text's form and are part of the key under which
the skeleton is kept; for `varying` ones the template sees a `Slot`, whose mark is replaced by the value through the
filter that the template names. A template that does more with a varying value than print it is rendered in full.
"""

import re
from collections.abc import Callable, Hashable, Mapping
from pathlib import Path
from typing import Any, Generic, TypeVar

from interconnect.errors import InputError
from netlists.render import FILTERS, Slot, render, user_templates

_MARK = re.compile("\0([^\0]*)\0([^\0]*)\0")

KEPT = 256
"""Skeletons that are kept at a time."""

CHECKED = 256
"""Every so many texts of a skeleton, the first one included, are compared with the fully rendered text."""

T = TypeVar("T")


class Same(Generic[T]):
    """A value that equals itself alone: a key for what is expensive to compare or cannot be hashed."""

    __slots__ = ("value",)

    def __init__(self, value: T) -> None:
        self.value = value

    def __hash__(self) -> int:
        return id(self.value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Same) and other.value is self.value


class Skeleton:
    """A rendered text that is open at its slots: the texts before, between and after them, and their (name, filter)."""

    def __init__(self, text: str) -> None:
        pieces = _MARK.split(text)
        self._texts = pieces[::3]
        self._slots = tuple(zip(pieces[1::3], pieces[2::3], strict=True))
        self._filled = 0
        self._faithful = True

    def fill(self, values: Mapping[str, Any]) -> str:
        """The text with these values, by slot. Raises InputError for one that its filter refuses."""
        out = [self._texts[0]]
        for (slot, name), text in zip(self._slots, self._texts[1:], strict=True):
            out += (str(FILTERS[name](values[slot])), text)
        return "".join(out)

    def checked(self, values: Mapping[str, Any], whole: Callable[[], str]) -> str:
        """`fill`, compared now and then with the fully rendered text; that text from the first difference on."""
        check = self._filled % CHECKED == 0
        self._filled += 1
        if not self._faithful:
            return whole()
        text = self.fill(values)
        if check and text != whole():
            self._faithful = False
            return whole()
        return text


_kept: dict[Hashable, Skeleton | None] = {}


def render_filled(
    template: str, fixed: Mapping[str, Any], varying: Mapping[str, Any], *, folder: Path | None = None
) -> str:
    """The text that `render` gives for both kinds of values, by a skeleton where there can be one.

    Parameters
    ----------
    template : str
        Path of the template below `templates/`.
    fixed : Mapping[str, Any]
        Values by name; a skeleton needs hashable ones.
    varying : Mapping[str, Any]
        Values that differ from text to text; a mapping of such values is open at its entries, its keys are fixed.
    folder : Path, optional
        A user's template folder.

    Returns
    -------
    str
        The text.

    Raises
    ------
    InputError
        As `render`.
    """
    groups = {name: tuple(value) if isinstance(value, Mapping) else None for name, value in varying.items()}
    key = (template, folder, user_templates(folder), tuple(fixed.items()), tuple(groups.items()))
    try:
        skeleton = _kept[key] if key in _kept else _keep(key, template, fixed, groups, folder)
    except TypeError:  # a value that cannot be hashed
        skeleton = None

    def whole() -> str:
        return render(template, {**fixed, **varying}, folder=folder)

    if skeleton is None:
        return whole()
    flat = {f"{name}.{k}": v for name, keys in groups.items() if keys for k, v in varying[name].items()}
    return skeleton.checked({**varying, **flat}, whole)


def _keep(
    key: Hashable,
    template: str,
    fixed: Mapping[str, Any],
    groups: Mapping[str, tuple[str, ...] | None],
    folder: Path | None,
) -> Skeleton | None:
    slots = {
        name: Slot(name) if keys is None else {k: Slot(f"{name}.{k}") for k in keys} for name, keys in groups.items()
    }
    try:
        found = Skeleton(render(template, {**fixed, **slots}, folder=folder))
    except InputError:  # the template does more with a value than print it, or is faulty: rendering in full tells
        found = None
    if len(_kept) >= KEPT:
        _kept.clear()
    _kept[key] = found
    return found
