"""Lists of layers: what they count, what waits for what, and one sentence for a damaged one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from interconnect.errors import InputError
from metalrom.workloads.inventory.read import read_inventory

TABLE = """\
name,rows,columns,uses,parallel,depends_on
query,128,128,5,qkv,
key,128,64,5,qkv,
value,128,64,5,qkv,
out,128,128,5,,
skip,128,32,,,query
last,32,10,1,,out;skip
"""

LIST = """\
name: toy
layers:
  - {name: query, rows: 128, columns: 128, uses: 5, parallel: qkv}
  - {name: key, rows: 128, columns: 64, uses: 5, parallel: qkv}
  - {name: value, rows: 128, columns: 64, uses: 5, parallel: qkv}
  - {name: out, rows: 128, columns: 128, uses: 5}
  - {name: skip, rows: 128, columns: 32, depends_on: query}
  - {name: last, rows: 32, columns: 10, depends_on: [out, skip]}
"""


def written(folder: Path, text: str, name: str = "layers.csv") -> str:
    (folder / name).write_text(text)
    return str(folder / name)


@pytest.mark.parametrize(("text", "name"), [(TABLE, "layers.csv"), (LIST, "layers.yaml")])
def test_counts_and_order(tmp_path: Path, text: str, name: str) -> None:
    found = read_inventory(written(tmp_path, text, name))
    assert found.weights == 128 * 128 * 2 + 128 * 64 * 2 + 128 * 32 + 32 * 10
    assert found.macs == 5 * (128 * 128 * 2 + 128 * 64 * 2) + 128 * 32 + 32 * 10
    assert found.attention_macs is None
    steps = found.schedule
    waits = {step.layer: {steps[place].layer for place in step.after} for step in steps}
    assert waits == {
        "query": set(),
        "key": set(),
        "value": set(),
        "out": {"query", "key", "value"},
        "skip": {"query"},
        "last": {"out", "skip"},
    }


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "columns of an empty file"),
        ("name,rows\na,1\n", "columns name, rows"),
        ("name,rows,columns,color\na,1,1,red\n", "color"),
        ("name,rows,columns\n", "layers"),
        ("name,rows,columns\na,1\n", "layer 1 has 2 fields, expected 3"),
        ("name,rows,columns\na,x,1\n", r"layers\.0: rows: is 'x', expected a whole number from 1"),
        ("name,rows,columns\na,-3,1\n", "is '-3'"),
        ("name,rows,columns\na,0,1\n", "is 0, expected a whole number from 1 to 1000000000"),
        ("name,rows,columns\na,9999999999,1\n", "is 9999999999, expected"),
        ("name,rows,columns\na,1,1\na,1,1\n", "'a' twice"),
        ("name,rows,columns\n,1,1\n", "name: this key is missing"),
        ("name,rows,columns,depends_on\na,1,1,b\n", "layer a waits for 'b', which is no layer"),
        ("name,rows,columns,depends_on\na,1,1,b\nb,1,1,a\n", "waits for its own result"),
        ("name,rows,columns,parallel,depends_on\na,1,1,p,a\n", "both parallel and depends_on"),
    ],
)
def test_a_damaged_table_is_refused_in_one_sentence(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        read_inventory(written(tmp_path, text))
    assert "layers.csv" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["layers: []", "layers: 3", "layers: [{name: a, rows: 1.5, columns: 1}]", "[1]"])
def test_a_damaged_list_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(InputError, match=r"layers\.yaml"):
        read_inventory(written(tmp_path, text, "layers.yaml"))


def test_size_and_kind_of_the_file_are_bounded(tmp_path: Path) -> None:
    row = "a" * 190 + ",1,1\n"
    with pytest.raises(InputError, match="larger than 4000000 bytes"):
        read_inventory(written(tmp_path, "name,rows,columns\n" + row * 21_000))
    many = "".join(f"a{n},1,1\n" for n in range(20_001))
    with pytest.raises(InputError, match="1 to 20000 layers"):
        read_inventory(written(tmp_path, "name,rows,columns\n" + many))
    os.mkfifo(tmp_path / "pipe.csv")
    with pytest.raises(InputError, match="pipe"):
        read_inventory(str(tmp_path / "pipe.csv"))


def test_it_takes_no_input_size(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="accepts no sequence length"):
        read_inventory(written(tmp_path, TABLE), sequence=5)
