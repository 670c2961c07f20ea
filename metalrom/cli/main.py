"""The command line. Every command imports what it needs when it runs, so that `--help` stays quick."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from metalrom.cli import completion as known
from metalrom.cli.accuracy import add_accuracy_command as add_evaluate_command
from metalrom.cli.cells import add_cells_command as add_cells_command
from metalrom.cli.console import CHECK_FAILED, emit, examples, guarded, say
from metalrom.cli.options import ClusterPlace, ConfigPath, Jobs, Json, OutFolder, Seed
from metalrom.cli.simulate import add_simulate_commands as add_harness_commands
from metalrom.cli.surrogates import add_surrogate_commands as add_model_commands
from metalrom.cli.workloads import add_workload_commands as add_macro_commands

app = typer.Typer(
    name="metalrom",
    help="Netlists, readout characterization, lookup tables and estimates of transistor-less 3D metal-ROM macros.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)


def version_callback(value: bool) -> None:
    """Print the version and stop."""
    if value:
        from metalrom import __version__

        typer.echo(f"metalrom {__version__}")
        raise typer.Exit


USES_PLUGINS = {
    "extract",
    "netlist",
    "layout",
    "audit",
    "run",
    "characterize",
    "explore",
    "fit",
    "estimate",
    "export",
    "report",
}
"""Commands that look cells, procedures or formats up; the others start without looking for installed plugins."""


@app.callback()
@guarded
def root(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=version_callback, is_eager=True, help="print the version")
    ] = False,
    plugin: Annotated[
        list[str] | None,
        typer.Option(metavar="MODULE|FILE", help="import your own cells, procedures or formats; may be repeated"),
    ] = None,
) -> None:
    """Exit codes: 0 done, 1 a check or specification failed, 2 bad input, 3 simulation or engine failure."""
    if plugin or context.invoked_subcommand in USES_PLUGINS:
        from metalrom.plugins import load_installed, load_named

        for trouble in load_installed():
            say(f"WARNING: {trouble}; it is left out")
        load_named(plugin or ())


@app.command(epilog=examples("doctor", "doctor --json", "doctor --devices open45"))
@guarded
def doctor(
    json: Json = False,
    devices: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|FILE", help="try this device set, every corner", autocompletion=known.names(known.DEVICES)
        ),
    ] = None,
) -> None:
    """Say what is installed, what is missing and how to get it."""
    from metalrom.cli.doctor import diagnose

    report = diagnose(devices)
    emit(report.as_dict(), as_json=json, human=report.table)
    raise typer.Exit(report.exit_code)


@app.command(epilog=examples("fetch minilm", "fetch smollm2 wordsim"))
@guarded
def fetch(
    names: Annotated[
        list[str],
        typer.Argument(metavar="NAME...", help="assets, e.g. minilm", autocompletion=known.names(known.ASSETS)),
    ],
    json: Json = False,
) -> None:
    """Download public models and cards (by name, version and SHA-256) into the user's cache."""
    from metalrom.cli.project import fetch_assets

    fetch_assets(names, json)


@app.command(epilog=examples("schema > schema.json"))
@guarded
def schema(json: Json = True) -> None:
    """Print the JSON schema of the configuration; it is JSON with or without --json."""
    from metalrom.config.schema import schema as config_schema

    emit(config_schema(), as_json=json)


@app.command(
    epilog=examples(
        "init my_macro",
        "init my_macro --cell res_via --rows 32 --stack open45",
        "init my_macro --weights model.safetensors --tensor layer.weight --bits 8",
    )
)
@guarded
def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="new project folder")],
    cell: Annotated[
        str | None, typer.Option(help="cap_balanced or res_via", autocompletion=known.names(known.STARTERS))
    ] = None,
    stack: Annotated[
        str | None,
        typer.Option(metavar="NAME|FILE", help="metal stack", autocompletion=known.names(known.STACKS)),
    ] = None,
    devices: Annotated[
        str | None,
        typer.Option(metavar="NAME|FILE", help="transistor cards", autocompletion=known.names(known.DEVICES)),
    ] = None,
    rows: Annotated[int | None, typer.Option(help="rows of the array (default 64)")] = None,
    weights: Annotated[Path | None, typer.Option(metavar="FILE", help="default: random weights")] = None,
    tensor: Annotated[str | None, typer.Option(metavar="NAME", help="its name in the weight file")] = None,
    bits: Annotated[int | None, typer.Option(help="per weight: 2, 4, 6 or 8 (default 4)")] = None,
    json: Json = False,
) -> None:
    """Write a commented starter configuration; without options it asks, on a terminal."""
    from metalrom.cli.project import init_project

    given = {"cell": cell, "stack": stack, "devices": devices, "rows": rows, "weights": weights, "tensor": tensor}
    init_project(folder, {**given, "bits": bits}, json)


