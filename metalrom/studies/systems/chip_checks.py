"""Published figures of the systems of 2024 to 2026, recomputed: masks and money from the model of `respin`, networks
from their inventories, densities and ratios from what else is printed."""

from __future__ import annotations

from collections.abc import Callable

from metalrom.studies.respin.masks import mask_bill, mask_price, published_case
from metalrom.studies.systems import merit
from metalrom.studies.systems.phases import PhaseDemand, phase_demand
from metalrom.studies.systems.published_check import PublishedCheck
from metalrom.workloads.inventory.tiling import tile_inventory
from netlists.mapping import MacroShape

_HNLPU = "HNLPU, ASPLOS 2026, arXiv 2508.16151"
_ANK = "ankhdjet 0.1.0, docs/results.md"
_TAALAS = "Taalas HC1, press reports of February 2026"
_ITA = "Immutable Tensor Architecture, arXiv 2511.22889, abstract"

ANKHDJET_MACRO = MacroShape(rows=64, columns=256, planes=1)
"""Rows and columns of the macros that BitNet-2B is emitted on there."""


def _bitnet() -> PhaseDemand:
    return phase_demand("bitnet-2b", "decode", 4096)


def _emission() -> tuple[int, float]:
    """Macros of BitNet-2B and the share of their cells without a weight."""
    tiling = tile_inventory(_bitnet().inventory.layers, ANKHDJET_MACRO, 1)
    return tiling.tiles, 1 - tiling.utilisation


def _money(name: str, *, first: bool) -> Callable[[], float]:
    def cost() -> float:
        case = published_case(name)
        bill = mask_bill(case.changed, case.node, chips=case.chips)
        return bill.first if first else bill.again

    return cost


CHIP_CHECKS: tuple[PublishedCheck, ...] = (
    PublishedCheck(
        "19",
        "HNLPU: first masks, by `respin`",
        _money("hnlpu", first=True),
        65,
        "M$",
        0.5,
        f"{_HNLPU}: 16 chips, 60 of 70 masks shared, a set of 27.69 + 2.31 M$",
    ),
    PublishedCheck(
        "19", "HNLPU: masks of a new model, by `respin`", _money("hnlpu", first=False), 37, "M$", 0.5, _HNLPU
    ),
    PublishedCheck(
        "19",
        "HNLPU: shared masks of a set, by `respin`",
        lambda: mask_price(5.0).set_price.mid - 10 * mask_price(5.0).plain,
        27.69,
        "M$",
        0.005,
        f"{_HNLPU}; from the price of a set and of an EUV mask in DUV masks",
    ),
    PublishedCheck(
        "20",
        "HC1: masks of a new model, by `respin`",
        lambda: float(sum(published_case("hc1").changed.values())),
        2,
        "",
        0,
        _TAALAS,
        reason="exact",
    ),
    PublishedCheck(
        "20",
        "HC1: density of the whole chip at 3 bits",
        lambda: merit.density(3 * 8_030_261_248, 815e-6),
        29.6,
        "Mb/mm2",
        0.05,
        f"{_TAALAS}: 815 mm2",
        "derived",
    ),
    PublishedCheck(
        "21",
        "BitNet-2B: ternary weights",
        lambda: float(_bitnet().demand.weights),
        2_084_044_800,
        "",
        0,
        _ANK,
        reason="exact",
    ),
    PublishedCheck("21", "BitNet-2B: matrices", lambda: float(_bitnet().matrices), 210, "", 0, _ANK, reason="exact"),
    PublishedCheck(
        "21",
        "ankhdjet: macros of 64 x 256 for BitNet-2B",
        lambda: float(_emission()[0]),
        128_400,
        "",
        0,
        _ANK,
        reason="exact",
    ),
    PublishedCheck("21", "ankhdjet: cells that pad the edges", lambda: 100 * _emission()[1], 0.93, "%", 0.005, _ANK),
    PublishedCheck(
        "21",
        "ankhdjet: cells of BitNet-2B in ASAP7",
        lambda: _bitnet().demand.weights * 0.07e-6,
        145.9,
        "mm2",
        0.05,
        f"{_ANK}: 0.07 um2 per weight",
    ),
    PublishedCheck(
        "21",
        "ankhdjet: SRAM for keys and values of 4096 tokens",
        lambda: _bitnet().cache * 8 * 0.04e-6,
        50.3,
        "mm2",
        0.05,
        f"{_ANK}; 8-bit keys and values, 0.04 um2 per bit (pdk/asap7)",
    ),
    PublishedCheck(
        "21",
        "ankhdjet: cell area over that of BiROMA in SKY130",
        lambda: 1.70 * 1.30 / 0.325,
        6.8,
        "x",
        0.05,
        f"{_ANK}: 1.70 x 1.30 um and 0.325 um2 per weight",
    ),
    PublishedCheck(
        "21", "ankhdjet: the same ratio from its three parts", lambda: 2 * 2.33 * 1.46, 6.8, "x", 0.05, _ANK
    ),
    PublishedCheck(
        "22",
        "Llama3-8B-1.58: ternary weights",
        lambda: phase_demand("llama-3.1-8b", "decode", 1).demand.weights * 1e-9 - 128256 * 4096e-9,
        6.979,
        "G",
        0.0005,
        f"{_ANK}: without the output layer",
    ),
    PublishedCheck(
        "23", "ITA: gates saved per product", lambda: 1180 / 243, 4.85, "x", 0.01, _ITA, reason="4.856, printed cut off"
    ),
    PublishedCheck(
        "23", "ITA: energy saved per operation", lambda: 201 / 4.05, 50, "x", 0.5, _ITA, reason="printed to two digits"
    ),
    PublishedCheck(
        "24",
        "3D-Domino: effective bits at its compute SNR",
        lambda: (22.6 - 1.76) / 6.02,
        3.46,
        "bit",
        0.005,
        "3D-Domino, ISCAS 2025: CSNR of 22.6 dB",
        "derived",
    ),
)
"""In the order of their numbers."""
