"""The `metalrom` program before it has read its own code: Ctrl-C ends it at once and without a traceback."""

import signal


def start_program() -> None:
    """Entry point of the `metalrom` program."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # not in the background, where it is ignored
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # until `console.guard` takes it over
    from metalrom.cli.main import main

    main()
