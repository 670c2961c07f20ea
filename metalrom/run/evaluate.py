"""What follows from the readout table and the layer: facts for the report, the estimate and the next reader."""

import hashlib
import math
import platform
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from characterization.procedures.mismatch import points
from characterization.sampling_check import sampling_warnings
from characterization.tables.planes import PlaneTables
from characterization.tables.table import ReadoutTable
from characterization.testbench import Testbench
from interconnect.arrays import IntArray
from metalrom.design.design import Design
from metalrom.design.planes import tower_pitch
from metalrom.macro import Macro, MacroGeometry, csnr
from metalrom.macro.conversion_bill import code_error_of
from metalrom.macro.cost import readout_label
from metalrom.run import results as facts
from metalrom.run.characterize import CharacterizationRun, histogram
from metalrom.run.headline import headline_of
from metalrom.run.judge import default_specs, judge_specs
from metalrom.run.readout_cost import chain_cost, chain_geometry, inverter_geometry
from metalrom.run.readout_inputs import readout_inputs
from metalrom.run.results import ElementValue
from metalrom.run.sign_off import sign_offs
from metalrom.run.view import RunView
from metalrom.version import __version__
from netlists.cells.base import CellModel
from netlists.condition import Condition
from netlists.readout.drawn import drawn_area
from netlists.readout.sense_parts import drawn_selects, sense_area

"""Rows and columns of the corner of the layer that the report draws."""


def summarize_run(design: Design, done: CharacterizationRun) -> facts.RunResults:
    """Everything that follows from the readout table and the layer, as one value."""

    c, table, setup = design.config, done.table, done.setup
    nominal = setup.conditions[0]
    used = histogram(design, table.rows)
    layer = _layer(design, used)
    quality = tuple(_quality(design, done, i, used) for i in range(len(table.conditions)))
    model = setup.model
    shares = [m.switched / m.bl_total for m in design.models] if model.mode == "charge" else [1.0]
    swing = table.lsb(nominal) * table.max_count
    billed = billed_geometry(design, setup, done.results)
    nominal_fit = done.transfer.models[0].quality
    config = c.model_dump(mode="json")
    if setup.balanced:
        del config["readout"]["follow_columns"]  # says nothing of a cell whose columns are alike
    planes = _planes(done, used)
    found = facts.RunResults(
        name=c.name,
        technology=design.technology.name,
        warnings=(
            *design.technology.warnings,
            *sampling_warnings(done.sampling),
            *plane_warnings(planes, max(table.mean_code_error(at, used) for at in table.conditions)),
        ),
        condition=nominal.label,
        target_error=c.readout.code_error_target,
        seed=c.characterization.seed,
        config=config,
        cell=facts.CellSummary(
            kind=model.kind,
            title=design.cell.title,
            mode=model.mode,
            plane=model.plane.label,
            elements=element_values(model),
            bl_total=model.bl_total,
            switched=model.switched if model.mode == "charge" else 0.0,
            area=model.area,
            method=model.method,
            relative_error=model.relative_error,
            fit_residual=model.fit_residual,
            plane_spread=max(shares) / min(shares) - 1.0,
            geometries=tuple(
                design.geometry(design.worst_plane, (symbol,)) for symbol in range(len(design.program.symbol_values))
            ),
            text=getattr(design.cell, "text", ""),
        ),
        layer=layer,
        candidates=done.choice.candidates if done.choice else (),
        group_rows=table.rows,
        group_reason=done.choice.reason if done.choice else f"{table.rows} rows were set in the configuration",
        group_automatic=done.choice is not None,
        margins=done.table.margins_by_count(),
        fits=_fits(done),
        quality=quality,
        verdicts=verdict_counts(done),
        macro_geometry=billed,
        fit_error=nominal_fit.held_out_rms / swing,
        monte_carlo_error=max(m.relative_error for m in done.mismatch.models),
        extraction_error=model.relative_error,
        provenance=provenance_of(design, done),
        failed_conditions=done.failed,
        failed_procedures=done.failed_procedures,
        simulations=done.counts,
        readout=next((a.value for a in table.assumptions if a.name == "readout"), ""),
        readout_cost=readout_label(billed),
        readout_inputs=readout_inputs(setup, table, billed.readout or billed.inverter),
        sign_off=sign_offs(design, done, used),
        waveform=done.waveform,
        sampling=done.sampling,
        planes=planes,
        metal_node=design.stack.node,
        device_node=design.technology.devices.node,
    )
    specs = design.specs or default_specs(c.readout.code_error_target)
    view = RunView(found, table, done.results)
    judged = judge_specs(specs, view, done.failed)
    return replace(
        found,
        specs=judged.specs,
        headline=headline_of(table, found, judged.verdict),
        merits=tuple(view.estimate(c.label).merit for c in table.conditions),
    )


