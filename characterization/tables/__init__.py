"""Readout tables: their content, file formats and checks."""
