"""Wall and CPU time of parts of an evaluation."""

import time
from typing import Self


class Spent:
    """Seconds of everything that ran within `with` blocks of it: `wall`, and `cpu` of all threads of this process."""

    def __init__(self) -> None:
        self.wall = self.cpu = 0.0

    def __enter__(self) -> Self:
        self.wall -= time.perf_counter()
        self.cpu -= time.process_time()
        return self

    def __exit__(self, *_: object) -> None:
        self.wall += time.perf_counter()
        self.cpu += time.process_time()