def _planes(done: CharacterizationRun, used: IntArray) -> tuple[facts.PlaneSummary, ...]:
    """Margin and code error of every class of planes; nothing where all planes are alike."""
    if done.plane_tables is None:
        return ()
    out = []
    for table, planes in zip(done.plane_tables.tables, done.plane_tables.classes, strict=True):
        errors = {c.label: table.mean_code_error(c, used) for c in table.conditions}
        condition = max(errors, key=errors.__getitem__)
        margin = table.worst_margin().margin
        out.append(
            facts.PlaneSummary(
                planes=planes.planes,
                position=planes.position,
                margin_sigma=margin if math.isfinite(margin) else None,
                code_error=errors[condition],
                condition=condition,
                simulated=done.setup.model.plane.label in planes.planes,
                rows_above=any(p.label == planes.entry and p.above for p in done.setup.stacked),
            )
        )
    return tuple(out)


def plane_warnings(planes: Sequence[facts.PlaneSummary], taken: float) -> tuple[str, ...]:
    """That a plane errs more than the one with the smallest margin, whose table verdicts take; taken: its code error at
    its worst condition."""
    worst = max(planes, key=lambda plane: plane.code_error, default=None)
    if worst is None or worst.code_error <= 1.05 * taken:
        return ()
    return (
        f"code error and margin are those of the plane with the smallest margin; plane {', '.join(worst.planes)} errs "
        f"more: {worst.code_error:.1e} at {worst.condition}",
    )


def _layer(design: Design, used: IntArray) -> facts.LayerSummary:
    c, program = design.config, design.program
    manifest = design.manifest
    inputs, outputs = design.weights.values.shape
    return facts.LayerSummary(
        source=design.weights_source,
        inputs=inputs,
        outputs=outputs,
        weight_bits=c.weights.bits,
        input_bits=c.inputs.bits,
        activations=design.activations.source,
        tokens=len(design.activations.values),
        bits_stored=int(program.bits.size),
        tiles=manifest.tiles,
        utilisation=manifest.utilisation,
        planes=tuple(p.label for p in design.planes),
        histogram=tuple(tuple(int(n) for n in row) for row in used),
    )


def _quality(design: Design, done: CharacterizationRun, index: int, used: IntArray) -> facts.LayerQuality:
    """The layer through the macro at one condition, against the exact integer product."""
    condition = done.table.conditions[index]
    expected = code_error_of(design.rule, done.table, condition, used)
    macro = macro_of(design, done.layer_table, condition)
    return layer_quality(macro, condition, design.activations.values, design.weights.values.astype(np.int64), expected)


def layer_quality(macro: Macro, condition: Condition, x: IntArray, w: IntArray, expected: float) -> facts.LayerQuality:
    """Activations x (tokens, inputs) and weights w (inputs, outputs) through a macro, against the exact product.

    expected: code error by the table.
    """
    got = macro.run(x, w)
    q = csnr(x @ w, got.y)
    return facts.LayerQuality(
        condition=condition.label,
        csnr_raw=q.raw if math.isfinite(q.raw) else None,
        csnr_fitted=q.fitted if math.isfinite(q.fitted) else None,
        gain=q.gain,
        offset=q.offset,
        conversions=got.conversions,
        code_error_rate=got.code_error_rate,
        code_error_expected=expected,
    )


def _fits(done: CharacterizationRun) -> tuple[facts.FitSummary, ...]:
    unit = done.table.unit
    rows = []
    for level in done.transfer.models:
        q = level.quality
        rows.append(
            facts.FitSummary(
                "level", level.condition.label, level.form, q.points, q.held_out, q.held_out_rms, q.held_out_max,
                unit, q.coverage,
            )
        )  # fmt: skip
    for spread in done.mismatch.models:
        number = len(points(done.setup.rows, done.setup.levels))
        rows.append(
            facts.FitSummary(
                "static spread", spread.condition.label, spread.form, number, number, spread.held_out_rms, None,
                "relative", None,
            )
        )  # fmt: skip
    return tuple(rows)


def verdict_counts(done: CharacterizationRun) -> tuple[facts.VerdictCount, ...]:
    """How many simulations of each procedure ended with each verdict."""
    counts: dict[tuple[str, str], int] = {}
    for outcome in done.outcomes:
        for sample in (s for s in outcome.samples if s.deck):  # computed levels have no deck
            key = (sample.procedure, sample.verdict)
            counts[key] = counts.get(key, 0) + 1
    return tuple(facts.VerdictCount(*key, count) for key, count in sorted(counts.items()))


