"""The terminal text of `metalrom estimate`: one area, one place of the periphery, the other on a line below."""

from __future__ import annotations

from io import StringIO

from rich.console import Console

from metalrom.cli.finished_run import _estimate_view

UNDER, BESIDE = ", periphery under the array", ", periphery beside the array"


def shown(names: list[str]) -> list[str]:
    figures = [
        {"figure": name, "low": k + 0.5, "mid": k + 1.0, "high": k + 2.0, "unit": "mm2"} for k, name in enumerate(names)
    ]
    data = {"title": "a layer", "figures": figures, "operations": "1 MAC", "readout": "ideal", "warnings": []}
    text = StringIO()
    Console(file=text, width=200).print(_estimate_view(data))
    return text.getvalue().replace("\N{NO-BREAK SPACE}", " ").split("\n")


def test_every_figure_stands_in_the_table_once_and_the_other_place_below_it() -> None:
    lines = shown([f"area{UNDER}", f"area{BESIDE}", "density of the cells alone", f"density of via bits{BESIDE}"])
    rows = [line.split("│")[1].strip() for line in lines if line.startswith("│")]
    assert rows == ["area", "density of the cells alone"]
    (below,) = [line for line in lines if "beside it" in line]
    assert below.strip() == (
        "area and densities: periphery under the array; beside it: area 2 mm², density of via bits 4 mm²"
    )


def test_without_area_rules_nothing_is_said_of_the_periphery() -> None:
    assert not any("periphery" in line for line in shown(["density of the cells alone", "conversions per MAC"]))
