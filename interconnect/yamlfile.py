"""Strict YAML: no key twice, no aliases, no tags, no surprising numbers; what is refused is reported with its line."""

import re
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from interconnect.errors import InputError
from interconnect.files import decode, read_bytes

MAX_BYTES = 1_000_000
"""A technology or configuration file larger than this is not one."""

_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)")


class _StrictLoader(yaml.SafeLoader):
    """Safe loader that refuses what plain YAML takes silently for something else."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        mark: Any = event.start_mark
        if isinstance(event, yaml.events.AliasEvent):
            # Nested aliases expand exponentially ("billion laughs"); no file of metalrom needs them.
            raise yaml.composer.ComposerError(None, None, "aliases are not accepted", mark)
        if getattr(event, "tag", None) is not None:
            raise yaml.composer.ComposerError(None, None, "tags (!) are not accepted", mark)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """A mapping of text keys, each once: YAML alone keeps the last of equal ones and reads `on` as true."""
        seen: set[str] = set()
        for key, _ in node.value:
            if key.tag != "tag:yaml.org,2002:str":
                shown = repr(key.value) if isinstance(key, yaml.ScalarNode) else "a list or mapping"
                raise yaml.constructor.ConstructorError(None, None, f"key {shown} is not text", key.start_mark)
            if key.value in seen:
                raise yaml.constructor.ConstructorError(None, None, f"key {key.value!r} twice", key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep=deep)

    def construct_yaml_int(self, node: yaml.ScalarNode) -> int:
        """A decimal integer: YAML 1.1 alone reads `0100` as 64 and `1:30` as 90."""
        if not _INTEGER.fullmatch(node.value):
            problem = f"{node.value!r} is not a decimal number (text needs quotes)"
            raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark)
        return int(node.value)


_StrictLoader.add_constructor("tag:yaml.org,2002:int", _StrictLoader.construct_yaml_int)


def read_yaml(path: Path) -> tuple[dict[str, Any], bytes]:
    """Return the mapping in the YAML file `path` and the file's bytes.

    Raises:
        InputError: unreadable or too large a file, not UTF-8, bad syntax (with line), a key twice or that is not text,
            an alias, a tag, or no mapping at the top.
    """
    raw = read_bytes(path, limit=MAX_BYTES)
    text = decode(raw, where=str(path))
    try:
        data = yaml.load(text, Loader=_StrictLoader)  # noqa: S506 (a SafeLoader subclass)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}, line {mark.line + 1}" if mark else str(path)
        problem = getattr(error, "problem", None) or getattr(error, "reason", None) or "syntax error"
        raise InputError(f"bad YAML: {problem}", where=where) from None
    except (RecursionError, ValueError) as error:
        problem = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise InputError(f"bad YAML: {problem}", where=str(path)) from None
    if not isinstance(data, dict):
        raise InputError("must hold a mapping of keys at its top level", where=str(path))
    return data, raw
