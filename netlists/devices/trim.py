"""Trimming a kit's binned BSIM4 models to the sizes in use, so that a deck with them loads in a moment.

Kits such as sky130 hold all bins of a transistor as models inside its subcircuit, each value with a random term for
mismatch. ngspice then copies every bin for every instance. Here the bins that meet the wanted sizes are kept, every
expression becomes its nominal number (the random terms go: mismatch is drawn elsewhere), and the models stand before
the subcircuit, once. The numbers keep the text that they have in the file.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from interconnect.errors import InputError

_SUBCKT = re.compile(
    r"^\.subckt\s+(?P<name>\S+)(?P<head>.*?)^(?P<instance>m\S+[^\n]*\n(?:\+[^\n]*\n)*)", re.I | re.M | re.S
)
_MODEL = re.compile(r"^\.model\s+(?P<name>\S+)\s+(?P<kind>[np]mos)\b(?P<body>.*?)(?=^\.|\Z)", re.I | re.M | re.S)
_PAIR = re.compile(r"(\w+)\s*=\s*(\{[^}]*\}|[^\s{}]+)")
_PARAMETER = re.compile(r"^(?:\.param|\+)\s*([a-z]\w*)\s*=\s*(\S+)", re.I | re.M)
_RANDOM = re.compile(r"[+-]\s*MC_MM_SWITCH\s*\*\s*AGAUSS\([^()]*\)\s*\*\s*\(", re.I)
_TERM = re.compile(r"\s*\+?\s*(-?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?|[a-z]\w*)\s*", re.I)
_PER_LINE = 12


@dataclass(frozen=True, slots=True)
class SizeRange:
    """Wanted gate sizes, m."""

    l_min: float
    l_max: float
    w_min: float
    w_max: float


@dataclass(frozen=True, slots=True)
class Trimmed:
    """A trimmed device or its models alone: the SPICE text, and which bins (model names) were kept and dropped, which
    parameters lost a random term."""

    device: str
    text: str
    kept: tuple[str, ...]
    dropped: tuple[str, ...]
    random_terms: tuple[str, ...]


def read_parameters(*texts: str) -> dict[str, str]:
    """`.param` values of SPICE texts as written, by lower-case name."""
    return {name.lower(): value for text in texts for name, value in _PARAMETER.findall(text)}


def trim(text: str, parameters: Mapping[str, str], sizes: SizeRange, *, where: str) -> Trimmed:
    """The one binned subcircuit of `text` with the bins that meet `sizes` only.

    parameters: of the corner, for expressions. where: the file, for messages. Raises InputError if the text is not of
    the form `.subckt` / M line / binned `.model`s, if an expression is not understood, or if no bin is left.
    """
    head = _SUBCKT.search(text)
    if head is None:
        raise InputError("contains no subcircuit with a single transistor", where=where)
    models = trim_models(text, parameters, sizes, where=where)
    shell = re.sub(r"^\+\s*$\n", "", head["head"], flags=re.M)
    whole = f"{models.text}.subckt {head['name']}{shell}{head['instance']}.ends {head['name']}\n"
    return replace(models, device=head["name"], text=whole)


def trim_models(text: str, parameters: Mapping[str, str], sizes: SizeRange, *, where: str) -> Trimmed:
    """The binned `.model`s of `text` that meet `sizes`, for devices that are called without a subcircuit.

    Arguments as of `trim`. Raises InputError if an expression is not understood, or if no bin is left.
    """
    kept: list[str] = []
    dropped: list[str] = []
    random_terms: dict[str, None] = {}
    out: list[str] = []
    for model in _MODEL.finditer(text):
        body = "".join(line[1:] + "\n" for line in model["body"].splitlines() if line.startswith("+"))
        pairs = [(name.lower(), value) for name, value in _PAIR.findall(_without_random(body, random_terms))]
        limits = {name: float(value) for name, value in pairs if name in ("lmin", "lmax", "wmin", "wmax")}
        if len(limits) != 4:
            raise InputError(f"model {model['name']} is not a bin: lmin, lmax, wmin and wmax are required", where=where)
        if not _meets(limits, sizes):
            dropped.append(model["name"])
            continue
        kept.append(model["name"])
        place = f"{where}: {model['name']}"
        words = [f"{name}={_number(value, parameters, f'{place}.{name}')}" for name, value in pairs]
        out.append(f".model {model['name']} {model['kind']}")
        out += ["+ " + " ".join(words[i : i + _PER_LINE]) for i in range(0, len(words), _PER_LINE)]
    if not kept:
        raise InputError("no bin holds the wanted sizes", where=where)
    return Trimmed("", "\n".join(out) + "\n", tuple(kept), tuple(dropped), tuple(random_terms))


def _meets(bin_: Mapping[str, float], sizes: SizeRange) -> bool:
    """Whether a bin and the wanted sizes share more than an edge."""
    return (
        bin_["lmin"] < sizes.l_max and bin_["lmax"] > sizes.l_min
        and bin_["wmin"] < sizes.w_max and bin_["wmax"] > sizes.w_min
    )  # fmt: skip


def _without_random(body: str, found: dict[str, None]) -> str:
    """The text without its mismatch terms `+MC_MM_SWITCH*AGAUSS(...)*(...)`; notes the parameters that had one."""
    out = []
    rest = 0
    while (match := _RANDOM.search(body, rest)) is not None:
        names = re.findall(r"(\w+)\s*=", body[rest : match.start()])
        if names:
            found[names[-1].lower()] = None
        out.append(body[rest : match.start()])
        depth, rest = 1, match.end()
        while depth and rest < len(body):
            depth += {"(": 1, ")": -1}.get(body[rest], 0)
            rest += 1
    return "".join([*out, body[rest:]])


def _number(value: str, parameters: Mapping[str, str], where: str) -> str:
    """A value as a plain number; an expression may be a parameter, or in braces a sum of numbers and parameters."""
    if not value.startswith("{"):
        return _plain(parameters.get(value.lower(), value), where)
    inner = value[1:-1]
    terms: list[str] = []
    rest = 0
    while rest < len(inner):
        match = _TERM.match(inner, rest)
        if match is None or match.end() == rest:
            raise InputError(f"the expression {value[:60]!r} is not a sum of numbers and parameters", where=where)
        term, rest = match[1], match.end()
        if term[0].isalpha():
            if term.lower() not in parameters:
                raise InputError(f"the parameter {term!r} is not defined", where=where)
            term = parameters[term.lower()]
        terms.append(_plain(term, where))
    some = [term for term in terms if float(term) != 0.0]
    return (some or ["0.0"])[0] if len(some) <= 1 else repr(sum(map(float, some)))


def _plain(text: str, where: str) -> str:
    try:
        float(text)
    except ValueError:
        raise InputError(f"{text[:40]!r} is not a plain number", where=where) from None
    return text
