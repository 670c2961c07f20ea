"""Published results recomputed from their published inputs: if one fails, our definitions are not the literature's.

Nothing but arithmetic and the network inventories. The reference is what the paper prints (`published`) or what
follows from its other numbers (`derived`); the tolerance is half of its last printed digit unless said otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from metalrom.studies.systems import merit
from metalrom.studies.systems.chip_checks import CHIP_CHECKS
from metalrom.studies.systems.published_check import CheckOutcome, PublishedCheck
from metalrom.workloads.inventory.catalogue import build_inventory


def run_checks(checks: Sequence[PublishedCheck] | None = None) -> list[CheckOutcome]:
    """All checks (or those given), computed."""
    return [CheckOutcome(check, check.compute()) for check in (CHECKS if checks is None else checks)]


def _parameters(model: str) -> Callable[[], float]:
    def count() -> float:
        return float(build_inventory(model).parameters)

    return count


_JSSC24 = "Yin et al., JSSC 2024, doi 10.1109/JSSC.2023.3326955: 0.096 um2/bit, 3984 kb/mm2, 2 Mb"
_YOLOC = "YOLoC, DAC 2022, arXiv 2206.00379: 1.2 Mb in 0.24 mm2, 8.9 ns, 28.8 GOPS at 8b x 8b"
_BITROM = "BitROM, ASP-DAC 2026, arXiv 2509.08542"
_HYBRID = "hybrid SRAM/ROM, JSSC 2025, doi 10.1109/JSSC.2025.3556008: 22 Mb at 8.928 Mb/mm2, 28 nm"
_METRO = "3D-METRO, ASP-DAC 2025, doi 10.1145/3658617.3697570: 165.6 Mb/mm2 = 20.7 MB/mm2 (evaluated there)"
_SINANGIL = "Sinangil et al., 7 nm SRAM-CiM: 1024 4b x 4b MACs, 5.5 ns, 372.4 GOPS"
_JIA = "Jia et al., JSSC 2020, 0.85 V: 9.7 pJ array and 1.79 pJ converter per column, 400 TOPS/W at 1b"
_VALAVI = "Valavi et al., JSSC 2019: 18,876 GOPS, 1,498 GOPS/mm2"
_HNLPU = "HNLPU, ASPLOS 2026, arXiv 2508.16151"
_HUB = "published parameter count of the released network"


def _size(model: str, reference: int, source: str) -> PublishedCheck:
    what = f"parameters of {model}"
    return PublishedCheck("18", what, _parameters(model), reference, "", 0, f"{_HUB}: {source}", reason="exact")


CHECKS: tuple[PublishedCheck, ...] = (
    PublishedCheck(
        "1",
        "multi-level ROM: share of cells in the macro",
        lambda: 100 * merit.array_efficiency(3.984, 0.096e-12),
        38.25,
        "%",
        0.005,
        _JSSC24,
        "derived",
    ),
    PublishedCheck(
        "1",
        "multi-level ROM: density of the cells alone",
        lambda: merit.density(1, 0.096e-12),
        10.417,
        "Mb/mm2",
        0.0005,
        _JSSC24,
        "derived",
    ),
    PublishedCheck(
        "1",
        "multi-level ROM: area of 2 Mb, 1 Mb = 2^20 bits",
        lambda: 2 * 2**20 / 3984e3,
        0.526,
        "mm2",
        0.0005,
        _JSSC24,
        "derived",
    ),
    PublishedCheck(
        "1",
        "multi-level ROM: area of 2 Mb, 1 Mb = 1024 kb",
        lambda: 2 * 1024e3 / 3984e3,
        0.514,
        "mm2",
        0.0005,
        _JSSC24,
        "derived",
    ),
    PublishedCheck("2", "YOLoC: density", lambda: merit.density(1.2e6, 0.24e-6), 5.0, "Mb/mm2", 0.05, _YOLOC),
    PublishedCheck("3", "YOLoC: throughput", lambda: 1e3 * merit.tops(128, 8.9e-9), 28.8, "GOPS", 0.05, _YOLOC),
    PublishedCheck(
        "5",
        "hybrid ROM, 28 nm: density at 65 nm",
        lambda: 1e3 * merit.density_at_node(8.928, 28e-9),
        1657,
        "kb/mm2",
        0.5,
        f"{_BITROM}, table, row CICC 2024",
    ),
    PublishedCheck(
        "6",
        "quad-level ROM, 28 nm: density at 65 nm",
        lambda: 1e3 * merit.density_at_node(19.660, 28e-9),
        3648,
        "kb/mm2",
        0.5,
        f"{_BITROM}, table, row A-SSCC 2024",
    ),
    PublishedCheck(
        "8",
        "BitROM: DRAM reads saved, 32 of 128 tokens on chip",
        lambda: 100 * merit.key_value_saving(128, 32),
        43.6,
        "%",
        0.05,
        _BITROM,
    ),
    PublishedCheck("10", "hybrid ROM: area of 22 Mb", lambda: 22 / 8.928, 2.464, "mm2", 0.0005, _HYBRID, "derived"),
    PublishedCheck("11", "3D-METRO: megabytes per area", lambda: 165.6 / 8, 20.7, "MB/mm2", 0.05, _METRO),
    PublishedCheck(
        "12", "7 nm SRAM-CiM: throughput", lambda: 1e3 * merit.tops(1024, 5.5e-9), 372.4, "GOPS", 0.05, _SINANGIL
    ),
    PublishedCheck(
        "13",
        "charge SRAM-CiM: efficiency of 2304 rows",
        lambda: merit.tops_per_watt(2304, (9.7 + 1.79) * 1e-12),
        400,
        "TOPS/W",
        5,
        f"{_JIA}; the 2304 rows are unverified",
        reason="printed to two digits",
    ),
    PublishedCheck(
        "15",
        "Valavi: area from throughput per area",
        lambda: 18876 / 1498,
        43.2 / 3.43,
        "mm2",
        0.02,
        f"{_VALAVI}; reference 43.2 / 3.43",
        "derived",
        reason="the two quotients are rounded to three digits",
    ),
    PublishedCheck(
        "17",
        "HNLPU: silicon of 16 chips",
        lambda: 16 * 827.08,
        13232,
        "mm2",
        1.5,
        f"{_HNLPU}: 827.08 mm2 per chip",
        reason="the printed total is 0.01 % below 16 printed chips",
    ),
    PublishedCheck(
        "17",
        "HNLPU: tokens per energy",
        lambda: 249960 / 6.9,
        36226,
        "token/kJ",
        0.5,
        f"{_HNLPU}: 249,960 token/s, 6.9 kW",
    ),
    PublishedCheck("17", "HNLPU: speed-up", lambda: 249960 / 45, 5555, "x", 0.5, f"{_HNLPU}: 249,960 and 45 token/s"),
    PublishedCheck(
        "17", "HNLPU: energy gain", lambda: 36226 / 34.6, 1047, "x", 0.5, f"{_HNLPU}: 36,226 and 34.6 token/kJ"
    ),
    _size("alexnet", 61_100_840, "torchvision alexnet"),
    _size("resnet-18", 11_689_512, "torchvision resnet18"),
    _size("resnet-34", 21_797_672, "torchvision resnet34"),
    _size("vit-b/16", 86_567_656, "torchvision vit_b_16"),
    _size("bert-base", 109_482_240, "google-bert/bert-base-uncased"),
    _size("gpt2", 124_439_808, "openai-community/gpt2"),
    _size("vicuna-7b", 6_738_415_616, "lmsys/vicuna-7b (Llama-7B)"),
    _size("llama-3.1-8b", 8_030_261_248, "meta-llama/Llama-3.1-8B"),
    *CHIP_CHECKS,
)
"""Every check, in the order of its number."""
