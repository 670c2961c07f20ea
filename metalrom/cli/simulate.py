"""The commands of the harness: `simulate` for any deck, `cache` for kept results.

The command line takes them over with `add_simulate_commands`. Each imports what it needs when it runs.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from metalrom.cli import completion as known
from metalrom.cli.console import examples, guarded
from metalrom.cli.options import Json


def add_simulate_commands(app: typer.Typer) -> None:
    """Register `simulate` and the commands of `cache`."""

    @app.command(
        epilog=examples("simulate deck.cir --save 'v(out),i(vdd)'", "simulate deck.cir --save 'v(out)' --json")
    )
    @guarded
    def simulate(
        deck: Annotated[Path, typer.Argument(metavar="DECK", help="any SPICE deck")],
        save: Annotated[list[str], typer.Option("--save", metavar="VECTORS", help="v(out),i(vdd); may be repeated")],
        backend: Annotated[
            str, typer.Option(help="process, batch or shared", autocompletion=known.names(known.BACKENDS))
        ] = "process",
        timeout: Annotated[float, typer.Option(metavar="SECONDS", help="wall time")] = 120.0,
        retry: Annotated[
            bool, typer.Option("--retry", help="try other engine options when it does not converge")
        ] = False,
        json: Json = False,
    ) -> None:
        """Run a deck and judge it: exit code 0 only for verdict ok, 3 otherwise."""
        from metalrom.cli.simulate_actions import simulate_deck

        if not simulate_deck(deck, save, backend=backend, timeout=timeout, json=json, retry=retry):
            raise typer.Exit(3)

    cache_app = typer.Typer(help="Kept simulation results.", no_args_is_help=True)
    app.add_typer(cache_app, name="cache")

    @cache_app.command(epilog=examples("cache stats"))
    @guarded
    def stats(json: Json = False) -> None:
        """What is kept: results by verdict, size, damage."""
        from metalrom.cli.simulate_actions import cache_stats

        cache_stats(json=json)

    @cache_app.command(epilog=examples("cache verify"))
    @guarded
    def verify(json: Json = False) -> None:
        """Check every kept result; damaged ones are set aside and run again when they are asked for."""
        from metalrom.cli.simulate_actions import cache_verify

        if not cache_verify(json=json):
            raise typer.Exit(1)

    @cache_app.command(epilog=examples("cache prune --older-than 30 --failures"))
    @guarded
    def prune(
        older_than: Annotated[float | None, typer.Option(metavar="DAYS", min=0, help="results older than this")] = None,
        failures: Annotated[bool, typer.Option("--failures", help="failed runs as well")] = False,
        json: Json = False,
    ) -> None:
        """Remove damaged results and, if asked, old ones and failures; give the space back."""
        from metalrom.cli.simulate_actions import cache_prune

        cache_prune(older_than_days=older_than, failures=failures, json=json)
