"""What the reset switch does to a settled level: the column's bit lines as lumped capacitors behind the real switch.

The closed forms of a column know its metal only. A transistor at its end adds a junction and a gate to the load and
injects charge when it opens. This deck keeps the column's totals (driven charge, load, coupling of two bit lines) and
nothing else of the array, so that what it shows beyond the closed form is the switch's doing.
"""

from interconnect.errors import InputError
from netlists.case import ColumnStimulus
from netlists.cells.base import CellModel
from netlists.cells.closed_form import charge_balance
from netlists.column import ColumnDeck
from netlists.condition import Condition
from netlists.loads import LoadElement
from netlists.periphery import Periphery, Timing
from netlists.reference import column_read
from netlists.render import render
from netlists.technology import Technology
from netlists.transistors import deck_values, transistor_values


def reset_effect_deck(
    technology: Technology,
    model: CellModel,
    periphery: Periphery,
    timing: Timing,
    condition: Condition,
    case: ColumnStimulus,
    *,
    cycle: bool = False,
) -> ColumnDeck:
    """A deck like that of the column `case`, every column's bit lines replaced by the target's, lumped.

    A capacitor to a common input carries the driven charge, one goes to ground, one joins two bit lines of a column.

    Same reset switches, reset driver, stimuli and instants as `column_deck` with transistors; an ideal source stands
    for the row drivers.

    cycle: the reset comes back on at the read and the deck ends a reset phase later, with the current of the reset's
    supply among the outputs: one whole period of the reset, for its energy.

    Raises:
        InputError: a cell that is read as a current, or ideal periphery (there is no switch to look at).
    """
    if model.mode != "charge" or periphery.kind != "transistor":
        raise InputError("the reset switch acts on charge cells with transistor periphery only", where="periphery.kind")
    matrix, driven = charge_balance(model, column_read(model, periphery, condition, case))
    names = [line.prefix for line in model.bit_lines]
    parts: list[LoadElement] = []
    ends = [(name, c) for c in range(case.columns) for name in names]
    for name, c in ends:
        i, node = names.index(name), f"{name}_{c}"
        parts.append(LoadElement(f"C_driven_{node}", node, "active", float(driven[i])))
        parts.append(LoadElement(f"C_rest_{node}", node, "0", float(matrix[i].sum() - driven[i])))
        parts += [
            LoadElement(f"C_to_{other}_{c}", node, f"{other}_{c}", float(-matrix[i, names.index(other)]))
            for other in names[i + 1 :]
        ]
    by_sign = {line.sign: tuple(f"v({line.prefix}_{c})" for c in range(case.columns)) for line in model.bit_lines}
    minus = by_sign.get(-1, ())
    outputs = (*by_sign[1], *minus, "i(v_rows)", *(("i(v_reset)",) if cycle else ()))
    back_on = timing.read_at + timing.reset_edge
    stop = back_on + timing.reset_end if cycle else timing.read_at
    title = f"{model.kind} bit lines lumped, behind their reset switches: count {case.count}, {condition.label}"
    values = {
        **deck_values(technology, condition, periphery.length, title),
        **transistor_values(technology, periphery),
        "timing": timing,
        "cycle": cycle,
        "back_on": back_on,
        "stop": stop,
        "parts": [p for p in parts if p.value > 0.0],
        "ends": [f"{name}_{c}" for name, c in ends],
        "outputs": outputs,
    }
    return ColumnDeck(
        text=render("testbenches/reset_effect.cir.j2", values),
        title=title,
        outputs=outputs,
        stop=stop,
        read_at=timing.read_at,
        input_at=timing.input_start,
        target=by_sign[1][case.target],
        columns=by_sign[1],
        unit="V",
        row_supply="i(v_rows)",
        row_voltage=condition.vdd,
        reset_supply="i(v_reset)" if cycle else None,
        reset_voltage=condition.vdd,
        target_minus=minus[case.target] if minus else None,
        columns_minus=minus,
        condition=condition,
    )
