"""Numbers as ngspice 39 reads them: scale suffixes, `.param` arithmetic, and suffixes that mean something else than
they seem to."""

import ast
import math
import operator
import re
from collections.abc import Callable, Mapping

_SCALE = {
    "t": 1e12,
    "g": 1e9,
    "meg": 1e6,
    "k": 1e3,
    "mil": 25.4e-6,
    "m": 1e-3,
    "u": 1e-6,
    "n": 1e-9,
    "p": 1e-12,
    "f": 1e-15,
}
_NUMBER = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)(t|g|meg|k|mil|m|u|n|p|f)?[a-z]*$", re.IGNORECASE)
_PLAIN = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)([A-Za-z]*)$")
_LITERAL = re.compile(r"(?<![\w.])((?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)([a-z]*)", re.IGNORECASE)

ATTO_VERSION = 42
"""First version of ngspice with the scale factor a (1e-18)."""

_UNIT = r"(?:v|volts?|amps?|hz|s|sec|h|henry|ohms?|w|deg|°)"
_GOOD_TAIL = re.compile(
    rf"(?:[tTgGkKuUnNpPm]|f|[mM][eE][gG]|[mM][iI][lL])?(?i:{_UNIT})?$"  # scale, unit
    r"|(?:[tTgGkKuUnNpPm]|f|[mM][eE][gG])(?i:a|f|farad|m)$"  # units that are a scale when alone: pF, uA, nm
)

_SI = dict(zip("TGMKkmunpfa", (1e12, 1e9, 1e6, 1e3, 1e3, 1e-3, 1e-6, 1e-9, 1e-12, 1e-15, 1e-18), strict=True))
_SI_UNIT = re.compile(r"(?:[VvAFHhWsS]|Hz|hz|[Oo]hms?|Farad|farad)?$")
_RKM = re.compile(r"([+-]?\d+)(meg|[TGMKkmunpfR])(\d+)$")

