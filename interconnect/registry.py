"""Named things that users extend: one registry per kind (cells, mappings, procedures, exporters, readouts, ...)."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Generic, TypeVar

from interconnect.errors import InputError, UnknownName, error_text, shortened
from interconnect.optional import has_library
from interconnect.suggestion import suggest

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Entry:
    """A registered name as documentation, completion and error messages show it.

    origin: `built in`, `registered`, or the installed distribution whose entry point announced it.
    """

    name: str
    title: str
    origin: str


class Registry(Mapping[str, T], Generic[T]):
    """Items of one kind by name: built in, registered by a plugin, or announced by an installed package.

    Built-in items and entry points are imported when they are first looked up, so that a registry costs nothing.

    Parameters
    ----------
    kind : str
        The kind in words, singular, for messages: `cell`.
    group : str
        Entry-point group of installed packages, `metalrom.<kind>s`; an entry's value is `module:attribute`.
    built_in : Mapping[str, str | Callable[[], T]]
        Name -> `module:attribute`, or a function that returns the item.
    where : str, optional
        Key of the configuration that takes such a name, for messages.
    needs : Mapping[str, str], optional
        Name of a built-in item -> library of an extra that it needs; listed only where that is installed, looked up
        everywhere.

    Examples
    --------
    >>> shapes: Registry[type] = Registry("number", group="metalrom.numbers", built_in={"ratio": "fractions:Fraction"})
    >>> shapes["ratio"].__name__
    'Fraction'
    >>> shapes.register("whole", int)
    <class 'int'>
    >>> list(shapes)
    ['ratio', 'whole']
    """

    def __init__(
        self,
        kind: str,
        *,
        group: str,
        built_in: Mapping[str, str | Callable[[], T]],
        where: str | None = None,
        needs: Mapping[str, str] | None = None,
    ) -> None:
        self.kind = kind
        self.group = group
        self._where = where
        self._built_in = dict(built_in)
        self._needs = dict(needs or {})
        self._loaded: dict[str, T] = {}
        self._registered: dict[str, T] = {}
        self._announced: dict[str, EntryPoint] | None = None

    def register(self, name: str, item: T) -> T:
        """Make an item known by its name and return it.

        Raises
        ------
        InputError
            If the name is taken.
        """
        if name in self:
            raise InputError(f"there is already a {self.kind} {name!r}", where=self._where)
        self._registered[name] = item
        return item

    def unregister(self, name: str) -> None:
        """Forget an item that `register` made known; built-in ones stay."""
        self._registered.pop(name, None)

    def __getitem__(self, name: str) -> T:
        """Look an item up, importing it where needed.

        Raises
        ------
        UnknownName
            With the closest known name.
        """
        if name in self._registered:
            return self._registered[name]
        if name not in self._loaded:
            self._loaded[name] = self._load(name)
        return self._loaded[name]

    def get(self, name: str, default: Any = None) -> Any:
        """The item of that name, or `default` for an unknown one."""
        if name not in self:
            return default
        return self[name]

    def __iter__(self) -> Iterator[str]:
        yield from (name for name in self._built_in if name not in self._needs or has_library(self._needs[name]))
        yield from self._registered
        yield from (name for name in self._entry_points() if name not in self._built_in)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __contains__(self, name: object) -> bool:
        return name in self._built_in or name in self._registered or name in self._entry_points()

    def describe(self) -> tuple[Entry, ...]:
        """Every item with its title (attribute `title`, else `description`, else the first line of its docstring)."""
        return tuple(Entry(name, _title(self[name]), self._origin(name)) for name in self)

    def _load(self, name: str) -> T:
        entry = self._entry_points().get(name)
        if name in self._built_in:
            source = self._built_in[name]
            if not isinstance(source, str):
                return source()
            module, _, attribute = source.partition(":")
            found: T = getattr(import_module(module), attribute)
            return found
        if entry is None:
            raise UnknownName(
                f"there is no {self.kind} {shortened(name)!r}", where=self._where, hint=suggest(name, self)
            )
        try:
            announced: T = entry.load()
        except (Exception, SystemExit) as error:  # whatever a stranger's package raises
            said = f"{type(error).__name__}: {error_text(error)}"
            raise InputError(
                f"the {self.kind} {name} of an installed package cannot be loaded ({said})",
                where=f"entry point group {self.group}",
            ) from error
        return announced

    def _entry_points(self) -> dict[str, EntryPoint]:
        if self._announced is None:
            self._announced = {entry.name: entry for entry in entry_points(group=self.group)}
        return self._announced

    def _origin(self, name: str) -> str:
        if name in self._built_in:
            return "built in"
        entry = self._entry_points().get(name)
        if name in self._registered or entry is None:
            return "registered"
        return entry.dist.name if entry.dist is not None else "installed"


def _title(item: object) -> str:
    for attribute in ("title", "description"):
        text = getattr(item, attribute, None)
        if isinstance(text, str) and text:
            return text
    return (item.__doc__ or "").strip().partition("\n")[0]
