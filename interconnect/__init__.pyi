from interconnect.chargearray import (
    FloatingTabs as FloatingTabs,
    SettledArray as SettledArray,
    settle_array as settle_array,
)
from interconnect.crossbar import (
    CrossbarSolution as CrossbarSolution,
    effective_conductance as effective_conductance,
    solve_crossbar as solve_crossbar,
)
from interconnect.errors import InputError as InputError, SolverError as SolverError
from interconnect.extraction import Extraction as Extraction, extract as extract
from interconnect.geometry import GROUND as GROUND, Box as Box, CellGeometry as CellGeometry, Slab as Slab
from interconnect.network import LinearNetwork as LinearNetwork
from interconnect.network_parameters import (
    LineFit as LineFit,
    fit_line as fit_line,
    line_parameters as line_parameters,
    write_touchstone as write_touchstone,
)
from interconnect.provenance import Provenance as Provenance, Value as Value
from interconnect.reduction import ReducedNetwork as ReducedNetwork, reduce_network as reduce_network
from interconnect.scaling import Corner as Corner, Scaling as Scaling, Spread as Spread
from interconnect.stack import Metal as Metal, Stack as Stack, ViaLayer as ViaLayer
from interconnect.stackfile import load_stack as load_stack
from interconnect.transient import Transient as Transient, solve_transient as solve_transient
from interconnect.variation import (
    Sensitivity as Sensitivity,
    at_corner as at_corner,
    cell_sigma_from_ler as cell_sigma_from_ler,
    scaled as scaled,
    sensitivity as sensitivity,
)
from interconnect.waveform import Switch as Switch, VoltageSources as VoltageSources, Waveform as Waveform
from interconnect.wire_array import WireArray as WireArray
