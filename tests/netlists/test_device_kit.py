"""The library form of a device set: what is found in a kit's files, what is refused, how instances are printed."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from interconnect.errors import InputError
from netlists.audit import audit_netlist
from netlists.cells.base import CellModel
from netlists.devices.device_set import DeviceSet, load_devices
from netlists.mapping import MacroShape, tile, via_program
from netlists.periphery import Periphery
from netlists.render import DeckText
from netlists.technology import Technology
from netlists.transistors import device_printer
from netlists.writer import write_netlist
from ngspice_runner import Job, run
from ngspice_runner.engine import find_engine
from ngspice_runner.prepare import prepare

OPEN45 = load_devices("open45")

KIT: dict[str, Any] = {
    "name": "kit",
    "title": "A kit",
    "vdd": 1.0,
    "models": {"nmos": "nfet", "pmos": "pfet"},
    "geometry": {
        "l_min": 5.0e-8,
        "l_max": 5.0e-7,
        "w_min": 1.0e-7,
        "w_max": 1.0e-5,
        "diffusion_length": 1.0e-7,
        "status": "user",
        "source": "kit manual",
    },
    "matching": {"avt_n": 2.0e-9, "avt_p": 2.0e-9, "status": "user", "source": "kit manual"},
    "library": {
        "status": "user",
        "source": "kit",
        "corners": {
            "tt": [{"file": "kit.lib", "section": "TT"}],
            "ff": [{"file": "kit.lib", "section": "ff"}],
        },
    },
    "call": {"style": "X", "unit": "um", "sizes": {"w": "w", "l": "l", "m": "mult"}},
}


def write_kit(folder: Path, data: dict[str, Any] = KIT) -> Path:
    """A kit of two sections around open45's cards: bare models (M) and subcircuits in um around them (X)."""
    shells = "".join(
        f".subckt {kind}fet d g s b w=1 l=1 mult=1\n"
        f"m1 d g s b open45_{kind} w={{w*1e-6}} l={{l*1e-6}} m={{mult}}\n.ends {kind}fet\n"
        for kind in "np"
    )
    (folder / "shells.inc").write_text(f"* subcircuits\n.INCLUDE 'switch.inc'\n{shells}")
    (folder / "switch.inc").write_text(".param kit_switch=1\n")
    sections = "".join(f".lib {c}\n{OPEN45.cards(c.lower())}.inc shells.inc\n.endl {c}\n" for c in ("TT", "ff"))
    (folder / "kit.lib").write_text(f"* a library\n{sections}")
    path = folder / "kit.yaml"
    path.write_text(yaml.safe_dump(data, sort_keys=False))
    return path


def changed(*keys: str, to: Any) -> dict[str, Any]:
    data = copy.deepcopy(KIT)
    place = data
    for key in keys[:-1]:
        place = place.setdefault(key, {})
    place[keys[-1]] = to
    return data


@pytest.fixture
def kit(tmp_path: Path) -> DeviceSet:
    return load_devices(write_kit(tmp_path))


def test_a_library_comes_in_by_section_and_is_hashed_whole(kit: DeviceSet, tmp_path: Path) -> None:
    assert kit.corners == ("tt", "ff")
    assert kit.from_library
    assert kit.cards("tt") == f'.lib "{tmp_path}/kit.lib" TT\n'
    with pytest.raises(InputError, match="unknown corner 'ss'; known: tt, ff"):
        kit.cards("ss")
    with pytest.raises(InputError, match="kit's files"):
        kit.card("tt", "nmos")
    (tmp_path / "switch.inc").write_text(".param kit_switch=2\n")  # included by an include of a section
    assert load_devices(tmp_path / "kit.yaml").sha256 != kit.sha256


def test_options_parameters_and_the_kits_own_mismatch_are_printed_around_the_files(tmp_path: Path) -> None:
    data = changed("library", "options", to={"scale": 1e-6})
    data["library"] |= {
        "parameters": {"sigma": 0},
        "before": [{"file": "switch.inc"}],
        "mismatch": {"parameter": "kit_switch", "off": 0},
    }
    assert load_devices(write_kit(tmp_path, data)).cards("ff") == (
        f'.option scale=1e-06\n.param sigma=0.0\n.include "{tmp_path}/switch.inc"\n'
        f'.lib "{tmp_path}/kit.lib" ff\n.param kit_switch=0.0\n'
    )


