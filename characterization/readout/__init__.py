"""Measurements of the readout circuits: comparator, converters, samplers, current sense."""
