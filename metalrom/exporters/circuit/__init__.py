"""Exports for circuit, layout and timing tools."""
