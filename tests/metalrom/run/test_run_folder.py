"""A run is read by one reader: only what its manifest lists, only unchanged bytes, never through a link."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from characterization.procedures.noise import Noise
from interconnect.errors import DamagedFile, InputError
from metalrom.run.folder import open_run
from metalrom.run.manifest import CHARACTERIZATION, MANIFEST, read_manifest, write_manifest

FILE = "lut/t.json"


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """An output folder of two files."""
    folder = tmp_path / "out"
    (folder / "lut").mkdir(parents=True)
    (folder / FILE).write_text("{}")
    (folder / "procedures.json").write_text('{"noise": {"points": []}}')
    write_manifest(folder, {"simulations": {"run": 3, "cached": 4}})
    return folder


def test_whole_files_are_read(out: Path) -> None:
    run = open_run(out)
    run.verify()
    assert run.read(FILE) == b"{}"
    assert run.procedures == {"noise": Noise(())}
    assert run.simulations == {"run": 3, "cached": 4}
    # sha256 of "{}" by coreutils
    assert run.manifest.files[FILE] == "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"


def test_an_edited_file_is_refused(out: Path) -> None:
    run = open_run(out)
    (out / FILE).write_text("{ }")
    for read in (lambda: run.read(FILE), run.verify):
        with pytest.raises(DamagedFile, match=r"t\.json: was changed after the run .*; run the configuration again"):
            read()
    assert run.procedures  # the other one is whole


def test_a_missing_file_is_refused(out: Path) -> None:
    (out / FILE).unlink()
    with pytest.raises(DamagedFile, match=r"t\.json: is missing; run the configuration again"):
        open_run(out).read(FILE)
    with pytest.raises(InputError, match=r"results\.json: is not listed in manifest\.json"):
        _ = open_run(out).results


def test_unlisted_files_are_not_opened(out: Path) -> None:
    (out / "layer.npz").write_bytes(b"")
    os.mkfifo(out / "samples.csv")  # reading it would never end
    (out / "lut" / "readout.json").symlink_to("/dev/zero")
    run = open_run(out)
    for name in ("layer.npz", "samples.csv", "lut/readout.json", "../out/" + FILE, str(out / FILE), ""):
        assert not run.holds(name)
        with pytest.raises(InputError, match="is not listed"):
            run.read(name)


@pytest.mark.parametrize("what", ["file", "folder"])
def test_links_are_not_followed(out: Path, tmp_path: Path, what: str) -> None:
    """Not even to the very same bytes."""
    path = out / (FILE if what == "file" else "lut")
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(DamagedFile, match="links are not followed"):
        open_run(out).read(FILE)


def test_pipes_and_folders_are_not_read(out: Path) -> None:
    (out / FILE).unlink()
    os.mkfifo(out / FILE)
    with pytest.raises(DamagedFile, match="is not a regular file"):
        open_run(out).read(FILE)
    (out / FILE).unlink()
    (out / FILE).mkdir()
    with pytest.raises(DamagedFile, match="is not a regular file"):
        open_run(out).read(FILE)


def test_the_manifest_itself_is_no_link_and_no_pipe(out: Path, tmp_path: Path) -> None:
    (out / MANIFEST).rename(tmp_path / "m")
    (out / MANIFEST).symlink_to(tmp_path / "m")
    with pytest.raises(DamagedFile, match=r"manifest\.json: cannot be read .links are not followed"):
        open_run(out)
    (out / MANIFEST).unlink()
    os.mkfifo(out / MANIFEST)
    with pytest.raises(DamagedFile, match=r"manifest\.json: is not a regular file"):
        open_run(out)


def test_a_manifest_of_absurd_size_is_not_read(out: Path) -> None:
    os.truncate(out / MANIFEST, 2**40)  # sparse: it takes no room
    with pytest.raises(DamagedFile, match=r"manifest\.json: is larger than"):
        open_run(out)


def test_a_folder_without_a_manifest_is_no_run(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "nothing"):
        with pytest.raises(InputError, match=r"manifest\.json: there is no such file; give the output folder"):
            open_run(path)
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="file"):
        open_run(tmp_path / "file")


@pytest.mark.parametrize(
    "text",
    ["", "[1]", '{"files": 3}', "{}", '{"files": {"lut/t.json": 1}}', "[" * 100_000, '{"files": {"a\\u0000b": ""}}']
    + [json.dumps({"files": {name: "0" * 64}}) for name in ("", "/etc/passwd", "../x", "a/../b", "./a", "a//b", "a/")],
)  # fmt: skip
def test_a_damaged_manifest_is_refused(out: Path, text: str) -> None:
    (out / MANIFEST).write_text(text)
    with pytest.raises(DamagedFile, match=r"manifest\.json: .*; run the configuration again"):
        open_run(out)


def test_a_characterization_is_no_run(out: Path) -> None:
    write_manifest(out, {"kind": CHARACTERIZATION})
    assert read_manifest(out).kind == CHARACTERIZATION
    with pytest.raises(InputError, match="holds only a characterization; give the output folder of a `metalrom run`"):
        open_run(out)


@pytest.mark.parametrize("text", ["", "[]", "{", "[" * 100_000])
def test_listed_nonsense_is_refused(out: Path, text: str) -> None:
    """Files that match the manifest and are not of their format."""
    for name in ("procedures.json", "results.json", "lut/readout.json", "layer.npz"):
        (out / name).write_text(text)
    write_manifest(out, {})
    run = open_run(out)
    for part in ("procedures", "results", "table", "layer", "simulations"):
        with pytest.raises(InputError, match=r"\.(json|npz): "):
            getattr(run, part)