_BINARY: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: math.pow,
}
_COMPARED: dict[type[ast.cmpop], Callable[[float, float], bool]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
_FUNCTIONS: dict[str, Callable[..., float]] = {
    "sqrt": math.sqrt,
    "exp": math.exp,
    "ln": math.log,
    "log": math.log,
    "log10": math.log10,
    "abs": abs,
    "min": min,
    "max": max,
    "pow": math.pow,
    "int": math.trunc,
    "floor": math.floor,
    "ceil": math.ceil,
}


def parse_number(token: str) -> float | None:
    """The value that ngspice gives to one number token (`10n` -> 1e-8, `1meg` -> 1e6), None if it is no number.

    Letters after the scale factor are ignored, as ngspice does: `10pF` is 1e-11 and, for the same reason, `1F` is
    1e-15.
    """
    match = _NUMBER.match(token)
    if match is None:
        return None
    suffix = match.group(2)
    return float(match.group(1)) * (_SCALE[suffix.lower()] if suffix else 1.0)


def intended_number(token: str) -> float | None:
    """The value that the author of a number token means, None if that is not plain.

    As `parse_number` where the suffix is harmless. Otherwise in the notation of the trade: `1M` is 1e6, `1F` one farad,
    `50a` 5e-17, `4k7` 4700.
    """
    match = _RKM.match(token)
    if match:
        scale = 1.0 if match[2] == "R" else _SI.get(match[2], 1e6)
        return float(f"{match[1]}.{match[3]}") * scale
    match = _PLAIN.match(token)
    if match is None:
        return None
    tail = match[2]
    if not tail or _GOOD_TAIL.match(tail):
        return parse_number(token)
    if _SI_UNIT.match(tail):
        return float(match[1])
    return float(match[1]) * _SI[tail[0]] if tail[0] in _SI and _SI_UNIT.match(tail[1:]) else None


def bad_suffix(tail: str, version: float = 39) -> str | None:
    """Why the letters after a number are a trap (one clause), None when they are harmless.

    Rules: scale factors T G meg k mil m u n p f (upper or lower case, but `M` and `F` only in lower case) and then an
    optional unit are fine. `M` alone or before a unit is read as milli; `F` alone as femto; `a` is no scale factor
    before ngspice 42 and is dropped, from then on `a` is and `A` is as well; any other letters are dropped as well.
    """
    if _GOOD_TAIL.match(tail):
        return None
    if version >= ATTO_VERSION and tail[0] in "aA":
        return None if tail[0] == "a" else "ngspice reads the suffix A as atto from version 42 on: write no unit"
    if tail[0] == "M":
        return "ngspice reads the suffix M as milli: write meg for 1e6 or m for 1e-3"
    if tail[0] == "F":
        return "ngspice reads the suffix F as femto, not farad: write f for 1e-15 or no suffix for farad"
    if tail[0] in "aA":
        return "ngspice 39 ignores the suffix a (atto): write the number with an exponent, e-18"
    return f"ngspice ignores the suffix {tail}: write the number with an exponent"


def evaluate_expression(token: str, parameters: Mapping[str, str]) -> float | None:
    """Value of a number or an arithmetic expression over `.param` names, None when it cannot be reported.

    parameters: lower-case names to their text. Braces or quotes around the expression are optional. Nothing but
    arithmetic is understood; the text is walked as a syntax tree, never executed.
    """
    return _evaluate(token, parameters, depth=0)


def _evaluate(token: str, parameters: Mapping[str, str], depth: int) -> float | None:
    text = token.strip().strip("{}'\"").strip().lower()
    if depth > 20 or not text or len(text) > 500:
        return None
    number = parse_number(text)
    if number is not None:
        return number
    plain = _LITERAL.sub(lambda m: repr(parse_number(m.group(0)) or 0.0), text).replace("^", "**")
    if "?" in plain:
        plain = _python_condition(plain.replace("&&", " and ").replace("||", " or "))
    try:
        value = _walk(ast.parse(plain, mode="eval").body, parameters, depth)
    except (SyntaxError, ValueError, ArithmeticError, KeyError, TypeError, RecursionError):
        return None
    return value if math.isfinite(value) else None


def _python_condition(text: str) -> str:
    """`a ? b : c` as `(b) if (a) else (c)`, from the right and inside of parentheses."""
    mark = colon = -1
    depth = nested = start = 0
    out = ""
    for i, letter in enumerate(text):
        if letter == "(":
            if depth == 0:
                out, start = out + text[start : i + 1], i + 1
            depth += 1
        elif letter == ")":
            depth -= 1
            if depth == 0:
                out, start = out + _python_condition(text[start:i]), i
        elif depth == 0 and letter == "?":
            nested += mark >= 0
            mark = mark if mark >= 0 else len(out) + i - start
        elif depth == 0 and letter == ":" and mark >= 0 and colon < 0:
            colon = len(out) + i - start if nested == 0 else -1
            nested -= colon < 0
    out += text[start:]
    if mark < 0 or colon < 0:
        return out
    test, body, other = out[:mark], out[mark + 1 : colon], out[colon + 1 :]
    return f"(({_python_condition(body)}) if ({test}) else ({_python_condition(other)}))"


def _walk(node: ast.expr, parameters: Mapping[str, str], depth: int) -> float:
    match node:
        case ast.Constant(value=int() | float() as value):
            return float(value)
        case ast.Name(id=name):
            inner = _evaluate(parameters[name], parameters, depth + 1)
            if inner is None:
                raise ValueError(name)
            return inner
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_walk(operand, parameters, depth)
        case ast.UnaryOp(op=ast.UAdd(), operand=operand):
            return _walk(operand, parameters, depth)
        case ast.BinOp(left=left, op=op, right=right):
            return _BINARY[type(op)](_walk(left, parameters, depth), _walk(right, parameters, depth))
        case ast.IfExp(test=test, body=body, orelse=orelse):
            return _walk(body if _walk(test, parameters, depth) else orelse, parameters, depth)
        case ast.BoolOp(op=op, values=values):
            truths = [_walk(value, parameters, depth) != 0 for value in values]
            return float(all(truths) if isinstance(op, ast.And) else any(truths))
        case ast.Compare(left=left, ops=[op], comparators=[right]):
            return float(_COMPARED[type(op)](_walk(left, parameters, depth), _walk(right, parameters, depth)))
        case ast.Call(func=ast.Name(id=name), args=args, keywords=[]):
            return float(_FUNCTIONS[name](*(_walk(arg, parameters, depth) for arg in args)))
    raise ValueError("not arithmetic")
