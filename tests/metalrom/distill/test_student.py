"""The student against the numpy encoder, its ternary rule against the definition, and a run that is taken up again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from interconnect.errors import InputError
from metalrom.studies.accuracy import ActivationRule
from metalrom.studies.accuracy.native import BlockOperator, ExactBlocks
from metalrom.studies.distill import package
from metalrom.studies.distill.student import Encoder, embed, parameters_of, ternary_planes
from metalrom.studies.distill.texts import Corpus, packed
from metalrom.studies.distill.train import Progress, Recipe, distilled, state_digest
from metalrom.workloads.networks.bert import Bert, load_bert
from tests.metalrom.distill.conftest import Letters

torch = pytest.importorskip("torch", reason="the extra `networks` (torch) is missing")
HALF_PRECISION = 0.02
"""bfloat16 has 8 bits of mantissa: some rounding errors of 2^-9 in series."""


def sequences(count: int = 12) -> list[list[int]]:
    rng = np.random.default_rng(2)
    return [rng.integers(1, 30, n).tolist() for n in rng.integers(2, 20, count)]


def student_embeddings(model: Bert, parameters: Any, planes: int) -> Any:
    encoder = Encoder(model, planes)
    return embed(lambda batch: encoder(parameters, batch), sequences(), packed)


def test_the_teacher_is_the_numpy_encoder(model: Bert) -> None:
    found = student_embeddings(model, parameters_of(model), 0)
    np.testing.assert_allclose(found, np.array(model.embed(sequences())), atol=HALF_PRECISION)


def test_the_ternary_rule_is_the_published_one() -> None:
    weight = torch.tensor([[1.0, -0.2, 0.5, 0.1], [0.0, 0.0, 0.0, 0.0], [-3.0, 1.0, 0.0, 0.0]])
    ((digits, scale),) = ternary_planes(weight, 1)
    # Thresholds 0.7 mean|w|: 0.315, 0, 0.7. Kept: 1 and 0.5 (mean 0.75); none; 3 and 1 (mean 2).
    assert digits.tolist() == [[1, 0, 1, 0], [0, 0, 0, 0], [-1, 1, 0, 0]]
    assert scale.flatten().tolist() == pytest.approx([0.75, 0.0, 2.0])


def test_a_second_plane_holds_what_the_first_leaves_over() -> None:
    torch.manual_seed(0)
    weight = torch.randn(8, 400)
    errors = []
    for planes in (1, 2):
        held = sum(scale * digits for digits, scale in ternary_planes(weight, planes))
        errors.append(float(((held - weight) ** 2).mean()))
    # Of the normal distribution one ternary plane leaves 0.19 of the variance (Li, Liu 2016: threshold 0.6 sigma).
    assert errors[0] == pytest.approx(0.19, abs=0.02)
    assert errors[1] < errors[0] / 2


def quiet(_: Progress) -> None:
    pass


@pytest.mark.parametrize("planes", [1, 2])
def test_the_files_are_the_student(
    planes: int, model: Bert, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Read back by the loader and computed in integers: the same embeddings but for half precision."""
    monkeypatch.setattr(package, "asset_path", lambda _, name: folder / name)
    parameters = {name: value + 0.01 for name, value in parameters_of(model).items()}
    package.write_network(tmp_path, model, parameters, Recipe(planes), {})
    read = load_bert(folder / "model.safetensors", folder / "config.json", ternary=tmp_path / "model.safetensors")
    assert [len(layer.further) for layer in read.layers] == [planes - 1] * 12
    for layer in read.layers:
        expected = ternary_planes(parameters[f"{layer.name}.weight"], planes)
        assert layer.blocks is not None
        for blocks, (digits, scale) in zip((layer.blocks, *layer.further), expected, strict=True):
            np.testing.assert_array_equal(blocks.integers, digits.numpy().T)
            np.testing.assert_array_equal(blocks.scale[0], scale.numpy()[:, 0])
    exact = BlockOperator(ExactBlocks(), ActivationRule(8))
    found = student_embeddings(model, parameters, planes)
    np.testing.assert_allclose(np.array(read.embed(sequences(), exact)), found, atol=2 * HALF_PRECISION)
    about = json.loads((tmp_path / "distilled.json").read_text())
    zeros = [np.concatenate([b.integers.ravel() for b in plane]) == 0 for plane in zip(*planes_of(read), strict=True)]
    assert about["zero_fraction"] == pytest.approx([float(z.mean()) for z in zeros])


