"""Real kits: FreePDK45's cards and the trimmed sky130 in the same decks as our own cards; what a simulator must offer.

The kits are fetched once into the cache in use; without them and without a network these tests are skipped.
"""

from __future__ import annotations

import subprocess
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from characterization.campaign import run_decks
from characterization.device_probe import check_devices, missing_features, probe_devices
from characterization.device_testbench import measure_devices
from interconnect.errors import InputError
from interconnect.extraction import extract
from interconnect.stackfile import load_stack
from metalrom.assets import asset_spec
from netlists.cells import make_cell
from netlists.cells.base import CellModel, Plane
from netlists.column import ColumnStimulus, Timing, column_deck
from netlists.condition import Condition
from netlists.devices.device_set import DeviceSet, load_devices
from netlists.devices.kit_file import Needs
from netlists.periphery import default_periphery
from netlists.reference import reference_column
from netlists.technology import load_technology
from ngspice_runner import EngineError, Job, Result, run
from ngspice_runner.capability import Capability

pytestmark = pytest.mark.ngspice
KITS = ("freepdk45", "sky130")


@pytest.fixture(scope="session")
def model() -> CellModel:
    """The smallest charge cell of the FreePDK45 metals; closed formulas do, for both kits get the same cell."""
    cell = make_cell("cap_balanced")
    return cell.model(load_stack("freepdk45"), Plane("metal2", "metal3"), partial(extract, method="formula"))


def _read(name: str, model: CellModel, slower: float, corner: str = "tt") -> tuple[float, float, float]:
    """(level V, step from before the inputs rise V, closed form V) of a 16-row column."""
    devices = load_devices(name)
    technology = replace(load_technology("open45", "open45"), devices=devices)
    base = Timing()
    fields = ("reset_end", "reset_edge", "input_start", "input_edge", "read_after")
    timing = replace(base, **{f: float(f"{getattr(base, f) * slower:.6g}") for f in fields})
    rng = np.random.default_rng(1)
    case = ColumnStimulus(bits=rng.integers(0, 2, (16, 3)), inputs=np.arange(16) % 2)
    periphery, condition = default_periphery(devices), Condition(corner, devices.vdd, 27.0)
    deck = column_deck(technology, model, periphery, timing, condition, case)
    result = run(Job(deck.text, deck.outputs, stop=deck.stop))
    assert result.ok, result.log
    exact = reference_column(model, replace(periphery, kind="ideal"), condition, case).closed_form
    return run_decks(deck, result)[0], run_decks(deck, result, double_sampling=True)[0], exact


def test_descriptors_and_catalogue_pin_the_same_files(kits: None) -> None:
    for name in KITS:
        text = (Path(__file__).parents[2] / "netlists" / "devices" / f"{name}.yaml").read_text()
        spec = asset_spec(name)
        named = [f for f in spec.files if f"asset:{name}-{spec.version}/{f.name}," in text]
        assert len(named) == (3 if name == "freepdk45" else 5)
        assert all(file.sha256 in text for file in named)


def test_freepdk45_reads_what_its_targets_say(kits: None) -> None:
    """Targets measured before with the same bench without diffusions; threshold and current do not depend on them."""
    devices = load_devices("freepdk45")
    got = measure_devices(devices, "tt")
    target = devices.targets["tt"]
    for quantity in ("ion_n", "ion_p", "vth_n", "vth_p"):
        assert getattr(got, quantity) == pytest.approx(float(target[quantity]), rel=2e-3)


def test_own_cards_and_freepdk45_give_one_level(kits: None, model: CellModel) -> None:
    own, step_own, exact = _read("open45", model, 1.0)
    real, step_real, _ = _read("freepdk45", model, 1.0)
    assert own == pytest.approx(real, rel=0.01)
    assert step_own == pytest.approx(step_real, rel=0.02)  # less the reset switch's injection; its junction differs
    assert 0.8 < step_own / exact < 1.0  # the reset switch's junction loads the bit line


def test_sky130_column_reads_near_its_closed_form(kits: None, model: CellModel) -> None:
    level, step, exact = _read("sky130", model, 3.0)
    assert 0.6 < step / exact < 1.0
    assert level < step  # what the reset switch injects pulls the line below ground
    fast, _, _ = _read("sky130", model, 3.0, "ff")
    assert fast != level


def test_trimmed_sky130_loads_in_a_moment(kits: None) -> None:
    devices = load_devices("sky130")
    results: list[Result] = []

    def keep(job: Job) -> Result:
        results.append(run(job))
        return results[-1]

    assert list(probe_devices(devices, run=keep)) == []
    assert [r.ok for r in results] == [True] * 5
    times = [r.provenance.cpu_seconds for r in results if r.provenance]
    assert min(times) < 0.3


