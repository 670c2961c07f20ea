"""Networks in integers and through macros: exactness, labels, refusals, repeatability, and that errors show."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from interconnect.errors import InputError
from interconnect.jsonable import to_jsonable
from interconnect.optional import has_library
from metalrom.assets import asset_state
from metalrom.cli.accuracy import evaluate_model, parse_options
from metalrom.macro import Macro, synthetic_table
from metalrom.studies.accuracy import (
    ActivationRule,
    ExactProduct,
    NextToken,
    QuantizedOperator,
    SentenceSimilarity,
    Settings,
    WeightRule,
    chips_of,
    evaluate_network,
)
from metalrom.studies.accuracy.chips import coarse_table, find_condition, gaussian_code_error
from metalrom.studies.accuracy.datasets import Judgements, judgements, read_word_pairs, spaced
from metalrom.studies.accuracy.macro_product import MacroProduct, macro_options
from metalrom.studies.accuracy.measure import conversions_of
from metalrom.workloads.networks.bert import Bert, BertBlock, BertSizes, LayerNorm
from metalrom.workloads.networks.linear import LinearLayer, float_operator
from netlists.condition import Condition
from netlists.weights import TERNARY_RULES, TernaryRule, quantize
from tests.metalrom.reference_wordpiece import WordPiece

WORDS = ("love", "tiger", "cat", "book", "paper", "stock")


@pytest.fixture(scope="module")
def workload() -> SentenceSimilarity:
    """A random encoder of width 48 and two blocks, with six words."""
    rng = np.random.default_rng(7)
    index = iter(range(12))

    def array(*shape: int):
        return rng.standard_normal(shape).astype(np.float32)

    def linear(inputs: int, outputs: int) -> LinearLayer:
        return LinearLayer("", next(index), array(inputs, outputs) / np.float32(np.sqrt(inputs)), array(outputs))

    def norm() -> LayerNorm:
        return LayerNorm(1 + array(48) / 4, array(48) / 4)

    blocks = tuple(
        BertBlock(
            linear(48, 48), linear(48, 48), linear(48, 48), linear(48, 48), norm(),
            linear(48, 96), linear(96, 48), norm(),
        )
        for _ in range(2)
    )  # fmt: skip
    model = Bert(BertSizes(2, 4, 9, 8, 1e-12), array(9, 48), array(8, 48), array(48), norm(), blocks)
    tokenizer = WordPiece({w: i for i, w in enumerate(("[CLS]", "[SEP]", "[UNK]", *WORDS))})
    pairs = np.array([(i, j) for i in range(6) for j in range(i)])
    judged = Judgements("wordsim", WORDS, pairs, rng.random(len(pairs)), 353)
    return SentenceSimilarity(model, tokenizer, [judged])


def test_exact_product_is_the_integer_product() -> None:
    rng = np.random.default_rng(0)
    for rows in (5, 1040):  # the second exceeds what single precision holds: 1040 * 127 * 127 > 2^24
        x, w = rng.integers(-127, 128, (4, rows)), rng.integers(-127, 128, (rows, 3)).astype(np.int16)
        x[0], w[:, 0] = 127, 127
        x[0, 0] = 126
        np.testing.assert_array_equal(ExactProduct().multiply(x, w), x @ w.astype(np.int64))


@pytest.mark.parametrize(("bits", "rule"), [(8, "twn"), (6, "twn"), (4, "twn"), (2, "twn"), (2, "bitnet")])
def test_one_rule_of_weight_quantization(bits: int, rule: TernaryRule) -> None:
    weight = np.random.default_rng(bits).standard_normal((40, 7)).astype(np.float32)
    weight[:, 2] = 0
    values, scale = WeightRule(bits, ternary=rule)(weight)
    other = quantize(weight.astype(np.float64), bits, ternary=rule)
    np.testing.assert_array_equal(values, other.values)
    np.testing.assert_allclose(scale, other.scale, rtol=1e-6)


def test_quantized_layer_is_close_and_has_its_scales() -> None:
    rng = np.random.default_rng(1)
    layer = LinearLayer(
        "a", 0, rng.standard_normal((64, 9)).astype(np.float32), rng.standard_normal(9).astype(np.float32)
    )
    x = (rng.standard_normal((5, 64)) * [[1], [10], [0.1], [1e3], [0]]).astype(np.float32)
    y = QuantizedOperator(ExactProduct(), WeightRule(8), ActivationRule(8))(layer, x)
    # by hand: integers of either side, multiplied and scaled back
    top = np.abs(layer.weight).max(0) / 127
    sx = np.where(np.abs(x).max(1, keepdims=True) > 0, np.abs(x).max(1, keepdims=True), 127) / 127
    expected = np.rint(x / sx) @ np.rint(layer.weight / top) * sx * top + layer.bias
    np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-4)
    # each of 64 products errs by at most half a step of either factor
    bound = 64 * 0.5 * (sx * np.abs(layer.weight).max(0) + np.abs(x).max(1, keepdims=True) * top) * 1.01
    assert (np.abs(y - float_operator(layer, x)) <= bound + 1e-5).all()


def test_shifted_activations_use_the_whole_range_exactly() -> None:
    x = np.array([[0.0, 1.0, 255.0], [-0.1, -0.1, -0.1], [-1.0, 0.5, 2.0]], np.float32)
    q, scale, offset = ActivationRule(8, shifted=True)(x)
    assert q[0].tolist() == [-128, -127, 127]
    assert np.abs(q * scale + offset - x).max() <= scale.max() / 2
    layer = LinearLayer("a", 0, np.eye(3, 2, dtype=np.float32) * [3, -1], np.ones(2, np.float32))
    y = QuantizedOperator(ExactProduct(), WeightRule(8), ActivationRule(8, shifted=True))(layer, x)
    np.testing.assert_allclose(y, x @ layer.weight + 1, atol=0.02)


def test_fitted_scales_err_less_and_only_below_the_largest() -> None:
    weight = np.random.default_rng(5).standard_normal((400, 6)).astype(np.float32)
    weight[:, 0] = np.where(weight[:, 0] > 0, 7, -7)  # two values: nothing to gain
    plain_values, plain_scale = WeightRule(4)(weight)
    values, scale = WeightRule(4, fitted=True)(weight)
    before = ((plain_values * plain_scale - weight) ** 2).sum(0)
    after = ((values * scale - weight) ** 2).sum(0)
    assert after[0] == before[0] == 0
    assert (after[1:] < 0.9 * before[1:]).all()
    assert (scale <= plain_scale).all()
    assert np.abs(values).max() == 7


@pytest.mark.parametrize("bits", [(2, 8), (4, 3), (8, 8)])
def test_ideal_macro_equals_exact_integers(workload: SentenceSimilarity, bits: tuple[int, int]) -> None:
    found = evaluate_network(workload, chips_of("ideal"), Settings(WeightRule(bits[0]), ActivationRule(bits[1])))
    exact, macro = found.outcomes[1:]
    assert macro.figures == exact.figures
    assert macro.code_error_rate == 0.0
    assert 0 < macro.storing_seconds < macro.seconds
    for outcome in found.outcomes:  # wall and CPU time, of the float network as well
        tokens = workload.tokens / outcome.tokens_per_second, workload.tokens / outcome.tokens_per_cpu_second
        assert tokens[0] == pytest.approx(outcome.seconds - outcome.storing_seconds)
        assert 0 < tokens[1] < 1.001 * outcome.cpu_seconds
    assert macro.conversions == conversions_of(workload, chips_of("ideal")[0], found.settings)
    assert found.outcomes[0].figures["wordsim_cosine"] == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize(("bits", "mapping", "largest", "columns"), [(8, "trits", 121, 10), (2, "ternary", 1, 2)])
def test_weights_are_scaled_to_what_the_mapping_holds(
    workload: SentenceSimilarity, bits: int, mapping: str, largest: int, columns: int
) -> None:
    chips, settings = chips_of("ideal"), Settings(WeightRule(bits), options={"mapping": mapping})
    found = evaluate_network(workload, chips, settings)
    exact, macro = found.outcomes[1:]
    # 5 trits hold (3^5 - 1) / 2 = 121; a digit is a plus and a minus column of one-bit cells.
    assert isinstance(found.settings.weights, WeightRule)
    assert found.settings.weights.largest == largest
    assert macro.figures == exact.figures
    assert macro.conversions == conversions_of(workload, chips[0], settings)
    assert macro.conversions * 14 == conversions_of(workload, chips[0], Settings()) * columns
    # By the integer product: the integers reach the largest one, in every column, and none beyond.
    weight = workload.layers[0].weight
    integers, _ = found.settings.weights(weight)
    assert np.abs(integers).max(axis=0).tolist() == [largest] * weight.shape[1]
    x = np.random.default_rng(2).integers(-128, 128, (3, len(weight)))
    product = MacroProduct(chips[0], weight_bits=bits, input_bits=8, options={"mapping": mapping})
    np.testing.assert_array_equal(product.multiply(x, product.store(integers, 0)), x @ integers.astype(np.int64))


def test_noise_is_drawn_as_often_as_the_normal_tail_says(workload: SentenceSimilarity) -> None:
    chip = chips_of("synthetic:rows=16,sigma=0.2")[0]
    product = MacroProduct(chip, weight_bits=8, input_bits=8, seed=3)
    workload.run(QuantizedOperator(product, WeightRule(8), ActivationRule(8)))
    # 2 Q(2.5) = 0.01242 (normal table); counts of 0 and 16 err to one side only and are about half of all here
    assert gaussian_code_error(0.2) == pytest.approx(0.012419, rel=1e-4)
    assert 0.5 * 0.0124 < product.code_error_rate < 0.0124
    assert "code-error probability 1.2e-02" in chip.title
    assert any("no circuit" in w for w in chip.warnings)


def test_noise_costs_accuracy_and_the_budget_gives_it_back(workload: SentenceSimilarity) -> None:
    chips = chips_of("synthetic:rows=16,sigma=0.3,static=0.05")
    found = evaluate_network(workload, chips, Settings(WeightRule(6), seed=2, budget=True))
    exact, chip = found.outcomes[1].figures, found.outcomes[2].figures
    assert chip["wordsim_cosine"] < exact["wordsim_cosine"] - 0.02
    budget = {o.scheme: o.figures["wordsim_cosine"] for o in found.budget[chips[0].title]}
    assert set(budget) == {
        "without levels", "without static", "without noise", "without pattern", "without adc_offset",
        "without adc_noise", "without any (clipping stays)",
    }  # fmt: skip
    assert budget["without noise"] > chip["wordsim_cosine"] + 0.02
    assert budget["without any (clipping stays)"] == exact["wordsim_cosine"]
    assert budget["without pattern"] == chip["wordsim_cosine"]  # this readout has none


def test_same_seed_same_result_another_seed_another(workload: SentenceSimilarity) -> None:
    def cosine(seed: int) -> float:
        found = evaluate_network(workload, chips_of("synthetic:rows=16,sigma=0.25"), Settings(seed=seed))
        return found.outcomes[2].figures["wordsim_cosine"]

    assert cosine(1) == cosine(1) != cosine(2)


def test_a_step_of_two_counts() -> None:
    table = coarse_table(synthetic_table(8), 2)
    rng = np.random.default_rng(4)
    x, w = rng.integers(0, 2, (6, 8)), rng.integers(0, 2, (8, 5))
    y = Macro(table, table.conditions[0], weight_bits=2, input_bits=2).matmul(x, w)
    np.testing.assert_array_equal(y, 2 * np.floor((x @ w) / 2 + 0.5))
    with pytest.raises(InputError, match="does not divide 8 rows"):
        coarse_table(synthetic_table(8), 3)
    with pytest.raises(InputError, match="without noise only"):
        coarse_table(synthetic_table(8, sigma_noise=0.1), 2)


@pytest.mark.parametrize(
    ("macro", "conditions", "words"),
    [
        ("nowhere", (), "no results folder exists at `nowhere`"),
        ("ideal", ("tt_1.00V_27C",), "has no conditions"),
        ("synthetic:sigm=1", (), "no `sigm`.*did you mean 'sigma'"),
        ("synthetic:sigma=x", (), "not key=number"),
        ("synthetic:sigma=-1", (), "out of range"),
        ("synthetic:rows=1.5", (), "out of range"),
        ("synthetic:sigma=nan", (), "out of range"),
        ("synthetic:rows=0", (), "rows is 0"),
    ],
)
def test_unknown_readouts_are_refused(macro: str, conditions: tuple[str, ...], words: str) -> None:
    with pytest.raises(InputError, match=words):
        chips_of(macro, conditions)


def test_conditions_outside_the_domain_are_refused_or_labelled() -> None:
    table = synthetic_table(4)
    three = (Condition("tt", 1.0, 27), Condition("tt", 0.9, 27), Condition("ss", 1.0, 85))
    more = {name: np.repeat(getattr(table, name), 3, axis=0) for name in ("level", "sigma_static", "sigma_noise")}
    more |= {name: np.repeat(getattr(table, name), 3, axis=0) for name in ("sigma_pattern", "row_energy")}
    table = table.replace(conditions=three, **more)
    assert find_condition(table, "tt_0.90V_27C", nearest=False) == (three[1], ())
    found, warnings = find_condition(table, "tt_0.93V_35C", nearest=True)
    assert found == three[1]
    assert warnings == ("OUTSIDE THE DOMAIN: tt_0.93V_35C was not characterized, tt_0.90V_27C stands in for it",)
    with pytest.raises(InputError, match=r"tt_0\.93V_35C was not characterized; .*--nearest"):
        find_condition(table, "tt_0.93V_35C", nearest=False)
    with pytest.raises(InputError, match=r"ff_1\.00V_27C was not characterized"):
        find_condition(table, "ff_1.00V_27C", nearest=True)  # no such corner: nothing is near it
    for bad in ("tt", "tt_1V", "tt_xV_27C", "tt_-1V_27C", "tt_nanV_27C"):
        with pytest.raises(InputError, match="is not a condition"):
            find_condition(table, bad, nearest=True)


class TinyLlama:
    """Hidden states chosen by hand: the next token's logits are known."""

    layers = ()

    def hidden(self, sequences, operator):
        return [np.eye(4, dtype=np.float32)[np.asarray(s)] * 2 for s in sequences]

    def logits(self, hidden):
        return hidden @ np.roll(np.eye(4, dtype=np.float32), 1, axis=1)  # token i + 1 follows token i


