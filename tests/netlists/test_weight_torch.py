"""Files of torch: tensors alone, no code of the file, no more memory than the file has."""

from __future__ import annotations

import contextlib
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from interconnect.errors import InputError, MissingLibrary
from interconnect.optional import has_library
from netlists.weights import load_tensor, load_weights, tensor_names, tensor_shapes, torch_file

needs_torch = pytest.mark.skipif(not has_library("torch"), reason="the extra `networks` (torch) is missing")


def saved(path: Path, content: Any, **options: Any) -> Path:
    import torch

    torch.save(content, path, **options)
    return path


@needs_torch
@pytest.mark.parametrize("suffix", ["pt", "pth", "bin"])
def test_tensors_are_what_was_saved(suffix: str, tmp_path: Path) -> None:
    import torch

    torch.manual_seed(1)
    w = torch.randn(3, 4)
    content = {
        "w": w, "half": w.half(), "b16": w.bfloat16(), "f8": w.to(torch.float8_e4m3fn), "double": w.double(),
        "int": torch.arange(6).reshape(2, 3), "view": w[:, ::2], "t": w.T, "p": torch.nn.Parameter(w),
    }  # fmt: skip
    path = saved(tmp_path / f"m.{suffix}", content)
    assert tensor_names(path) == tuple(content)
    assert tensor_shapes(path) == {name: tuple(tensor.shape) for name, tensor in content.items()}
    for name, tensor in content.items():
        np.testing.assert_array_equal(load_tensor(path, name), tensor.detach().double().numpy())
    np.testing.assert_array_equal(load_weights(path, "w", transpose=True), w.T.double().numpy())
    alone = saved(tmp_path / f"one.{suffix}", w)
    np.testing.assert_array_equal(load_tensor(alone), w.double().numpy())


class Careless:
    """What an ordinary unpickling would run."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return Path.touch, (self.path,)  # type: ignore[return-value]


@needs_torch
def test_what_is_no_tensor_is_refused(tmp_path: Path) -> None:
    import torch

    w, path = torch.ones(2, 2), tmp_path / "m.pt"
    trace = tmp_path / "ran"
    for content, words in (
        ({"w": w, "epoch": 3}, "holds 'epoch', which is a int and no tensor; safetensors.torch.save_file"),
        ({"state_dict": {"w": w}}, "holds 'state_dict', which is a dict"),
        ([w], "holds a list, not tensors by name"),
        ({3: w}, "holds 3"),
        ({"w": w, "x": Careless(trace)}, "cannot be read as tensors alone"),
        (torch.nn.Linear(2, 2), "cannot be read as tensors alone"),
        ({"w": w.to_sparse()}, "w is sparse or quantized"),
    ):
        with pytest.raises(InputError, match=words) as caught:
            load_tensor(saved(path, content), "w")
        assert "\n" not in str(caught.value)
    assert not trace.exists()
    with pytest.raises(InputError, match=r"is not a whole file of torch 1\.6 or later"):
        load_tensor(saved(path, {"w": w}, _use_new_zipfile_serialization=False), "w")


@needs_torch
def test_views_cannot_claim_more_than_is_stored(tmp_path: Path) -> None:
    import torch

    path = saved(tmp_path / "m.pt", {"w": torch.ones(1).expand(10**6, 10**6)})
    with pytest.raises(InputError, match="claims more numbers than are stored"):
        load_tensor(path, "w")


@needs_torch
def test_damaged_archives_are_refused_in_one_sentence(tmp_path: Path) -> None:
    import torch

    whole = saved(tmp_path / "m.pt", {"w": torch.arange(64.0).reshape(8, 8)}).read_bytes()
    path = tmp_path / "d.pt"
    rng = np.random.default_rng(5)
    for trial in range(120):
        raw = bytearray(whole)
        if trial % 4 == 0:
            del raw[int(rng.integers(0, len(raw))) :]
        else:
            for place in rng.integers(0, len(raw), 4):
                raw[place] = rng.integers(0, 256)
        path.write_bytes(raw)
        with contextlib.suppress(InputError):  # anything else would end the test
            load_tensor(path, "w")
    with zipfile.ZipFile(tmp_path / "m.pt") as there, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        for member in there.infolist():
            packed.writestr(member.filename, there.read(member))
    with pytest.raises(InputError, match="is a compressed archive"):
        load_tensor(path, "w")


def test_without_torch_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str, **words: Any) -> Any:
        raise MissingLibrary(f"{words['purpose']} need the package {name}", hint=words["extra"])

    monkeypatch.setattr(torch_file, "optional_library", missing)
    path = tmp_path / "m.pth"
    path.write_bytes(b"")
    with pytest.raises(MissingLibrary, match=r"\.pth files need the package torch; networks"):
        load_tensor(path, "w")
