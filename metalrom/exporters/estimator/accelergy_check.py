"""Accelergy, timeloopfe and Timeloop read the exported macro: energies of its actions, calls of its components, areas.

Timeloop is its program `timeloop-model`, looked for on the path; it takes what timeloopfe and Accelergy make of
`timeloop.yaml`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from metalrom.exporters.estimator.digits import DIGITS, TOLERANCE
from metalrom.exporters.estimator.headline import headline
from metalrom.exporters.estimator.macro_actions import COMPONENT_ACTIONS, MacroLoops, component_figures
from metalrom.exporters.exporter import ToolReading, compare_readings
from metalrom.exporters.python_tools import run_probe
from metalrom.exporters.run_data import RunData

_ACTIONS = {"convert": "energy_conversion", "mac": "energy_mac", "mvm": "energy_mvm"}
"""Action of the whole macro -> figure. `read` and `compute` are other names of `convert`."""


def validate_accelergy(source: RunData, folder: Path) -> ToolReading:
    """Accelergy with its library plug-in: energy of every action and area of the component, checked; of the product,
    too, where timeloopfe is installed; and what Timeloop makes of that, where `timeloop-model` is on the path.
    """
    remedy = "install Accelergy 0.4 and its library plug-in from their repositories"
    got = run_probe("Accelergy", "accelergy", remedy, _SCRIPT, folder)
    if isinstance(got, ToolReading):
        return got
    h, name = headline(source), f"Accelergy {got['version']} with its library plug-in"
    wanted = {action: getattr(h, field) * 1e12 for action, field in _ACTIONS.items()}
    wanted |= {"read": wanted["convert"], "compute": wanted["convert"], "leak": 0.0}
    figures = {
        f"{action}, pJ": (float(got["values"].get(action, "nan")), expected) for action, expected in wanted.items()
    }
    figures["area, um2"] = (float(got["values"].get("area", "nan")), h.area * 1e12)
    figures |= _component_energies(source, got["components"], "")
    if "timeloopfe" in got:
        name += f", timeloopfe {got['timeloopfe']}"
        figures |= _component_energies(source, got["product"], ", through timeloopfe")
        figures |= _component_areas(source, got["areas"])
    if "timeloop" in got:
        name += ", Timeloop"
        figures |= timeloop_figures(source, got["timeloop"])
    return compare_readings(name, figures, TOLERANCE, digits=DIGITS)


def _component_energies(
    source: RunData, reported: Mapping[str, Mapping[str, float]], path: str
) -> dict[str, tuple[float, float]]:
    """pJ per call of every component: (reported, ours)."""
    return {
        f"{name}, pJ per call{path}": (
            float(reported.get(name, {}).get(COMPONENT_ACTIONS[name], "nan")),
            found.energy * 1e12,
        )
        for name, found in component_figures(source).items()
    }


def _component_areas(source: RunData, reported: Mapping[str, float]) -> dict[str, tuple[float, float]]:
    """um2 of every component with all its instances: (reported, ours)."""
    return {
        f"{name}, um2 through timeloopfe": (float(reported.get(name, "nan")), found.area * 1e12)
        for name, found in component_figures(source).items()
    }


def timeloop_figures(source: RunData, reported: Mapping[str, Any]) -> dict[str, tuple[float, float]]:
    """Timeloop's own figures: (reported, ours).

    Parameters
    ----------
    source : RunData
        The run.
    reported : Mapping
        computes; levels: calls of every action and energy, pJ, of every component, all instances together.

    Returns
    -------
    dict
        Computes, calls of every component, energy per multiply-accumulate. Every other level must cost nothing.
    """
    g = source.estimate.macro.geometry
    loops, levels = MacroLoops.of(g), reported["levels"]
    figures = {"computes in Timeloop": (float(reported["computes"]), float(loops.computes))}
    for name, calls in loops.calls.items():
        counted = levels.get(name, {}).get(COMPONENT_ACTIONS[name], "nan")
        figures[f"{name}, calls in Timeloop"] = float(counted), float(calls)
    energy = sum(level["energy"] for level in levels.values()) / g.macs
    figures["pJ per multiply-accumulate in Timeloop"] = energy, headline(source).energy_mac * 1e12
    return figures


_SCRIPT = """
import importlib.metadata, json, os, shutil, subprocess, sys, yaml
import xml.etree.ElementTree as ElementTree
folder = sys.argv[1]
os.environ["ACCELERGY_COMPONENT_LIBRARIES"] = folder
from accelergy.accelergy_console import run
sys.argv = ["accelergy", os.path.join(folder, "architecture.yaml"), "-o", "out/", "-p", "12"]
run()

def table(path, key):
    with open(path) as file:
        return yaml.safe_load(file)[key]["tables"]

def energies(path):
    return {t["name"].split("[")[0].split(".")[-1]: {a["name"]: a["energy"] for a in t["actions"]}
            for t in table(path, "ERT")}

def areas(path):
    out = {}
    for t in table(path, "ART"):
        name, _, instances = t["name"].partition("[")
        out[name.split(".")[-1]] = t["area"] * int(instances.rstrip("]").split("..")[-1] or 1)
    return out

def numbers(element):
    return [float(item.text) for item in element.iter("item")]

def in_timeloop(program):
    inputs = ["product.yaml", "product/ERT.yaml", "product/ART.yaml"]
    subprocess.run([program, *inputs], check=True, capture_output=True)
    # its text rounds to two decimals; its archive does not, and lacks the last closing tag
    with open("timeloop-model.map+stats.xml") as file:
        archive = ElementTree.fromstring(file.read().split("</boost_serialization>")[0] + "</boost_serialization>")
    levels, computes = {}, 0
    for level in archive.iter():
        name, stats = level.find("specs_/LevelSpecs/level_name"), level.find("stats_")
        if name is not None and stats is None:
            computes = int(level.find("algorithmic_computes_").text)
            levels[name.text] = {"energy": float(level.find("energy_").text)}
        elif name is not None:
            instances = numbers(stats.find("utilized_instances"))
            levels[name.text] = {
                key: sum(n * value for n, value in zip(instances, numbers(stats.find(tag))))
                for key, tag in (("read", "reads"), ("update", "updates"), ("energy", "energy"))
            }
    return {"computes": computes, "levels": levels}

components, art = energies("out/ERT.yaml"), areas("out/ART.yaml")
values = components.pop("macro")
values["area"] = art["macro"]
answer = {"version": importlib.metadata.version("accelergy"), "values": values, "components": components}
try:
    import timeloopfe.v4 as timeloop
    from timeloopfe.common.backend_calls import _specification_to_yaml_string as for_timeloop
except ImportError:
    pass
else:
    read = timeloop.Specification.from_yaml_files(os.path.join(folder, "timeloop.yaml"))
    product = for_timeloop(read, for_model=True)
    with open("product.yaml", "w") as file:
        file.write(product)
    program = [os.path.join(os.path.dirname(sys.executable), "accelergy"), "product.yaml", "-o", "product/", "-p", "12"]
    subprocess.run(program, check=True, capture_output=True)
    answer["product"], answer["areas"] = energies("product/ERT.yaml"), areas("product/ART.yaml")
    answer["timeloopfe"] = importlib.metadata.version("timeloopfe")
    found = shutil.which("timeloop-model")
    if found:
        answer["timeloop"] = in_timeloop(found)
print(json.dumps(answer))
"""
