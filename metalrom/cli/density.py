"""The command `explore`: sweep the design space, write, and say what was found."""

from __future__ import annotations

from metalrom.cli.console import emit, progress_bar, say
from metalrom.cli.options import ClusterAddress, ConfigPath, Jobs, Json, OutFolder


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
