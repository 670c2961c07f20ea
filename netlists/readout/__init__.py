"""Readout circuits as SPICE decks: comparator, samplers, multiplexer, current sense and converters, each with a twin."""
