"""Decisions of a whole column by transistors, and the probability that the readout table gives for them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from characterization.dataset import Dataset, Sample
from characterization.noise import charge_noise
from characterization.patterns import build_pattern
from characterization.readout import code_error
from characterization.readout.code_error import (
    DecisionModel,
    KnownFigure,
    clopper_pearson,
    predict_code_error,
    predict_figures,
    resampled,
)
from characterization.readout.comparator import offset_spread
from characterization.readout.decision import (
    ConverterCalibration,
    DecisionSigmas,
    calibrate_reference,
    count_errors,
    decision_deck_of,
    input_load,
    read_decisions,
    switch_noise,
    switch_spread,
)
from characterization.readout.testbench import ReadoutTestbench
from characterization.testbench import Converter, Testbench, Variation
from interconnect.errors import InputError
from netlists.column import column_deck
from netlists.periphery import Periphery, Timing, default_periphery
from netlists.readout.cds import Sampler
from netlists.readout.decision import Decider, DeciderInput, DecisionNoise
from netlists.readout.strongarm import StrongArm
from netlists.technology import load_technology
from tests.builders import TT, make_model, make_testbench

TECHNOLOGY = load_technology("generic28", "open45")
BENCH = ReadoutTestbench(TECHNOLOGY, TT, workers=1)
DECIDER = Decider(comparator=StrongArm(input_width=4e-6))
QUIET = DecisionSigmas(reset=0.0, sample=0.0, replica=0.0, comparator=0.0)


def a_setup(rows: int = 4, samples: int = 30, **changes: object) -> Testbench:
    return make_testbench(
        model=make_model("cap_balanced", TECHNOLOGY.stack, row_pitch=2.4e-6),
        periphery=default_periphery(TECHNOLOGY.devices, sense_capacitance=5e-15),
        timing=Timing(reset_end=0.1e-9, input_start=0.2e-9, read_after=0.2e-9),
        rows=rows,
        variation=Variation(0.01, "test"),
        converter=Converter(0.0, 0.02, 5e-9),
        samples=samples,
        **changes,
    )


def test_exact_interval_of_a_proportion() -> None:
    # 10 of 100: 4.90 to 17.62 % (Clopper, Pearson 1934; the same in R's binom.test)
    assert clopper_pearson(10, 100) == pytest.approx((0.04900469, 0.17622260), abs=1e-7)
    # none of n: the upper end p has (1 - p)^n = 2.5 %
    assert clopper_pearson(0, 50) == pytest.approx((0.0, 1 - 0.025 ** (1 / 50)))
    assert clopper_pearson(50, 50) == pytest.approx((0.025 ** (1 / 50), 1.0))


def test_reset_and_sampling_noise_add_to_k_t_over_the_capacitor() -> None:
    # Equipartition: a capacitor that was connected to anything in equilibrium holds k T / C in the end, however it
    # came there. Here the shared charge (k T / total) and its division (switch_noise) are separate steps.
    load, total = 5e-15, 13e-15
    sample, replica = switch_noise(load, total, 300.0)
    assert np.hypot(charge_noise(total, 300.0), sample) == pytest.approx(charge_noise(load, 300.0), rel=1e-12)
    assert replica == charge_noise(load, 300.0)


def test_error_of_a_decision_is_the_mean_of_two_tails() -> None:
    noise = DecisionSigmas(reset=3e-3, sample=0.0, replica=0.0, comparator=0.0)
    model = DecisionModel(np.array([5e-3, 10e-3]), np.zeros(2), 0.0, noise, 4e-3)
    assert model.sigma == pytest.approx([5e-3, 5e-3])  # 3, 4, 5
    assert model.error == pytest.approx((0.15865525 + 0.02275013) / 2, rel=1e-6)  # Q(1), Q(2)


def test_interval_without_a_campaign_follows_its_figures() -> None:
    setup = a_setup()
    offsets = 4e-3 * np.random.default_rng(3).standard_normal(200)

    def told(relative: float) -> code_error.PredictedFigure:
        known = {"spacing": 12e-3, "gain": 1.0, "static": 5e-4, "pattern": 3e-4, "switches": 5e-4}
        return predict_figures(
            setup, 5e-15, **{k: KnownFigure(v, relative * v) for k, v in known.items()}, offsets=offsets
        )

    sure, unsure = told(0.0), told(0.1)
    assert sure.value == unsure.value
    assert unsure.low < sure.low < sure.value < sure.high < unsure.high
    # the offset's sigma alone: 200 samples know it to 5 %, which moves Q(6 / 4.2) by about z phi(z) / Q(z) 5 % = 10 %
    assert 0.07 < (sure.high - sure.low) / (2 * 1.96 * sure.value) < 0.14


def synthetic(setup: Testbench) -> Dataset:
    """Levels 10 mV apart and chips of 1 mV, as a campaign would deliver them."""
    rng = np.random.default_rng(1)
    n = setup.rows

    def sample(procedure: str, a: int, c: int, draw: int, level: float, pattern: str) -> Sample:
        return Sample(procedure, "tt", 1.0, 27.0, n, a, c, pattern, draw, level, 1e-15 * a, "ok", "")

    reads = [
        sample("transfer", a, c, -1, 1e-2 * c + 1e-3 * a + 2e-4 * rng.standard_normal(), f"random{i}")
        for a in range(n + 1)
        for c in range(a + 1)
        for i in range(3)
    ]
    chips = [
        sample("mismatch", a, c, i, 1e-2 * c + x, "random0")
        for i, x in enumerate(1e-3 * rng.standard_normal(setup.samples))
        for a, c in ((0, 0), (2, 0), (2, 2), (4, 0), (4, 2), (4, 4))
    ]
    return Dataset((*reads, *chips))


def test_resampling_keeps_chips_whole() -> None:
    setup = a_setup(samples=40)
    data = synthetic(setup)
    again = resampled(data, np.random.default_rng(2))
    assert len(again.samples) == len(data.samples)
    chips: dict[int, list[Sample]] = {}
    for s in again.select("mismatch").samples:
        chips.setdefault(s.draw, []).append(s)
    assert len(chips) == 40
    # every chip is one of the drawn ones: its level less the count's is the same at all of its points
    spread = [np.ptp([s.level - 1e-2 * s.count for s in chip]) for chip in chips.values()]
    assert all(len(chip) == 6 for chip in chips.values())
    assert max(spread) < 1e-12


def test_prediction_from_a_campaign(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(code_error, "BOOTSTRAPS", 60)
    setup = a_setup(samples=40)
    offsets = 4e-3 * np.random.default_rng(3).standard_normal(300)
    known = ConverterCalibration(reference=0.1, gain=1.0, switches=0.0, spacing=1e-2, level=0.1)
    found = predict_code_error(setup, synthetic(setup), 5e-15, known, offsets, active=4, count=2)
    assert found.model.distance == pytest.approx([5e-3, 5e-3], rel=0.03)
    assert found.model.level == pytest.approx([1e-3, 1e-3], rel=0.3)  # 40 chips
    assert found.low < found.value < found.high


def test_decks_refuse_what_has_no_decision() -> None:
    setup = a_setup()
    pattern = build_pattern("drawn", 4, 4, 2, 16, np.random.SeedSequence(1))
    decision = DeciderInput(decider=DECIDER, reference=0.1)
    with pytest.raises(InputError, match="transistor periphery"):
        column_deck(
            TECHNOLOGY, setup.model, Periphery(kind="ideal"), setup.timing, TT, pattern.case(16, 0.5),
            decision=decision,
        )  # fmt: skip
    for wrong, words in (
        (replace(decision, reference=1.5), "reference"),
        (replace(decision, comparator_shifts={"nothing": 0.1}), "nothing"),
    ):
        with pytest.raises(InputError, match=words):
            decision_deck_of(setup, wrong, pattern)
    with pytest.raises(InputError, match="clock_delay"):
        Decider(clock_delay=10e-12)


@pytest.mark.ngspice
def test_input_load_holds_the_sampling_capacitor() -> None:
    more = replace(DECIDER, sampler=Sampler(sample_capacitance=2.5e-15))
    small, large = (input_load(BENCH, d, 0.12) for d in (DECIDER, more))
    assert large - small == pytest.approx(2e-15, rel=0.02)  # 2.5 fF less 0.5 fF; the rest is transistors
    assert 2e-15 < small < 10e-15


@pytest.mark.ngspice
def test_a_decision_obeys_reference_noise_and_thresholds() -> None:
    setup = a_setup()
    pattern = build_pattern("drawn", 4, 4, 2, 16, np.random.SeedSequence(1))
    at = DeciderInput(decider=DECIDER, reference=0.1)
    (first,) = read_decisions(setup, BENCH, DECIDER, [decision_deck_of(setup, at, pattern)])
    # the replica sees the reference less its switch's injection; a reference at which both samples agree follows
    even = replace(at, reference=0.1 + first.sampled - first.replica)
    cases = [
        replace(even, reference=even.reference - 20e-3),
        replace(even, reference=even.reference + 20e-3),
        replace(even, noise=DecisionNoise(sample=20e-3)),
        replace(even, noise=DecisionNoise(reset=20e-3, comparator=-40e-3)),
        replace(even, noise=DecisionNoise(replica=20e-3)),
        # PMOS inputs: a threshold that is more positive (nearer to zero) makes its branch win as a lower input does
        replace(even, comparator_shifts={"in_a": 20e-3}),
        replace(even, comparator_shifts={"in_b": 20e-3}),
    ]
    readings = read_decisions(setup, BENCH, DECIDER, [decision_deck_of(setup, c, pattern) for c in cases])
    assert [r.above for r in readings] == [True, False, True, False, False, False, True]
    # noise and comparator stand behind the samples and do not move them
    assert [r.sampled for r in readings[2:5]] == pytest.approx([readings[0].sampled] * 3, abs=2e-4)


@pytest.mark.ngspice
def test_counting_is_repeatable_and_knows_both_sides() -> None:
    setup = a_setup()

    def count(reference: float) -> tuple[np.ndarray, np.ndarray]:
        found = count_errors(setup, BENCH, DECIDER, reference, QUIET, active=4, count=2, samples=4, seed=9)
        assert (found.failed, found.undecided) == (0, 0)
        return found.wrong, found.difference

    # a reference far above every level: no column is ever above it, so that just the upper count is wrong
    high, again = count(0.6), count(0.6)
    assert high[0].tolist() == [False, True, False, True]
    assert (high[1] == again[1]).all()
    assert count(0.0)[0].tolist() == [True, False, True, False]


@pytest.mark.ngspice
def test_switch_thresholds_move_the_samples_a_little() -> None:
    # some 0.1 fF of channel under 20 mV into 5 fF, four times over: fractions of a millivolt
    assert 0.1e-3 < switch_spread(a_setup(), BENCH, DECIDER, 4, 2, 0.1) < 1.5e-3


@pytest.mark.slow
@pytest.mark.ngspice
def test_prediction_and_a_thousand_decisions_agree() -> None:
    """The benchmark's fitted point with couplings by formula: prediction first, then 1000 drawn columns."""
    from characterization.campaign import run_tasks
    from characterization.procedure_registry import with_requirements

    bench = replace(BENCH, workers=2)
    load = input_load(bench, DECIDER, 0.12)
    setup = a_setup(
        rows=20,
        samples=60,
        columns=256,
        periphery=default_periphery(TECHNOLOGY.devices, sense_capacitance=load),
        ones=0.3,
        max_levels=7,
    )
    tasks = [t for p in with_requirements(("adc_margin",)) for t in p.plan(setup)]
    data = Dataset(run_tasks(setup, tasks, workers=2).samples)
    known = calibrate_reference(setup, bench, DECIDER, 16, 8)
    offsets = offset_spread(bench, samples=200, seed=5, sizes=DECIDER.comparator, common_mode=round(known.level, 3))
    p = predict_code_error(setup, data, load, known, offsets.offsets, active=16, count=8)
    found = count_errors(
        setup, bench, DECIDER, known.reference, p.model.noise, active=16, count=8, samples=1000, seed=77
    )
    share = float(found.wrong.mean())
    # three standard errors of the difference, so that chance fails one run of 400
    error = np.hypot((p.high - p.low) / 3.92, np.sqrt(share * (1 - share) / len(found.wrong)))
    assert 0.005 < share < 0.2
    assert abs(share - p.value) < 3 * error
