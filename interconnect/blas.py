"""Work with many small matrices on one thread of the BLAS.

Where other processes want the cores, its threads wait for one another in loops that cost CPU time: 17 times as much for
a conductance of 64 x 64 cells, 10 times for a regression over conditions, both measured on two busy cores.
"""

import functools
from contextlib import AbstractContextManager

from threadpoolctl import ThreadpoolController


def one_blas_thread() -> AbstractContextManager[object]:
    """A context in which the BLAS libraries of this process use one thread."""
    limited: AbstractContextManager[object] = _blas().limit(limits=1, user_api="blas")
    return limited


@functools.cache
def _blas() -> ThreadpoolController:
    """The BLAS libraries of this process; looking for them takes a millisecond."""
    return ThreadpoolController()
