"""Metal stacks: published figures, provenance, refusals."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from interconnect.errors import InputError
from interconnect.extraction import extract
from interconnect.geometry import CellGeometry
from interconnect.stackfile import BUILT_IN, find_stack, load_stack
from interconnect.variation import at_corner, cell_sigma_from_area, stack_at_corner

CellMaker = Callable[..., CellGeometry]

MINIMAL = """
name: mine
title: two metals
status: user
reference_temperature: 27
sources: {me: {status: user, citation: my guess}}
metals:
  - {name: A, source: me, bottom: 100nm, thickness: 0.1um, min_width: 5e-8, min_space: 50nm,
     sheet_resistance: 250 mohm/sq, tcr: 0.003 /K}
  - {name: B, source: me, bottom: 300nm, thickness: 100nm, min_width: 50nm, min_space: 50nm,
     sheet_resistance: 0.2, tcr: 0}
vias:
  - {name: V, source: me, below: A, above: B, size: 50nm, space: 50nm, resistance: 5 ohm, tcr: 0}
dielectrics:
  - {name: oxide, source: me, bottom: 0, top: 250nm, k: 3.9}
  - {name: lowk, source: me, bottom: 250nm, top: 1um, k: 2.7}
"""


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    return path


def test_open45_carries_the_published_figures() -> None:
    stack = load_stack("open45")
    # FreePDK45 LEF and captable: metal3 from 0.88 um, 0.14 um thick, 0.25 ohm/sq; metal9 0.03 ohm/sq; via1 5 ohm.
    metal3 = stack.metal("metal3")
    assert (metal3.bottom, metal3.thickness, metal3.sheet_resistance) == pytest.approx((0.88e-6, 0.14e-6, 0.25))
    assert metal3.provenance["thickness"].status == "published"
    assert metal3.provenance["tcr"].status == "estimate"
    assert stack.metal("metal9").sheet_resistance == 0.03
    assert len(stack.metals) == 10
    assert len(stack.vias) == 9
    # metal1 at 70 nm width: 5.43 ohm/um in the LEF.
    assert stack.metal("metal1").resistance(1e-6, 70e-9) == pytest.approx(5.43, rel=1e-3)
    # captable: via heights are the published dielectric thicknesses 0.12, 0.29, 0.82, 2.0 um.
    heights = [via.height for via in stack.vias]
    assert heights == pytest.approx([0.12e-6] * 3 + [0.29e-6] * 3 + [0.82e-6] * 2 + [2e-6], rel=1e-9)
    assert stack.warnings == ("open45: some values are estimates (tcr, top)",)


def test_sky130_carries_the_published_figures() -> None:
    stack = load_stack("sky130")
    # SkyWater open PDK: met1 from 1.3761 um, 0.36 um thick, 0.125 ohm/sq, 0.14 um wide; met5 1.26 um, 29 mohm/sq.
    met1 = stack.metal("met1")
    assert (met1.bottom, met1.thickness, met1.sheet_resistance, met1.min_width) == pytest.approx(
        (1.3761e-6, 0.36e-6, 0.125, 0.14e-6)
    )
    assert (stack.metal("met5").thickness, stack.metal("met5").sheet_resistance) == (1.26e-6, 0.029)
    # Heights of the cuts follow from the metals: mcon 0.34, via 0.27, via2 0.42, via3 0.39, via4 0.505 um.
    assert [v.height for v in stack.vias] == pytest.approx([0.34e-6, 0.27e-6, 0.42e-6, 0.39e-6, 0.505e-6], rel=1e-9)
    assert met1.provenance["thickness"].status == "published"
    assert stack.dielectrics[2].provenance["k"].status == "published"
    assert stack.dielectrics[2].provenance["top"].status == "estimate"
    # 2 % um of finger capacitors: 20 % for a cell of 0.01 um^2.
    assert cell_sigma_from_area(stack, 0.01e-12) == pytest.approx(0.20)
    with pytest.raises(InputError, match=r"stack sky130 has no corner 'Cmax'; it has nominal$"):
        stack.corner("Cmax")


def test_freepdk45_is_what_is_published_of_open45() -> None:
    published, ours = load_stack("freepdk45"), load_stack("open45")
    # open45 leaves the kit's enclosures out
    vias = tuple(
        replace(
            v,
            enclosed_below=None,
            enclosed_above=None,
            provenance={key: source for key, source in v.provenance.items() if "enclosure" not in key},
        )
        for v in published.vias
    )
    assert (published.metals, vias, published.dielectrics) == (ours.metals, ours.vias, ours.dielectrics)
    assert published.corners == ()
    with pytest.raises(InputError, match=r"stack freepdk45 has no spread.*give the stack file a `spread`"):
        cell_sigma_from_area(published, 1e-14)


def test_a_stack_at_a_corner_gives_what_scaling_cell_and_stack_gives(make_cell: CellMaker) -> None:
    """Two ways: draw on the corner's stack, or move a nominal drawing and its stack together (`at_corner`)."""
    nominal = load_stack("generic28")
    for name in ("Cmax", "rmax"):
        stack = stack_at_corner(nominal, name)
        drawn = extract(make_cell(stack, "SG"), stack, method="formula")
        geometry, moved = at_corner(make_cell(nominal, "SG"), nominal, nominal.corner(name).name)
        reference = extract(geometry, moved, method="formula")
        assert drawn.capacitance == pytest.approx(reference.capacitance, rel=1e-9, abs=1e-24)
        assert drawn.resistance == pytest.approx(dict(reference.resistance), rel=1e-9)
        assert drawn.resistance != extract(make_cell(nominal, "SG"), nominal, method="formula").resistance
    assert stack_at_corner(nominal, "nominal") is nominal
    with pytest.raises(InputError, match=r"generic28 has no corner 'Cmx'; it has nominal, Cmax, Cmin, Rmax, Rmin"):
        stack_at_corner(nominal, "Cmx")