def planes_of(model: Bert) -> list[tuple[Any, ...]]:
    return [(layer.blocks, *layer.further) for layer in model.layers]


def run(
    model: Bert,
    corpus: Corpus,
    folder: Path,
    recipe: Recipe,
    stop_after: int | None = None,
    start: Path | None = None,
) -> Any:
    taken = 0

    def tell(now: Progress) -> None:
        nonlocal taken
        taken += 1
        if stop_after is not None and taken > stop_after:
            raise KeyboardInterrupt

    def judge(_: Any) -> dict[str, float]:
        return {"nothing": 0.0}

    folder.mkdir(exist_ok=True)
    return distilled(model, Letters(), recipe, folder, corpus=corpus, judge=judge, tell=tell, looks=4, start=start)


def test_an_interrupted_run_ends_as_an_undisturbed_one(model: Bert, corpus: Corpus, tmp_path: Path) -> None:
    recipe = Recipe(planes=1, tokens=6000, batch=256, rate=1e-3)
    whole = run(model, corpus, tmp_path / "a", recipe)
    with pytest.raises(KeyboardInterrupt):
        run(model, corpus, tmp_path / "b", recipe, stop_after=17)
    resumed = run(model, corpus, tmp_path / "b", recipe)
    for name, value in whole.items():
        assert torch.equal(value, resumed[name]), name
    with pytest.raises(InputError, match="another recipe"):
        run(model, corpus, tmp_path / "b", Recipe(planes=2, tokens=6000, batch=256))


def test_distillation_brings_the_student_nearer(model: Bert, corpus: Corpus, tmp_path: Path) -> None:
    teacher = student_embeddings(model, parameters_of(model), 0)
    trained = run(model, corpus, tmp_path, Recipe(planes=1, tokens=40_000, batch=512, rate=3e-3))
    before, after = (
        float(np.einsum("ij,ij->i", student_embeddings(model, p, 1), teacher).mean())
        for p in (parameters_of(model), trained)
    )
    assert 1 - after < (1 - before) / 2


def test_with_fixed_digits_the_scales_alone_move(model: Bert, corpus: Corpus, tmp_path: Path) -> None:
    first = run(model, corpus, tmp_path / "first", Recipe(planes=1, tokens=6000, batch=256, rate=1e-3))
    digest = state_digest(tmp_path / "first")
    recipe = Recipe(planes=1, tokens=6000, batch=256, rate=3e-3, start=digest, fixed_digits=True)
    more = run(model, corpus, tmp_path / "more", recipe, start=tmp_path / "first")
    for layer in model.layers:
        ((before, old),), ((after, new),) = (ternary_planes(p[f"{layer.name}.weight"], 1) for p in (first, more))
        assert torch.equal(before, after)  # what is written is packed by the same rule
        assert not torch.allclose(old, new, rtol=1e-3)
    teacher = student_embeddings(model, parameters_of(model), 0)
    cosines = [float(np.einsum("ij,ij->i", student_embeddings(model, p, 1), teacher).mean()) for p in (first, more)]
    assert cosines[1] > cosines[0]
    again = run(model, corpus, tmp_path / "more", recipe, start=tmp_path / "first")  # from its last state
    assert all(torch.equal(value, again[name]) for name, value in more.items())
    later = Recipe(planes=1, tokens=6000, batch=256, start=state_digest(tmp_path / "more"))
    with pytest.raises(InputError, match="a last one"):
        run(model, corpus, tmp_path / "later", later, start=tmp_path / "more")
    with pytest.raises(InputError, match="an earlier run of one plane"):
        Recipe(fixed_digits=True)
