"""Procedures on their way through the flow: a user's own, its result in the output folder, the same bytes twice."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from matplotlib.figure import Figure

from characterization.procedures import PROCEDURES
from characterization.procedures.document import procedures_document, read_procedure_results
from metalrom.run.characterize import measure_group
from metalrom.run.write import write_tables
from ngspice_runner import Cache
from tests.builders import make_testbench

pytestmark = pytest.mark.ngspice
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def documented(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """The procedure that docs/how-to/extend.md shows, registered; its name."""
    path = tmp_path / "droop.py"
    path.write_text((ROOT / "examples" / "plugins" / "droop.py").read_text(encoding="utf-8"), encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    import droop  # type: ignore[import-not-found]

    assert droop.Droop.__dataclass_params__.frozen
    yield "droop"
    PROCEDURES.unregister("droop")


def test_results_reach_the_output_folder(documented: str, tmp_path: Path) -> None:
    setup = make_testbench()
    procedures = [PROCEDURES[name] for name in ("leakage", "crosstalk", documented)]
    texts = []
    for name in ("first", "second"):
        folder = tmp_path / name
        folder.mkdir()
        with Cache(tmp_path / "cache") as cache:
            done = measure_group(setup, procedures, cache)
        written = write_tables(done, folder)
        assert [p.name for p in written] == ["samples.csv", "models.json", "procedures.json"]
        texts.append((folder / "procedures.json").read_bytes())
        # three static states, 18 reads of crosstalk, four of the droop; the second time all from the cache
        assert (done.simulated, done.cached) == ((25, 0) if name == "first" else (0, 25))
        assert set(done.decks) == {"leakage_tt_1.00V_27C.cir", "droop.cir"}
    assert texts[0] == texts[1]
    found = json.loads(texts[0])
    assert list(found) == ["unit", "rows", "figures", "leakage", "crosstalk", "droop"]
    told = [f for f in found["figures"] if f["procedure"] == "droop"]
    early, *_, late = found["droop"]["levels"]
    assert found["droop"]["times"] == [0.0, 2.5e-9, 5e-9, 1e-8]
    assert told == [{"procedure": "droop", "name": "droop in 10 ns", "value": early - late, "unit": "V", "at": ""}]
    # an off switch of 0.12 um takes the line down, by less than a volt in 10 ns
    assert 0.0 < early - late < 1.0
    assert len(found["crosstalk"]["shifts"]) == 15
    read = read_procedure_results(json.loads(texts[0]))
    assert json.dumps(procedures_document(read, "V", 4), indent=1) + "\n" == texts[0].decode()
    assert [type(r).__name__ for r in read.values()] == ["Leakage", "Crosstalk", "Droop"]
    (chart,) = read["droop"].charts()
    axes = Figure().subplots()
    chart.draw(axes)
    (curve,) = axes.lines
    assert list(curve.get_ydata()) == pytest.approx([1e3 * v for v in found["droop"]["levels"]], rel=1e-12)  # mV
