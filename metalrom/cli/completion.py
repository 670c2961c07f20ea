"""Names that the shell completes: of registries, asked when Tab is pressed; short fixed lists are spelled out.

A registry lists its names without importing the items, so that a Tab stays fast.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib import import_module

Names = tuple[str, ...] | Callable[[], Iterable[str]]


def complete(*registries: str, also: tuple[str, ...] = ()) -> Callable[[], tuple[str, ...]]:
    """A function that lists the names of registries, each given as `module:attribute`, and further ones."""

    def listed() -> tuple[str, ...]:
        found = [getattr(import_module(module), name) for module, name in (text.split(":") for text in registries)]
        return (*(name for registry in found for name in registry), *also)

    return listed


LEVELS = ("cell", "column", "array", "macro")
BASELINES = complete("netlists.baselines.registry:BASELINE_CELLS")
METHODS = ("auto", "fieldsolver", "table", "formula")
BACKENDS = complete("ngspice_runner.backends:BACKENDS")
STARTERS = ("cap_present", "cap_balanced", "cap_select", "cap_ternary", "res_via")
STACKS = ("generic28", "open45", "freepdk45", "sky130", "gf180")
DEVICES = ("open45", "freepdk45", "sky130", "gf180")
ASSETS = ("minilm", "smollm2", "wordsim", "news", "wordnet", "freepdk45", "sky130", "gf180")
FORMATS = complete("characterization.tables.formats:FORMATS", "metalrom.exporters:EXPORTERS")
PROCEDURES = complete("characterization.procedure_registry:PROCEDURES")
WORKLOADS = (
    "smollm2",
    "alexnet", "alexnet-cifar", "resnet-18", "resnet-34", "bert-base", "gpt2", "vit-b/16", "vicuna-7b",
    "llama-3.1-8b", "bitnet-2b", "eva-vit-g/14", "q-former", "projection-4096", "projection-5120", "minigpt-4",
)  # fmt: skip
MODELS = ("minilm", "minilm-ternary", "minilm-two-planes", "smollm2")
TERNARY_RULES = complete("netlists.weights:TERNARY_RULES")
SYSTEMS = complete(
    "metalrom.studies.systems.description:SYSTEMS", "metalrom.studies.systems.chip:CHIPS", also=("metal-rom",)
)
QUANTITIES = ("lsb", "level", "sigma_static", "energy", "settling")
RATED = (
    "code_error", "csnr", "lsb", "energy_per_mac", "energy_per_conversion", "latency", "tops_per_watt",
    "read_time", "density", "density_macro", "weight_density",
)  # fmt: skip
SIZES = ("S", "M", "L")
TASKS = ("wordsim", "simlex", "lee")


def names(known: Names) -> Callable[[str], list[str]]:
    """Completion of one of `known`."""
    return lambda incomplete: [name for name in _listed(known) if name.startswith(incomplete)]


def lists(known: Names) -> Callable[[str], list[str]]:
    """Completion of the last of several names with commas between them; each once."""

    def complete(incomplete: str) -> list[str]:
        given, comma, last = incomplete.rpartition(",")
        used = given.split(",")
        return [given + comma + name for name in _listed(known) if name.startswith(last) and name not in used]

    return complete


def _listed(known: Names) -> Iterable[str]:
    return known() if callable(known) else known
