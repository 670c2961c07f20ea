"""placeholder"""
from __future__ import annotations
import numpy as np
from interconnect.geometry import CellGeometry
RELATIVE_ERROR=0.5
SOURCE="x"
def capacitance(geometry: CellGeometry)->np.ndarray: ...