class Letters:
    def encode(self, text: str) -> list[int]:
        return ["abcd".index(c) for c in text]


def test_perplexity_and_agreement_by_hand() -> None:
    work = NextToken(TinyLlama(), Letters(), ["abcd", "aa"], most_tokens=3)
    assert work.tokens == 5
    found = work.run(float_operator)
    # softmax of (2, 0, 0, 0): ln(e^2 + 3) = 2.3408; right guesses (ab, bc) cost 0.3408, the wrong one (aa) 2.3408
    np.testing.assert_allclose(found.surprise, [0.34075, 0.34075, 2.34075], atol=1e-4)
    figures = work.figures(found, found._replace(best=np.array([1, 3, 1])))
    assert figures["perplexity"] == pytest.approx(np.exp((2 * 0.34075 + 2.34075) / 3), rel=1e-4)
    assert figures["surprise_standard_error"] == pytest.approx(2 / 3, rel=1e-4)  # values 0, 0, 2: std 2 / sqrt(3)
    assert figures["agreement"] == pytest.approx(2 / 3)
    assert figures["cosine"] == pytest.approx(1)
    with pytest.raises(InputError, match="nothing is left to predict"):
        NextToken(TinyLlama(), Letters(), ["abcd", "a"])


def test_options_reach_the_macro_or_are_refused(workload: SentenceSimilarity) -> None:
    assert {"mapping", "columns_per_adc"} <= set(macro_options())
    assert parse_options(["columns_per_adc=64", "mapping = differential", "a=[1, 2]"]) == {
        "columns_per_adc": 64,
        "mapping": "differential",
        "a": [1, 2],
    }
    for bad in ("columns_per_adc", "=3", "a b=3", "a=[1"):
        with pytest.raises(InputError, match="not name=value"):
            parse_options([bad])
    with pytest.raises(InputError, match="no option 'mappin'; did you mean 'mapping'"):
        evaluate_network(workload, chips_of("ideal"), Settings(options={"mappin": 1}))
    with pytest.raises(InputError, match="columns_per_adc is 0"):
        evaluate_network(workload, chips_of("ideal"), Settings(options={"columns_per_adc": 0}))
    found = evaluate_network(workload, chips_of("ideal"), Settings(options={"columns_per_adc": 8}))
    assert any("columns_per_adc" in note for note in found.notes)


