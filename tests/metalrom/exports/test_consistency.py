"""One story: every view and format is asked the same points, and answers within its own declared rounding."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

from interconnect.errors import InputError
from metalrom import exporters as exports
from metalrom.exporters.exporter import relative
from metalrom.exporters.probes import QUANTITIES, points_of, reference, table_values

EXPORTERS, FORMATS = tuple(exports.EXPORTERS), tuple(exports.FORMATS)


@pytest.fixture(scope="module")
def points(source):
    """The common questions."""
    found = points_of(source)
    assert len(found) >= 200
    return found


@pytest.fixture(scope="module")
def answers(source, points, written):
    """(view or format, quantity) -> values at the points."""
    out = {}
    for quantity in QUANTITIES:
        for name in EXPORTERS:
            got = exports.EXPORTERS[name].read_back(written[name], quantity, points)
            if got is not None:
                out[name, quantity] = got
        for name in FORMATS:
            got = table_values(exports.read_table(name, written[name]), quantity, points)
            if got is not None:
                out[name, quantity] = got
    return out


def test_all_agree_within_their_own_rounding(source, points, written, answers):
    worst: dict[tuple[str, str], tuple[float, int]] = {}
    for (name, quantity), got in answers.items():
        assert got.shape == (len(points),)
        held = ~np.isnan(got)
        assert held.any(), f"{name} holds no {quantity}"
        difference = float(relative(got[held], reference(source, quantity, points)[held]).max())
        worst[name, quantity] = difference, int(held.sum())
        allowed = exports.EXPORTERS[name].tolerance.get(quantity, 0.0) if name in EXPORTERS else 0.0
        assert difference <= allowed, f"{name}: {quantity} differs by {difference:.2g}, its rounding allows {allowed:g}"
    for name in EXPORTERS:
        view = exports.EXPORTERS[name]
        for what, difference in view.measure(source, written[name]).items() if view.measure else ():
            worst[name, what] = difference, 0
            assert difference <= view.tolerance.get(what, 0.0), f"{name}: {what} differs by {difference:.2g}"
    assert {name for name, _ in worst} == {*EXPORTERS, *FORMATS}
    print(f"\n{'format':16}{'quantity':20}{'points':>8}{'worst relative difference':>28}")
    for (name, quantity), (difference, held) in sorted(worst.items()):
        print(f"{name:16}{quantity:20}{held:8d}{difference:28.2e}")


def test_views_agree_with_each_other(answers):
    """Pairwise where two hold the same point: within the sum of both roundings."""
    for quantity in QUANTITIES:
        holding = [name for name in (*EXPORTERS, *FORMATS) if (name, quantity) in answers]
        for i, one in enumerate(holding):
            for other in holding[i + 1 :]:
                a, b = answers[one, quantity], answers[other, quantity]
                both = ~np.isnan(a) & ~np.isnan(b)
                allowed = sum(exports.EXPORTERS[n].tolerance.get(quantity, 0.0) for n in (one, other) if n in EXPORTERS)
                assert (relative(a[both], b[both]) <= allowed * 1.01 + 1e-12).all(), (one, other, quantity)


@pytest.mark.parametrize("name", EXPORTERS)
def test_files_say_what_they_are(source, written, name):
    """Version, fingerprint of the table and the assumption appear in a file of every view."""
    texts = [p.read_text() for p in written[name].rglob("*") if p.is_file()]
    for wanted in (source.stamp[0], source.stamp[2], "invented numbers"):
        assert any(wanted in text for text in texts), wanted


@pytest.mark.parametrize("name", EXPORTERS)
def test_a_damaged_file_is_refused_in_one_sentence(source, written, points, name, tmp_path):
    """Every file of a view, cut in half or with one digit changed, is refused by name."""
    view = exports.EXPORTERS[name]
    whole = sorted(p.relative_to(written[name]) for p in written[name].rglob("*") if p.is_file())

    def ask(folder):
        for quantity in QUANTITIES:
            view.read_back(folder, quantity, points)
        if view.measure:
            view.measure(source, folder)

    rng = np.random.default_rng(1)
    for file in whole:
        folder = tmp_path / file.name.replace(".", "_")
        shutil.copytree(written[name], folder)
        content = (folder / file).read_bytes()
        digits = [i for i, c in enumerate(content) if c in b"0123456789"]
        assert digits
        at = int(rng.choice(digits))
        edited = content[:at] + (b"7" if content[at : at + 1] != b"7" else b"3") + content[at + 1 :]
        for damaged in (content[: len(content) // 2], content[:-3], edited):
            (folder / file).write_bytes(damaged)
            with pytest.raises(InputError) as caught:
                ask(folder)
            assert "\n" not in str(caught.value)
            assert str(folder) in str(caught.value)
        (folder / file).write_bytes(content)
        ask(folder)


@pytest.mark.parametrize("name", EXPORTERS)
def test_equal_runs_give_equal_bytes(source, written, name, tmp_path):
    view = exports.EXPORTERS[name]
    view.write(source, tmp_path)
    for path in sorted(p for p in tmp_path.rglob("*") if p.is_file()):
        assert path.read_bytes() == (written[name] / path.relative_to(tmp_path)).read_bytes(), path.name


def test_json_names_the_same_table(source, written):
    document = json.loads((written["json"] / "readout.json").read_text())
    assert document["content_sha256"] in source.stamp[2]


def test_levels_of_both_signs_are_relative_to_the_largest():
    """A level of 1 uV among levels of 0.1 V, rounded by 1 nV: 1e-8 of the largest, not 1e-3 of itself."""
    level = np.array([-0.1, 1e-6, 0.1])
    assert relative(level + 1e-9, level).max() == pytest.approx(1e-8, rel=1e-6)
    assert relative(level[1:] + 1e-9, level[1:]).max() == pytest.approx(1e-3, rel=1e-6)
