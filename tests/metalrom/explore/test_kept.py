"""Results kept as they come: nothing partial, damaged or of something else is believed."""

from __future__ import annotations

from pathlib import Path

import pytest

from interconnect.errors import DamagedFile, InputError
from metalrom.studies.density.kept import KeptResults
from metalrom.studies.density.run import rated
from metalrom.studies.density.space import settings_key


def fill(path: Path, number: int, of: str = "a") -> None:
    with KeptResults(path, of) as kept:
        for i in range(number):
            kept.put(f"k{i}", {"value": i + 0.1})


def test_values_come_back_to_the_last_digit(tmp_path: Path) -> None:
    fill(tmp_path / "f", 3)
    with KeptResults(tmp_path / "f", "a") as kept:
        assert list(kept) == ["k0", "k1", "k2"]
        assert kept.get("k2") == {"value": 2.1}
        assert kept.get("k3") is None


@pytest.mark.parametrize("cut", [1, 10, 30])
def test_a_line_that_is_cut_off_is_made_again(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "f"
    fill(path, 3)
    path.write_bytes(path.read_bytes()[:-cut])
    with KeptResults(path, "a") as kept:
        assert list(kept) == ["k0", "k1"]
        kept.put("k2", {"value": 5})
    with KeptResults(path, "a") as kept:
        assert kept.get("k2") == {"value": 5}


def test_a_changed_line_ends_what_is_believed(tmp_path: Path) -> None:
    path = tmp_path / "f"
    fill(path, 3)
    path.write_bytes(path.read_bytes().replace(b"1.1", b"1.2"))
    with KeptResults(path, "a") as kept:
        assert list(kept) == ["k0"]


def test_results_of_something_else_are_begun_anew(tmp_path: Path) -> None:
    fill(tmp_path / "f", 3)
    with KeptResults(tmp_path / "f", "b") as kept:
        assert len(kept) == 0


def test_a_foreign_file_and_a_second_writer_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_text("mine\n")
    with pytest.raises(InputError, match="holds no kept results"), KeptResults(path, "a"):
        pass
    assert path.read_text() == "mine\n"
    path.unlink()
    with KeptResults(path, "a"), pytest.raises(InputError, match="another program"), KeptResults(path, "a"):
        pass


@pytest.mark.parametrize("value", [{}, [], 3, "x", {"settings": {}}, {"settings": []}, {"refused_": 1}])
def test_a_whole_line_of_another_form_is_refused_by_name(tmp_path: Path, value: object) -> None:
    with KeptResults(tmp_path / "f", "a") as kept:
        kept.put(settings_key((("array.group_rows", 4),)), value)
        with pytest.raises(DamagedFile, match="f: holds a result that is damaged or of another version"):
            rated(None, (("array.group_rows", 4),), None, kept)  # type: ignore[arg-type]