def macro_geometry(design: Design, group_rows: int) -> MacroGeometry:
    """Sizes and sharing of the macro's periphery, from the configuration; one code per count. Raises InputError."""
    c, p, charge = design.config, design.periphery, design.cell.mode == "charge"
    rules = design.technology.devices.area
    driver = small = 0.0
    if rules is not None:
        driver = sum(rules.transistor_area(n) + rules.transistor_area(q) for n, q in p.stage_widths())
        small = rules.transistor_area(p.reset_width)
    # per segment: a device that selects it, and for charge a reset switch and an input device of the readout
    segment = 3 * small if charge else small
    # a differential column has two bit lines; every line of a row that its input moves has a driver of its own
    values, model = design.program.symbol_values, design.models[design.worst_plane]
    levels = len(design.read_scheme.encoding.symbol_values)
    segment *= len(model.bit_lines)
    driver *= sum(line.level != 0 for line in model.lines)
    select, shared, sense = p.plane_select, 1, 0.0
    if select is not None:
        shared = select.planes
        segment = drawn_area(rules, drawn_selects(select, p.length)) or 0.0
        sense = sense_area(design.technology, p.length) or 0.0
    return MacroGeometry(
        cell_area=model.area,
        rows=c.array.rows,
        columns=c.array.columns,
        planes=len(design.planes),
        group_rows=group_rows,
        columns_per_adc=c.array.columns_per_adc,
        tower_pitch=tower_pitch(design),
        adc_bits=max(1, math.ceil(math.log2(group_rows * (levels - 1) + 1))),
        driver_area=driver,
        reset_area=segment,
        rules=rules,
        weight_bits=c.weights.bits,
        input_bits=c.inputs.bits,
        mapping=c.mapping,
        symbol_values=values,
        columns_per_conversion=design.columns_per_conversion,
        rule=design.rule,
        scale_bits=c.macro.scale_bits,
        scale_multipliers=c.macro.scale_multipliers,
        empty_share=design.empty_share(group_rows) if design.rule.skip_empty else 0.0,
        planes_per_adc=shared,
        planes_per_driver=shared,
        planes_per_reset=shared,
        sense_area=sense,
    )


def billed_geometry(design: Design, setup: Testbench, results: Mapping[str, object]) -> MacroGeometry:
    """The macro with the readout of a setup, billed by the results of its procedures; with a regression for an ideal
    one. Raises InputError without them."""
    geometry = macro_geometry(design, setup.rows)
    if setup.inverter is not None:
        return inverter_geometry(design, geometry, setup, results.get("local_inverter"))
    if setup.chain is None:
        return geometry
    energy, settling = (results.get(name) for name in ("chain_energy", "chain_settling"))
    return chain_geometry(geometry, chain_cost(design, setup, energy, settling))


def provenance_of(design: Design, done: CharacterizationRun) -> dict[str, str]:
    """Versions, seed and hashes of everything that went in, by name."""
    decks = hashlib.sha256("".join(s.deck for s in done.data.samples).encode()).hexdigest()
    return {
        "metalrom": __version__,
        "engine": next((o.engine for o in done.outcomes if o.engine), ""),
        "extraction": done.setup.model.method,
        "configuration": f"sha256 {design.sha256}",
        "stack": f"{design.stack.name}, sha256 {design.stack.sha256}",
        "devices": f"{design.technology.devices.name}, sha256 {design.technology.devices.sha256}",
        # of every corner of the metals, so that equal entries prove equal cells
        "cell model": "; ".join(
            [
                f"sha256 {done.setup.model.sha256}",
                *(f"{n} sha256 {m.model.sha256}" for n, m in done.setup.metal_corners),
                *(f"{p.label} sha256 {p.model.sha256}" for p in done.setup.stacked if p.model != done.setup.model),
            ]
        ),
        "weights": f"sha256 {hashlib.sha256(design.weights.values.tobytes()).hexdigest()} (quantized)",
        "decks": f"sha256 {decks} over {len(done.data)} decks",
        "seed": str(design.config.characterization.seed),
        "python": platform.python_version(),
        "numpy": np.__version__,
    }


def element_values(model: CellModel) -> tuple[ElementValue, ...]:
    """Elements of a cell that stores a one, as the report lists them."""
    return tuple(
        ElementValue(e.name, e.value, "F" if e.is_capacitor else "ohm", e.meaning) for e in model.variants[1].elements
    )


def macro_of(
    design: Design, table: ReadoutTable | PlaneTables, condition: Condition | str, *, seed: int | None = None
) -> Macro:
    """The macro of a design read through `table` at a condition: its widths, seed, planes and sharing of converters.

    seed: of another chip than the configured one.
    """
    shape = design.manifest.shape
    return Macro(
        table,
        condition,
        array=replace(shape, columns=shape.columns // design.columns_per_conversion),
        weight_bits=design.config.weights.bits,
        input_bits=design.config.inputs.bits,
        mapping=design.config.mapping,
        seed=design.config.characterization.seed if seed is None else seed,
        columns_per_adc=design.config.array.columns_per_adc // design.columns_per_conversion,
        groups_per_adc=-(-design.config.array.rows // table.rows),
        symbol_values=design.read_scheme.encoding.symbol_values,
        **design.rule.options,
    )