def test_the_command_refuses_before_it_computes() -> None:
    for arguments, words in (
        (("minilmm", "ideal"), "unknown model 'minilmm'; did you mean 'minilm'"),
        (("minilm", "nowhere"), "no results folder"),
    ):
        with pytest.raises(InputError, match=words):
            evaluate_model(*arguments)
    with pytest.raises(InputError, match="weight bits are 9, expected 2 to 8"):
        evaluate_model("minilm", "ideal", weight_bits="9")
    with pytest.raises(InputError, match="`trit` is no number of bits"):
        evaluate_model("minilm", "ideal", weight_bits="trit")
    with pytest.raises(InputError, match="no rule 'bitnett'; did you mean 'bitnet'"):
        evaluate_model("minilm", "ideal", weight_bits="ternary", ternary_rule="bitnett")


def test_the_rule_of_ternary_weights_is_said_and_changes_them(workload: SentenceSimilarity) -> None:
    found = {r: evaluate_network(workload, [], Settings(WeightRule(2, ternary=r))) for r in TERNARY_RULES}
    assert found["twn"].outcomes[1].figures != found["bitnet"].outcomes[1].figures
    assert any("the mean of the |w| above 0.7 mean |w|" in note for note in found["twn"].notes)
    assert any("the mean |w| (BitNet b1.58)" in note for note in found["bitnet"].notes)


