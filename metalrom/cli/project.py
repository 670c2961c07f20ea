"""The commands that work on a configuration: starter, assets, netlist, audit, extraction, and the whole chain."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from interconnect.errors import InputError
from interconnect.files import open_regular
from metalrom.cli import completion as known
from metalrom.cli.console import CHECK_FAILED, emit, messages, progress, say, show
from metalrom.cli.options import ClusterAddress, ConfigPath, Jobs, Json, OutFolder, Seed, one_of, several_of

if TYPE_CHECKING:
    from rich.console import Group
    from rich.table import Table

    from characterization.procedure_result import ResultRow
    from metalrom.api import Project
    from metalrom.run.results import RunResults
    from ngspice_runner import Progress


def init_project(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="new project folder")],
    cell: Annotated[str | None, one_of(known.STARTERS, f"{', '.join(known.STARTERS)} (default cap_balanced)")] = None,
    stack: Annotated[str | None, one_of(known.STACKS, "metal stack", "NAME|FILE")] = None,
    devices: Annotated[str | None, one_of(known.DEVICES, "transistor cards", "NAME|FILE")] = None,
    rows: Annotated[int | None, typer.Option(help="rows of the array (default 64)")] = None,
    weights: Annotated[Path | None, typer.Option(metavar="FILE", help="default: random weights")] = None,
    tensor: Annotated[str | None, typer.Option(metavar="NAME", help="its name in the weight file")] = None,
    bits: Annotated[int | None, typer.Option(help="per weight: 2, 4, 6 or 8 (default 4)")] = None,
    json: Json = False,
) -> None:
    """Write a commented starter configuration; without options it asks, on a terminal."""
    from metalrom.cli.init import Starter, ask_starter, write_starter

    given = {"cell": cell, "stack": stack, "devices": devices, "rows": rows, "weights": weights, "tensor": tensor}
    chosen: dict[str, Any] = {key: value for key, value in {**given, "bits": bits}.items() if value is not None}
    asked = Starter(**chosen)
    if not chosen and not json and sys.stdin.isatty() and sys.stderr.isatty():
        asked = ask_starter(lambda question, default: str(typer.prompt(question, default=default, err=True)), asked)
    path = write_starter(folder, asked)
    human = f"wrote {path}; next: metalrom run {path} -o {folder / 'out'}"
    emit({"config": path}, as_json=json, human=human)


def fetch_assets(
    names: Annotated[
        list[str],
        typer.Argument(metavar="NAME...", help="assets, e.g. minilm", autocompletion=known.names(known.ASSETS)),
    ],
    json: Json = False,
) -> None:
    """Download public models and cards (by name, version and SHA-256) into the user's cache."""
    from metalrom.assets import fetch

    found = []
    for name in names:
        asset = fetch(name, progress=say)
        licence = asset.spec.licence
        say(f"licence: {licence.name}, see {licence.source}")
        found.append({"name": name, "folder": asset.folder, "licence": licence.name, "licence_source": licence.source})
    emit({"assets": found}, as_json=json, human="\n".join(str(asset["folder"]) for asset in found))


def audit_file(
    path: Annotated[
        Path, typer.Argument(metavar="FILE", help="a netlist written at level array or macro, or a layout (.gds, .oas)")
    ],
    config: ConfigPath,
    json: Json = False,
) -> None:
    """Read a written netlist or layout back; every weight bit must be there."""
    from metalrom.layout.files import is_layout

    if is_layout(path):
        from metalrom.cli.layout import audit_layout_file

        same = audit_layout_file(path, config, json)
    else:
        same = audit_netlist_file(path, config, json)
    if not same:
        raise typer.Exit(CHECK_FAILED)


def audit_netlist_file(netlist: Path, config: Path, json: bool) -> bool:
    """Compare a written netlist with the weights it should hold; true if every bit is there once."""
    from metalrom.api import load

    report = load(config).audit(netlist, _level_of(netlist))

    def human() -> str:
        readout = [str(report.readout)] if str(report.readout) else []
        if report.ok:
            return "\n".join([f"{netlist}: all {report.cells:,} cells hold what they should", *readout])
        counts = (
            f"{report.wrong_bits} wrong, {report.missing} missing, {report.duplicate} double, {report.unknown} unknown"
        )
        named = [str(fault) for fault in (*report.via_faults, *report.cell_faults)]
        return "\n".join([f"{netlist}: {report.cells:,} cells, {counts}", *named, *readout])

    emit(report.to_json(), as_json=json, human=human)
    return report.ok


