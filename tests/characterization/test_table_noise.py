"""The readout table's probabilities and the closed-form noise, against hand values."""

import numpy as np
import pytest

from characterization.dataset import Dataset, Sample, read_samples_csv
from characterization.noise import charge_noise, current_noise
from characterization.tables.table import ReadoutTable
from interconnect.errors import InputError
from netlists.condition import Condition
from tests.builders import TT, make_readout_table


def table(rows: int, lsb: float, sigma: float, shift: float = 0.0) -> ReadoutTable:
    """Straight levels: lsb per count plus `shift` per active row, noise `sigma`, no other spread."""
    n = np.arange(rows + 1.0)
    return make_readout_table(rows, level=n * lsb + n[:, None] * shift, sigma_noise=sigma)


def test_code_error_is_the_gaussian_tail() -> None:
    # hand value: sigma = 0.125 counts, inner code: 2 Q(0.5 / 0.125) = 2 Q(4) = 6.334e-5
    t = table(8, 5e-3, 0.125 * 5e-3)
    p = t.code_probability(TT)
    assert 1.0 - p[8, 4, 4] == pytest.approx(6.334e-5, rel=1e-3)
    # the lowest code errs to one side only
    assert 1.0 - p[8, 0, 0] == pytest.approx(3.167e-5, rel=1e-3)
    np.testing.assert_allclose(p[t.valid].sum(axis=-1), 1.0, atol=1e-12)


def test_active_rows_shift_is_tracked() -> None:
    shifted = table(8, 5e-3, 0.1 * 5e-3, shift=2e-3)
    plain = table(8, 5e-3, 0.1 * 5e-3)
    np.testing.assert_allclose(
        shifted.code_probability(TT)[shifted.valid], plain.code_probability(TT)[plain.valid], rtol=1e-9, atol=1e-300
    )


def test_margins() -> None:
    margins = table(4, 10e-3, 1e-3).margins_by_count()
    assert len(margins) == 5
    # half a spacing of 10 mV over 1 mV
    assert [m.margin_sigma for m in margins] == pytest.approx([5.0] * 5)


def test_unknown_condition_is_refused() -> None:
    with pytest.raises(InputError, match="was not characterized"):
        table(4, 1e-3, 1e-4).lsb(Condition("ff", 1.0, 27.0))


def test_missing_level_is_refused() -> None:
    good = table(4, 1e-3, 1e-4)
    mean = good.level.copy()
    mean[0, 2, 1] = np.nan
    with pytest.raises(InputError, match="level is missing"):
        good.replace(level=mean)


def test_thermal_noise_hand_values() -> None:
    # kT/C at 300 K: 1 fF gives 2.035 mV rms (k = 1.380649e-23)
    assert charge_noise(1e-15, 300.0) == pytest.approx(2.0351e-3, rel=1e-4)
    # 100 kohm at 300 K in 100 MHz (5 ns window): sqrt(4 k T G B) = 4.07 nA
    assert current_noise(np.array(1e-5), 300.0, 5e-9) == pytest.approx(4.0703e-9, rel=1e-4)


def test_samples_survive_a_round_trip() -> None:
    samples = (
        Sample("transfer", "tt", 1.0, 27.0, 8, 3, 2, "near", -1, 0.1 + 0.2, 1.23456789e-15, "ok", "ab" * 32),
        Sample("transfer", "tt", 1.0, 27.0, 8, 3, 2, "far", -1, float("nan"), float("nan"), "timestep", "cd" * 32),
    )
    back = read_samples_csv(Dataset(samples).to_csv())
    assert back.samples[0] == samples[0]
    assert np.isnan(back.samples[1].level)
    assert len(back.good()) == 1
    assert [s.verdict for s in back.failed().samples] == ["timestep"]
