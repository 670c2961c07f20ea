"""Specifications: what a configuration asks of a run, and whether the run gives it."""
