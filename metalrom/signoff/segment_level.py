"""The level that a drawn segment puts on the bus beside the configured one's, simulated."""

from __future__ import annotations

from characterization.column_testbench import ColumnTestbench
from characterization.testbench import Testbench
from interconnect.errors import InputError
from metalrom.signoff.level import DrawnLevel
from netlists.readout.segment_bench import SegmentCircuitry, circuitry, segment_deck
from netlists.readout.segment_devices import SegmentNetlist
from ngspice_runner.waveforms import value_at


def segment_level(setup: Testbench, netlist: SegmentNetlist, drawn: SegmentCircuitry) -> DrawnLevel:
    """The bus at the decision, V, through the configured and the drawn segment, at the nominal condition.

    Raises InputError where the line does not follow the bit line: the configured readout itself does not work.
    """
    if setup.chain is None:
        raise InputError("the readout is no chain", where="readout.kind")
    chain, condition, model = setup.chain, setup.conditions[0], setup.model
    capacitance = setup.rows * model.bl_total
    swing = condition.vdd * model.switched / capacitance * (2 if chain.drive == "complement" else 1)
    count = max(2, setup.max_count // 2)
    configured = circuitry(chain, netlist)
    cases = (("configured", configured, count), ("drawn", drawn, count), ("configured", configured, count - 1))
    bench = ColumnTestbench(setup)
    decks = [
        segment_deck(
            setup.technology, condition, chain, circuit, capacitance=capacitance, swing=n * swing,
            title=f"{name} segment",
        )
        for name, circuit, n in cases
    ]  # fmt: skip
    levels = [value_at(r, "v(bus)", chain.timing.decides) for r in bench.run("sign-off of the segment", decks)]
    step = levels[0] - levels[2]
    if not abs(step) > 0.05 * swing:
        raise InputError(
            f"the bus moves by {step * 1e3:.3g} mV where the bit line moves by {swing * 1e3:.3g} mV",
            where="readout.segment",
            hint="levels of reset and parking that suit the transistors",
        )
    return DrawnLevel(count, levels[0], levels[1], step)
