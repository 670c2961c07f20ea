"""Device sets: what loads, what is refused, and that nothing but checked numbers reaches a deck."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from interconnect.errors import InputError
from netlists.devices.device_set import built_in_devices, load_devices
from netlists.devices.model_card import ModelCard, parse_model_cards

SMALL: dict[str, Any] = {
    "name": "mine",
    "title": "A user's set",
    "vdd": 0.9,
    "models": {"nmos": "nch", "pmos": "pch"},
    "geometry": {
        "l_min": 4.0e-8,
        "l_max": 1.0e-6,
        "w_min": 1.0e-7,
        "w_max": 1.0e-5,
        "diffusion_length": 1.0e-7,
        "status": "user",
        "source": "kit manual",
    },
    "matching": {"avt_n": 2.0e-9, "avt_p": 2.0e-9, "status": "user", "source": "kit manual"},
    "parameters": {
        "all": {
            "status": "user",
            "source": "test",
            "common": {"level": 14, "version": 4.8},
            "nmos": {"vth0": 0.4},
            "pmos": {"vth0": -0.4},
        }
    },
    "corners": {
        "status": "user",
        "source": "test",
        "tt": {},
        "ff": {"nmos": {"vth0": -0.1}, "pmos": {"vth0": 0.1}},
        "fs": {"nmos": "ff", "pmos": "tt"},
    },
}


def write(folder: Path, data: Any) -> Path:
    path = folder / "mine.yaml"
    path.write_text(data if isinstance(data, str) else yaml.safe_dump(data, sort_keys=False), encoding="utf-8")
    return path


def changed(*keys: str, to: Any) -> dict[str, Any]:
    """SMALL with one value replaced (or added)."""
    data = copy.deepcopy(SMALL)
    place = data
    for key in keys[:-1]:
        place = place[key]
    place[keys[-1]] = to
    return data


def with_files(**entries: Any) -> dict[str, Any]:
    data = {key: value for key, value in SMALL.items() if key not in ("parameters", "corners")}
    return data | {"card_files": {"status": "user", "source": "kit"} | entries}


def test_open45_says_what_it_is() -> None:
    devices = load_devices("open45")
    assert "open45" in built_in_devices()
    assert devices.corners == ("tt", "ff", "ss", "sf", "fs")
    assert (devices.vdd, devices.nmos, devices.pmos) == (1.0, "open45_n", "open45_p")
    assert devices.l_min == 5.0e-8
    assert 2.0e-9 <= devices.avt_p <= devices.avt_n <= 2.5e-9  # 45 nm class: 2 to 2.5 mV um
    assert len(devices.warnings) == 1
    assert "estimates, not foundry data" in devices.warnings[0]
    assert all(p.source for p in devices.provenance.values())
    # Published figures carried over as targets (FreePDK45 VTG cards measured in ngspice 39.3 at 1.0 V, 27 degC).
    assert float(devices.targets["tt"]["ion_n"]) == 972.0
    assert float(devices.targets["ss"]["fo4_rise"]) == 17.8e-12
    assert devices.targets["ff"]["vth_n"].provenance.status == "measured"


def test_same_file_same_hash_and_other_content_other_hash(tmp_path: Path) -> None:
    assert load_devices("open45").sha256 == load_devices("open45").sha256
    first = load_devices(write(tmp_path, SMALL)).sha256
    assert load_devices(write(tmp_path, changed("vdd", to=0.8))).sha256 != first


def test_corners_shift_and_mix(tmp_path: Path) -> None:
    devices = load_devices(write(tmp_path, SMALL))
    assert devices.card("ff", "nmos").parameters["vth0"] == pytest.approx(0.3)  # 0.4 - 0.1
    assert devices.card("ff", "pmos").parameters["vth0"] == pytest.approx(-0.3)  # -0.4 + 0.1
    assert devices.card("fs", "nmos") == devices.card("ff", "nmos")
    assert devices.card("fs", "pmos") == devices.card("tt", "pmos")
    assert devices.cards("ff") == ".model nch nmos\n+ level=14 version=4.8 vth0=0.3\n" + (
        ".model pch pmos\n+ level=14 version=4.8 vth0=-0.3\n"
    )
    assert devices.warnings == ("mine: no area rules of transistors, area: not available",)


def test_open45_mixed_corners_take_each_type_from_its_own_corner() -> None:
    devices = load_devices("open45")
    assert devices.card("sf", "nmos") == devices.card("ss", "nmos")
    assert devices.card("sf", "pmos") == devices.card("ff", "pmos")
    assert devices.card("fs", "nmos") == devices.card("ff", "nmos")
    assert devices.card("fs", "pmos") == devices.card("ss", "pmos")


def test_sizes_mismatch_and_diffusion() -> None:
    devices = load_devices("open45")
    devices.check_size(5.0e-7, 5.0e-8, where="m1")
    with pytest.raises(InputError, match=r"m1: transistor width 5e-08 m is outside .* 9e-08 to 1e-05"):
        devices.check_size(5.0e-8, 5.0e-8, where="m1")
    with pytest.raises(InputError, match="length"):
        devices.check_size(5.0e-7, 4.5e-8, where="m1")
    # Pelgrom: 2.4 mV um, 0.5 um x 0.05 um: 2.4e-3 / sqrt(2 * 0.025) = 10.73 mV for one transistor.
    assert devices.sigma_vth("nmos", 5.0e-7, 5.0e-8) == pytest.approx(10.733e-3, rel=1e-4)
    corner = devices.diffusion(5.0e-7)
    assert corner.area == pytest.approx(5.25e-14)  # 0.5 um * 0.105 um
    assert corner.perimeter == pytest.approx(1.21e-6)  # 2 * (0.5 + 0.105) um


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: changed("vd", to=1.0), r"vd: unknown key 'vd'; did you mean 'vdd'\?"),
        (lambda: changed("geometry", "lmin", to=1.0), r"geometry\.lmin: unknown key 'lmin'; did you mean 'l_min'\?"),
        (lambda: changed("geometry", "l_min", to="50nm"), r"geometry\.l_min: should be a valid number, .* got '50nm'"),
        (lambda: changed("geometry", "l_min", to=1.0), "l_min is larger than l_max"),
        (
            lambda: changed("matching", "avt_n", to=-1.0),
            r"matching\.avt_n: should be greater than or equal to 0, got -1.0",
        ),
        (lambda: changed("matching", "status", to="guess"), r"matching\.status: should be 'published', .* got 'guess'"),
        (lambda: {k: v for k, v in SMALL.items() if k != "vdd"}, "vdd: this key is missing"),
        (lambda: changed("vdd", to=math.nan), "vdd"),
        (lambda: changed("models", "pmos", to="NCH"), "same model name"),
        (lambda: changed("corners", "ff", "nmos", to={"vth1": 0.1}), "no parameter 'vth1' to shift"),
        (lambda: changed("corners", "fs", "nmos", to="fg"), r"corners\.fs: unknown corner 'fg'; known: tt, ff, fs"),
        (lambda: changed("corners", "fs", "nmos", to="fs"), "itself taken from another"),
        (lambda: changed("corners", "tt", to={"nmos": {"vth0": 0.1}}), "tt must be present and empty"),
        (lambda: changed("parameters", "all", "nmos", to={"level": 54}), "'level' is given twice for the nmos"),
        (lambda: changed("parameters", "all", "nmos", to={"vth0": [1]}), r"\[1\] is not a number"),
        (lambda: changed("parameters", "all", "nmos", to={"vth0": True}), "True is not a number"),
        (lambda: changed("parameters", "all", "nmos", to={"vth0": math.inf}), "inf is not finite"),
        (lambda: {k: v for k, v in SMALL.items() if k != "corners"}, "model cards must be given in exactly one way"),
        (
            lambda: changed("card_files", to={"status": "user", "source": "kit", "tt": "a.spi"}),
            "must be given in exactly one way",
        ),
        (lambda: with_files(tt="missing.spi"), r"card_files\.tt: there is no file \S+missing\.spi"),
        (lambda: with_files(), "no corner is given"),
        (lambda: with_files(sf={"nmos": "ss", "pmos": "ff"}), "'ss' names no corner with a file"),
        (lambda: "a: [1", r"mine\.yaml, line \d+: bad YAML: "),
        (lambda: "- 1", "must hold a mapping of keys"),
        (lambda: "!!python/object/apply:os.getcwd []", r"bad YAML: tags \(!\) are not accepted"),
    ],
)
def test_bad_files_are_told_in_one_sentence(tmp_path: Path, make: Callable[[], Any], message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        load_devices(write(tmp_path, make()))
    assert "\n" not in str(caught.value)


def test_unknown_names_come_with_a_suggestion(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"unknown device set 'open54'; did you mean 'open45'\?"):
        load_devices("open54")
    with pytest.raises(InputError, match="unknown device set"):
        load_devices("../devices/open45")
    with pytest.raises(InputError, match="cannot be read"):
        load_devices(tmp_path / "nothing.yaml")
    with pytest.raises(InputError, match=r"open45: unknown corner 'tf'; known: tt, ff, ss, sf, fs"):
        load_devices("open45").cards("tf")


EVIL = [
    "n\n.include /etc/passwd",
    "n .control",
    "n;m",
    'n"',
    "n'",
    "n\r",
    "",
    "1n",
    "n m",
    "n$x",
    "n*",
    "ñ",
    "n=1",
    "n\x00",
]


@pytest.mark.parametrize("evil", EVIL)
def test_names_cannot_bring_a_line_along(tmp_path: Path, evil: str) -> None:
    for data in (
        changed("name", to=evil),
        changed("models", "nmos", to=evil),
        changed("parameters", "all", "nmos", to={evil: 1.0}),
        changed("parameters", "all", "nmos", to={"vth0": evil}),
        changed("corners", evil, to={"nmos": "tt"}),
    ):
        with pytest.raises(InputError) as caught:
            load_devices(write(tmp_path, data))
        assert "\n" not in str(caught.value)


def test_a_numbers_text_without_a_point_is_still_a_number(tmp_path: Path) -> None:
    # YAML 1.1 reads 1e-9 as text.
    path = write(tmp_path, yaml.safe_dump(SMALL, sort_keys=False).replace("vth0: 0.4", "vth0: 4e-1", 1))
    assert load_devices(path).card("tt", "nmos").parameters["vth0"] == 0.4


def test_card_files_of_a_kit(tmp_path: Path) -> None:
    nominal = "* kit\n.MODEL NCH NMOS level = 54 version=4.0\n* note\n+ Vth0=0.4 toxe =1.75e-009 $ oxide\n\n"
    nominal += ".model pch pmos (level=54)\n"
    (tmp_path / "nom.spi").write_text(nominal)
    (tmp_path / "ff.spi").write_text(nominal.replace("0.4", "0.3") + ".model dio d is=1e-15\n")
    path = write(tmp_path, with_files(tt="nom.spi", ff="ff.spi", fs={"nmos": "ff", "pmos": "tt"}))
    devices = load_devices(path)
    assert devices.corners == ("tt", "ff", "fs")
    # `version` keeps its point: ngspice selects the model code by that text.
    assert devices.cards("tt") == (
        ".model nch nmos\n+ level=54 version=4.0 vth0=0.4 toxe=1.75e-09\n.model pch pmos\n+ level=54\n"
    )
    assert devices.card("fs", "nmos").parameters["vth0"] == 0.3
    before = devices.sha256
    (tmp_path / "ff.spi").write_text(nominal.replace("0.4", "0.31"))
    assert load_devices(path).sha256 != before
    (tmp_path / "ff.spi").write_text(nominal.replace("NCH", "nchx"))
    with pytest.raises(InputError, match=r"ff\.spi: no nmos model 'nch'; did you mean 'nchx'\?"):
        load_devices(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (".control\nshell ls\n.endc\n", r"k:1: '.control' is not a .model card"),
        (".include other.spi\n", "is not a .model card"),
        ("r1 a b 1\n", "is not a .model card"),
        ("+ vth0=1\n", "k:1: a continuation line without a card"),
        (".model n nmos vth0=1u\n", r"k:1 n\.vth0: '1u' is not a number"),
        (".model n nmos vth0='1+x'\n", "is not a number"),
        (".model n nmos vth0\n", "'vth0' in model n is not name=number"),
        (".model n nmos vth0=nan\n", "not finite"),
        (".model n nmos a=1\n.model N nmos a=2\n", "k:2: model n appears twice"),
        (".model n;x nmos a=1\n", "is not a usable name"),
    ],
)
def test_card_files_hold_numbers_only(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        parse_model_cards(text, where="k")


NAMES = st.from_regex(r"[a-z][a-z0-9_]{0,10}", fullmatch=True)
NUMBERS = st.integers(-(10**8), 10**8) | st.floats(allow_nan=False, allow_infinity=False)


@given(NAMES, st.sampled_from(["nmos", "pmos"]), st.dictionaries(NAMES, NUMBERS, max_size=30))
def test_a_written_card_reads_back(name: str, kind: Any, parameters: dict[str, int | float]) -> None:
    card = ModelCard(name, kind, parameters)
    again = parse_model_cards(card.render(), where="card")[name]
    assert (again.name, again.kind, list(again.parameters)) == (name, kind, list(parameters))
    for key, value in parameters.items():
        assert again.parameters[key] == pytest.approx(value, rel=1e-11, abs=0.0)  # twelve digits are printed
        assert type(again.parameters[key]) is type(value)


@given(st.text(alphabet=st.sampled_from(".model npsxtaeic0123456789=+-()$*;'\"\n\r\t\x0b\x0c\x85\u2028"), max_size=120))
def test_any_text_is_refused_or_becomes_plain_cards(text: str) -> None:
    try:
        cards = parse_model_cards(".model n nmos a=1\n" + text, where="fuzz")
    except InputError:
        return
    for card in cards.values():
        assert all(line.startswith((".model ", "+ ")) for line in card.render().split("\n")[:-1])
        assert not set(card.render()) & set(";$'\"*()\r\t")