def test_instances_are_printed_as_the_kit_is_called(kit: DeviceSet) -> None:
    mos = device_printer(kit, 5e-8)
    assert mos("M_1", "d", "g", "s", "b", "n", 1.5e-6) == "X_M_1 d g s b nfet w=1.5e+00 l=5.0e-02"
    assert mos("M_1", "d", "g", "s", "b", "p", 1e-6, 2e-7, shift="dvt", multiplier=2) == (
        "V_X_M_1 g X_M_1_gate {dvt}\nX_M_1 d X_M_1_gate s b pfet w=1.0e+00 l=2.0e-01 mult=2"
    )
    with pytest.raises(InputError, match="has the type 'x'"):
        mos("M_1", "d", "g", "s", "b", "x", 1e-6)
    assert isinstance(mos("M_1", "d", "g", "s", "b", "n", 1e-6), DeckText)
    # The M form is what open45 has always been printed as.
    assert device_printer(OPEN45, 5e-8)("M_1", "d", "g", "s", "b", "n", 1e-6, shift=0.01) == (
        "M_1 d g s b open45_n w=1.0e-06 l=5.0e-08 ad=1.05e-13 as=1.05e-13 pd=2.21e-06 ps=2.21e-06 delvto=1.0e-02"
    )


def test_pins_diffusions_constants_roles_and_bins(tmp_path: Path) -> None:
    data = changed("call", to={"style": "X", "unit": "um", "pins": ["b", "g", "d", "s"], "fixed": {"nf": 1}})
    data["models"]["others"] = {"thick": "pfet"}
    data["geometry"]["bins"] = [{"l_min": 5e-8, "l_max": 1e-7, "w_min": 1e-7, "w_max": 1e-6}]
    mos = device_printer(load_devices(write_kit(tmp_path, data)), 5e-8)
    # diffusion 1 um x 0.1 um: 0.1 um2 of area, 2.2 um around
    assert mos("M", "d", "g", "s", "b", "thick", 1e-6) == (
        "X_M b g d s pfet w=1.0e+00 l=5.0e-02 ad=1.0e-01 as=1.0e-01 pd=2.2e+00 ps=2.2e+00 nf=1.0e+00"
    )
    with pytest.raises(InputError, match="no bin of kit holds a transistor of 2e-06 by 5e-08 m"):
        mos("M", "d", "g", "s", "b", "n", 2e-6)
    data["call"]["sizes"] = {"w": "w", "l": "l"}
    mos = device_printer(load_devices(write_kit(tmp_path, data)), 5e-8)
    with pytest.raises(InputError, match="take no multiplier"):
        mos("M", "d", "g", "s", "b", "n", 1e-6, multiplier=2)


def _drain(devices: DeviceSet, kind: str, lines: Callable[[Any], list[str]]) -> np.ndarray:
    """|Id| over |Vgs| at |Vds| = 50 mV of a 1 um transistor."""
    sign = 1.0 if kind == "n" else -1.0
    mos = device_printer(devices, 5e-8)
    deck = ["threshold", devices.cards("tt"), "vx x 0 0", f"eg g 0 x 0 {sign}", f"vd d 0 {sign * 0.05}", *lines(mos)]
    job = Job("\n".join([*deck, ".dc vx 0.0 1.0 0.005", ".end\n"]), ("i(vd)",))
    result = run(job)
    assert result.ok, result.log
    return np.abs(np.asarray(result.signals["i(vd)"].values))


