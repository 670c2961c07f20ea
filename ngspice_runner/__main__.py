"""`python -m ngspice_runner`; see `ngspice_runner.commands.main`."""

from ngspice_runner.commands.main import main

if __name__ == "__main__":
    main()