def _level_of(path: Path) -> str:
    """Level that the first line of one of our netlists tells. Raises InputError for another file."""
    try:
        with open_regular(path) as file:
            words = file.readline(200).decode("ascii", "replace").split()
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", where=str(path)) from error
    if words[:2] != ["*", "metalrom"] or len(words) < 4 or words[3] != "netlist:":
        raise InputError("is not a netlist that metalrom wrote", where=str(path))
    return words[2]


def extract_cell(
    config: ConfigPath,
    method: Annotated[str, one_of(known.METHODS, "auto, fieldsolver, table or formula")] = "auto",
    json: Json = False,
) -> None:
    """Capacitances and resistances of the cell and its neighbours."""
    from metalrom.api import load

    project = load(config)
    found = []
    for index, plane in enumerate(project.planes):
        geometry = project.geometry(index, (1, 0))
        e = project.extract(geometry, method)
        found.append(
            {
                "plane": plane.label,
                "nets": list(e.nets),
                "capacitance_F": e.capacitance.tolist(),
                "resistance_ohm": dict(e.resistance),
                "method": e.method,
                "relative_error": e.relative_error,
                "domain": dict(e.domain),
                "geometry": geometry.key(),
            }
        )
    warnings = list(project.technology.warnings)
    data = {**found[0], "planes": found, "warnings": warnings}

    def human() -> Table:
        from rich.table import Table

        first = found[0]
        table = Table(
            title=f"{project.config.cell.kind} on {first['plane']}, two columns storing 1 and 0: couplings in aF "
            f"({first['method']}, error about {100 * float(first['relative_error']):.2g} %)",
            caption="\n".join(f"WARNING: {w}" for w in warnings),
        )
        table.add_column("net")
        nets: list[str] = first["nets"]
        for net in nets:
            table.add_column(net, justify="right")
        for net, row in zip(nets, first["capacitance_F"], strict=True):
            table.add_row(net, *(f"{value * 1e18:.3f}" for value in row))
        return table

    emit(data, as_json=json, human=human)


@contextmanager
def _bar() -> Iterator[Any]:
    """Progress of the simulations on standard error: done, time gone by and left; what the cache answers tells nothing
    of the time that the others take."""
    with progress("simulating") as bar:

        def update(state: Progress) -> None:
            note = f"{state.cached} from cache" + (f", {state.failed} failed" if state.failed else "")
            bar.show(state.done, state.total, left=state.remaining, note=note)

        yield update


def _project(config: Path, seed: int | None) -> Project:
    """The project of a configuration, with another seed if one is given."""
    from metalrom.api import load

    project = load(config)
    if seed is None:
        return project
    characterization = project.config.characterization.model_copy(update={"seed": seed})
    return replace(project, config=project.config.model_copy(update={"characterization": characterization}))


def run_chain(
    config: ConfigPath,
    output: OutFolder,
    jobs: Jobs = None,
    cluster: ClusterAddress = None,
    seed: Seed = None,
    json: Json = False,
) -> None:
    """The whole chain: extract, simulate, fit, tables, estimate, report."""
    from metalrom.cli.workers import simulators

    project = _project(config, seed)
    from metalrom.pipeline import run_pipeline  # only now: a wrong configuration is reported at once

    with simulators(jobs, cluster) as workers, _bar() as update:
        results = run_pipeline(project, output, jobs=workers, announce=say, progress=update)
    emit(
        {**summary(results), "simulations": simulations_of(output)},
        as_json=json,
        human=lambda: _summary_table(results, output),
    )
    if not results.passed:
        from metalrom.cli.specs import missed

        say(missed(results))
        raise typer.Exit(CHECK_FAILED)


def meets_target(results: RunResults) -> bool:
    """Whether the layer's expected code error stays below the target at every condition."""
    return all(q.code_error_expected <= results.target_error for q in results.quality)


def simulations_of(output: Path) -> dict[str, Any]:
    """Work by method, as the manifest of a run states it: ngspice decks run now and cached, levels of the exact linear
    network, values in closed form."""
    from metalrom.run.folder import open_run

    counts = open_run(output).simulations
    keys = ("run", "cached", "linear", "closed_form", "more_samples", "cpu_seconds")
    return {key: counts[key] for key in (*keys, *(["accuracy"] if "accuracy" in counts else []))}


def _work(run: int, cached: int, linear: int, closed_form: int) -> str:
    return f"decks {run} now, {cached} from the cache; linear network {linear}; closed form {closed_form}"


