"""One small deck of every readout circuit, for reading and for trying in ngspice by hand."""

from netlists.condition import Condition
from netlists.readout.cds import sampler_deck
from netlists.readout.column_mux import ColumnMux, mux_deck
from netlists.readout.current_sense import current_sense_deck
from netlists.readout.deck import ReadoutDeck
from netlists.readout.flash import Flash
from netlists.readout.ramp import Ramp
from netlists.readout.sar import Sar
from netlists.readout.strongarm import StrongArm, decision_deck, offset_deck
from netlists.technology import Technology


def example_decks(technology: Technology) -> dict[str, ReadoutDeck]:
    """File stem -> deck, typical corner, nominal supply, 27 degC. The same technology gives the same text."""
    c = Condition("tt", technology.devices.vdd, 27.0)
    inputs = [0.1, 0.3]
    return {
        "readout_strongarm": decision_deck(technology, c, [5e-3, -5e-3], common_mode=0.25),
        "readout_strongarm_nmos": decision_deck(
            technology, c, [5e-3, -5e-3], common_mode=0.7, sizes=StrongArm(input_type="n")
        ),
        "readout_strongarm_offset": offset_deck(
            technology, c, common_mode=0.25, decisions=8, shifts={"in_a": 5e-3, "same_b": 3e-3}
        ),
        "readout_sampler": sampler_deck(technology, c, step=0.3, offset=20e-3, correlated=False),
        "readout_cds": sampler_deck(technology, c, step=0.3, offset=20e-3, correlated=True),
        "readout_column_mux": mux_deck(technology, c, [0.1, 0.2, 0.3, 0.4], mux=ColumnMux(inputs=4)),
        "readout_current_sense": current_sense_deck(technology, c, [0, 16, 32]),
        "readout_sar": Sar(bits=4).deck(technology, c, inputs),
        "readout_sar_behavioral": Sar(bits=4).deck(technology, c, inputs, level="behavioral"),
        "readout_flash": Flash(bits=3).deck(technology, c, inputs),
        "readout_flash_behavioral": Flash(bits=3).deck(technology, c, inputs, level="behavioral"),
        "readout_ramp": Ramp(bits=4).deck(technology, c, inputs),
    }
