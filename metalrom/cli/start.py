"""The `metalrom` program before it has read its own code: Ctrl-C and SIGTERM end it at once, with a sentence."""

import gc
import os
import signal
from types import FrameType

GARBAGE_THRESHOLD = 50_000
"""Objects between two searches for reference cycles; with Python's 700 to 2,000 these take a sixth of a command."""


def stop_at_once(number: int, _: FrameType | None) -> None:
    """Handler of Ctrl-C and SIGTERM while nothing has begun that would have to be cleaned up."""
    word = "terminated" if number == signal.SIGTERM else "interrupted"
    os.write(2, f"{word} before anything had begun; run the same command again\n".encode())
    os._exit(128 + number)


def start_program() -> None:
    """Entry point of the `metalrom` program."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # not in the background, where it is ignored
        signal.signal(signal.SIGINT, stop_at_once)  # until `console.guard` takes it over
    if signal.getsignal(signal.SIGTERM) == signal.SIG_DFL:
        signal.signal(signal.SIGTERM, stop_at_once)
    gc.set_threshold(GARBAGE_THRESHOLD)
    from metalrom.cli.main import main

    main()
