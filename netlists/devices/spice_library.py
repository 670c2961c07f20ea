"""Looking into a kit's SPICE libraries: which sections they have, which models and subcircuits a section defines."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from interconnect.cachefolder import cache_folder
from interconnect.errors import InputError
from interconnect.files import read_bytes
from interconnect.suggestion import suggest
from netlists.devices.kit_file import FileEntry

ASSET = "asset:"
_LARGEST = 512 * 2**20
"""Of one library file, bytes."""
_DEEPEST = 30
"""Nested includes; more are a loop."""

_CARD = re.compile(
    rb"^[ \t]*\.(lib|endl|inc|incl|include|subckt|ends|model)\b[ \t]*(?:\"([^\"\r\n]*)\"|'([^'\r\n]*)'|([^\s$;]*))"
    rb"[ \t]*([^\s$;*(]*)",
    re.IGNORECASE | re.MULTILINE,
)
_VARIABLE = re.compile(r"\$(?:([A-Za-z_]\w*)|\{([A-Za-z_]\w*)\})(?=/)")
_BIN = re.compile(r"\.\d+$")
_SAFE_PATH = re.compile(r"[A-Za-z0-9_./+@%,=~:#()-]+")


def deck_path(path: Path) -> str:
    """The absolute path as it may stand between quotes in a deck; InputError for one that ngspice would misread."""
    text = str(path.absolute())
    if not _SAFE_PATH.fullmatch(text):
        odd = next(char for char in text if not _SAFE_PATH.fullmatch(char))
        raise InputError(
            f"the path contains {odd!r}, which is not allowed in a netlist",
            where=text,
            hint="put the library under a folder of letters, digits and _ . + - only, or make a link there",
        )
    return text


def locate(entry: FileEntry, folder: Path, *, where: str) -> Path:
    """The file of an entry: beside the device set's file in `folder`, below the folder that an environment variable
    names (`$PDK_ROOT/...`), or of a fetched asset.

    Raises InputError if it is missing or no plain file, or the variable is not set.
    """
    if entry.file.startswith(ASSET):
        asset, _, name = entry.file.removeprefix(ASSET).partition("/")
        if not re.fullmatch(r"[A-Za-z0-9_.+-]+/[A-Za-z0-9_.+-]+", f"{asset}/{name}") or ".." in (asset, name):
            raise InputError(f"{entry.file!r} is not a file of an asset", where=where, hint="asset:NAME-VERSION/FILE")
        path = cache_folder("assets", asset, name)
    else:
        path = folder / Path(_with_variable(entry.file, where)).expanduser()
    if not path.is_file():
        raise InputError(f"there is no file {path}", where=where, hint=_remedy(entry))
    return path


def _with_variable(name: str, where: str) -> str:
    """The path with the environment variable at its start, if there is one, replaced by its value."""
    found = _VARIABLE.match(name)
    if found is None:
        return name
    variable = found[1] or found[2]
    if not (value := os.environ.get(variable)):
        raise InputError(
            f"the environment variable {variable} is not set",
            where=where,
            hint=f"export {variable}=FOLDER, the folder where the kit is installed",
        )
    return value + name[found.end() :]


def check_pinned(entry: FileEntry, path: Path, content: bytes, *, where: str) -> None:
    """Refuse the content of an entry's file if its hash is not the one that the entry pins. Raises InputError."""
    if entry.sha256 is not None and hashlib.sha256(content).hexdigest() != entry.sha256:
        raise InputError(f"{path} differs from the pinned file (SHA-256)", where=where, hint=_remedy(entry))


def _remedy(entry: FileEntry) -> str | None:
    """How to get the file of an asset."""
    if not entry.file.startswith(ASSET):
        return None
    return f"run `metalrom fetch {entry.file.removeprefix(ASSET).partition('/')[0].rpartition('-')[0]}`"


@dataclass(slots=True)
class LibraryReader:
    """Reads library files once each; `digest` takes the content of every file that is read."""

    digest: hashlib._Hash
    _files: dict[Path, bytes] = field(default_factory=dict)

    def names(self, path: Path, section: str | None, *, where: str) -> tuple[set[str], set[str]]:
        """(models, subcircuits) that a section (None: the whole file) defines at its top level, in lower case.

        A binned model `nch.3` counts as `nch`. Raises InputError for a missing section or nested file.
        """
        models: set[str] = set()
        subcircuits: set[str] = set()
        self._walk(path.absolute(), section, models, subcircuits, where, 0)
        return models, subcircuits

    def _walk(
        self, path: Path, section: str | None, models: set[str], subcircuits: set[str], where: str, depth: int
    ) -> None:
        if depth > _DEEPEST:
            raise InputError(f"{path} includes itself, or files nest too deeply", where=where)
        wanted = section.lower() if section else None
        current: str | None = None
        inside = 0
        sections: list[str] = []
        for match in _CARD.finditer(self.content(path)):
            word = match[1].lower()
            first = (match[2] or match[3] or match[4] or b"").decode("utf-8", "replace")
            second = match[5].decode("utf-8", "replace")
            if word == b"lib" and not second:
                current = first.lower()
                sections.append(first)
            elif word == b"endl":
                current = None
            elif current != wanted:
                continue
            elif word in (b"lib", b"inc", b"incl", b"include"):
                nested = self._nested(first, path, where)
                self._walk(nested, second if word == b"lib" else None, models, subcircuits, where, depth + 1)
            elif word == b"ends":
                inside = max(0, inside - 1)
            elif word == b"subckt":
                if not inside:
                    subcircuits.add(first.lower())
                inside += 1
            elif not inside:
                models |= {first.lower(), _BIN.sub("", first.lower())}
        if wanted is not None and wanted not in {name.lower() for name in sections}:
            known = ", ".join(dict.fromkeys(sections)) or "none"
            raise InputError(f"{path} has no section {section!r}", where=where, hint=f"it has {known}")

    @property
    def files(self) -> tuple[tuple[Path, str], ...]:
        """Every file that was read, and the SHA-256 of its bytes."""
        return tuple((path, hashlib.sha256(content).hexdigest()) for path, content in self._files.items())

    def content(self, path: Path) -> bytes:
        """The bytes of a library file, as they were when it was read first."""
        if path not in self._files:
            self._files[path] = read_bytes(path, limit=_LARGEST)
            self.digest.update(self._files[path])
        return self._files[path]

    def _nested(self, name: str, beside: Path, where: str) -> Path:
        path = (beside.parent / Path(name).expanduser()).absolute()
        if not path.is_file():
            raise InputError(f"{beside} includes {name!r}, which is not there", where=where)
        return path


def check_device(name: str, style: str, models: Iterable[str], subcircuits: Iterable[str], *, where: str) -> None:
    """InputError unless `name` is a model (style M) or a subcircuit (style X) among those found."""
    wanted, other = (set(models), set(subcircuits)) if style == "M" else (set(subcircuits), set(models))
    kinds = ("model", "subcircuit") if style == "M" else ("subcircuit", "model")
    if name.lower() in wanted:
        return
    if name.lower() in other:
        raise InputError(
            f"{name!r} is a {kinds[1]} in the library, not a {kinds[0]}",
            where=where,
            hint=f"write `style: {'X' if style == 'M' else 'M'}` under `call`",
        )
    raise InputError(f"the library has no {kinds[0]} {name!r}", where=where, hint=suggest(name, sorted(wanted)))
