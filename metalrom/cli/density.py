"""The commands `explore` and `optimize`: rate the design space or search it, write, and say what was found."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import typer

from metalrom.cli import completion as known
from metalrom.cli.console import CHECK_FAILED, emit, progress_bar, say
from metalrom.cli.options import ClusterAddress, ConfigPath, Jobs, Json, OutFolder, Seed


def explore_config(
    config: ConfigPath, output: OutFolder, jobs: Jobs = None, cluster: ClusterAddress = None, json: Json = False
) -> None:
    """Rate every combination of the configuration's `explore.vary`: what density costs in signal and energy.

    Points are kept in OUT as they come: an interrupted command goes on there.
    """
    from metalrom.api import load
    from metalrom.cli.workers import simulators
    from metalrom.folders import ensure_output_folder

    project = load(config)
    ensure_output_folder(output)
    from metalrom.studies.density.run import explore_designs
    from metalrom.studies.density.write import (
        UNVERIFIED,
        exploration_document,
        verification_text,
        write_exploration,
    )

    with simulators(jobs, cluster) as workers, progress_bar("points") as progress:
        found = explore_designs(project, output, jobs=workers, announce=say, progress=progress)
    written = write_exploration(found, output)

    def human() -> str:
        resumed = f", {found.resumed} kept by an earlier command" if found.resumed else ""
        lines = [f"{len(found.points)} points, {len(found.frontier)} on the frontier{resumed}"]
        lines += [sentence for a in found.answers for sentence in a.sentences]
        lines += [found.error.sentence if found.error else UNVERIFIED]
        lines += [verification_text(v, found.target) for v in found.verified]
        lines += [f"{number} combinations are none: {reason}" for reason, number in found.refused]
        lines += [f"WARNING: {w}" for w in found.warnings]
        return "\n".join([*lines, f"wrote {', '.join(path.name for path in written)} into {output}"])

    emit(exploration_document(found), as_json=json, human=human)


def optimize_config(
    config: ConfigPath,
    output: OutFolder,
    maximize: Annotated[
        str | None, typer.Option(metavar="QUANTITY", help="push up", autocompletion=known.names(known.RATED))
    ] = None,
    minimize: Annotated[
        str | None, typer.Option(metavar="QUANTITY", help="push down", autocompletion=known.names(known.RATED))
    ] = None,
    subject: Annotated[
        list[str] | None,
        typer.Option(metavar="SPEC", help="`csnr >= 40dB at all`; may be repeated; default: readout.code_error_target"),
    ] = None,
    trials: Annotated[int, typer.Option(min=1, max=100_000, help="points that are proposed")] = 100,
    winners: Annotated[int, typer.Option(min=1, max=32, help="points characterized in full, at most")] = 3,
    seed: Seed = None,
    jobs: Jobs = None,
    cluster: ClusterAddress = None,
    json: Json = False,
) -> None:
    """Search the configuration's `explore.vary` for the best point that keeps specifications; confirm it by a run.

    Points are kept in OUT as they come: an interrupted command goes on there. Exit code 1 if no run confirms all.
    """
    from metalrom.api import load
    from metalrom.cli.workers import simulators
    from metalrom.folders import ensure_output_folder
    from metalrom.run.judge import default_specs
    from metalrom.studies.density.objective import parse_objective

    objective = parse_objective(maximize, minimize, subject or ())
    project = load(config)
    if not subject:
        objective = replace(objective, specs=default_specs(project.config.readout.code_error_target))
    ensure_output_folder(output)
    from metalrom.studies.density.optimize import optimize_design
    from metalrom.studies.density.optimize_page import (
        optimization_document,
        optimization_view,
        write_optimization,
    )

    used = project.config.characterization.seed if seed is None else seed
    with simulators(jobs, cluster) as workers, progress_bar("trials") as progress:
        found = optimize_design(
            project, objective, output,
            trials=trials, winners=winners, seed=used, jobs=workers, announce=say, progress=progress,
        )  # fmt: skip
    written = write_optimization(found, output)
    emit(optimization_document(found), as_json=json, human=lambda: optimization_view(found))
    say(f"wrote {', '.join(path.name for path in written)} into {output}")
    if found.best is None:
        raise typer.Exit(CHECK_FAILED)
