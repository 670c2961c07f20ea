"""Tables of points and models that no honest program wrote: one sentence each."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from characterization.models.box import Domain, DomainInput
from characterization.models.form import Form
from characterization.models.gaussian_process import GaussianProcess, Hyperparameters
from characterization.models.surrogate import SurrogateModel
from interconnect.errors import InputError
from metalrom.studies.surrogates.predict import predict_points, read_points

BOX = Domain((DomainInput("voltage", 0.1, 0.5, "V"),))


@pytest.mark.parametrize("cell", ["\u0663", "1" * 5000, "1e99999", "nan", "0x10", "1_0", '"' + "1" * 200_000 + '"'])
def test_cells_that_are_no_quantity(cell: str, tmp_path: Path) -> None:
    table = tmp_path / "p.csv"
    table.write_text(f"voltage\n0.2\n{cell}\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"p\.csv(: is not a table| line 3: voltage)"):
        read_points(table, BOX)


def test_a_model_without_finite_answers_gives_none() -> None:
    x, y = np.array([[0.25], [0.75]]), np.array([1.0, 2.0])
    process = GaussianProcess.conditioned(Hyperparameters(1.0, (0.5,), 0.1), x, y, 0.0, 1.0)
    model = SurrogateModel("current", "A", BOX, Form("constant", {"value": 1.0}, "multiply"), process, 1.0, None, 0, "")
    assert np.isfinite(predict_points(model, np.array([[0.3]])).mean).all()
    with pytest.raises(InputError, match="model of current gives no finite answer"):
        predict_points(replace(model, scale=1e300), np.array([[0.3]]))