def test_generic28_is_labelled_and_holds_the_100_nm_cell() -> None:
    stack = load_stack("generic28")
    assert stack.status == "estimate"
    assert stack.warnings == ("generic28: every value is an estimate, not foundry data",)
    assert len(stack.metals) == 11
    row, column = stack.metal("M2"), stack.metal("M3")
    assert (row.thickness, column.bottom - row.top) == pytest.approx((95e-9, 90e-9))
    assert row.bottom - stack.plane_floor("M2") == pytest.approx(90e-9)
    assert stack.plane_ceiling("M3") - column.top == pytest.approx(90e-9)
    assert [slab.k for slab in stack.slabs(stack.plane_floor("M2"), stack.plane_ceiling("M3"))] == [2.7]
    # CACTI formula by hand: 0.022 ohm.um / ((95 - 3) (50 - 6) nm^2) = 5.43 ohm/um.
    assert row.resistance(1e-6, 50e-9) == pytest.approx(0.022e-6 / (92e-9 * 44e-9) * 1e-6, rel=2e-3)
    assert stack.via_between("M2", "M3").resistance == 7.5


def test_user_stack_units_and_derived_values(tmp_path: Path) -> None:
    stack = load_stack(write(tmp_path, MINIMAL))
    a = stack.metal("A")
    assert (a.bottom, a.thickness, a.min_width, a.sheet_resistance, a.tcr) == pytest.approx(
        (1e-7, 1e-7, 5e-8, 0.25, 0.003)
    )
    assert stack.via("V").height == pytest.approx(1e-7)
    assert [s.k for s in stack.slabs(1e-7, 5e-7)] == [3.9, 2.7]
    assert stack.warnings == ()
    # 0.25 ohm/sq x 10 squares x (1 + 0.003 x 50 K)
    assert a.resistance(1e-6, 1e-7, 50.0) == pytest.approx(2.875)
    assert load_stack(BUILT_IN / "open45.yaml").sha256 == load_stack("open45").sha256 != stack.sha256


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("thickness: 0.1um", "thicknes: 0.1um", r"metals\[0\]\.thicknes: unknown key 'thicknes'; did you mean 'thickn"),
        (
            "thickness: 0.1um",
            "thickness: 0.1ohm",
            r"metals\[0\]\.thickness: '0.1ohm' has the wrong unit; give a quantity in m",
        ),
        ("thickness: 0.1um", "thickness: 100n", r"metals\[0\]\.thickness: '100n' lacks its unit"),
        ("thickness: 0.1um", "thickness: -100nm", r"metals\[0\]\.thickness: must be positive"),
        ("thickness: 0.1um", "thickness: 250nm", r"metals\[1\]\.bottom: B begins at"),
        ("thickness: 0.1um", "thickness: .nan", r"metals\[0\]\.thickness: nan is not a quantity"),
        ("thickness: 0.1um", "thickness: true", r"metals\[0\]\.thickness: True is not a quantity"),
        ("thickness: 0.1um", "thickness: {value: 1um, source: you}", r"metals\[0\]\.thickness: source 'you'"),
        ("thickness: 0.1um, ", "", r"metals\[0\]\.thickness: this key is missing"),
        ("status: user\n", "status: sure\n", r"mine.yaml: status: should be 'published'"),
        ("name: A,", 'name: "A\\n.control",', r"metals\[0\]\.name: "),
        ("name: B,", "name: A,", "layer name 'A' is used twice"),
        ("below: A", "below: Q", r"vias\[0\]\.below: there is no metal 'Q'"),
        ("bottom: 250nm", "bottom: 260nm", r"dielectrics\[1\]\.bottom: lowk must begin where oxide ends"),
        ("top: 1um", "top: 350nm", "must reach from 0 to above the top metal"),
        ("k: 3.9", "k: 390%", r"dielectrics\[0\]\.k: '390%' must be a plain number"),
        ("k: 3.9", "k: 0.5", r"dielectrics\[0\]\.k: a relative permittivity is at least 1"),
        ("title: two metals", "title: a\ntitle: b", "line 4: bad YAML: key 'title' twice"),
        ("title: two metals", "title: [", "bad YAML"),
    ],
)
def test_a_bad_file_is_refused_in_one_sentence(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in MINIMAL
    path = write(tmp_path, MINIMAL.replace(old, new, 1))
    with pytest.raises(InputError, match=message) as caught:
        load_stack(path)
    assert "mine.yaml" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_unknown_names_are_refused_with_the_choice() -> None:
    with pytest.raises(
        InputError, match=r"there is no built-in stack 'open54'; did you mean 'open45'\? \(or give the path"
    ):
        load_stack("open54")
    with pytest.raises(InputError, match="cannot be read \\(No such file"):
        load_stack("nowhere/x.yaml")
    stack = load_stack("generic28")
    with pytest.raises(InputError, match="has no metal 'M99'; did you mean 'M9'"):
        stack.metal("M99")
    with pytest.raises(InputError, match="no via from 'M2' up to 'M4'"):
        stack.via_between("M2", "M4")
    with pytest.raises(InputError, match="top metal"):
        stack.plane_ceiling("M11")


def test_all_faults_of_a_file_at_once(tmp_path: Path) -> None:
    """A misspelt key, a wrong unit, an unknown source, a cut to nowhere, a film that does not reach."""
    text = MINIMAL.replace("min_width: 5e-8", "min_wdith: 5e-8").replace("0.2, tcr: 0}", "0.2V, tcr: 0}")
    text = text.replace("{name: oxide, source: me", "{name: oxide, source: you").replace("above: B", "above: C")
    text = text.replace("top: 1um", "top: 350nm")
    stack, faults = find_stack(write(tmp_path, text))
    assert stack is None
    places = [str(f.where).partition("mine.yaml: ")[2] for f in faults]
    assert places == [
        "metals[0].min_wdith", "metals[0].min_width", "metals[1].sheet_resistance",
        *(f"dielectrics[0].{key}" for key in ("bottom", "top", "k")), "vias[0].above",
    ]  # fmt: skip
    with pytest.raises(InputError, match="min_wdith"):
        load_stack(tmp_path / "mine.yaml")
    low = MINIMAL.replace("top: 1um", "top: 350nm")
    assert [f.what for f in find_stack(write(tmp_path, low))[1]] == [
        "the dielectrics must reach from 0 to above the top metal"
    ]
    whole, none = find_stack(write(tmp_path, MINIMAL))
    assert whole == load_stack(tmp_path / "mine.yaml")
    assert none == ()


def test_gf180_carries_the_published_figures() -> None:
    stack = load_stack("gf180")
    # open_pdks, gf180mcuD: Metal2 from 2.38 um, 0.55 um thick, 0.09 ohm/sq; 0.6 um of oxide to Metal3; cuts 4.5 ohm.
    metal2, via2 = stack.metal("Metal2"), stack.via("Via2")
    assert (metal2.bottom, metal2.thickness, metal2.sheet_resistance) == pytest.approx((2.38e-6, 0.55e-6, 0.09))
    assert (via2.height, via2.resistance) == pytest.approx((0.6e-6, 4.5))
    assert metal2.provenance["thickness"].status == "published"
