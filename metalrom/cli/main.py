"""The command line. Every command imports what it needs when it runs, so that `--help` stays quick."""

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from interconnect.cachefolder import cache_folder
from interconnect.errors import InputError
from metalrom.cli import completion as known
from metalrom.cli.accuracy import add_accuracy_command
from metalrom.cli.cells import add_cells_command
from metalrom.cli.console import emit, examples, guarded, say, shielded_output
from metalrom.cli.density import explore_config, optimize_config
from metalrom.cli.distill import add_distill_command
from metalrom.cli.finished_run import diff_runs, estimate_run, export_run, report_run, take_measured
from metalrom.cli.layout import layout_config
from metalrom.cli.layout_signoff import sign_off_config
from metalrom.cli.netlist import write_macro_netlist, write_testbench
from metalrom.cli.options import Json, one_of
from metalrom.cli.project import (
    audit_file,
    characterize_only,
    extract_cell,
    fetch_assets,
    init_project,
    run_chain,
)
from metalrom.cli.respin import compare_models
from metalrom.cli.simulate import add_simulate_commands
from metalrom.cli.stack import add_stack_commands
from metalrom.cli.surrogates import add_surrogate_commands
from metalrom.cli.workloads import add_workload_commands

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
    "testbench",
    "layout",
    "signoff",
    "respin",
    "audit",
    "run",
    "characterize",
    "explore",
    "optimize",
    "fit",
    "estimate",
    "export",
    "measured",
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
    trust: Annotated[
        bool, typer.Option("--trust", help="allow decks and model libraries to start programs and write anywhere")
    ] = False,
) -> None:
    """Exit codes: 0 done, 1 a check or specification failed, 2 bad input, 3 simulation or engine failure."""
    if trust:
        from ngspice_runner.permissions import TRUST

        os.environ[TRUST] = "1"
    if plugin or context.invoked_subcommand in USES_PLUGINS:
        from metalrom.plugins import load_installed, load_named

        context.with_resource(shielded_output())
        for trouble in load_installed():
            say(f"WARNING: {trouble}; it is left out")
        load_named(plugin or ())


def doctor(
    json: Json = False,
    devices: Annotated[str | None, one_of(known.DEVICES, "try this device set, every corner", "NAME|FILE")] = None,
    licences: Annotated[bool, typer.Option("--licences", help="list the licences of all packages in use")] = False,
    sbom: Annotated[bool, typer.Option("--sbom", help="print the bill of materials (CycloneDX, JSON)")] = False,
) -> None:
    """Say what is installed, what is missing and how to get it."""
    if licences or sbom:
        from metalrom.cli.licences import bill_of_materials, installed_licences, licence_rows, licence_table

        packages = installed_licences()
        data = bill_of_materials(packages) if sbom else {"packages": licence_rows(packages)}
        emit(data, as_json=json or sbom, human=lambda: licence_table(packages))
        return
    from metalrom.cli.doctor import diagnose

    report = diagnose(devices)
    emit(report.as_dict(), as_json=json, human=report.table)
    raise typer.Exit(report.exit_code)


def print_schema(json: Json = True) -> None:
    """Print the JSON schema of the configuration; it is JSON with or without --json."""
    from metalrom.config.schema import schema as config_schema

    emit(config_schema(), as_json=json)


def _add(name: str, command: Callable[..., None], *shown: str) -> None:
    app.command(name, epilog=examples(*shown))(guarded(command))


_add(
    "doctor",
    doctor,
    "doctor",
    "doctor --json",
    "doctor --devices open45",
    "doctor --licences",
    "doctor --sbom",
)
_add("fetch", fetch_assets, "fetch minilm", "fetch smollm2 wordsim")
_add("schema", print_schema, "schema > schema.json")
_add(
    "init",
    init_project,
    "init my_macro",
    "init my_macro --cell res_via --rows 32 --stack open45",
    "init my_macro --weights model.safetensors --tensor layer.weight --bits 8",
)
_add(
    "netlist",
    write_macro_netlist,
    "netlist metalrom.yaml --level column",
    "netlist metalrom.yaml --level macro -o macro.cir",
    "netlist metalrom.yaml --baseline rom_1t -o rom.cir",
    "netlist metalrom.yaml --testbench --active 19 --count 19 -o read.cir",
)
_add(
    "testbench",
    write_testbench,
    "testbench metalrom.yaml --active 19 --count 19 --at tt_1.00V_85C -o read.cir",
    "testbench metalrom.yaml --count 0 > zero.cir",
)
_add("audit", audit_file, "audit macro.cir metalrom.yaml")
_add("layout", layout_config, "layout metalrom.yaml -o tile.gds --check")
_add("signoff", sign_off_config, "signoff metalrom.yaml -o out/signoff")
_add("extract", extract_cell, "extract metalrom.yaml", "extract metalrom.yaml --method formula --json")
_add("run", run_chain, "run metalrom.yaml -o out", "run metalrom.yaml -o out -j 4 --seed 7 --json")
_add("characterize", characterize_only, "characterize metalrom.yaml -o out --procedures noise,energy,leakage")
_add("estimate", estimate_run, "estimate out", "estimate out --workload bert-base --json")
_add("export", export_run, "export out --format csv -o tables --check", "export out --format neurosim -o neurosim")
_add("measured", take_measured, "measured out chip.csv -o measured --source 'die 7, bench of May, 4 units averaged'")
_add("report", report_run, "report out")
_add("diff", diff_runs, "diff out1 out2", "diff out1 out2 --json")
_add(
    "respin",
    compare_models,
    "respin out1 out2",
    "respin model_a.gds model_b.gds --node 28 --devices 1e6 --json",
)
_add("explore", explore_config, "explore metalrom.yaml -o explored -j 4")
_add(
    "optimize",
    optimize_config,
    "optimize metalrom.yaml -o optimized --maximize density_macro --subject 'code_error <= 1e-4 at all'",
    "optimize metalrom.yaml -o optimized --minimize energy_per_mac --subject 'csnr >= 30dB' --trials 200 --json",
)
add_simulate_commands(app)
add_stack_commands(app)
add_accuracy_command(app)
add_distill_command(app)
add_cells_command(app)
add_workload_commands(app)
add_surrogate_commands(app)


def _place_fonts() -> None:
    """Keep matplotlib's list of fonts in the cache where no home folder can be written; else it warns every time."""
    try:
        writable = os.access(Path.home(), os.W_OK)
    except RuntimeError:
        writable = False
    if not writable and "MPLCONFIGDIR" not in os.environ:
        with suppress(InputError):
            os.environ["MPLCONFIGDIR"] = str(cache_folder("matplotlib"))


def main() -> None:
    """Run the command line; `metalrom.cli.start` is the entry point."""
    _place_fonts()
    app(prog_name="metalrom")