@pytest.mark.ngspice
@pytest.mark.parametrize("kind", ["n", "p"])
@pytest.mark.parametrize("shift", [0.03, -0.03])
def test_a_source_at_the_gate_shifts_the_threshold_as_delvto_does(
    kit: DeviceSet, tmp_path: Path, kind: str, shift: float
) -> None:
    """Independent reference: BSIM4's own delvto on the same card (open45 by M), against the kit's X with a source."""

    def plain(mos: Any) -> list[str]:
        return [mos("M_t", "d", "g", "0", "0", kind, 1e-6)]

    def moved(mos: Any) -> list[str]:
        return [mos("M_t", "d", "g", "0", "0", kind, 1e-6, shift=shift)]

    bare = load_devices(
        write_kit(
            tmp_path,
            changed("models", to={"nmos": "open45_n", "pmos": "open45_p"}) | {"call": {"sizes": {"w": "w", "l": "l"}}},
        )
    )
    nominal = _drain(bare, kind, plain)
    np.testing.assert_allclose(_drain(kit, kind, plain), nominal, rtol=1e-9)  # M in m and X in um are one transistor
    by_delvto, by_source = _drain(bare, kind, moved), _drain(kit, kind, moved)
    x = np.arange(nominal.size) * 0.005
    criterion = 1e-7 * 1e-6 / 5e-8

    def threshold(current: np.ndarray) -> float:
        return float(np.interp(np.log(criterion), np.log(current), x))

    # delvto is added to the signed threshold: +30 mV makes an NMOS slower (|Vth| up), a PMOS faster (|Vth| down).
    expected = shift if kind == "n" else -shift
    # The source moves the curve by the shift exactly. BSIM4's delvto also raises the mobility's vertical field: at this
    # criterion it moves the curve by 3 to 4 % more, and at full drive it takes 3 % more of the current.
    assert threshold(by_source) - threshold(nominal) == pytest.approx(expected, rel=1e-3)
    assert threshold(by_delvto) - threshold(nominal) == pytest.approx(expected, rel=5e-2)
    assert np.max(np.abs(by_source / by_delvto - 1)[x > 0.2]) < 0.035
    assert np.max(np.abs(by_delvto / nominal - 1)[x > 0.2]) > 0.5


@pytest.mark.ngspice
def test_a_change_anywhere_in_the_library_is_another_cache_key(kit: DeviceSet, tmp_path: Path) -> None:
    mos = device_printer(kit, 5e-8)
    text = "\n".join(["t", kit.cards("tt"), "vd d 0 1.0", mos("M", "d", "d", "0", "0", "n", 1e-6), ".op", ".end\n"])
    job, engine = Job(text, ("i(vd)",)), find_engine()
    keys = [prepare(job, engine, "process").key]
    for name in ("kit.lib", "shells.inc", "switch.inc"):
        file = tmp_path / name
        file.write_text(file.read_text() + "* changed\n")
        keys.append(prepare(job, engine, "process").key)
    assert len(set(keys)) == 4


def test_an_audit_takes_the_kits_own_includes_and_no_other(
    kit: DeviceSet, tmp_path: Path, cap_model: CellModel, technology: Technology
) -> None:
    program = via_program(np.array([[1, -1], [1, 1]], dtype=np.int16), 2)
    manifest = tile(program, MacroShape(rows=2, columns=2, planes=2))
    path = tmp_path / "macro.cir"
    write_netlist(path, "macro", program, manifest, cap_model, replace(technology, devices=kit), periphery=Periphery())
    assert "X_M_reset bl X_M_reset_gate vss vss nfet" in path.read_text()
    assert audit_netlist(path, program, manifest, cap_model, library=kit.cards("tt")).ok
    with pytest.raises(InputError, match=r"includes another file \(\.lib"):
        audit_netlist(path, program, manifest, cap_model)
    path.write_text(path.read_text().replace(".lib ", '.include "more.inc"\n.lib ', 1))
    with pytest.raises(InputError, match=r"includes another file \(\.include"):
        audit_netlist(path, program, manifest, cap_model, library=kit.cards("tt"))