@app.command(
    epilog=examples(
        "netlist metalrom.yaml --level column",
        "netlist metalrom.yaml --level macro -o macro.cir",
        "netlist metalrom.yaml --baseline rom_1t -o rom.cir",
    )
)
@guarded
def netlist(
    config: ConfigPath,
    level: Annotated[
        str, typer.Option(help="cell, column, array or macro", autocompletion=known.names(known.LEVELS))
    ] = "column",
    output: Annotated[Path | None, typer.Option("--output", "-o", metavar="FILE", help="default: stdout")] = None,
    baseline: Annotated[
        str | None,
        typer.Option(
            metavar="KIND",
            help="rom_1t, rom_1t_mlc, sram_8t or sram_6t with the same weights, as a column",
            autocompletion=known.names(known.BASELINES),
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Write the SPICE netlist of one cell, one column, one tile or the whole macro."""
    if baseline is not None:
        from metalrom.cli.baseline import write_baseline

        write_baseline(config, level, baseline, output, json)
        return
    from metalrom.cli.project import netlist_action

    netlist_action(config, level, output, json)


@app.command(epilog=examples("audit macro.cir metalrom.yaml"))
@guarded
def audit(
    netlist: Annotated[
        Path, typer.Argument(metavar="FILE", help="a netlist written at level array or macro, or a layout (.gds, .oas)")
    ],
    config: ConfigPath,
    json: Json = False,
) -> None:
    """Read a written netlist or layout back; every weight bit must be there."""
    from metalrom.cli.project import audit_file

    if not audit_file(netlist, config, json):
        raise typer.Exit(1)


@app.command(epilog=examples("layout metalrom.yaml -o tile.gds --check"))
@guarded
def layout(
    config: ConfigPath,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="GDSII (.gds) or OASIS (.oas)")],
    level: Annotated[str, typer.Option(help="cell, tile (one plane), array (all planes of a tile) or macro")] = "array",
    tile: Annotated[int, typer.Option(min=0, help="which tile, for levels tile and array")] = 0,
    plane: Annotated[int, typer.Option(min=0, help="which plane, for levels cell and tile")] = 0,
    check: Annotated[bool, typer.Option("--check", help="read back: every via, every wire, the stack's rules")] = False,
    picture: Annotated[
        Path | None, typer.Option(metavar="FILE.svg", help="the first plane's corner from above")
    ] = None,
    json: Json = False,
) -> None:
    """Write the mask layout of a cell, a plane, a tile or the whole macro, with the weights as vias."""
    from metalrom.cli.layout import layout_config

    if not layout_config(config, level, output, tile=tile, plane=plane, check=check, picture=picture, json=json):
        raise typer.Exit(CHECK_FAILED)


@app.command(epilog=examples("extract metalrom.yaml", "extract metalrom.yaml --method formula --json"))
@guarded
def extract(
    config: ConfigPath,
    method: Annotated[
        str, typer.Option(help="auto, fieldsolver, table or formula", autocompletion=known.names(known.METHODS))
    ] = "auto",
    json: Json = False,
) -> None:
    """Capacitances and resistances of the cell and its neighbours."""
    from metalrom.cli.project import extract_cell

    extract_cell(config, method, json)


@app.command(epilog=examples("run metalrom.yaml -o out", "run metalrom.yaml -o out -j 4 --seed 7 --json"))
@guarded
def run(
    config: ConfigPath,
    output: OutFolder,
    jobs: Jobs = None,
    cluster: ClusterPlace = None,
    seed: Seed = None,
    json: Json = False,
) -> None:
    """The whole chain: extract, simulate, fit, tables, estimate, report."""
    from metalrom.cli.project import run_chain
    from metalrom.cli.workers import simulators

    with simulators(jobs, cluster) as workers:
        passed = run_chain(config, output, jobs=workers, seed=seed, json=json)
    if not passed:
        raise typer.Exit(CHECK_FAILED)


@app.command(epilog=examples("characterize metalrom.yaml -o out --procedures noise,energy,leakage"))
@guarded
def characterize(
    config: ConfigPath,
    output: OutFolder,
    procedures: Annotated[
        str | None,
        typer.Option(metavar="A,B", help="names; default: as configured", autocompletion=known.lists(known.PROCEDURES)),
    ] = None,
    jobs: Jobs = None,
    cluster: ClusterPlace = None,
    seed: Seed = None,
    json: Json = False,
) -> None:
    """Only the simulations and fits."""
    from metalrom.cli.project import characterize_only
    from metalrom.cli.workers import simulators

    with simulators(jobs, cluster) as workers:
        passed = characterize_only(config, output, procedures, jobs=workers, seed=seed, json=json)
    if not passed:
        raise typer.Exit(CHECK_FAILED)


@app.command(epilog=examples("estimate out", "estimate out --workload bert-base --json"))
@guarded
def estimate(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="output folder of a run")],
    workload: Annotated[
        str | None,
        typer.Option(
            help="smollm2, bert-base, a config.json, safetensors or GGUF file...; default: the run's layer",
            autocompletion=known.names(known.WORKLOADS),
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Area, density, energy, latency, accuracy and error budget from a finished run."""
    from metalrom.cli.finished_run import estimate_run

    estimate_run(out, workload, json)


@app.command(epilog=examples("export out --format csv -o tables --check", "export out --format neurosim -o neurosim"))
@guarded
def export(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="output folder of a run")],
    format: Annotated[
        str,
        typer.Option(
            "--format",
            help="netcdf, csv, json, or a tool's format (see the documentation)",
            autocompletion=known.names(known.FORMATS),
        ),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="folder for the files")],
    check: Annotated[bool, typer.Option("--check", help="read the files back and compare")] = False,
    json: Json = False,
) -> None:
    """Write the lookup tables of a run in another format."""
    from metalrom.cli.finished_run import export_run

    export_run(out, format, output, check, json)


