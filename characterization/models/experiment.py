"""A model under test of rare failures: what is drawn, and what counts as a failure."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


Experiment = Callable[[FloatArray], FloatArray]