# Drain currents (A) at |Vgs| = |Vds| = 1.8 V of the full library (wheel of the asset, corner tt, mc_mm_switch 0) in
# ngspice 39.3; sizes in um; instances with ad = as = 0.3 w, pd = ps = 2 w + 0.6.
FULL = {
    ("nfet", 1.0, 0.15): 0.0005010462005845122,
    ("nfet", 2.5, 0.15): 0.0012975596809989575,
    ("nfet", 7.5, 0.18): 0.00337703349317255,
    ("nfet", 1.0, 0.25): 0.0003478952888068212,
    ("pfet", 1.0, 0.15): 0.00020074781359077294,
    ("pfet", 2.5, 0.15): 0.0005035266011240205,
    ("pfet", 0.84, 0.5): 4.2046524711479016e-05,
}


def test_trimmed_sky130_equals_the_full_library(kits: None) -> None:
    lines = ["trimmed", load_devices("sky130").cards("tt")]
    outputs = []
    for i, (kind, w, length) in enumerate(FULL):
        v = 1.8 if kind == "nfet" else -1.8
        device = f"sky130_fd_pr__{kind}_01v8 w={w} l={length}"
        ends = f"ad={0.3 * w} as={0.3 * w} pd={2 * w + 0.6} ps={2 * w + 0.6}"
        lines += [f"v{i} d{i} 0 {v}", f"x{i} d{i} d{i} 0 0 {device} {ends}"]
        outputs.append(f"i(v{i})")
    result = run(Job("\n".join([*lines, ".op", ".end\n"]), tuple(outputs)))
    assert result.ok, result.log
    for i, current in enumerate(FULL.values()):
        assert abs(float(result.signals[f"i(v{i})"].values[0].real)) == pytest.approx(current, rel=1e-9)


def test_a_kit_that_is_not_fetched_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("METALROM_CACHE", str(tmp_path))
    for name in KITS:
        with pytest.raises(InputError, match=rf"there is no file .*; run `metalrom fetch {name}`"):
            load_devices(name)


def _needing(**needs: object) -> DeviceSet:
    wanted = Needs.model_validate(needs)
    options = (("ngbehavior", wanted.ngbehavior),) if wanted.ngbehavior else ()
    return replace(load_devices("open45"), needs=wanted, job_options=options)


def test_missing_features_are_one_sentence_each() -> None:
    debian = Capability("ngspice-39", klu=False, osdi=False, xspice=True, threads=True)
    assert list(missing_features(_needing(features=["bsim4", "xspice"], ngspice=39), "ngspice-39", debian)) == []
    assert list(missing_features(_needing(features=["osdi", "bsimcmg"], ngspice=43), "ngspice-39", debian)) == [
        "open45 needs osdi, and ngspice-39 was built without OSDI; use an ngspice that was configured with "
        "--enable-osdi, or VACASK (`simulator: vacask` under `needs`)",
        "open45 needs bsimcmg, and ngspice-39 was built without OSDI, which BSIM-CMG needs; use an ngspice that was "
        "configured with --enable-osdi and load BSIM-CMG there as an OSDI model",
        "open45 needs ngspice 43 or newer, and this is ngspice-39",
    ]
    assert list(missing_features(_needing(features=["osdi"]), "ngspice-44", replace(debian, osdi=True))) == []


def test_the_probe_tells_what_does_not_run() -> None:
    devices = load_devices("open45")
    assert list(probe_devices(devices)) == []
    broken = replace(devices, nmos="no_such_model")
    found = list(probe_devices(broken))
    assert len(found) == len(devices.corners)
    assert "a deck with one transistor of each type does not run at corner tt" in found[0]
    assert "\n" not in found[0]
    with pytest.raises(EngineError, match="does not run at corner tt"):
        check_devices(replace(broken, sha256="0"))
    off = replace(devices, vdd=1e-6)  # nothing conducts at 1 uV
    assert "carries only" in next(probe_devices(off))


def test_the_compatibility_mode_of_a_kit_reaches_the_engine(tmp_path: Path) -> None:
    """`ngbehavior` is a start-up setting of ngspice: decks cannot carry it, jobs do."""
    devices = _needing(ngbehavior="hsa")
    assert devices.job_options == (("ngbehavior", "hsa"),)
    seen: list[list[str]] = []
    real = subprocess.Popen

    class Spy(real):  # type: ignore[type-arg, misc, valid-type]
        def __init__(self, command: list[str], **options: object) -> None:
            seen.append(command)
            super().__init__(command, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(subprocess, "Popen", Spy)
        assert list(probe_devices(devices)) == []
    assert all("ngbehavior=hsa" in command for command in seen if "-b" in command and "-r" in command)
