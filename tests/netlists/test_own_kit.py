"""Kits of one's own: paths below an environment variable, models trimmed without a subcircuit, the shipped example."""

from __future__ import annotations

from pathlib import Path

import pytest

from interconnect.errors import InputError
from metalrom.assets.gf180 import CORNERS, SOURCE, trimmed
from netlists.devices.device_set import load_devices

OWN = Path(__file__).resolve().parents[2] / "examples" / "own_kit"

MODEL = """.model {device}.0 {kind}
+level = 54
* a comment
+lmin = 2.8e-7
+lmax = 5e-7
+wmin = 2.2e-7
+wmax = 1e-4
+noia = {device}_noia
+vth0 = 0.7
.model {device}.1 {kind}
+lmin = 1.2e-6
+lmax = 1e-5
+wmin = 2.2e-7
+wmax = 1e-4
"""


def library() -> str:
    """A file in the form of the PDK's, with one bin inside of the wanted sizes and one outside."""
    sections = [
        f".lib {device}_{ending}\n{MODEL.format(device=device, kind=kind)}.endl {device}_{ending}\n"
        for ending in CORNERS.values()
        for device, kind in (("nfet_03v3", "nmos"), ("pfet_03v3", "pmos"))
    ]
    noise = "+nfet_03v3_noia='(fnoicor==0)*3.2e+041 + (fnoicor==1)*3.5e+042'\n"
    return "".join(sections) + noise + noise.replace("nfet", "pfet")


def test_models_of_gf180_are_trimmed() -> None:
    made = trimmed({SOURCE: library().encode()})
    assert sorted(made) == ["gf180_ff.spice", "gf180_fs.spice", "gf180_sf.spice", "gf180_ss.spice", "gf180_tt.spice",
                            "trim.json"]  # fmt: skip
    text = made["gf180_tt.spice"].decode()
    assert "noia=3.2e+041 vth0=0.7" in text  # flicker noise as extracted, not the worst case
    assert ".model nfet_03v3.1" not in text
    with pytest.raises(InputError, match="has no section nfet_03v3_t"):
        trimmed({SOURCE: b"nothing"})


def test_own_kit_loads_and_has_no_area() -> None:
    """HSPICE-style sections and `$` comments; no block `layout`."""
    devices = load_devices(OWN / "devices.yaml")
    assert devices.corners == ("tt", "ff", "ss")
    assert devices.area is None
    assert "own_kit: no area rules of transistors, area: not available" in devices.warnings


def test_library_below_an_environment_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (OWN / "devices.yaml").read_text().replace("file: models.lib", "file: $PDK_ROOT/tech/models.lib")
    file = tmp_path / "kit.yaml"
    file.write_text(text)
    monkeypatch.delenv("PDK_ROOT", raising=False)
    with pytest.raises(InputError, match="the environment variable PDK_ROOT is not set"):
        load_devices(file)
    (tmp_path / "kits" / "tech").mkdir(parents=True)
    (tmp_path / "kits" / "tech" / "models.lib").write_text((OWN / "models.lib").read_text())
    monkeypatch.setenv("PDK_ROOT", str(tmp_path / "kits"))
    assert str(tmp_path / "kits" / "tech" / "models.lib") in load_devices(file).cards("tt")