@app.command(epilog=examples("report out"))
@guarded
def report(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="output folder of a run")], json: Json = False
) -> None:
    """Write the self-contained HTML report of a run again."""
    from metalrom.cli.finished_run import report_run

    report_run(out, json)


@app.command(epilog=examples("diff out1 out2", "diff out1 out2 --json"))
@guarded
def diff(
    old: Annotated[Path, typer.Argument(metavar="OUT1", help="output folder of a run")],
    new: Annotated[Path, typer.Argument(metavar="OUT2", help="output folder of another run")],
    json: Json = False,
) -> None:
    """What changed between two runs, and why where that can be proved; exit code 0 whether or not they differ."""
    from metalrom.cli.diff import diff_runs

    diff_runs(old, new, json=json)


@app.command(epilog=examples("explore metalrom.yaml -o explored -j 4"))
@guarded
def explore(
    config: ConfigPath, output: OutFolder, jobs: Jobs = None, cluster: ClusterPlace = None, json: Json = False
) -> None:
    """Sweep cell, pitch, planes, group and converter: what density costs in signal and energy."""
    from metalrom.cli.density import explore_config
    from metalrom.cli.workers import simulators

    with simulators(jobs, cluster) as workers:
        explore_config(config, output, jobs=workers, json=json)


add_harness_commands(app)
add_evaluate_command(app)
add_cells_command(app)
add_macro_commands(app)
add_model_commands(app)


def main() -> None:
    """Entry point of the `metalrom` program."""
    app(prog_name="metalrom")
