"""Strict YAML: what plain YAML takes silently for something else is refused, with its line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from interconnect import yamlfile
from interconnect.errors import InputError
from interconnect.yamlfile import MAX_BYTES, read_yaml

BOMB = "a: &a [1]\n" + "".join(
    f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)
"""Lists of nine aliases of lists of nine aliases ...: 9^8 entries."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "file.yaml"


def test_a_plain_file_with_its_bytes(path: Path) -> None:
    raw = "a: 1\nb: [1e-4, -3, 0, 'x', µm]  # 1e-4 has no point: text in YAML 1.1\nc: {d: true, e: 2.5, f:}\n".encode()
    path.write_bytes(raw)
    assert read_yaml(path) == (
        {"a": 1, "b": ["1e-4", -3, 0, "x", "µm"], "c": {"d": True, "e": 2.5, "f": None}},
        raw,
    )
    path.write_bytes(b"\xef\xbb\xbfa: 1\r\n")  # as an editor on Windows writes it
    assert read_yaml(path)[0] == {"a": 1}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: {c: 1, c: 2}\n", r"file\.yaml, line 2: bad YAML: key 'c' twice"),
        ("a: 1\n'a': 2\n", r"line 2: bad YAML: key 'a' twice"),
        ("a: &x 1\nb: *x\n", r"line 2: bad YAML: aliases are not accepted"),
        (BOMB, "aliases are not accepted"),
        ("a: 1\n? [b, c]\n: 2\n", r"line 2: bad YAML: key a list or mapping is not text"),
        ("1: a\n", r"line 1: bad YAML: key '1' is not text"),
        ("on: a\n", r"line 1: bad YAML: key 'on' is not text"),  # true in YAML 1.1
        ("~: a\n", r"key '~' is not text"),
        ("a: {<<: {b: 1}}\n", r"key '<<' is not text"),
        ("a: 0100\n", r"line 1: bad YAML: '0100' is not a decimal number \(text needs quotes\)"),  # 64 in YAML 1.1
        ("a: 1:30\n", "'1:30' is not a decimal number"),  # 90 in YAML 1.1
        ("a: 0x10\n", "'0x10' is not a decimal number"),
        ("a: 1_000\n", "'1_000' is not a decimal number"),
        ("a: 0b11\n", "'0b11' is not a decimal number"),
        (f"a: {'9' * 5000}\n", "bad YAML: "),  # longer than Python converts
        ("a: 2020-13-45\n", "bad YAML: month must be in 1..12"),
        ("a: !!bool x\n", r"tags \(!\) are not accepted"),
        ("a: !!timestamp x\n", "tags"),
        ("a: !!python/object/apply:os.system [ls]\n", "tags"),
        ("a: !x {}\n", "tags"),
        ("a: 1\n---\nb: 2\n", "line 2: bad YAML: but found another document"),
        ("a: [1\n", "line 2: bad YAML: "),
        ("\ta: 1\n", "line 1: bad YAML: found character '.*t' that cannot start any token"),
        ("a: \x00\n", "bad YAML: special characters are not allowed"),
        ("[" * 100_000, "bad YAML: nested too deeply"),
        ("{a: " * 5_000, "bad YAML: nested too deeply"),
        ("", "must hold a mapping of keys"),
        ("# only a comment\n", "must hold a mapping of keys"),
        ("- 1\n", "must hold a mapping of keys"),
        ("text", "must hold a mapping of keys"),
    ],
)
def test_refused_in_one_sentence(path: Path, text: str, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path.write_text(text, encoding="utf-8")
    nodes, compose = [], yamlfile._StrictLoader.compose_node

    def counted(loader: Any, parent: Any, index: int) -> Any:
        nodes.append(index)
        return compose(loader, parent, index)

    monkeypatch.setattr(yamlfile._StrictLoader, "compose_node", counted)
    with pytest.raises(InputError, match=message) as caught:
        read_yaml(path)
    assert str(caught.value).startswith(str(path))
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < len(str(path)) + 200
    assert len(nodes) <= len(text) + 1  # a node takes a character at least: nothing grows faster than the file


def test_files_that_are_no_text(path: Path) -> None:
    path.write_bytes(bytes(range(256)))
    with pytest.raises(InputError, match=r"file\.yaml: is not UTF-8 text"):
        read_yaml(path)
    path.write_bytes(b"a: 1\n" + b"#" * MAX_BYTES)
    with pytest.raises(InputError, match=r"file\.yaml: is larger than 1000000 bytes"):
        read_yaml(path)
    with pytest.raises(InputError, match=r"cannot be read \(Is a directory\)"):
        read_yaml(path.parent)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300, deadline=None)
@given(st.text(alphabet=st.sampled_from("ab:-[]{}&*!?|>'\"%@`#,\n\t 01.e~<=\\\u00b5\x85"), max_size=60))
def test_any_text_is_a_mapping_or_refused(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="")
    try:
        data, _ = read_yaml(path)
    except InputError as error:
        message = str(error)
    else:
        assert all(isinstance(key, str) for key in data)
        return
    assert message.isprintable()
