"""Numbers in the text files of estimators: nine significant digits."""

DIGITS = 9
PRECISION = f"{DIGITS} significant digits"
TOLERANCE = 1e-8
"""Relative difference of what a tool reads back, from the rounding alone."""


def shown_digits(value: float) -> str:
    """The value as it is written."""
    return f"{value:.{DIGITS}g}"
