"""How the `metalrom` program ends while nothing of it has begun."""

import os
import signal
from types import FrameType


def stop_at_once(number: int, _: FrameType | None) -> None:
    """Handler of Ctrl-C and SIGTERM while nothing has begun that would have to be cleaned up."""
    word = "terminated" if number == signal.SIGTERM else "interrupted"
    os.write(2, f"{word} before anything had begun; run the same command again\n".encode())
    os._exit(128 + number)
