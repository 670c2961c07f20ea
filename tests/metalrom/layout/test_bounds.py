"""Layout files of a few bytes that stand for more shapes than any memory holds."""

from __future__ import annotations

import resource
from pathlib import Path

import gdstk
import pytest

from interconnect.errors import InputError
from metalrom.layout.read import MAX_CORNERS, open_layout

GRID = 1e-9


def nested(path: Path, levels: int, copies: int) -> Path:
    """One square, repeated `copies` x `copies` times by each of `levels` cells in cells."""
    library = gdstk.Library(unit=1e-6, precision=GRID)
    inner = library.new_cell("level_0").add(gdstk.rectangle((0, 0), (1, 1)))
    for level in range(levels):
        outer = library.new_cell(f"level_{level + 1}")
        outer.add(gdstk.Reference(inner, columns=copies, rows=copies, spacing=(2, 2)))
        inner = outer
    (library.write_gds if path.suffix == ".gds" else library.write_oas)(path)
    return path


@pytest.mark.parametrize("suffix", [".gds", ".oas"])
def test_cells_in_cells_are_counted_before_they_are_expanded(suffix: str, tmp_path: Path) -> None:
    path = nested(tmp_path / f"x{suffix}", 8, 100)  # 10^32 squares in about a kilobyte
    assert path.stat().st_size < 1500
    with pytest.raises(InputError, match="more than 16777216 rectangles"):
        open_layout(path, foreign=True).flatten(GRID)


@pytest.mark.parametrize("suffix", [".gds", ".oas"])
def test_a_repetition_without_measure_is_refused_within_little_memory(suffix: str, tmp_path: Path) -> None:
    path = nested(tmp_path / f"x{suffix}", 1, 30_000)  # 9 10^8 positions, 14 GB once listed
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    with pytest.raises(InputError, match="beyond measure"):
        open_layout(path, foreign=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    assert after <= max(before, 2**20), "the other process takes a gibibyte at most (kB)"


def test_a_file_of_usual_size_is_read(tmp_path: Path) -> None:
    shapes = open_layout(nested(tmp_path / "x.oas", 2, 10), foreign=True).flatten(GRID)
    assert len(shapes.rects[0, 0]) == 10**4


def test_polygons_of_very_many_corners_and_endless_cells_are_refused(tmp_path: Path) -> None:
    comb = [(x // 2, 0.5 * ((x + 1) // 2 % 2)) for x in range(MAX_CORNERS)]
    library = gdstk.Library(unit=1e-6, precision=GRID)
    library.new_cell("x").add(gdstk.Polygon([*comb, (MAX_CORNERS, -1), (0, -1)]))
    library.write_oas(tmp_path / "x.oas")
    with pytest.raises(InputError, match="corners; cut it"):
        open_layout(tmp_path / "x.oas", foreign=True).flatten(GRID)
    with pytest.raises(InputError, match="nests its cells too deeply"):
        open_layout(nested(tmp_path / "y.oas", 1500, 1)).flatten(GRID)


def test_a_reference_to_no_cell_names_it(tmp_path: Path) -> None:
    path = nested(tmp_path / "x.gds", 1, 2)
    head, mark, tail = path.read_bytes().partition(b"\x12\x06level_0")  # SNAME: the name in a reference
    assert mark
    path.write_bytes(head + b"\x12\x06level_9" + tail)
    with pytest.raises(InputError, match="refers to cell level_9, which is not in the file"):
        open_layout(path, foreign=True)


@pytest.mark.parametrize("record", [0x45, 0x1F])
def test_a_cell_that_the_reader_would_free_twice_is_refused(record: int, tmp_path: Path) -> None:
    """Where no BGNSTR begins a cell gdstk 1.0.2 lists the one before it again; when both go, the memory is corrupt."""
    path = nested(tmp_path / "x.gds", 1, 2)
    data = bytearray(path.read_bytes())
    at = data.rindex(b"\x05\x02")  # BGNSTR of the second cell; 1F, a list of reference libraries, is passed over
    data[at] = record
    path.write_bytes(data)
    with pytest.raises(InputError, match=r"x\.gds: "):
        open_layout(path, foreign=True)
