"""StrongARM comparator: sizes, the deck of a few decisions, and the deck that searches for the input offset."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from interconnect.errors import InputError
from netlists.condition import Condition
from netlists.parameters import parameter, require, require_all_positive, require_positive
from netlists.readout.comparator_probe import BranchCurrent
from netlists.readout.deck import POWER_UP, Level, ReadoutDeck, ReadoutRole, build_deck, staircase, tidy
from netlists.readout.logic import Logic
from netlists.technology import Technology

_EDGE = 20e-12
_BRANCHES = ("in", "same", "other", "pre_z", "pre_x")
_COMMON = ("tail", *(f"{name}_{side}" for name in _BRANCHES for side in "ab"))
_BUFFERS = ("buf_a_p", "buf_a_n", "buf_b_p", "buf_b_n")
_P_ONLY = ("clk_p", "clk_n", "out_n_p", "out_n_n", "out_p_p", "out_p_n")


@dataclass(frozen=True, slots=True, kw_only=True)
class StrongArm:
    """Sizes of a StrongARM comparator; SI units.

    A PMOS pair takes inputs from 0 V to about half the supply, where bit lines live; an NMOS pair those above half.
    The input pair is meant to dominate the offset: the other pairs are as wide or act after the first amplification.
    """

    title: ClassVar[str] = "StrongARM comparator"
    role: ClassVar[ReadoutRole] = "comparator"

    input_type: Literal["n", "p"] = parameter(
        "p", "", "type of the input pair: p for inputs near ground, n for high ones"
    )
    input_width: float = parameter(2.0e-6, "m", "width of each input transistor")
    input_length: float = parameter(0.1e-6, "m", "length of each input transistor")
    tail_width: float = parameter(0.6e-6, "m", "width of the tail switch")
    same_width: float = parameter(3.0e-6, "m", "width of the cross-coupled pair in series with the input pair")
    other_width: float = parameter(1.5e-6, "m", "width of the other cross-coupled pair")
    precharge_width: float = parameter(0.5e-6, "m", "width of the four precharge transistors")
    buffer_width: float = parameter(0.3e-6, "m", "NMOS width of the output inverters")
    clock_width: float = parameter(1.0e-6, "m", "NMOS width of the local clock inverter of a PMOS comparator")
    length: float = parameter(50e-9, "m", "channel length of all other transistors")
    input_capacitance: float = parameter(2.0e-15, "F", "of each input; used by the behavioral twin only")

    def __post_init__(self) -> None:
        require(self.input_type in ("n", "p"), f"is {self.input_type!r}", where="strongarm.input_type", hint="n or p")
        require_all_positive(self, where="strongarm", besides=("input_type", "input_capacitance"))
        require_positive(self.input_capacitance, where="strongarm.input_capacitance", unit="F", zero=True)

    @property
    def shifts(self) -> tuple[str, ...]:
        """Names of all transistors (without `M_`), each with a subcircuit parameter `dvt_<name>` in V."""
        return (*_COMMON, *_BUFFERS, *(_P_ONLY if self.input_type == "p" else ()))


def _values(sizes: StrongArm, logic: Logic, shifts: Mapping[str, float] | None, level: Level) -> dict[str, object]:
    for name in shifts or {}:
        if name not in sizes.shifts or level != "transistor":
            raise InputError(f"no transistor {name!r} to shift in this comparator", where="strongarm")
    return {"c": sizes, "logic": logic, "shifts": sorted((shifts or {}).items())}


def decision_deck(
    technology: Technology,
    condition: Condition,
    differences: Sequence[float],
    *,
    sizes: StrongArm | None = None,
    logic: Logic | None = None,
    common_mode: float = 0.2,
    period: float = 2e-9,
    level: Level = "transistor",
    shifts: Mapping[str, float] | None = None,
    further: Sequence[str] = (),
    sources: Sequence[BranchCurrent] = (),
    reltol: float = 1e-3,
    max_step: float | None = None,
) -> ReadoutDeck:
    """One decision per clock period on each of `differences` (V between in_p and in_n, around `common_mode` V).

    The clock rises in the middle of a period. shifts: threshold shifts, V, by transistor (`StrongArm.shifts`). further:
    vectors that are saved too, such as `v(x_comparator.z_a)`. sources: probes and noise currents inside the comparator.
    max_step: s; a fortieth of the period by default.
    """
    sizes = sizes or StrongArm()
    starts = [tidy(POWER_UP + i * period) for i in range(len(differences))]
    return build_deck(
        "readout_strongarm.cir.j2",
        {
            **_values(sizes, logic or Logic(), shifts, level),
            **({"sources": tuple(sources)} if sources else {}),
            "reltol": reltol,
            "search": False,
            "steps": staircase(differences, starts, _EDGE),
            **_clock(period, common_mode),
        },
        technology=technology,
        condition=condition,
        length=sizes.length,
        level=level,
        title=f"StrongARM, {sizes.input_type}mos input, {len(differences)} decisions, {condition.label}, {level}",
        outputs=("v(clk)", "v(difference)", "v(out_p)", "v(out_n)", "v(q)", *further),
        stop=POWER_UP + len(differences) * period,
        max_step=max_step or period / 40,
        chgtol=1e-17,
        windows=[(start, tidy(start + period)) for start in starts],
        sources={"v_dd": "vdd", "v_clk": "clk"},
    )


def offset_deck(
    technology: Technology,
    condition: Condition,
    *,
    sizes: StrongArm | None = None,
    logic: Logic | None = None,
    common_mode: float = 0.2,
    half_range: float = 32e-3,
    decisions: int = 10,
    period: float = 1.2e-9,
    shifts: Mapping[str, float] | None = None,
    level: Level = "transistor",
) -> ReadoutDeck:
    """Bisection for the offset inside one transient: after decision k the input difference moves by half_range / 2^k.

    At the end v(difference) is the input difference at which the comparator is undecided, within
    half_range / 2^decisions (V), provided that it lies inside of +-half_range.
    """
    sizes = sizes or StrongArm()
    require(1 <= decisions <= 20, f"is {decisions!r}", where="offset_deck.decisions", hint="1 to 20")
    starts = [tidy(POWER_UP + i * period) for i in range(decisions)]
    update = period / 8
    corners: list[tuple[float, float]] = []
    for k, start in enumerate(starts):
        # The move happens in the first half of the next period, after the clock has fallen; its charge is step * 1 pF.
        step, begin, rise = half_range / 2 ** (k + 1), start + period * 1.02, _EDGE
        corners += [
            (tidy(begin), 0.0),
            (tidy(begin + rise), step),
            (tidy(begin + update), step),
            (tidy(begin + update + rise), 0.0),
        ]
    stop = starts[-1] + 1.3 * period
    return build_deck(
        "readout_strongarm.cir.j2",
        {
            **_values(sizes, logic or Logic(), shifts, level),
            "search": True,
            "steps": corners,
            "update": update,
            **_clock(period, common_mode),
        },
        technology=technology,
        condition=condition,
        length=sizes.length,
        level=level,
        title=f"StrongARM offset search, {sizes.input_type}mos input, {decisions} steps, {condition.label}, {level}",
        outputs=("v(difference)", "v(q)"),
        stop=stop,
        max_step=period / 20,
        chgtol=1e-17,
        windows=[(start, tidy(start + period)) for start in starts],
        sources={},
    )


def _clock(period: float, common_mode: float) -> dict[str, float]:
    return {"period": period, "edge": _EDGE, "first_edge": tidy(POWER_UP + period / 2), "common_mode": common_mode}
