"""Names that the shell completes, spelled out so that a Tab costs no import; a test holds them to what there is."""

from __future__ import annotations

from collections.abc import Callable

LEVELS = ("cell", "column", "array", "macro")
BASELINES = ("rom_1t", "rom_1t_mlc", "sram_8t", "sram_6t")
METHODS = ("auto", "fieldsolver", "table", "formula")
BACKENDS = ("process", "batch", "shared")
STARTERS = ("cap_balanced", "res_via")
STACKS = ("generic28", "open45", "freepdk45", "sky130")
DEVICES = ("open45", "freepdk45", "sky130")
ASSETS = ("minilm", "smollm2", "wordsim", "freepdk45", "sky130")
FORMATS = (
    "netcdf", "csv", "json", "parquet", "accelergy", "crosssim", "aihwkit", "neurosim", "mnsim", "zigzag",
    "hwcomponents", "lef", "liberty", "spice_macro", "systemverilog", "touchstone", "veriloga",
)  # fmt: skip
PROCEDURES = (
    "transfer", "mismatch", "adc_margin", "readout_current", "settling", "noise", "crosstalk", "worst_pattern",
    "pattern_spread", "energy", "leakage", "supply", "adc",
)  # fmt: skip
WORKLOADS = (
    "smollm2",
    "alexnet", "alexnet-cifar", "resnet-18", "resnet-34", "bert-base", "gpt2", "vit-b/16", "vicuna-7b", "eva-vit-g/14",
    "q-former", "projection-4096", "projection-5120", "minigpt-4",
)  # fmt: skip
MODELS = ("minilm", "smollm2")
SYSTEMS = ("sram-cim", "yoloc", "mlc-rom", "hidden-rom", "metal-rom")
QUANTITIES = ("lsb", "level", "sigma_static", "energy", "settling")
SIZES = ("S", "M", "L")
TASKS = ("wordsim", "simlex", "lee")


def names(known: tuple[str, ...]) -> Callable[[str], list[str]]:
    """Completion of one of `known`."""
    return lambda incomplete: [name for name in known if name.startswith(incomplete)]


def lists(known: tuple[str, ...]) -> Callable[[str], list[str]]:
    """Completion of the last of several names with commas between them; each once."""

    def complete(incomplete: str) -> list[str]:
        given, comma, last = incomplete.rpartition(",")
        used = given.split(",")
        return [given + comma + name for name in known if name.startswith(last) and name not in used]

    return complete