def summary(results: RunResults) -> dict[str, Any]:
    """The few numbers that a script wants after a run."""
    q = results.quality[0]
    return {
        "name": results.name,
        "condition": results.condition,
        "group_rows": results.group_rows,
        "headline": results.headline,
        "merits": list(results.merits),
        "chips": results.chips,
        "code_error_expected": q.code_error_expected,
        "code_error_simulated": q.code_error_rate,
        "target": results.target_error,
        "meets_target": meets_target(results),
        "passed": results.passed,
        "specs": list(results.specs),
        "failed_conditions": list(results.failed_conditions),
        "failed_procedures": list(results.failed_procedures),
        "csnr_dB": {"raw": q.csnr_raw, "gain_offset_removed": q.csnr_fitted},
        "failed_simulations": sum(v.count for v in results.verdicts if v.verdict != "ok"),
        "warnings": list(results.warnings),
    }


def _summary_table(results: RunResults, output: Path) -> Group:
    from rich.console import Group
    from rich.table import Table

    from characterization.campaign_accuracy import accuracy_text
    from characterization.sampling_check import sampling_check
    from metalrom.cli.sign_off import decibels, merit_rows, shown_share, sign_off_rows
    from metalrom.cli.specs import spec_table

    table = Table(box=None, show_header=False, pad_edge=False)
    data = summary(results)
    work, check = simulations_of(output), sampling_check(results.sampling)
    raw, fitted = (decibels(data["csnr_dB"][key]) for key in ("raw", "gain_offset_removed"))
    for label, value in (
        ("group", f"{data['group_rows']} rows per conversion ({results.group_reason})"),
        ("readout", results.readout or "unknown"),
        ("cost of it", results.readout_cost),
        *sign_off_rows(results),
        (
            "nominal",
            f"{results.condition}: code error {shown_share(data['code_error_expected'])} expected, "
            f"{shown_share(data['code_error_simulated'])} simulated on one chip; CSNR {raw}, {fitted} with gain and "
            "offset removed",
        ),
        *merit_rows(results),
        ("simulated", _work(*(work[key] for key in ("run", "cached", "linear", "closed_form")))),
        *((("checked", check.text),) if check else ()),
        *((("accuracy", accuracy_text(work["accuracy"])),) if "accuracy" in work else ()),
        ("assumed", "; ".join(results.warnings) or "see the report"),
        ("report", str(output / "report.html")),
    ):
        table.add_row(label, value)
    return Group(spec_table(results), "", table)


def characterize_only(
    config: ConfigPath,
    output: OutFolder,
    procedures: Annotated[str | None, several_of(known.PROCEDURES, "names; default: as configured", "A,B")] = None,
    jobs: Jobs = None,
    cluster: ClusterAddress = None,
    seed: Seed = None,
    json: Json = False,
) -> None:
    """Only the simulations and fits."""
    from characterization.sampling_check import sampling_check
    from interconnect.jsonable import to_jsonable
    from metalrom.cli.workers import simulators

    project = _project(config, seed)
    from metalrom.run.bundle import new_bundle
    from metalrom.run.characterize import characterize
    from metalrom.run.manifest import file_names
    from metalrom.run.write import write_characterization

    if procedures:
        names = tuple(name.strip() for name in procedures.split(",") if name.strip())
        section = project.config.characterization.model_copy(update={"procedures": names})
        project = replace(project, config=project.config.model_copy(update={"characterization": section}))
    with new_bundle(output) as folder:
        with simulators(jobs, cluster) as workers, _bar() as update:
            done = characterize(project, jobs=workers, announce=say, progress=update)
        write_characterization(project, done, folder)
        written = file_names(folder)
    figures = [(name, row) for name, result in done.shown.items() for row in result.figures()]
    if json:
        data = {
            "output": output,
            "files": written,
            "samples": len(done.data),
            "simulated": done.simulated,
            "cached": done.cached,
            "failed_conditions": list(done.failed),
            "figures": [{"procedure": name, **to_jsonable(figure)} for name, figure in figures],
        }
        emit(data, as_json=True)
    else:
        _show_results(figures)
    say(f"wrote {output}: {len(done.data)} samples, {done.simulated} simulated now, {done.cached} from the cache")
    say(f"simulated: {_work(done.simulated, done.cached, done.counts.linear, done.counts.closed_form)}")
    if check := sampling_check(done.sampling):
        say(f"checked: {check.text}")
    if done.failed or done.failed_procedures:
        raise typer.Exit(CHECK_FAILED)


def _show_results(figures: list[tuple[str, ResultRow]]) -> None:
    """A table of the results of the procedures beside the readout table; nothing if none ran."""
    rows = [(name, f.name, f"{f.value:.4g}", f.unit, f.at) for name, f in figures]
    if not rows:
        return
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for heading in ("procedure", "figure", "value", "unit", "at"):
        table.add_column(heading, justify="right" if heading == "value" else "left")
    for row in rows:
        table.add_row(*row)
    show(table, messages())
