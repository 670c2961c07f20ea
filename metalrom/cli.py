"""The command line. Every command imports what it needs when it runs, so that `--help` stays quick."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from metalrom.cells_cli import add_command as add_cells_command
from metalrom.console import CHECK_FAILED, emit, guarded, say
from metalrom.evaluate_cli import add_command as add_evaluate_command
from metalrom.macro_cli import add_commands as add_macro_commands
from metalrom.model_cli import add_commands as add_model_commands

app = typer.Typer(
    name="metalrom",
    help="Netlists, readout characterization, lookup tables and estimates of transistor-less 3D metal-ROM macros.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)

ConfigPath = Annotated[Path, typer.Argument(metavar="CONFIG", help="project configuration (YAML)")]
OutFolder = Annotated[Path, typer.Option("--output", "-o", metavar="OUT", help="output folder")]
Json = Annotated[bool, typer.Option("--json", help="print one JSON document on standard output")]
Jobs = Annotated[int | None, typer.Option("--jobs", "-j", min=1, help="parallel simulations (default: all cores)")]
ClusterPlace = Annotated[
    str | None,
    typer.Option(
        "--cluster",
        metavar="local|ADDRESS|FILE",
        help="simulate on dask: `local` (this machine), tcp://HOST:PORT or the scheduler's file",
    ),
]
Seed = Annotated[int | None, typer.Option("--seed", min=0, help="overrides characterization.seed")]


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
    "model",
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


@app.command()
@guarded
def doctor(
    json: Json = False,
    devices: Annotated[str | None, typer.Option(metavar="NAME|FILE", help="try this device set, every corner")] = None,
) -> None:
    """Say what is installed, what is missing and how to get it."""
    from metalrom.doctor import diagnose

    report = diagnose(devices)
    emit(report.as_dict(), as_json=json, human=report.table)
    raise typer.Exit(report.exit_code)


@app.command()
@guarded
def fetch(names: Annotated[list[str], typer.Argument(metavar="NAME...", help="assets, e.g. minilm")]) -> None:
    """Download public models and cards (by name, version and SHA-256) into the user's cache."""
    from metalrom.commands import fetch_assets

    fetch_assets(names)


@app.command()
@guarded
def schema() -> None:
    """Print the JSON schema of the configuration."""
    from metalrom.config import schema as config_schema

    emit(config_schema(), as_json=True)


@app.command()
@guarded
def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="new project folder")],
    cell: Annotated[str, typer.Option(help="cap_balanced or res_via")] = "cap_balanced",
) -> None:
    """Write a commented starter configuration."""
    from metalrom.starter import write_starter

    path = write_starter(folder, cell)
    typer.echo(f"wrote {path}; next: metalrom run {path} -o {folder / 'out'}")


@app.command()
@guarded
def netlist(
    config: ConfigPath,
    level: Annotated[str, typer.Option(help="cell, column, array or macro")] = "column",
    output: Annotated[Path | None, typer.Option("--output", "-o", metavar="FILE", help="default: stdout")] = None,
    baseline: Annotated[
        str | None,
        typer.Option(metavar="KIND", help="rom_1t, rom_1t_mlc, sram_8t or sram_6t with the same weights, as a column"),
    ] = None,
) -> None:
    """Write the SPICE netlist of one cell, one column, one tile or the whole macro."""
    if baseline is not None:
        from metalrom.baseline import write_baseline

        write_baseline(config, level, baseline, output)
        return
    from metalrom.commands import write_netlist

    write_netlist(config, level, output)


@app.command()
@guarded
def audit(
    netlist: Annotated[
        Path, typer.Argument(metavar="FILE", help="a netlist written at level array or macro, or a layout (.gds, .oas)")
    ],
    config: ConfigPath,
    json: Json = False,
) -> None:
    """Read a written netlist or layout back; every weight bit must be there."""
    from metalrom.commands import audit_file

    if not audit_file(netlist, config, json):
        raise typer.Exit(1)


@app.command()
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
    from metalrom.layout.command import layout_config

    if not layout_config(config, level, output, tile=tile, plane=plane, check=check, picture=picture, json=json):
        raise typer.Exit(CHECK_FAILED)


@app.command()
@guarded
def extract(
    config: ConfigPath,
    method: Annotated[str, typer.Option(help="auto, fieldsolver, table or formula")] = "auto",
    json: Json = False,
) -> None:
    """Capacitances and resistances of the cell and its neighbours."""
    from metalrom.commands import extract_cell

    extract_cell(config, method, json)


@app.command()
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
    from metalrom.commands import run_chain
    from metalrom.simulators import simulators

    with simulators(jobs, cluster) as workers:
        passed = run_chain(config, output, jobs=workers, seed=seed, json=json)
    if not passed:
        raise typer.Exit(CHECK_FAILED)


