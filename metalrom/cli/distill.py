"""The command `distill`: a ternary MiniLM, trained on the hidden states of the float network.

The command line takes it over with `add_distill_command`; it imports what it needs when it runs.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from metalrom.cli.console import emit, examples, guard, guarded, progress, say
from metalrom.cli.options import Json

if TYPE_CHECKING:
    from rich.console import RenderableType

    from metalrom.studies.distill.train import Progress


def add_distill_command(app: typer.Typer) -> None:
    """Register the command of this file."""
    app.command(
        "distill",
        epilog=examples("distill -o ternary", "distill -o two_planes --planes 2 --tokens 1500000 --seed 1"),
    )(guarded(distill_network))


def distill_network(
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FOLDER", help="for the network and its state")],
    planes: Annotated[int, typer.Option(help="ternary planes of every weight: 1, or 2 (3.17 bits)")] = 1,
    tokens: Annotated[int, typer.Option(help="to train on; a million takes about 17 CPU minutes")] = 2_500_000,
    seed: Annotated[int, typer.Option(min=0, help="of the texts that are drawn, and of the noise")] = 0,
    threads: Annotated[int, typer.Option(min=1, help="of torch")] = 1,
    macro: Annotated[
        str | None, typer.Option(metavar="OUT", help="train under the errors of this macro, as `evaluate --macro`")
    ] = None,
    rate: Annotated[float, typer.Option(min=0, help="learning rate at its highest")] = 4e-4,
    start: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="go on from the weights of an earlier run, with a new schedule"),
    ] = None,
    fixed_digits: Annotated[
        bool,
        typer.Option(
            "--fixed-digits", help="keep the digits of --start and train scales, biases and norms: a last step"
        ),
    ] = False,
    json: Json = False,
) -> None:
    """Distil MiniLM's encoder into ternary weights (texts: `metalrom fetch minilm wordsim wordnet news`).

    Goes on from the state in the folder, where an earlier call of the same recipe was interrupted.
    """
    from metalrom.folders import ensure_output_folder
    from metalrom.studies.distill.figures import final_figures, noise_of
    from metalrom.studies.distill.package import write_network
    from metalrom.studies.distill.student import torch_library
    from metalrom.studies.distill.texts import load_corpus
    from metalrom.studies.distill.train import Judge, Recipe, distilled, state_digest
    from metalrom.workloads.networks.fetched import minilm

    recipe = Recipe(
        planes, tokens, seed, rate=rate, start="" if start is None else state_digest(start), fixed_digits=fixed_digits
    )
    torch = torch_library()
    torch.set_num_threads(threads)
    model, tokenizer = minilm()
    if macro is not None:
        recipe = replace(recipe, noise=noise_of(model, tokenizer, macro))
    ensure_output_folder(output)
    with (
        guard(resume="the same command goes on from its last state, one tenth of the tokens back at most"),
        progress("distilling") as bar,
    ):

        def tell(now: Progress) -> None:
            bar.advance(now.tokens, tokens)
            if now.figures:
                say(_line(now))

        corpus = load_corpus()
        judge = Judge(model, tokenizer, corpus)
        parameters = distilled(model, tokenizer, recipe, output, corpus=corpus, judge=judge, tell=tell, start=start)
        write_network(output, model, parameters, recipe, {})
        figures = final_figures(model, tokenizer, output)
    write_network(output, model, parameters, recipe, figures)
    emit({"folder": str(output), "figures": figures}, as_json=json, human=lambda: _table(figures))


def _line(now: Progress) -> str:
    shown = ", ".join(f"{name.replace('_', ' ')} {value:.4f}" for name, value in now.figures.items())
    return f"step {now.step}, {now.tokens} tokens, {now.cpu_seconds:.0f} CPU s: {shown}"


def _table(figures: dict[str, Any]) -> RenderableType:
    from rich.table import Table

    table = Table(title="the packed network, computed in integers", title_justify="left")
    table.add_column("figure")
    for name in ("value", "standard error", "float network"):
        table.add_column(name, justify="right")
    for name, (value, error, other) in figures.items():
        table.add_row(name.replace("_", " "), f"{value:.4f}", "" if error is None else f"{error:.4f}", f"{other:.4f}")
    return table
