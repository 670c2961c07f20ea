"""A model under test of rare failures: what is drawn, and what counts as a failure."""

from collections.abc import Callable

from interconnect.arrays import FloatArray

Experiment = Callable[[FloatArray], FloatArray]
