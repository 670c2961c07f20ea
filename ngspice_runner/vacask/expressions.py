"""Expressions of SPICE decks as numbers: arithmetic, comparisons, `a ? b : c`, the usual functions and `.func`.

The text is parsed and walked, never executed. What the simulators of the SPICE family read differently (`a^b^c`,
`-a^b`) and what is random is refused.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from ngspice_runner.spice_numbers import parse_number

_TOKEN = re.compile(
    r"\s*(?:(?P<number>(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?[a-z]*)|(?P<name>[a-z_][\w.]*)"
    r"|(?P<sign>\*\*|==|!=|<=|>=|&&|\|\||[-+*/^<>!?:(),]))"
)
_LEVELS: tuple[Mapping[str, Callable[[float, float], float]], ...] = (
    {"||": lambda a, b: float(bool(a) or bool(b))},
    {"&&": lambda a, b: float(bool(a) and bool(b))},
    {"==": operator.eq, "!=": operator.ne},
    {"<": operator.lt, ">": operator.gt, "<=": operator.le, ">=": operator.ge},
    {"+": operator.add, "-": operator.sub},
    {"*": operator.mul, "/": operator.truediv},
)
_FUNCTIONS: Mapping[str, Callable[..., float]] = {
    name: getattr(math, name)
    for name in ("sqrt", "exp", "log10", "sin", "cos", "tan", "sinh", "cosh", "tanh", "asin", "acos", "atan")
} | {
    "floor": math.floor,
    "ceil": math.ceil,
    "ln": math.log,
    "log": math.log,  # the natural one, as in ngspice's .param
    "abs": abs,
    "min": min,
    "max": max,
    "pow": math.pow,
    "pwr": lambda a, b: math.copysign(abs(a) ** b, a),
    "int": math.trunc,
    "sgn": lambda a: float((a > 0) - (a < 0)),
    "u": lambda a: float(a > 0),
    "ternary_fcn": lambda a, b, c: b if a else c,
}
_CONSTANTS = {"pi": math.pi, "e": math.e, "true": 1.0, "false": 0.0}
_RANDOM = frozenset(("agauss", "gauss", "aunif", "unif", "limit"))
_DEPTH = 60

_Tree = tuple["str | float | _Tree", ...]


class ExpressionError(ValueError):
    """Why a text has no value; a clause."""


@dataclass(slots=True)
class Scope:
    """Parameters that are known at some place: texts, evaluated when they are asked for, and those of the scope
    around it.

    functions: name -> (arguments, body), of the whole deck.
    """

    around: Scope | None = None
    functions: dict[str, tuple[tuple[str, ...], str]] = field(default_factory=dict)
    _texts: dict[str, str] = field(default_factory=dict)
    _values: dict[str, float] = field(default_factory=dict)
    _open: set[str] = field(default_factory=set)

    def inside(self) -> Scope:
        """An empty scope in this one."""
        return Scope(self, self.functions)

    def define(self, name: str, text: str) -> None:
        """A parameter as it is written; the last definition holds."""
        self._texts[name] = text
        self._values.pop(name, None)

    def set(self, name: str, value: float) -> None:
        """A parameter with its value."""
        self._values[name] = value

    def lookup(self, name: str) -> float:
        """Raises ExpressionError for a parameter that is not defined here or that needs itself."""
        if name in self._values:
            return self._values[name]
        if name in self._texts:
            if name in self._open:
                raise ExpressionError(f"parameter {name} is defined by itself")
            self._open.add(name)
            try:
                self._values[name] = evaluate(self._texts[name], self)
            finally:
                self._open.discard(name)
            return self._values[name]
        if self.around is not None:
            return self.around.lookup(name)
        if name in _CONSTANTS:
            return _CONSTANTS[name]
        raise ExpressionError(f"parameter {name} is not defined")


def evaluate(text: str, scope: Scope) -> float:
    """The value of a number or an expression, with or without braces or quotes. Raises ExpressionError."""
    plain = text.strip().lower()
    number = parse_number(plain)
    if number is not None:
        return number
    try:
        value = float(_walk(_parse(plain), scope, 0))
    except (ArithmeticError, RecursionError, TypeError, ValueError) as error:
        if isinstance(error, ExpressionError):
            raise
        raise ExpressionError(f"{text.strip()[:60]!r} has no value ({error})") from None
    if not math.isfinite(value):
        raise ExpressionError(f"{text.strip()[:60]!r} is not finite")
    return value


@lru_cache(maxsize=4096)
def _parse(text: str) -> _Tree | float | str:
    while len(text) > 1 and text[0] + text[-1] in ("{}", "''", '""'):
        text = text[1:-1].strip()
    tokens: list[tuple[str, str]] = []
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            if not text[at:].strip():
                break
            raise ExpressionError(f"{text[:60]!r} is not an expression")
        tokens.append((match.lastgroup or "", match.group(match.lastgroup or 0)))
        at = match.end()
    parser = _Parser(text, tokens)
    tree = parser.choice()
    if parser.at < len(tokens):
        raise ExpressionError(f"{text[:60]!r} is not an expression")
    return tree


@dataclass(slots=True)
class _Parser:
    """Precedence climbing: `?:`, the binary levels, signs, powers."""

    text: str
    tokens: list[tuple[str, str]]
    at: int = 0

    def _next(self) -> str:
        return self.tokens[self.at][1] if self.at < len(self.tokens) and self.tokens[self.at][0] == "sign" else ""

    def _expect(self, sign: str) -> None:
        if self._next() != sign:
            raise ExpressionError(f"{self.text[:60]!r} is not an expression")
        self.at += 1

    def choice(self) -> _Tree | float | str:
        first = self._binary(0)
        if self._next() != "?":
            return first
        self.at += 1
        second = self.choice()
        self._expect(":")
        return ("?", first, second, self.choice())

    def _binary(self, level: int) -> _Tree | float | str:
        if level == len(_LEVELS):
            return self._signed()
        left = self._binary(level + 1)
        while (sign := self._next()) in _LEVELS[level]:
            self.at += 1
            left = (str(level), sign, left, self._binary(level + 1))
        return left

    def _signed(self) -> _Tree | float | str:
        sign = self._next()
        if sign not in ("-", "+", "!"):
            return self._power()
        self.at += 1
        inner = self._signed()
        if sign == "-" and isinstance(inner, tuple) and inner[0] == "^":
            raise ExpressionError(f"{self.text[:60]!r} is read in two ways: put the power into parentheses")
        return inner if sign == "+" else (sign, inner)

    def _power(self) -> _Tree | float | str:
        base = self._atom()
        if self._next() not in ("^", "**"):
            return base
        self.at += 1
        exponent = self._signed()
        if isinstance(exponent, tuple) and exponent[0] == "^":
            raise ExpressionError(f"{self.text[:60]!r} is read in two ways: put one power into parentheses")
        return ("^", base, exponent)

    def _atom(self) -> _Tree | float | str:
        if self.at >= len(self.tokens):
            raise ExpressionError(f"{self.text[:60]!r} ends too early")
        kind, word = self.tokens[self.at]
        self.at += 1
        if kind == "number":
            value = parse_number(word)
            if value is None:
                raise ExpressionError(f"{word!r} is not a number")
            return value
        if kind == "name":
            if self._next() != "(":
                return word
            self.at += 1
            arguments: list[_Tree | float | str] = []
            while self._next() != ")":
                arguments.append(self.choice())
                if self._next() != ")":
                    self._expect(",")
            self.at += 1
            return ("()", word, *arguments)
        if word != "(":
            raise ExpressionError(f"{self.text[:60]!r} is not an expression")
        inner = self.choice()
        self._expect(")")
        # Kept apart from a bare power, which may not follow a sign.
        return ("?", 1.0, inner, inner) if isinstance(inner, tuple) and inner[0] == "^" else inner


def _walk(tree: _Tree | float | str, scope: Scope, depth: int) -> float:
    if isinstance(tree, float):
        return tree
    if isinstance(tree, str):
        return scope.lookup(tree)
    if depth > _DEPTH:
        raise ExpressionError("an expression is nested too deeply")
    kind = tree[0]
    if kind == "()":
        return _call(str(tree[1]), [_walk(part, scope, depth + 1) for part in tree[2:]], scope, depth)
    if kind == "?":
        return _walk(tree[2] if _walk(tree[1], scope, depth + 1) else tree[3], scope, depth + 1)
    if kind == "^":
        return math.pow(_walk(tree[1], scope, depth + 1), _walk(tree[2], scope, depth + 1))
    if kind == "-":
        return -_walk(tree[1], scope, depth + 1)
    if kind == "!":
        return float(not _walk(tree[1], scope, depth + 1))
    left, right = _walk(tree[2], scope, depth + 1), _walk(tree[3], scope, depth + 1)
    return float(_LEVELS[int(str(kind))][str(tree[1])](left, right))


def _call(name: str, values: list[float], scope: Scope, depth: int) -> float:
    if name in scope.functions:
        names, body = scope.functions[name]
        if len(names) != len(values):
            raise ExpressionError(f"function {name} takes {len(names)} arguments")
        inner = scope.inside()
        for argument, value in zip(names, values, strict=True):
            inner.set(argument, value)
        return _walk(_parse(body), inner, depth + 1)
    if name in _RANDOM:
        raise ExpressionError(f"{name} draws random numbers, which are not translated")
    if name not in _FUNCTIONS:
        raise ExpressionError(f"function {name} is not known")
    return float(_FUNCTIONS[name](*values))