def test_result_is_plain_data_with_its_labels(workload: SentenceSimilarity) -> None:
    found = to_jsonable(evaluate_network(workload, chips_of("synthetic:sigma=0.1"), Settings()))
    assert json.loads(json.dumps(found))["warnings"] == ["synthetic readout: chosen numbers, no circuit behind it"]
    assert "wordsim: 15 of 353 pairs, 6 different texts" in found["notes"]
    assert any("weights of 8 bits" in note and "no training" in note for note in found["notes"])


def test_word_pairs_name_the_bad_line(tmp_path: Path) -> None:
    path = tmp_path / "pairs.tsv"
    path.write_text("# comment\na\tb\t1\nc\td\n")
    with pytest.raises(InputError, match="line 3 is not two words and a score"):
        read_word_pairs(path)
    path.write_text("# comment\n")
    with pytest.raises(InputError, match="no word pairs"):
        read_word_pairs(path)


def test_limits_are_spread_over_the_set() -> None:
    assert spaced(10, None).tolist() == list(range(10))
    assert spaced(10, 4).tolist() == [0, 3, 6, 9]
    with pytest.raises(InputError, match="too small"):
        spaced(10, 2)


fetched_data = pytest.mark.skipif(
    "fetched" not in {asset_state("minilm"), asset_state("wordsim")} or not has_library("tokenizers"),
    reason="needs `metalrom fetch minilm wordsim` and the extra `llm` (tokenizers)",
)


