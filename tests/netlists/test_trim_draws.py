"""Trimmed libraries hold the same numbers as the full ones; draws are what their laws say, and the same each time."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from interconnect.errors import InputError
from netlists.devices.device_set import load_devices
from netlists.devices.draws import GlobalSpread, global_draw, global_spread, local_draws
from netlists.devices.trim import SizeRange, read_parameters, trim

DEVICES = load_devices("open45")

BIN = """.model dev__model.{n} nmos
* flags
+ lmin = {l0} lmax = {l1} wmin = 1.0e-06 wmax = 2.0e-06
+ level = 54.0
+ version = 4.5
+ toxe = {{4.148e-09+MC_MM_SWITCH*AGAUSS(0,1.0,1)*(4.148e-09*1.0*(dev__toxe_slope/sqrt(l*w*mult)))}}
+ vth0 = {{0.5{n}+MC_MM_SWITCH*AGAUSS(0,1.0,1)*(dev__vth0_slope/sqrt(l*w*mult))}}
+ ku0 = {{0+dev__ku0_diff}}
+ voff = {{-1.5e-01+dev__ku0_diff}}
"""
TEXT = (
    ".param dev__x = 1\n.subckt dev d g s b\n+ \n.param l = 1 w = 1\n"
    "m1 d g s b dev__model l = {l}\n+ w = {w}\n"
    + BIN.format(n=0, l0="1.0e-07", l1="2.0e-07")
    + BIN.format(n=1, l0="2.0e-07", l1="4.0e-07")
    + ".ends dev\n"
)
PARAMETERS = read_parameters(".param\n+ dev__ku0_diff = 2.5e-02\n", ".param dev__y=1")


def test_bins_in_reach_stay_with_their_nominal_numbers() -> None:
    done = trim(TEXT, PARAMETERS, SizeRange(1e-7, 2e-7, 1e-6, 1e-5), where="dev")
    assert (done.device, done.kept, done.dropped) == ("dev", ("dev__model.0",), ("dev__model.1",))
    assert done.random_terms == ("toxe", "vth0")
    # -1.5e-01 + 2.5e-02 = -0.125; the other values keep the text of the file.
    assert done.text == (
        ".model dev__model.0 nmos\n"
        "+ lmin=1.0e-07 lmax=2.0e-07 wmin=1.0e-06 wmax=2.0e-06 level=54.0 version=4.5 toxe=4.148e-09 vth0=0.50 "
        "ku0=2.5e-02 voff=-0.125\n"
        ".subckt dev d g s b\n.param l = 1 w = 1\nm1 d g s b dev__model l = {l}\n+ w = {w}\n.ends dev\n"
    )
    assert trim(TEXT, PARAMETERS, SizeRange(1e-7, 3e-7, 1e-6, 1e-5), where="dev").dropped == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (TEXT.replace("dev__ku0_diff", "dev__none"), r"model\.0\.ku0: the parameter 'dev__none' is not"),
        (TEXT.replace("{0+dev__ku0_diff}", "{2*dev__ku0_diff}"), "is not a sum of numbers and parameters"),
        (TEXT.replace("lmin", "lmim"), "is not a bin"),
        (TEXT.replace("54.0", "high"), "'high' is not a plain number"),
        ("* nothing\n", "contains no subcircuit"),
        (TEXT.replace("1.0e-06 wmax = 2.0e-06", "1.0e-03 wmax = 2.0e-03"), "no bin holds the wanted sizes"),
    ],
)  # fmt: skip
def test_what_cannot_be_trimmed_is_told(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        trim(text, PARAMETERS, SizeRange(1e-7, 2e-7, 1e-6, 1e-5), where="dev")


def test_global_spread_is_a_third_of_the_corner_distance() -> None:
    spread = global_spread(DEVICES)
    # Targets: vth n 0.263 (ff), 0.315 (ss): 26 mV to either side = 3 sigma; vth p 0.247, 0.301: 27 mV.
    assert (spread.vth_n, spread.vth_p) == pytest.approx((8.667e-3, 9.0e-3), rel=1e-3)
    # ion n 1036, 902 around 972: 6.893 % = 3 sigma of both; the threshold explains 26 mV / (1 - 0.289) V = 3.657 %.
    assert spread.drive_n == pytest.approx((0.06893 - 0.03657) / 3, rel=1e-3)
    assert "estimate" in spread.source
    with pytest.raises(InputError, match=r"corner 'sf' has no targets"):
        global_spread(DEVICES, "sf", "fs")


def test_draws_follow_their_laws() -> None:
    spread = GlobalSpread(8e-3, 9e-3, 0.01, 0.02, correlation=0.5)
    chips = [global_draw(spread, 3, k) for k in range(4000)]
    n, p = np.array([c.vth_n for c in chips]), np.array([c.vth_p for c in chips])
    # 4000 draws: a standard deviation is known to 1.1 %, a correlation of 0.5 to 0.012.
    assert (n.std(), p.std()) == pytest.approx((8e-3, 9e-3), rel=0.05)
    # A slow chip has a higher NMOS and a lower (signed) PMOS threshold.
    assert np.corrcoef(n, p)[0, 1] == pytest.approx(-0.5, abs=0.05)
    assert np.log([c.drive_p for c in chips]).std() == pytest.approx(0.02, rel=0.05)
    local = local_draws(DEVICES, "nmos", np.full(4000, 5e-7), 5e-8, 3, 0)
    assert local.std() == pytest.approx(2.4e-9 / math.sqrt(2 * 5e-7 * 5e-8), rel=0.05)
    assert abs(np.corrcoef(local, local_draws(DEVICES, "pmos", np.full(4000, 5e-7), 5e-8, 3, 0))[0, 1]) < 0.06


@given(st.integers(0, 2**40), st.integers(0, 10**6))
def test_same_seed_and_sample_same_bits_and_others_differ(seed: int, sample: int) -> None:
    spread = GlobalSpread(8e-3, 9e-3, 0.01, 0.02)
    widths = np.array([1e-6, 5e-7])

    def local(seed: int, sample: int, group: int = 0) -> bytes:
        return local_draws(DEVICES, "nmos", widths, 5e-8, seed, sample, group=group).tobytes()

    assert global_draw(spread, seed, sample) == global_draw(spread, seed, sample)
    assert global_draw(spread, seed, sample) != global_draw(spread, seed, sample + 1)
    assert global_draw(spread, seed, sample) != global_draw(spread, seed + 1, sample)
    known = {local(seed, sample), local(seed, sample + 1), local(seed + 1, sample), local(seed, sample, 1)}
    assert local(seed, sample) in known
    assert len(known) == 4


def test_bad_draws_are_refused() -> None:
    with pytest.raises(InputError, match="must not be negative"):
        global_draw(GlobalSpread(0, 0, 0, 0), -1, 0)
    with pytest.raises(InputError, match="must be positive"):
        local_draws(DEVICES, "nmos", [0.0], 5e-8, 1, 1)
    with pytest.raises(InputError, match=r"global spread: vth_n: is -1"):
        GlobalSpread(-1, 0, 0, 0)
    with pytest.raises(InputError, match="correlation"):
        GlobalSpread(0, 0, 0, 0, correlation=2.0)


def test_trim_of_nothing_but_comments(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"x\.spice: contains no subcircuit"):
        trim("* a\n* b\n", {}, SizeRange(1, 2, 1, 2), where="x.spice")
