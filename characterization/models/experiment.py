"""A model under test of rare failures: what is drawn, and what counts as a failure."""

from __future__ import annotations

from collections.abc import Callable

from interconnect.arrays import FloatArray

Experiment = Callable[[FloatArray], FloatArray]
