"""Error bars by a finer run, and what is read off waveforms."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from ngspice_runner import Job, JobError, crossings, estimate_accuracy, run, settling_point, value_at
from ngspice_runner.accuracy import finer_job, is_sampled, run_finer, signal_errors, worst_errors
from ngspice_runner.waveforms import sweep_of

RC = "t\nV1 a 0 pulse(0 1 0 1p 1p 1 2)\nR1 a b 1k\nC1 b 0 1n\n.tran {step} 5u\n.end\n"
TAU = 1e-6


def truth(time: np.ndarray) -> np.ndarray:
    """Step response of a low-pass: 1 - exp(-t / RC), the edge of 1 ps left out."""
    return np.asarray(1 - np.exp(-time / TAU))


@pytest.mark.parametrize("step", ["1u", "0.1u"])
def test_error_bar_against_the_closed_form(step: str) -> None:
    job = Job(RC.format(step=step), ("v(b)",))
    result = run(job)
    error = estimate_accuracy(job, result)["v(b)"]
    true = float(np.abs(result.signals["v(b)"].values - truth(result.signals["time"].values)).max())
    assert true / 3 < error.absolute < 3 * true
    assert error.relative == pytest.approx(error.absolute / float(result.signals["v(b)"].values.max()))


def test_every_analysis_gets_a_bar_and_keeps_its_own_options() -> None:
    text = "t\n.option reltol=1e-2\nV1 a 0 1 ac 1\nR1 a b 1k\nC1 b 0 1n\n.op\n.ac dec 5 1k 1meg\n.end\n"
    job = Job(text, ("v(b)", "op.v(b)"))
    result = run(job)
    assert dict(finer_job(job, result).options)["reltol"] == "0.001"
    errors = estimate_accuracy(job, result)
    assert set(errors) >= {"v(b)", "op.v(b)"}
    assert errors["v(b)"].relative < 1e-6  # linear: tolerances play no part


def test_no_bar_without_a_good_result() -> None:
    bad = Job("t\nV1 a 0 1\nV2 a 0 2\nR1 a 0 1\n.op\n.end\n", ("v(a)",))
    with pytest.raises(JobError, match="verdict is"):
        estimate_accuracy(bad, run(bad))
    control = Job("t\nV1 a 0 1\nR1 a 0 1\n.control\nop\nwrite x.raw\n.endc\n.end\n", ())
    with pytest.raises(JobError, match="control section"):
        finer_job(control, run(control))


def test_waveforms_of_a_low_pass() -> None:
    result = run(Job(RC.format(step="2n"), ("v(b)",)))
    assert value_at(result, "v(b)", TAU) == pytest.approx(1 - np.exp(-1), abs=1e-4)
    (half,) = crossings(result, "v(b)", 0.5)
    assert half == pytest.approx(TAU * np.log(2), rel=1e-3)
    end = float(result.signals["v(b)"].values[-1])
    # 1 - exp(-t / tau) is within 1 % of the last value from t = -tau ln(1 - 0.99 end) on
    assert settling_point(result, "v(b)", 0.01 * end) == pytest.approx(-TAU * np.log(1 - 0.99 * end), rel=0.01)
    with pytest.raises(JobError, match="outside of the sweep"):
        value_at(result, "v(b)", 1.0)
    with pytest.raises(JobError, match="no signal"):
        value_at(result, "v(c)", 0.0)


def test_sweeps_of_several_analyses() -> None:
    text = "t\nV1 a 0 1\nR1 a b 1k\nC1 b 0 1n\n.op\n.tran 1n 10n\n.tran 1n 20n\n.end\n"
    result = run(Job(text, ("v(b)", "op.v(b)", "tran2.v(b)")))
    assert sweep_of(result, "op.v(b)") is None
    first, second = sweep_of(result, "v(b)"), sweep_of(result, "tran2.v(b)")
    assert first is not None
    assert second is not None
    assert (first[-1], second[-1]) == (pytest.approx(1e-8), pytest.approx(2e-8))


def test_a_sample_is_chosen_by_hash_alone() -> None:
    digests = [hashlib.sha256(str(i).encode()).hexdigest() for i in range(20_000)]
    chosen = [d for d in digests if is_sampled(d, 500)]
    assert 20 < len(chosen) < 62  # 40 expected, standard deviation 6.3
    assert [d for d in reversed(digests) if is_sampled(d, 500)] == chosen[::-1]
    assert not any(is_sampled(d, 0) for d in digests)


def test_worst_of_several_bars() -> None:
    jobs = [Job(RC.format(step=step), ("v(b)",)) for step in ("1u", "0.1u")]
    results = [run(job) for job in jobs]
    bars = [signal_errors(r, f) for r, f in zip(results, run_finer(jobs, results), strict=True)]
    worst = worst_errors(bars)
    assert worst["v(b)"].absolute == max(b["v(b)"].absolute for b in bars) == bars[0]["v(b)"].absolute
    assert bars[0]["v(b)"] == estimate_accuracy(jobs[0], results[0])["v(b)"]
