"""Readout circuits as SPICE decks, each with a twin: comparator, samplers, multiplexer, current sense, converters."""