@fetched_data
@pytest.mark.slow
def test_minilm_scores_on_word_pairs() -> None:
    from metalrom.workloads.networks import fetched

    model, tokenizer = fetched.minilm()
    work = SentenceSimilarity(model, tokenizer, judgements(["wordsim"]))
    reference = work.run(float_operator)
    # transformers 5.23.0, torch 2.13.0 on all 353 pairs, scipy's spearmanr: 0.7288981956171668
    assert work.figures(reference, reference)["wordsim_spearman"] == pytest.approx(0.7288982, abs=2e-5)
    exact = work.run(QuantizedOperator(ExactProduct(), WeightRule(8), ActivationRule(8, shifted=True)))
    scores = work.figures(exact, reference)
    # figures of an independent emulation: rho .730, cosine .998
    assert scores["wordsim_spearman"] == pytest.approx(0.730, abs=0.002)
    assert scores["wordsim_cosine"] == pytest.approx(0.998, abs=0.001)


@fetched_data
def test_the_command_prints_one_document(capsys: pytest.CaptureFixture[str]) -> None:
    evaluate_model("minilm", "synthetic:rows=64,sigma=0.05", limit=3, weight_bits=4, json=True)
    found = json.loads(capsys.readouterr().out)
    assert [o["scheme"] for o in found["outcomes"]] == ["float", "w4a8 exact", "w4a8 ideal_1.00V_27C"]
    # 2 Q(10) = 1.5e-23: nothing errs
    assert found["outcomes"][2]["figures"] == found["outcomes"][1]["figures"]
    assert found["settings"]["weights"] == {"bits": 4, "fitted": False, "largest": 7, "ternary": "twn"}
    assert found["warnings"] == ["synthetic readout: chosen numbers, no circuit behind it"]
    assert any(note.startswith("wordsim: 3 of 353 pairs") for note in found["notes"])


@fetched_data
def test_documents_as_people_see_them() -> None:
    judged = judgements(["lee"], 5)[0]
    # file similarities0-1.txt: evenly spaced documents 0, 12, 24, 37, 49; first pair is row 0, column 12
    assert judged.whole == 1225
    assert len(judged.pairs) == 10
    assert judged.human[0] == pytest.approx(0.24)
    assert judged.texts[0].startswith("The national executive of the strife-torn Democrats")
    with pytest.raises(InputError, match="unknown task 'leee'; did you mean 'lee'"):
        judgements(["leee"])
