"""Reference pages made from the code while the site is built, and a place in the menu for pages nobody listed.

mkdocs calls `on_config` and `on_files` (see `hooks` in mkdocs.yml); `pages()` alone gives the text of every page.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_origin

ROOT = Path(__file__).resolve().parent.parent

MADE = "This page is made from the code when the documentation is built."


def pages() -> dict[str, str]:
    """Path below docs/ -> Markdown of every generated page."""
    if str(ROOT) not in sys.path:  # the site describes this working copy, not an installed one
        sys.path.insert(0, str(ROOT))
    return {
        "reference/config.md": config_page(),
        "reference/cli.md": cli_page(),
        "reference/lists.md": lists_page(),
        "reference/licences.md": licences_page(),
    }


# ---------------------------------------------------------------------------------------------------- configuration


def config_keys(model: type | None = None, prefix: str = "") -> Iterator[tuple[str, Any, type]]:
    """(dotted key, pydantic field, class that holds it) of every key; `[]` marks an entry of a list."""
    from pydantic import BaseModel
    from pydantic.fields import FieldInfo

    from metalrom.config.parameters import ParameterSection
    from metalrom.config.schema import Config

    owner: Any = model or Config
    if issubclass(owner, ParameterSection):
        for name, p in owner.declared().items():
            yield prefix + name, FieldInfo(default=p.default, description=f"{p.description} ({p.unit or '1'})"), owner
    for name, field in owner.model_fields.items():
        yield prefix + name, field, owner
        inner, listed = _section_of(field.annotation)
        if inner is not None and issubclass(inner, BaseModel):
            yield from config_keys(inner, f"{prefix}{name}{'[]' if listed else ''}.")


def _section_of(annotation: Any, listed: bool = False) -> tuple[type | None, bool]:
    """The section class inside an annotation, and whether it stands in a list."""
    from pydantic import BaseModel

    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation, listed
    for part in get_args(annotation):
        found, many = _section_of(part, listed or get_origin(annotation) in (tuple, list))
        if found is not None:
            return found, many
    return None, False


def config_page() -> str:
    """Every key of the configuration, section by section."""
    from metalrom.config.schema import Config, schema

    definitions = schema()["$defs"]
    lines = [
        "# Configuration",
        "",
        f"{MADE} `metalrom schema` prints the same as a JSON schema; `metalrom init DIR` writes a commented start.",
        "Quantities carry their unit (`100nm`, `0.9V`, `20aF`); unknown keys and wrong units are refused.",
        "",
    ]
    top = [key for key, _, owner in config_keys() if owner is Config]
    groups: dict[str, list[tuple[str, Any, Any]]] = {"": []}
    for key, field, owner in config_keys():
        inner, _ = _section_of(field.annotation)
        if inner is None:
            groups.setdefault(key.rpartition(".")[0].replace("[]", "") if owner is not Config else "", []).append(
                (key, field, owner)
            )
        else:
            groups.setdefault(key.replace("[]", ""), [])
    for section, fields in groups.items():
        lines += [f"## {f'`{section}`' if section else 'At the top'}", ""]
        if section:
            owner = fields[0][2]
            lines += [inspect.cleandoc(owner.__doc__ or ""), ""]
        else:
            lines += ["Sections: " + ", ".join(f"[`{name}`](#{name})" for name in top if name in groups) + ".", ""]
        lines += ["| key | value | default | meaning |", "|---|---|---|---|"]
        for key, field, owner in fields:
            name = key.rpartition(".")[2]
            properties = (schema() if owner is Config else definitions[owner.__name__])["properties"]
            row = (f"`{name}`", _shape(properties[name], definitions), _default(field, properties[name]))
            lines.append(f"| {' | '.join(row)} | {_cell(field.description or '')} |")
        lines.append("")
    return "\n".join(lines)


def _shape(spec: dict[str, Any], definitions: dict[str, Any]) -> str:
    """What a key takes, in words, from its JSON schema."""
    if "enum" in spec:
        return " / ".join(f"`{value}`" for value in spec["enum"])
    if "const" in spec:
        return f"`{spec['const']}`"
    if "examples" in spec:
        return f"{spec['description']}, e.g. `{spec['examples'][0]}`{_limits(spec)}"
    if "anyOf" in spec:
        return " or ".join(_shape(part, definitions) for part in spec["anyOf"] if part.get("type") != "null")
    kind = spec.get("type")
    if isinstance(kind, list):
        return " or ".join(_shape({"type": one}, definitions) for one in kind)
    if kind == "array":
        if "prefixItems" in spec:
            return "list of " + ", ".join(_shape(item, definitions) for item in spec["prefixItems"])
        return f"list of {_shape(spec.get('items', {}), definitions)}"
    words = {"integer": "whole number", "number": "number", "string": "text", "boolean": "`true` or `false`"}
    return words.get(str(kind), "any value") + _limits(spec)


def _limits(spec: dict[str, Any]) -> str:
    signs = (("minimum", ">="), ("exclusiveMinimum", ">"), ("maximum", "<="), ("exclusiveMaximum", "<"))
    found = [f"{sign} {spec[name]:g}" for name, sign in signs if name in spec]
    return f", {' and '.join(found)}" if found else ""


def _default(field: Any, spec: dict[str, Any]) -> str:
    if field.is_required():
        return "**required**"
    value = spec.get("default", field.default)
    if value is None:
        return "none"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, list | tuple):
        text = ", ".join(str(list(v) if isinstance(v, tuple) else v) for v in value)
        return f"`[{text}]`"
    return f"`{_cell(str(value))}`"


def _cell(text: str) -> str:
    """Text inside a table cell: one line, bars escaped."""
    return re.sub(r"\s+", " ", text).replace("|", "\\|").strip()


# ----------------------------------------------------------------------------------------------------- command line


def commands() -> Iterator[tuple[str, Any]]:
    """(`metalrom cache stats`, command object) of every command, in the order of the help."""
    import typer

    from metalrom.cli.main import app

    def walk(name: str, command: Any) -> Iterator[tuple[str, Any]]:
        inner = getattr(command, "commands", None)
        if inner is None:
            yield name, command
            return
        for key, found in inner.items():
            yield from walk(f"{name} {key}", found)

    yield from walk("metalrom", typer.main.get_command(app))


def cli_page() -> str:
    """Every command with its arguments and options."""
    import typer

    from metalrom.cli.main import app

    root = typer.main.get_command(app)
    lines = [
        "# Command line",
        "",
        f"{MADE} Exit codes: 0 done, 1 a check or specification failed, 2 bad input, 3 simulation or engine failure,",
        "130 interrupted. `--json` prints one JSON document on standard output and nothing else there.",
        "",
        "Before the command:",
        "",
        *_options(root),
        "",
    ]
    for name, command in commands():
        arguments = [p for p in command.params if p.param_type_name == "argument"]
        usage = " ".join([name, *(_metavar(p) for p in arguments)])
        lines += [f"## {name.removeprefix('metalrom ')}", "", "```text", usage, "```", ""]
        lines += [inspect.cleandoc(command.help or ""), ""]
        rows = [(f"`{_metavar(p)}`", _cell(getattr(p, "help", "") or ""), "") for p in arguments]
        if rows:
            lines += ["| argument | meaning |", "|---|---|", *(f"| {a} | {b} |" for a, b, _ in rows), ""]
        lines += [*_options(command), ""]
    return "\n".join(lines)


def _metavar(argument: Any) -> str:
    name = (argument.metavar or argument.name.upper()).replace("|", " or ")
    return str(name) + ("..." if argument.nargs == -1 and not str(name).endswith("...") else "")


def _options(command: Any) -> list[str]:
    options = [p for p in command.params if p.param_type_name == "option" and not p.hidden]
    if not options:
        return []
    lines = ["| option | default | meaning |", "|---|---|---|"]
    for option in options:
        names = ", ".join(f"`{name}`" for name in (*option.opts, *option.secondary_opts))
        value = "" if option.is_flag else f" `{(option.metavar or _type(option)).replace('|', ' or ')}`"
        default = "**required**" if option.required else "" if option.default in (None, False) else option.default
        lines.append(f"| {names}{value} | {_cell(str(default))} | {_cell(option.help or '')} |")
    return lines


def _type(option: Any) -> str:
    """NUMBER or TEXT for an option without a metavar; typer keeps the type in another place since it left click."""
    kind = getattr(getattr(option, "type", None), "name", "") or repr(getattr(option, "type_descriptor", ""))
    return "NUMBER" if re.search(r"\b(int|integer|float)", kind) else "TEXT"


# ------------------------------------------------------------------------------------------------ what names stand for


def lists_page() -> str:
    """Everything that a configuration or option may name."""
    from characterization.procedures import PROCEDURES
    from characterization.tables.formats import FORMATS
    from metalrom.exporters import EXPORTERS
    from metalrom.specs.quantities import QUANTITIES
    from metalrom.studies.systems.chip import CHIPS
    from metalrom.studies.systems.description import SYSTEMS
    from netlists.cells import CELLS
    from netlists.parameters import describe_parameters
    from netlists.readout import READOUTS
    from netlists.readout.column_converter import COLUMN_CONVERTERS

    lines = ["# Cells, procedures, formats", "", MADE, "", "## Cell kinds", ""]
    for kind in CELLS:
        cls = CELLS[kind]
        lines += [f"### {kind}", "", f"{cls.title}; mode `{cls.mode}`.", ""]
        lines += ["| parameter | unit | default | meaning |", "|---|---|---|---|"]
        for p in describe_parameters(cls):
            default = "from the stack" if p.default is None else f"{p.default:g}"
            lines.append(f"| `{p.name}` | {p.unit or '1'} | {default} | {_cell(p.description)} |")
        lines.append("")
    lines += ["## Procedures", "", "| name | measures | needs |", "|---|---|---|"]
    for procedure in PROCEDURES.values():
        needs = ", ".join(f"`{name}`" for name in procedure.requires)
        lines.append(f"| `{procedure.name}` | {_cell(procedure.description)} | {needs} |")
    lines += ["", "## Export formats", "", "| name | holds | precision |", "|---|---|---|"]
    for formats in (FORMATS, EXPORTERS):
        for name in formats:
            lines.append(f"| `{name}` | {_cell(formats[name].description)} | {_cell(formats[name].precision)} |")
    lines += ["", "## Quantities of specifications", "", "| name | unit | meaning |", "|---|---|---|"]
    for quantity in QUANTITIES.values():
        units = " or ".join(u or "1" for u in quantity.units)
        lines.append(f"| `{quantity.name}` | {units} | {_cell(quantity.meaning)} |")
    named = {
        "Readouts": READOUTS,
        "Converters of a chain": COLUMN_CONVERTERS,
        "Systems of the literature": SYSTEMS,
        "Chips that a network is placed on": CHIPS,
    }
    for title, registry in named.items():
        lines += ["", f"## {title}", "", "| name | title |", "|---|---|"]
        lines += [f"| `{entry.name}` | {_cell(entry.title)} |" for entry in registry.describe()]
    lines += ["", "## Metal stacks", "", "| name | title | file |", "|---|---|---|"]
    lines += [f"| `{name}` | {_cell(title)} | `{where}` |" for name, title, where in _files("interconnect/stacks")]
    lines += ["", "## Device sets", "", "| name | title | file |", "|---|---|---|"]
    lines += [f"| `{name}` | {_cell(title)} | `{where}` |" for name, title, where in _files("netlists/devices")]
    return "\n".join([*lines, ""])


def _files(folder: str) -> Iterator[tuple[str, str, str]]:
    """(name, title, path) of the YAML files of a folder."""
    import yaml

    for path in sorted((ROOT / folder).glob("*.yaml")):
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
        yield path.stem, str(data.get("title") or data.get("description") or data.get("name")), f"{folder}/{path.name}"


def licences_page() -> str:
    """What `metalrom fetch` brings, its licence, and where that is said."""
    from metalrom.assets.catalogue import ASSETS

    lines = [
        "# Licences of what is fetched",
        "",
        f"{MADE} metalrom itself is Apache-2.0. Nothing below is part of the repository or of the package: `metalrom",
        "fetch NAME` downloads one wheel at your request, checks its SHA-256, keeps only the listed files in your",
        "cache and shows the licence. The licence of the files binds you, not metalrom.",
        "",
        "| name | what | wheel | licence | said in |",
        "|---|---|---|---|---|",
    ]
    for spec in ASSETS.values():
        wheel = f"{spec.package} {spec.version}, {spec.megabytes:g} MB"
        cells = (f"`{spec.name}`", spec.title, wheel, spec.licence.name, spec.licence.source)
        lines.append(f"| {' | '.join(_cell(c) for c in cells)} |")
    for spec in ASSETS.values():
        lines += ["", f"## {spec.name}", "", "| file | bytes | SHA-256 |", "|---|---|---|"]
        lines += [f"| `{file.name}` | {file.size:,} | `{file.sha256[:16]}...` |" for file in spec.files]
    return "\n".join([*lines, ""])


# ------------------------------------------------------------------------------------------------------------ mkdocs


def on_config(config: Any) -> Any:
    """Pages that `nav` does not name go under "More", so that a new page needs no line there."""
    named = set(_named(config["nav"]))
    docs = Path(config["docs_dir"])
    everything = (path.relative_to(docs).as_posix() for path in docs.rglob("*.md"))
    rest = sorted(page for page in everything if page not in named and not page.startswith("examples/"))
    if rest:
        config["nav"].append({"More": rest})
    return config


def _named(nav: Any) -> Iterator[str]:
    if isinstance(nav, str):
        yield nav
    elif isinstance(nav, dict):
        for value in nav.values():
            yield from _named(value)
    else:
        for item in nav:
            yield from _named(item)


def on_files(files: Any, config: Any) -> Any:
    """Add the generated pages."""
    from mkdocs.structure.files import File

    for path, text in pages().items():
        files.append(File.generated(config, path, content=text))
    return files