BAD: list[tuple[Callable[[], dict[str, Any]], str]] = [
    (lambda: changed("library", "sections", to={}), r"library\.sections: unknown key 'sections'"),
    (lambda: changed("call", "stile", to="X"), r"call\.stile: unknown key 'stile'; did you mean 'style'\?"),
    (lambda: changed("call", "unit", to="cm"), r"call\.unit: should be 'm', 'um' or 'nm', got 'cm'"),
    (lambda: changed("call", "pins", to=["d", "g", "s", "s"]), r"give d, g, s and b once each"),
    (lambda: changed("call", "sizes", to={"w": "w"}), r"l is not passed"),
    (lambda: changed("call", "sizes", to={"w": "w", "l": "W"}), r"'w' is passed twice"),
    (lambda: changed("call", "sizes", to={"w": "w", "l": "l", "x": "x"}), r"'x' is not a size"),
    (lambda: changed("call", "style", to="M"), r"'nfet' is a subcircuit in the library, not a model; write `style: X`"),
    (lambda: changed("models", "nmos", to="nfte"), r"nmos at corner tt: .*no subcircuit 'nfte'; did you mean 'nfet'"),
    (lambda: changed("models", "others", to={"n": "nfet"}), "'n' stands for the first NMOS"),
    (lambda: changed("models", "others", to={"io": "zz"}), r"models\.others\.io at corner tt: .*no subcircuit 'zz'"),
    (
        lambda: changed("library", "corners", to={"tt": [{"file": "kit.lib", "section": "typ"}]}),
        r"kit\.lib has no section 'typ'; it has TT, ff",
    ),
    (lambda: changed("library", "corners", to={"tt": [{"file": "no.lib"}]}), r"corners\.tt: there is no file .*no\."),
    (lambda: changed("library", "corners", to={"tt": []}), r"corners\.tt: no file is given"),
    (lambda: changed("library", "corners", to={}), r"library\.corners"),
    (
        lambda: changed("library", "corners", to={"tt": [{"file": "kit.lib", "section": "tt", "sha256": "0" * 64}]}),
        r"kit\.lib differs from the pinned file",
    ),
    (
        lambda: changed("library", "corners", to={"tt": [{"file": "asset:sky131-1/x.lib"}]}),
        r"there is no file \S+; run `metalrom fetch sky131`",
    ),
    (lambda: changed("library", "corners", to={"tt": [{"file": "asset:../x/y"}]}), "is not a file of an asset"),
    (lambda: changed("library", "options", to={"scal": 1e-6}), r"option 'scal' .*; did you mean 'scale'"),
    (lambda: changed("library", "options", to={"scale": "1u"}), r"library\.options"),
    (lambda: changed("library", "mismatch", to={"off": 0}), "the mismatch switch must be given in exactly one way"),
    (lambda: changed("needs", "features", to=["osd"]), r"needs\.features\[0\]"),
    (lambda: changed("needs", "ngbehavior", to="hspice"), r"needs\.ngbehavior"),
    (lambda: changed("geometry", "default_length", to=1e-9), "default_length is outside"),
    (lambda: changed("parameters", to={}), "model cards must be given in exactly one way"),
]  # fmt: skip


@pytest.mark.parametrize(("make", "message"), BAD)
def test_bad_descriptors_are_told_in_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[[], dict[str, Any]], message: str
) -> None:
    monkeypatch.setenv("METALROM_CACHE", str(tmp_path))
    with pytest.raises(InputError, match=message) as caught:
        load_devices(write_kit(tmp_path, make()))
    assert "\n" not in str(caught.value)
    assert "kit.yaml" in str(caught.value)


def test_missing_and_looping_nested_files(tmp_path: Path) -> None:
    path = write_kit(tmp_path)
    (tmp_path / "switch.inc").unlink()
    with pytest.raises(InputError, match=r"shells\.inc includes 'switch\.inc', which is not there"):
        load_devices(path)
    (tmp_path / "switch.inc").write_text('.include "switch.inc"\n')
    with pytest.raises(InputError, match="includes itself"):
        load_devices(path)


@pytest.mark.parametrize("name", ["a b", "a'b", "a;b", "a$b", "a`b", "ä"])
def test_paths_that_a_deck_cannot_carry_are_refused(tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    folder.mkdir()
    with pytest.raises(InputError, match=r"the path contains .*, which is not allowed in a netlist; put the library"):
        load_devices(write_kit(folder))


def test_a_pinned_file_is_taken_when_it_is_the_one(tmp_path: Path) -> None:
    write_kit(tmp_path)
    digest = hashlib.sha256((tmp_path / "kit.lib").read_bytes()).hexdigest()
    data = changed("library", "corners", to={"tt": [{"file": "kit.lib", "section": "tt", "sha256": digest}]})
    assert load_devices(write_kit(tmp_path, data)).corners == ("tt",)


PLACES = [
    ("name",),
    ("models", "nmos"),
    ("library", "parameters"),
    ("library", "corners", "tt", 0, "section"),
    ("call", "sizes", "w"),
    ("call", "shift"),
    ("call", "fixed"),
]


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(PLACES),
    st.text(min_size=1, max_size=12).filter(lambda s: not (s.isascii() and s.replace("_", "").isalnum())),
)
def test_no_text_of_a_descriptor_reaches_a_deck_unchecked(
    tmp_path_factory: pytest.TempPathFactory, place: tuple[Any, ...], text: str
) -> None:
    data = copy.deepcopy(KIT)
    target: Any = data
    for key in place[:-1]:
        target = target[key]
    target[place[-1]] = {text: 1.0} if place[-1] in ("parameters", "fixed") else text
    with pytest.raises(InputError) as caught:
        load_devices(write_kit(tmp_path_factory.mktemp("kit"), data))
    assert "\n" not in str(caught.value)
