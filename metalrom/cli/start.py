"""The `metalrom` program before it has read its own code: Ctrl-C and SIGTERM end it at once, with a sentence."""

import gc
import signal

from metalrom.cli.stop import stop_at_once

GARBAGE_THRESHOLD = 50_000
"""Objects between two searches for reference cycles; with Python's 700 to 2,000 these take a sixth of a command."""


def start_program() -> None:
    """Entry point of the `metalrom` program."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # not in the background, where it is ignored
        signal.signal(signal.SIGINT, stop_at_once)  # until `console.guard` takes it over
    if signal.getsignal(signal.SIGTERM) == signal.SIG_DFL:
        signal.signal(signal.SIGTERM, stop_at_once)
    gc.set_threshold(GARBAGE_THRESHOLD)
    from metalrom.cli.main import main

    main()
