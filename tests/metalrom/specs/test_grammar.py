"""The grammar of specifications: what it reads, what it refuses and with which sentence, and round trips."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interconnect.errors import InputError
from metalrom.specs.grammar import Spec, parse_spec
from metalrom.specs.quantities import QUANTITIES, SpecQuantity


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        ("code_error < 1e-3", Spec("code_error", "<", 1e-3, "")),
        ("code_error<=0.1%", Spec("code_error", "<=", 1e-3, "")),
        ("csnr > 40 at ss_0.90V_85C", Spec("csnr", ">", 40.0, "dB", "ss_0.90V_85C")),
        ("csnr>=40dB at all", Spec("csnr", ">=", 40.0, "dB", "all")),
        ("margin > 4.5 sigma", Spec("margin", ">", 4.5, "sigma")),
        ("energy_per_mac < 3pJ", Spec("energy_per_mac", "<", 3e-12, "J")),
        ("\tread_time  <  2 ns ", Spec("read_time", "<", 2e-9, "s")),
        ("density > 10 Mb/mm²", Spec("density", ">", 10.0, "Mb/mm2")),
        ("lsb > 1mV at all", Spec("lsb", ">", 1e-3, "V", "all")),
        ("lsb > 1uA", Spec("lsb", ">", 1e-6, "A")),
    ],
)
def test_reads(text: str, spec: Spec) -> None:
    assert parse_spec(text) == spec


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "'' is not a specification; write for example `csnr > 40`"),
        ("csnr", "'csnr' is not a specification"),
        ("csnr 40", "'csnr 40' is not a specification"),
        ("csnr > ", "'csnr > ' is not a specification"),
        ("> 40", "'> 40' is not a specification"),
        ("csnr == 40", "'==' is not a comparison; use <, <=, > or >="),
        ("csnr => 40", "'=>' is not a comparison"),
        ("cnsr > 40", "there is no quantity 'cnsr'; did you mean 'csnr'?"),
        ("csnr > 40V", "csnr: '40V' has the wrong unit; give a number or a number with dB, such as 40dB"),
        ("csnr > high", "csnr: 'high' is not a number"),
        ("csnr > 40%", "csnr: '40%' has the wrong unit"),
        ("csnr > 40 at", "csnr: '40 at' has the wrong unit"),
        ("csnr > 40 at ss at tt", "csnr: '40 at ss' is not a number"),
        ("energy_per_mac < 3", "energy_per_mac: '3' lacks its unit; give a quantity in J, such as 5fJ"),
        ("energy_per_mac < 3pF", "energy_per_mac: '3pF' has the wrong unit"),
        ("code_error < 1V", "code_error: '1V' must be a plain number or a percentage"),
        ("csnr > 1e999", "csnr: '1e999' is out of range"),
        ("csnr > nan", "csnr: 'nan' is not a number"),
        ("density > 10 at all", "density is the same at every condition; leave `at all` out"),
    ],
)
def test_refuses(text: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_spec(text)
    assert str(caught.value).startswith(message)


QUANTITY = st.sampled_from(sorted(QUANTITIES.values(), key=lambda q: q.name))


@st.composite
def specs(draw: st.DrawFn) -> Spec:
    quantity: SpecQuantity = draw(QUANTITY)
    places = st.none() | st.just("all") | st.from_regex(r"[a-z]{2}_[0-9]\.[0-9]{2}V_-?[0-9]{1,3}C", fullmatch=True)
    return Spec(
        quantity.name,
        draw(st.sampled_from(["<", "<=", ">", ">="])),
        draw(st.floats(allow_nan=False, allow_infinity=False).map(lambda v: v + 0.0)),
        draw(st.sampled_from(quantity.units)),
        draw(places) if quantity.per_condition else None,
    )


@given(specs())
def test_what_is_written_is_read_back(spec: Spec) -> None:
    assert parse_spec(str(spec)) == spec


@given(specs(), st.sampled_from([" ", "\t", "  "]))
def test_blanks_do_not_matter(spec: Spec, blank: str) -> None:
    assert parse_spec(f"{blank}{str(spec).replace(' ', blank)}{blank}") == spec


@given(st.text(max_size=60) | st.tuples(QUANTITY, st.text(max_size=20)).map(lambda p: f"{p[0].name} < {p[1]}"))
def test_any_text_is_read_or_refused_in_one_line(text: str) -> None:
    try:
        spec = parse_spec(text)
    except InputError as error:
        message = str(error)
    else:
        assert parse_spec(str(spec)) == spec
        return
    assert message.isprintable()
    assert len(message) < 500


@pytest.mark.parametrize(
    ("comparison", "below", "equal", "above"),
    [("<", True, False, False), ("<=", True, True, False), (">", False, False, True), (">=", False, True, True)],
)
def test_comparisons(comparison: str, below: bool, equal: bool, above: bool) -> None:
    spec = parse_spec(f"csnr {comparison} 40")
    assert [spec.met_by(v) for v in (39.0, 40.0, 41.0, float("nan"))] == [below, equal, above, False]
