"""A kit's own library as a device set takes it: checked files, and the lines that bring a corner into a deck."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from interconnect.errors import InputError
from interconnect.files import read_bytes
from netlists.devices.kit_file import FileEntry, Library, Needs
from netlists.devices.spice_library import LibraryReader, check_device, check_pinned, deck_path, locate

_LARGEST_MODEL = 64 * 2**20
"""Of a compiled model, bytes."""


def library_texts(
    library: Library, devices: Mapping[str, str], style: str, path: Path, digest: hashlib._Hash
) -> tuple[dict[str, str], tuple[tuple[Path, str], ...]]:
    """(corner -> deck lines, files that the lines bring in with the SHA-256 of each).

    Lines: options and parameters, the files of the corner, the kit's own mismatch switched off.

    devices: key of the YAML file -> name of a device, which must be in every corner. path: the YAML file. digest: takes
    the content of all files. Raises InputError for a missing file, section or device.
    """
    reader = LibraryReader(digest)
    texts = {}
    for corner, entries in library.corners.items():
        where = f"{path}: library.corners.{corner}"
        if not entries:
            raise InputError("no file is given", where=where, hint="write `- {file: PATH, section: NAME}`")
        models: set[str] = set()
        subcircuits: set[str] = set()
        lines = _options(library)
        for entry, place in [*((e, f"{path}: library.before") for e in library.before), *((e, where) for e in entries)]:
            line, found = _line(entry, path.parent, reader, place)
            lines.append(line)
            models |= found[0]
            subcircuits |= found[1]
        for key, name in devices.items():
            check_device(name, style, models, subcircuits, where=f"{path}: {key} at corner {corner}")
        switch = library.mismatch
        if switch is not None and switch.parameter is not None:
            # After the files: of two `.param` of one name ngspice takes the last.
            lines.append(f".param {switch.parameter}={switch.off!r}")
        elif switch is not None and switch.include is not None:
            lines.append(_line(switch.include, path.parent, reader, f"{path}: library.mismatch.include")[0])
        texts[corner] = "\n".join(lines) + "\n"
    return texts, reader.files


def simulation_options(needs: Needs, path: Path, digest: hashlib._Hash) -> tuple[tuple[str, str], ...]:
    """Options of every job with a device set: the compatibility mode, and what its simulator must load first.

    path: the YAML file. digest: takes the content of the files. Raises InputError for one that is missing.
    """
    found: list[tuple[str, str]] = [("ngbehavior", needs.ngbehavior)] if needs.ngbehavior else []
    if needs.simulator == "vacask":
        found.append(("simulator", "vacask"))
        files = [("verilog_a", name) for name in needs.verilog_a]
    else:
        files = [("startup", name) for name in (needs.startup,) if name] + [("osdi", name) for name in needs.osdi]
    for option, name in files:
        where = f"{path}: needs.{option}"
        file = locate(FileEntry(file=name), path.parent, where=where)
        digest.update(read_bytes(file, limit=_LARGEST_MODEL))
        found.append((option, deck_path(file)))
    return tuple(found)


def _options(library: Library) -> list[str]:
    lines = [f".option {name}={value!r}" for name, value in library.options.items()]
    return lines + [f".param {name}={value!r}" for name, value in library.parameters.items()]


def _line(entry: FileEntry, folder: Path, reader: LibraryReader, where: str) -> tuple[str, tuple[set[str], set[str]]]:
    """The card that brings an entry in, and the models and subcircuits that it defines."""
    path = locate(entry, folder, where=where)
    text = deck_path(path)
    check_pinned(entry, path, reader.content(path.absolute()), where=where)
    found = reader.names(path, entry.section, where=where)
    return f'.include "{text}"' if entry.section is None else f'.lib "{text}" {entry.section}', found
