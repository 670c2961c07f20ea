"""`metalrom inventory` and `metalrom compare`, through the command line."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from metalrom.cli.main import app
from metalrom.studies.systems import checks
from metalrom.studies.systems.comparison import METAL
from metalrom.studies.systems.description import SYSTEMS

RUNNER = CliRunner()


QUICK = ["--workloads", "resnet-34,bert-base", "--sizes", "S,L"]


def refuse(arguments: list[str], *words: str) -> None:
    done = RUNNER.invoke(app, arguments)
    assert done.exit_code == 2, done.output
    assert done.stdout == ""
    message = done.stderr.strip()
    assert message.startswith("error: ")
    assert len(message.splitlines()) == 1
    for word in words:
        assert word in message, message


def test_inventory_document() -> None:
    done = RUNNER.invoke(app, ["inventory", "resnet-34", "--image", "32x32", "--tile", "384x256x4", "--json"])
    assert done.exit_code == 0, done.output
    data = json.loads(done.stdout)
    assert {"parameters", "macs", "activations", "layers"} <= set(data)
    assert (data["parameters"], data["macs"], data["activations"]) == (21797672, 75272192, 70656 + 77288)
    assert data["tiling"]["tiles"] == sum(layer["tiles"] for layer in data["tiling"]["layers"])


def test_inventory_table_names_repeated_layers_once() -> None:
    done = RUNNER.invoke(app, ["inventory", "bert-base", "--sequence", "12"], env={"COLUMNS": "200"})
    assert done.exit_code == 0, done.output
    assert "encoder.layer.*.intermediate.dense" in done.stdout
    assert "1,019,805,696" in done.stdout


def test_bad_input() -> None:
    refuse(["inventory", "bret-base"], "unknown model 'bret-base'", "bert-base", "config.json")
    refuse(["inventory", "alexnet", "--image", "32x32"], "32x32", "alexnet-cifar")
    refuse(["inventory", "alexnet", "--image", "32"], "--image", "224x224")
    refuse(["inventory", "gpt2", "--tile", "0x1x1"], "--tile", "384x256x4")
    refuse(["compare", "--systems", "yolo"], "there is no system 'yolo'", "yoloc")
    refuse(["compare", "--workloads", "resnet-35"], "unknown model 'resnet-35'", "resnet-34")
    refuse(["compare", "--workloads", ","], "--workloads is empty")
    refuse(["compare", "--sizes", "XL"], "--sizes is 'XL'", "did you mean 'L'")
    refuse(["compare", "--attention", "rom"], "--attention", "sram, logic")
    refuse(["compare", "--area", "big"], "--area", "full")
    refuse(["compare", "--area", "-3"], "area is -3")
    refuse(["compare", "--area", "nan"], "area is nan")
    refuse(["compare", "--node", "0"], "node is 0")
    refuse(["compare", "--context", "12,x"], "--context is '12,x'", "512,4096")
    refuse(["compare", "--context", "0"], "context of 0")
    refuse(["compare", "--place", "resnet-34"], "resnet-34", "accepts no sequence length")
    refuse(["compare", "--macro", "/nonexistent"], "/nonexistent", "finished `metalrom run`")


def test_compare_writes_what_it_prints(tmp_path: Path) -> None:
    out = tmp_path / "compare"
    config = {"model_type": "bert", "hidden_size": 128, "intermediate_size": 512, "num_attention_heads": 2}
    config |= {"num_hidden_layers": 2, "vocab_size": 30522, "max_position_embeddings": 512}
    (tmp_path / "config.json").write_text(json.dumps(config))
    workloads = f"resnet-34,{tmp_path / 'config.json'}"
    done = RUNNER.invoke(app, ["compare", "--workloads", workloads, "--sizes", "S,L", "-o", str(out), "--json"])
    assert done.exit_code == 0, done.output
    data = json.loads(done.stdout)
    assert data == json.loads((out / "compare.json").read_text())
    names = {"compare.json", "cases.csv", "checks.csv", "placed.csv", "phases.csv"}
    names |= {f"{name}.{kind}" for name in ("capacity", "energy", "gain") for kind in ("svg", "png")}
    assert {path.name for path in out.iterdir()} == names
    assert data["failed_checks"] == []
    inputs = ["image 32x32", "image 1080x1920", "sequence of 12", "sequence of 512"]
    assert [case["input"] for case in data["cases"]] == inputs
    assert set(data["systems"]) == set(data["cases"][0]["systems"]) == {*SYSTEMS, METAL}
    with (out / "cases.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 4 * 5 * 3
    for row in rows:
        case = next(c for c in data["cases"] if (c["workload"], c["size"]) == (row["workload"], row["size"]))
        energy = case["systems"][row["system"]]["energy"][row["level"]]
        assert float(row["total_J"]) == energy["total_J"]
        parts = ("computing_J", "weight_loading_J", "activation_access_J")
        assert energy["total_J"] == pytest.approx(sum(float(row[part]) for part in parts))
    with (out / "checks.csv").open(newline="") as file:
        assert [row["ok"] for row in csv.DictReader(file)] == ["True"] * len(data["checks"])
    for name in ("capacity", "energy", "gain"):
        picture = (out / f"{name}.svg").read_text()
        assert picture.startswith("<svg ")
        assert "not silicon" in picture  # the caption tells what the metal ROM's numbers are
        assert "mathdefault" not in picture
        assert (out / f"{name}.png").read_bytes().startswith(b"\x89PNG")


def test_every_published_value_tells_its_source() -> None:
    done = RUNNER.invoke(app, ["compare", "--workloads", "resnet-34", "--sizes", "S", "--json"])
    data = json.loads(done.stdout)
    facts = [
        value
        for system in data["systems"].values()
        for value in system.values()
        if isinstance(value, dict) and "status" in value
    ]
    facts += [value for value in data["assumptions"].values() if isinstance(value, dict)]
    assert len(facts) > 30
    for fact in facts:
        assert fact["status"] in ("published", "derived", "measured", "estimate")
        assert len(fact["source"]) > 5
        assert not (fact["status"] == "published" and "unverified" in fact["source"])
    assert data["systems"]["metal-rom"]["density"]["status"] == "estimate"
    assert data["systems"]["metal-rom"]["example"] is True


def test_tables_for_people() -> None:
    done = RUNNER.invoke(app, ["compare", *QUICK, "--area", "50", "--attention", "logic"], env={"COLUMNS": "80"})
    assert done.exit_code == 0, done.output
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert "┃no.┃" in done.stdout  # tables as such, not as lists
    assert done.stdout.count("┏") == 5
    for words in (
        "1656.7",
        "13233.3",
        "BERT-base",
        "Every system gets 50 mm2",
        "attention: logic",
        "WARNING: generic28",
    ):
        assert words in done.stdout


def test_a_failed_check_ends_with_1(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = tuple(replace(c, reference=6.0) if c.what == "YOLoC: density" else c for c in checks.CHECKS)
    monkeypatch.setattr(checks, "CHECKS", wrong)
    done = RUNNER.invoke(app, ["compare", "--workloads", "resnet-34", "--sizes", "S", "--json"])
    assert done.exit_code == 1
    assert json.loads(done.stdout)["failed_checks"] == ["YOLoC: density"]
    assert "check failed: YOLoC: density" in done.stderr


def test_nothing_heavy_is_imported_for_an_inventory() -> None:
    code = (
        "import sys; from metalrom.cli.workloads import show_inventory; show_inventory('minigpt-4', json=True); "
        "heavy = ('scipy', 'pydantic', 'matplotlib', 'jinja2'); "
        "print([name for name in heavy if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stderr.strip() == "[]"
