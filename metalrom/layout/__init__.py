"""Mask layouts: the drawn cells and their via program as GDSII or OASIS, read back and checked against the stack."""
