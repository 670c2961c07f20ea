"""Characterization: readout tables, procedures and surrogate models of a column, from simulations by ngspice."""
