"""Technologies: metal corners, names and warnings, and that sizes and supply follow the device set."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

import metalrom
from interconnect.errors import InputError
from interconnect.extraction import extract
from metalrom.cli.init import write_starter
from netlists.cells import make_cell
from netlists.cells.base import Plane
from netlists.devices.device_set import load_devices
from netlists.periphery import Periphery, default_periphery
from netlists.technology import load_technology


def test_a_metal_corner_reaches_the_cell() -> None:
    def cell(beol: str) -> tuple[float, float]:
        stack = load_technology("open45", "open45", beol=beol).stack
        model = make_cell("cap_balanced").model(stack, Plane("metal2", "metal3"), partial(extract, method="formula"))
        return model.bl_total, model.value("R_bl")

    c, r = cell("nominal")
    assert cell("cmax")[0] > 1.05 * c > 0.95 * c > cell("Cmin")[0]
    # Rmax: lines 0.95 wide, 0.90 thick: 1 / (0.95 * 0.9) = 1.1696.
    assert cell("Rmax")[1] == pytest.approx(r / (0.95 * 0.90), rel=1e-6)


def test_names_and_warnings_at_a_corner() -> None:
    technology = load_technology("open45", "open45", beol="CMAX")
    assert (technology.name, technology.beol) == ("open45 at Cmax", "Cmax")
    assert not any("another technology" in line for line in technology.warnings)
    assert load_technology("open45", "open45").name == "open45"
    assert load_technology("generic28", "open45", beol="cmin").name == "generic28 at Cmin with open45 devices"
    with pytest.raises(InputError, match=r"stack open45 has no corner 'cmox'; it has nominal, Cmax"):
        load_technology("open45", "open45", beol="cmox")


def test_sizes_follow_the_device_set() -> None:
    devices = load_devices("open45")
    assert default_periphery(devices) == Periphery()
    wide = replace(devices, width_scale=3.5, default_length=1.5e-7)
    p = default_periphery(wide, driver_nmos_width=2e-6, gate_width=None, kind="transistor")
    assert (p.length, p.driver_nmos_width, p.reset_width, p.gate_width) == (1.5e-7, 2e-6, 4.2e-7, 1.05e-6)
    assert p.sense_capacitance == Periphery().sense_capacitance


def test_a_project_takes_sizes_supply_and_corner_from_its_technology(tmp_path: Path) -> None:
    path = write_starter(tmp_path)
    text = path.read_text().replace("  vdd: [1.0V]\n", "")
    path.write_text(text.replace("devices: open45 ", "devices: mine.yaml\n  beol: Cmin "))
    open45 = Path(load_devices.__code__.co_filename).with_name("open45.yaml").read_text()
    sized = open45.replace("vdd: 1.0", "vdd: 0.9").replace("  l_max", "  default_length: 6.0e-8\n  l_max")
    (tmp_path / "mine.yaml").write_text(sized)
    project = metalrom.load(path)
    assert {c.vdd for c in project.conditions} == {0.9}
    assert project.periphery.length == 6e-8
    assert project.technology.beol == "Cmin"
