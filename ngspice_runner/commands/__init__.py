"""The harness on the command line: `python -m ngspice_runner`. `metalrom simulate` uses the same functions."""
