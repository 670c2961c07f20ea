"""Configuration of the readout: decided by the cell, a chain by sections, round trip, and what is refused."""

from __future__ import annotations

import pytest

from interconnect.errors import InputError
from interconnect.validation import validate
from metalrom.config.readout import ReadoutSection
from metalrom.config.schema import schema
from netlists.parameters import describe_parameters
from netlists.readout.chain import SegmentCircuit, SharedLine
from netlists.readout.column_pair import ColumnPair
from netlists.readout.column_ramp import ColumnRamp
from netlists.readout.column_sar import ColumnSar


def section(**values: object) -> ReadoutSection:
    return validate(ReadoutSection, values, where="c.yaml: readout")


def test_the_default_follows_the_cell_and_the_keys() -> None:
    assert [section().is_chain(possible=p) for p in (True, False)] == [True, False]
    assert not section(noise_sigma=0.1).is_chain(possible=True)
    assert section(line={"bias_current": "6uA"}).is_chain(possible=False)


def test_a_chain_round_trips_in_si_units() -> None:
    chain = section(
        kind="chain",
        drive="single",
        segment={"follower_width": "0.3um"},
        line={"bias_current": "6uA", "capacitance": "20fF"},
        bus={"columns": 8},
        comparator={"input_type": "n", "input_width": "3um"},
        timing={"settle_rows": "3ns"},
    )
    assert chain.segment.parameters() == {"follower_width": 3e-7}
    assert chain.line.parameters() == {"bias_current": 6e-6, "capacitance": 20e-15}
    assert chain.bus.parameters() == {"columns": 8}
    assert chain.comparator.parameters() == {"input_type": "n", "input_width": 3e-6}
    again = section(**chain.model_dump(mode="json"))
    assert again == chain
    assert again.line.parameters() == chain.line.parameters()


def test_the_schema_lists_every_parameter_with_its_meaning() -> None:
    definitions = schema()["$defs"]
    assert list(definitions["SegmentSection"]["properties"]) == [p.name for p in describe_parameters(SegmentCircuit)]
    line = definitions["LineSection"]
    declared = {p.name for p in describe_parameters(SharedLine)} - {"segments", "planes"}
    assert set(line["properties"]) == declared | {"planes_shared"}
    assert line["additionalProperties"] is False


def test_a_converter_is_of_its_kind() -> None:
    assert section(kind="chain").converter.build() == ColumnSar()
    ramp = section(kind="chain", converter={"kind": "ramp", "count": "1ns", "shared_by": 32})
    assert ramp.converter.build() == ColumnRamp(count=1e-9, shared_by=32)
    assert section(**ramp.model_dump(mode="json")) == ramp
    assert section(converter={"kind": "pair", "bits": 9}, drive="single").converter.build() == ColumnPair(bits=9)
    properties = schema()["$defs"]["ConverterSection"]["properties"]
    assert properties["kind"]["enum"] == ["sar", "ramp", "pair"]
    assert {"unit_capacitance", "ramp_capacitance", "replicas"} <= set(properties)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"kind": "inverter", "noise_sigma": 0.1}, "belongs to the readout `ideal`, the kind is `inverter`"),
        ({"kind": "inverter", "drive": "single"}, "belongs to the readout `chain`, the kind is `inverter`"),
        ({"kind": "chain", "inverter": {"bits": 7}}, "belongs to the readout `inverter`, the kind is `chain`"),
        ({"kind": "inverter", "inverter": {"segments": 3}}, "unknown key 'segments'"),
        ({"kind": "chains"}, "readout.kind|kind"),
        ({"kind": "chain", "line": {"bias_curent": "6uA"}}, "did you mean 'bias_current'"),
        ({"kind": "chain", "line": {"segments": 3}}, "segments"),
        ({"kind": "chain", "noise_sigma": 0.1}, "belongs to the readout `ideal`"),
        ({"kind": "chain", "double_sampling": True}, "belongs to the readout `ideal`"),
        ({"kind": "ideal", "line": {"bias_current": "6uA"}}, "belongs to the readout `chain`"),
        (
            {"noise_sigma": 0.1, "drive": "single"},
            "belongs to the readout `chain`, the kind is `ideal` by `noise_sigma`",
        ),
        ({"kind": "chain", "sampler": {"capacitance": "3V"}}, "quantity in F"),
        ({"kind": "chain", "bus": {"columns": True}}, "columns"),
        (
            {"kind": "chain", "converter": {"kind": "rampe"}},
            "there is no column converter 'rampe'.*did you mean 'ramp'",
        ),
        ({"kind": "chain", "converter": {"kind": "ramp", "unit_capacitance": "1fF"}}, "unknown key 'unit_capacitance'"),
        ({"kind": "chain", "converter": {"kind": "ramp", "twin_offset": "1mV"}}, "unknown key 'twin_offset'"),
        (
            {"kind": "chain", "converter": {"kind": "ramp"}, "comparator": {"input_width": "3um"}},
            "converter `ramp` has a comparator of its own",
        ),
    ],
)
def test_what_is_refused(values: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        section(**values)
