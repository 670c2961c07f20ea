"""Many layers on many macros: every cell has one place, and what was written comes back."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interconnect.errors import InputError
from netlists.audit import audit_netlist
from netlists.cells.base import CellModel
from netlists.mapping import MacroShape, ViaProgram, tile, via_program, weights_of
from netlists.technology import Technology
from netlists.tiling import Tiling, tile_layers
from netlists.writer import write_netlist


def random_programs(sizes: list[tuple[int, int]], seed: int = 1) -> dict[str, ViaProgram]:
    rng = np.random.default_rng(seed)
    return {f"layer{i}": via_program(rng.integers(-3, 4, size), 3) for i, size in enumerate(sizes)}


@settings(deadline=None, max_examples=60)
@given(
    sizes=st.lists(st.tuples(st.integers(1, 23), st.integers(1, 9)), min_size=1, max_size=6),
    shape=st.tuples(st.integers(1, 9), st.integers(1, 11), st.integers(1, 3)),
    step=st.integers(1, 4),
)
def test_every_cell_has_one_place(sizes: list[tuple[int, int]], shape: tuple[int, int, int], step: int) -> None:
    macro = MacroShape(rows=shape[0], columns=shape[1], planes=shape[2])
    programs = random_programs(sizes)
    tiling = tile_layers(programs, macro, row_step=min(step, shape[0]))
    seen = set()
    for name, program in programs.items():
        for row in range(program.rows):
            for column in (0, program.bit_columns // 2, program.bit_columns - 1):
                place = tiling.locate(name, row, column)
                assert tiling.stored_at(*place) == (name, row, column)
                assert place[2] < shape[0]
                assert place[3] < shape[1]
                seen.add((name, row, column, place))
    assert len({p for *_, p in seen}) == len({(n, r, c) for n, r, c, _ in seen})
    cells = sum(p.bits.size for p in programs.values())
    assert tiling.utilisation == pytest.approx(cells / (tiling.macros * macro.cells))
    assert all(p.row % tiling.row_step == 0 for p in tiling.pieces)
    # Through JSON and back, and through the macros' own programs and back.
    assert Tiling.from_json(json.loads(json.dumps(tiling.to_json()))) == tiling
    stored = [tiling.macro_program(programs, m).bits for m in range(tiling.macros)]
    for name, symbols in tiling.gather(stored).items():
        np.testing.assert_array_equal(symbols, programs[name].bits)


def test_layers_share_macros_and_shelves() -> None:
    # 2 + 2 rows of 6 columns share one plane of 4 x 12 in two shelves; 4 rows of 12 columns fill the other plane.
    programs = {
        "wide": ViaProgram(np.zeros((4, 12), np.uint8), *(np.zeros(12, np.int64),) * 3),
        "a": ViaProgram(np.ones((2, 6), np.uint8), *(np.zeros(6, np.int64),) * 3),
        "b": ViaProgram(np.ones((2, 6), np.uint8), *(np.zeros(6, np.int64),) * 3),
        "c": ViaProgram(np.ones((2, 12), np.uint8), *(np.zeros(12, np.int64),) * 3),
    }
    tiling = tile_layers(programs, MacroShape(rows=4, columns=12, planes=2), row_step=2, macros=1)
    assert tiling.utilisation == 1.0
    assert tiling.locate("a", 0, 0) == (0, 1, 0, 0)
    assert tiling.locate("b", 1, 5) == (0, 1, 1, 11)
    assert tiling.locate("c", 1, 11) == (0, 1, 3, 11)


def test_a_transformer_block_on_macros() -> None:
    # The linears of one MiniLM block at 8 bits, differential: 14 bit columns per output.
    sizes = {"q": (384, 384), "k": (384, 384), "v": (384, 384), "o": (384, 384), "up": (384, 1536), "down": (1536, 384)}
    programs = {
        n: ViaProgram(np.zeros((r, 14 * c), np.uint8), *(np.zeros(14 * c, np.int64),) * 3)
        for n, (r, c) in sizes.items()
    }
    tiling = tile_layers(programs, MacroShape(rows=384, columns=256, planes=4), row_step=32)
    # 4 x 21 + 84 + 4 x 21 = 252 planes' widths of 256 columns, all 384 rows high: 63 macros, none wasted.
    assert (tiling.macros, tiling.utilisation) == (63, 1.0)
    assert len(tiling.pieces) == 252


def test_written_macros_give_the_layers_back(cap_model: CellModel, tmp_path: Path, technology: Technology) -> None:
    rng = np.random.default_rng(4)
    weights = {
        "up": rng.integers(-3, 4, (7, 3)),
        "down": rng.integers(-3, 4, (3, 5)),
        "head": rng.integers(-3, 4, (5, 2)),
    }
    programs = {n: via_program(w, 3) for n, w in weights.items()}
    shape = MacroShape(rows=6, columns=8, planes=2)
    tiling = tile_layers(programs, shape, row_step=2)
    stored = []
    for m in range(tiling.macros):
        program = tiling.macro_program(programs, m)
        manifest = tile(program, shape)
        assert manifest.tiles == 1
        path = tmp_path / f"macro_{m}.cir"
        write_netlist(path, "macro", program, manifest, cap_model, technology, group_rows=2)
        report = audit_netlist(path, program, manifest, cap_model, group_rows=2)
        assert report.ok
        stored.append(report.weights.astype(np.uint8))  # the counts of every cell: 0 and 1
    for name, symbols in tiling.gather(stored).items():
        np.testing.assert_array_equal(weights_of(programs[name], symbols), weights[name])


def test_what_does_not_fit_is_refused() -> None:
    programs = random_programs([(8, 4), (3, 2)])
    shape = MacroShape(rows=4, columns=8)
    with pytest.raises(InputError, match=r"152 cells of 2 layers need 5 macros of 4 x 8 x 1, 3 are allowed"):
        tile_layers(programs, shape, macros=3)
    with pytest.raises(InputError, match="no layers"):
        tile_layers({}, shape)
    with pytest.raises(InputError, match="layer e is empty"):
        tile_layers({"e": via_program(np.zeros((0, 3), int), 3)}, shape)
    other = via_program(np.array([[1]]), 3, symbol_values=(0, 1, 2, 3))
    with pytest.raises(InputError, match="cells of different counts"):
        tile_layers({**programs, "x": other}, shape)
    with pytest.raises(InputError, match="row_step"):
        tile_layers(programs, shape, row_step=5)
    tiling = tile_layers(programs, shape)
    with pytest.raises(InputError, match="did you mean 'layer"):
        tiling.locate("layer", 0, 0)
    with pytest.raises(InputError, match="outside layer layer1 of 3 x 8"):
        tiling.locate("layer1", 3, 0)
    with pytest.raises(InputError, match="there is no cell"):
        tiling.stored_at(0, 1, 0, 0)
    with pytest.raises(InputError, match="differs from the one that was tiled"):
        tiling.macro_program({"layer0": programs["layer0"]}, 0)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda d: d.update(format="x"), "not a tiling"),
        (lambda d: d["pieces"].pop(), "do not make up its program"),
        (lambda d: d["pieces"].append(d["pieces"][0]), "overlap"),
        (lambda d: d["pieces"][0].update(at=[0, 7]), "leaves its macro"),
        (lambda d: d["pieces"][0].update(plane=-1), "leaves its macro"),
        (lambda d: d["pieces"][0].update(layer="z"), "unknown layer"),
        (lambda d: d["pieces"][0].update(at=[0]), "damaged tiling"),
        (lambda d: d.pop("layers"), "damaged tiling"),
        (lambda d: d["macro"].update(rows=0), r"macro\.rows"),
    ],
)
def test_a_damaged_manifest_is_refused(change, why: str) -> None:  # type: ignore[no-untyped-def]
    document = tile_layers(random_programs([(8, 4), (3, 2)]), MacroShape(rows=4, columns=8)).to_json()
    change(document)
    with pytest.raises(InputError, match=why):
        Tiling.from_json(document)