@app.command()
@guarded
def characterize(
    config: ConfigPath,
    output: OutFolder,
    procedures: Annotated[str | None, typer.Option(help="comma-separated names; default: as configured")] = None,
    jobs: Jobs = None,
    cluster: ClusterPlace = None,
    seed: Seed = None,
) -> None:
    """Only the simulations and fits."""
    from metalrom.commands import characterize_only
    from metalrom.simulators import simulators

    with simulators(jobs, cluster) as workers:
        passed = characterize_only(config, output, procedures, jobs=workers, seed=seed)
    if not passed:
        raise typer.Exit(CHECK_FAILED)


@app.command()
@guarded
def estimate(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="output folder of a run")],
    workload: Annotated[
        str | None,
        typer.Option(help="smollm2, bert-base, a config.json, safetensors or GGUF file...; default: the run's layer"),
    ] = None,
    json: Json = False,
) -> None:
    """Area, density, energy, latency, accuracy and error budget from a finished run."""
    from metalrom.commands import estimate_run

    estimate_run(out, workload, json)


@app.command()
@guarded
def export(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="output folder of a run")],
    format: Annotated[
        str, typer.Option("--format", help="netcdf, csv, json, or a tool's format (see the documentation)")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="folder for the files")],
    check: Annotated[bool, typer.Option("--check", help="read the files back and compare")] = False,
) -> None:
    """Write the lookup tables of a run in another format."""
    from metalrom.commands import export_run

    export_run(out, format, output, check)


@app.command()
@guarded
def report(out: Annotated[Path, typer.Argument(metavar="OUT", help="output folder of a run")]) -> None:
    """Write the self-contained HTML report of a run again."""
    from metalrom.commands import report_run

    typer.echo(report_run(out))


@app.command()
@guarded
def diff(
    old: Annotated[Path, typer.Argument(metavar="OUT1", help="output folder of a run")],
    new: Annotated[Path, typer.Argument(metavar="OUT2", help="output folder of another run")],
    json: Json = False,
) -> None:
    """What changed between two runs, and why where that can be proved; exit code 0 whether or not they differ."""
    from metalrom.diff.command import diff_runs

    diff_runs(old, new, json=json)


@app.command()
@guarded
def explore(
    config: ConfigPath, output: OutFolder, jobs: Jobs = None, cluster: ClusterPlace = None, json: Json = False
) -> None:
    """Sweep cell, pitch, planes, group and converter: what density costs in signal and energy."""
    from metalrom.explore.command import explore_config
    from metalrom.simulators import simulators

    with simulators(jobs, cluster) as workers:
        explore_config(config, output, jobs=workers, json=json)


@app.command()
@guarded
def simulate(
    deck: Annotated[Path, typer.Argument(metavar="DECK", help="any SPICE deck")],
    save: Annotated[list[str], typer.Option("--save", metavar="VECTORS", help="v(out),i(vdd); may be repeated")],
    backend: Annotated[str, typer.Option(help="process, batch or shared")] = "process",
    timeout: Annotated[float, typer.Option(metavar="SECONDS", help="wall time")] = 120.0,
    retry: Annotated[bool, typer.Option("--retry", help="try other engine options when it does not converge")] = False,
    json: Json = False,
) -> None:
    """Run a deck and judge it: exit code 0 only for verdict ok, 3 otherwise."""
    from metalrom.harness_cli import simulate_deck

    if not simulate_deck(deck, save, backend=backend, timeout=timeout, json=json, retry=retry):
        raise typer.Exit(3)


add_evaluate_command(app)
add_cells_command(app)
add_macro_commands(app)
add_model_commands(app)

cache_app = typer.Typer(help="Kept simulation results.", no_args_is_help=True)
app.add_typer(cache_app, name="cache")


@cache_app.command()
@guarded
def stats(json: Json = False) -> None:
    """What is kept: results by verdict, size, damage."""
    from metalrom.harness_cli import cache_stats

    cache_stats(json=json)


@cache_app.command()
@guarded
def verify(json: Json = False) -> None:
    """Check every kept result; damaged ones are set aside and run again when they are asked for."""
    from metalrom.harness_cli import cache_verify

    if not cache_verify(json=json):
        raise typer.Exit(1)


@cache_app.command()
@guarded
def prune(
    older_than: Annotated[float | None, typer.Option(metavar="DAYS", min=0, help="results older than this")] = None,
    failures: Annotated[bool, typer.Option("--failures", help="failed runs as well")] = False,
    json: Json = False,
) -> None:
    """Remove damaged results and, if asked, old ones and failures; give the space back."""
    from metalrom.harness_cli import cache_prune

    cache_prune(older_than_days=older_than, failures=failures, json=json)


def main() -> None:
    """Entry point of the `metalrom` program."""
    app(prog_name="metalrom")
