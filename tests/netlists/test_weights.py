"""Weight files that are good, bad and hostile; quantization against its definition."""

from __future__ import annotations

import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from safetensors.numpy import save_file

from interconnect.errors import InputError
from netlists.weights import load_tensor, load_weights, quantize, tensor_names

RNG = np.random.default_rng(1)
MATRIX = RNG.standard_normal((6, 4)).astype(np.float32)


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    paths = {s: tmp_path / f"w.{s}" for s in ("safetensors", "npy", "npz")}
    save_file({"layer.0.query.weight": MATRIX, "layer.0.query.bias": MATRIX[0]}, paths["safetensors"])
    np.save(paths["npy"], MATRIX)
    np.savez(paths["npz"], **{"layer.0.query.weight": MATRIX, "other": MATRIX.T})
    return paths


@pytest.mark.parametrize("suffix", ["safetensors", "npy", "npz"])
def test_every_format_gives_the_same_matrix(files: dict[str, Path], suffix: str) -> None:
    name = None if suffix == "npy" else "layer.0.query.weight"
    np.testing.assert_array_equal(load_weights(files[suffix], name), MATRIX)
    np.testing.assert_array_equal(load_weights(files[suffix], name, transpose=True, shape=(4, 6)), MATRIX.T)
    if suffix == "safetensors":
        np.testing.assert_array_equal(load_tensor(files[suffix], "layer.0.query.bias"), MATRIX[0])
        assert set(tensor_names(files[suffix])) == {"layer.0.query.weight", "layer.0.query.bias"}


def test_bfloat16_is_read(tmp_path: Path) -> None:
    import json

    values = np.array([[1.0, -2.5], [0.15625, 3.0]], dtype="<f4")  # exact in bfloat16
    data = (values.view("<u4") >> 16).astype("<u2").tobytes()
    header = json.dumps({"w": {"dtype": "BF16", "shape": [2, 2], "data_offsets": [0, len(data)]}}).encode()
    path = tmp_path / "b.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header + data)
    np.testing.assert_array_equal(load_weights(path, "w"), values)


@pytest.mark.parametrize("suffix", ["safetensors", "npy", "npz"])
@pytest.mark.parametrize("keep", [0, 5, 40, 0.5, 0.99])
def test_truncated_files_are_refused(files: dict[str, Path], suffix: str, keep: float) -> None:
    whole = files[suffix].read_bytes()
    files[suffix].write_bytes(whole[: int(keep if keep >= 1 else keep * len(whole))])
    with pytest.raises(InputError, match=str(files[suffix])):
        load_weights(files[suffix], None if suffix == "npy" else "layer.0.query.weight")


@settings(max_examples=60, deadline=None)
@given(data=st.binary(max_size=200), suffix=st.sampled_from(["safetensors", "npy", "npz"]))
def test_garbage_is_refused_in_one_sentence(data: bytes, suffix: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("garbage") / f"x.{suffix}"
    path.write_bytes(data)
    with pytest.raises(InputError) as caught:
        load_weights(path)
    assert "\n" not in str(caught.value)


def test_missing_things_get_a_suggestion(files: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"did you mean 'layer\.0\.query\.weight'"):
        load_weights(files["safetensors"], "layer.0.query.weigth")
    with pytest.raises(InputError, match="2 tensors and none is named"):
        load_weights(files["npz"])
    with pytest.raises(InputError, match="no such weight file"):
        load_weights(tmp_path / "nosuch.npy")
    path = tmp_path / "x.h5"
    path.write_bytes(b"x")
    with pytest.raises(InputError, match=r"\.h5 file"):
        load_weights(path)


def test_wrong_shape_and_values_are_refused(tmp_path: Path, files: dict[str, Path]) -> None:
    with pytest.raises(InputError, match=r"set weights\.transpose"):
        load_weights(files["npy"], shape=(4, 6))
    with pytest.raises(InputError, match=r"shape \(4,\), expected a matrix"):
        load_weights(files["safetensors"], "layer.0.query.bias")
    for bad in (np.nan, np.inf):
        m = MATRIX.copy()
        m[2, 3] = bad
        np.save(tmp_path / "bad.npy", m)
        with pytest.raises(InputError, match=r"NaN or infinite, the first at \[2, 3\]"):
            load_weights(tmp_path / "bad.npy")
    for text in (np.array([["a", "b"]]), np.array([[True]]), np.array([[1j]])):
        np.save(tmp_path / "bad.npy", text)
        with pytest.raises(InputError, match="not numbers"):
            load_weights(tmp_path / "bad.npy")


class _Bomb:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (Path.touch, ("never",))


def test_pickles_are_never_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    np.save(tmp_path / "o.npy", np.array([[_Bomb()]], dtype=object), allow_pickle=True)
    (tmp_path / "p.npy").write_bytes(pickle.dumps(_Bomb()))
    with zipfile.ZipFile(tmp_path / "z.npz", "w") as z:
        z.write(tmp_path / "o.npy", "w.npy")
    for name in ("o.npy", "p.npy", "z.npz"):
        with pytest.raises(InputError):
            load_weights(tmp_path / name)
    assert not (tmp_path / "never").exists()


finite = st.floats(-1e3, 1e3, allow_nan=False, width=32)


@settings(deadline=None)
@given(w=arrays(np.float64, st.tuples(st.integers(1, 8), st.integers(1, 6)), elements=finite))
@pytest.mark.parametrize("bits", [8, 6, 4])
def test_quantization_is_symmetric_and_within_half_a_step(w: np.ndarray, bits: int) -> None:
    q = quantize(w, bits)
    top = 2 ** (bits - 1) - 1
    assert np.abs(q.values).max() <= top
    assert (np.abs(q.dequantized() - w) <= 0.5 * q.scale * (1 + 1e-9) + 1e-300).all()
    np.testing.assert_array_equal(quantize(-w, bits).values, -q.values)
    for c in range(w.shape[1]):
        if np.abs(w[:, c]).max() > 1e-300:
            assert np.abs(q.values[:, c]).max() == top  # the largest weight of a column takes the largest integer


def test_a_zero_column_and_other_bits() -> None:
    q = quantize(np.array([[0.0, 1.0], [0.0, -2.0]]), 4)
    assert q.values.tolist() == [[0, 4], [0, -7]]  # 1 / (2 / 7) = 3.5 rounds to even
    assert q.scale.tolist() == [1.0, 2 / 7]
    with pytest.raises(InputError, match="8, 6, 4 or 2"):
        quantize(MATRIX, 5)
    with pytest.raises(InputError):
        quantize(np.array([[np.nan]]), 8)
