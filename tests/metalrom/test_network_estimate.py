"""Whole networks on a macro: area, chain of dependent matrices, rates and energy against closed forms."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from interconnect.errors import InputError
from metalrom.macro import estimate_layer, synthetic_table
from metalrom.run.network_estimate import NetworkEstimate, estimate_network
from metalrom.workloads.inventory import Inventory, build_inventory
from metalrom.workloads.inventory.layers import Attention, Conv, FixedMatrix, Linear, WorkloadLayer
from metalrom.workloads.inventory.schedule import Step, longest_chain, steps_by_name, steps_of_graph
from metalrom.workloads.inventory.transformers import LlamaShape
from tests.builders import make_geometry

ADC = 6 * (0.00653 * 64 + 0.640)  # ns, the regression of 6 bits over 64 rows, as in test_macro_estimate
SEGMENT = 8 * 16 * (1 + ADC) * 1e-9  # s: input bits x columns that share a converter x (read + conversion)

TABLE = synthetic_table(64, codes=64, sigma_noise=0.1)
TABLE = TABLE.replace(
    conditions=(dataclasses.replace(TABLE.conditions[0], vdd=0.9),),
    row_energy=1e-15 * np.arange(65.0)[None],
    read_time=1e-9,
)
# tiles of 128 x 448 cells in two planes hold 128 x 64 weights of 14 cells, in two segments of 64 rows
GEOMETRY = make_geometry()


def block(inputs: int, outputs: int):
    return estimate_layer(GEOMETRY, TABLE, TABLE.conditions[0], inputs=inputs, outputs=outputs)


def network(*layers: WorkloadLayer, items: int = 0, steps: tuple[Step, ...] = ()) -> NetworkEstimate:
    return estimate_network(Inventory("toy", "a test", layers, "test", items=items, steps=steps), block)


def test_a_small_decoder_by_hand():
    shape = LlamaShape(width=128, depth=2, heads=4, hidden=256, key_heads=2, head_width=32, vocabulary=64, tied=True)
    found = network(*shape.layers(5), items=5)
    assert found.item == "token"
    # queries, output 128 x 128: 2 tiles each; keys, values 128 x 64: 1; gate, up 128 x 256: 4; down 256 x 128: 4;
    # output layer 128 x 64: 1
    assert found.tiles == 2 * (2 + 2 + 1 + 1 + 4 + 4 + 4) + 1
    tile = block(128, 64).macro  # one tile
    assert found.stacked.mid == pytest.approx(found.tiles * tile.footprint.stacked.mid)
    assert found.side_by_side.high == pytest.approx(found.tiles * tile.footprint.side_by_side.high)
    # all tiles are full
    assert found.utilisation == pytest.approx(1)
    # every matrix has two segments in its busiest tile; four of a block wait for each other, and the output layer
    assert found.latency.mid == pytest.approx(9 * 2 * SEGMENT)
    assert found.sequential.mid == pytest.approx(1 / (9 * 2 * SEGMENT))
    assert found.pipelined.mid == pytest.approx(1 / (2 * SEGMENT))
    assert found.latency.low < found.latency.mid < found.latency.high
    assert found.sequential.low == pytest.approx(1 / found.latency.high)
    # weights x (input bits x 14 conversions) / 64 rows
    weights = 2 * (2 * 128 * 128 + 2 * 128 * 64 + 3 * 128 * 256) + 128 * 64
    assert found.macs == weights
    per = tile.energy_per_conversion
    assert found.energy.mid == pytest.approx(weights * 8 * 14 / 64 * per.mid)
    assert found.energy.high == pytest.approx(weights * 8 * 14 / 64 * per.high)
    # 2 x queries x keys x width of all heads and blocks, for one of five tokens
    assert found.attention_macs == 2 * 2 * 5 * 128
    data = found.to_dict()
    assert data["longest_chain"][:4] == [
        "layers.0.self_attn.q_proj", "layers.0.self_attn.o_proj", "layers.0.mlp.gate_proj", "layers.0.mlp.down_proj",
    ]  # fmt: skip
    assert any("attention" in text for text in data["not_included"])


def test_fused_and_separate_queries_keys_and_values_are_one():
    def layers(fused: bool) -> list[WorkloadLayer]:
        first = (
            [Linear("attn.c_attn", 128, 3 * 128, 5)]
            if fused
            else [Linear(f"attn.{part}", 128, 128, 5) for part in ("query", "key", "value")]
        )
        return [*first, Attention("attn", 4, 32, 5, 5, 4), Linear("attn.c_proj", 128, 128, 5)]

    fused, separate = network(*layers(True), items=5), network(*layers(False), items=5)
    assert len(fused.chain) == len(separate.chain) == 2
    for name in ("latency", "sequential", "pipelined", "energy", "stacked", "side_by_side"):
        one, three = getattr(fused, name), getattr(separate, name)
        assert dataclasses.astuple(one) == pytest.approx(dataclasses.astuple(three)), name
    assert (fused.tiles, fused.macs) == (separate.tiles, separate.macs)


def test_a_convolution_takes_every_output_pixel():
    # 6 x 6 pixels, 3 x 3 x 3 = 27 rows in one segment; then 3 x 3 pixels by stride 2, 72 rows in two segments
    first = Conv("one", 3, 8, (3, 3), (6, 6), padding=1)
    found = network(first, Conv("two", 8, 4, (3, 3), (6, 6), stride=2, padding=1))
    assert found.item == "input"
    assert found.latency.mid == pytest.approx((36 + 9 * 2) * SEGMENT)
    assert found.pipelined.mid == pytest.approx(1 / (36 * SEGMENT))
    per = block(27, 8).macro.energy_per_conversion.mid
    assert found.energy.mid == pytest.approx((36 * 8 + 9 * 2 * 4) * 8 * 14 * per)


def test_experts_stand_side_by_side_and_only_the_chosen_ones_convert():
    router, experts = FixedMatrix("router", 64, 8, 5), FixedMatrix("experts", 64, 64, 5, copies=8, chosen=2)
    found = network(router, experts, items=5)
    assert found.tiles == 1 + 8
    assert found.latency.mid == pytest.approx(2 * SEGMENT)
    assert found.macs == 64 * 8 + 2 * 64 * 64
    per = block(64, 64).macro.energy_per_conversion.mid
    assert found.energy.mid == pytest.approx((8 + 2 * 64) * 8 * 14 * per)


def test_a_matrix_that_is_used_twice_is_stored_once():
    steps = (Step("shared", 5), Step("shared", 5, (0,)))
    found = network(FixedMatrix("shared", 64, 64, 10), items=5, steps=steps)
    assert found.tiles == 1
    assert found.latency.mid == pytest.approx(2 * SEGMENT)
    assert found.pipelined.mid == pytest.approx(1 / (2 * SEGMENT))


def test_a_matrix_that_few_tokens_use_counts_its_share_of_energy():
    """A pooler: one vector for a text of 5 words, passed once by a word that goes all the way."""
    found = network(Linear("dense", 64, 64, 5), Linear("pooler", 64, 64, 1), items=5)
    assert found.latency.mid == pytest.approx(2 * SEGMENT)
    assert found.macs == 64 * 64 * (1 + 1 / 5)


def test_built_in_networks_wait_as_they_are_built():
    # blocks x (queries-keys-values, output, two of the feed-forward part) and the pooler
    assert len(_chain(build_inventory("bert-base"))) == 12 * 4 + 1
    assert len(_chain(build_inventory("gpt2"))) == 12 * 4 + 1
    # first convolution, two of each of 16 blocks, classes: the shortcuts' convolutions run beside
    inventory = build_inventory("resnet-34")
    assert len(_chain(inventory)) == 1 + 2 * 16 + 1
    assert len(inventory.schedule) == 1 + 2 * 16 + 3 + 1


def _chain(inventory: Inventory) -> tuple[int, ...]:
    return longest_chain(inventory.schedule, [1.0] * len(inventory.schedule))[1]


def test_names_of_tensor_files_start_together_wherever_they_stand():
    names = ("attn_k", "attn_output", "attn_q", "attn_v", "ffn_down", "ffn_gate", "ffn_up")
    layers = [Linear(f"blk.{n}.{name}.weight", 8, 8, 1) for n in range(3) for name in names]
    assert longest_chain(steps_by_name(layers), [1.0] * 21)[0] == 3 * 4


def test_the_longest_chain_is_the_slowest_one():
    layers = [Linear(name, 8, 8, 1) for name in "abcd"]
    steps = steps_of_graph(layers, {"b": ["a"], "c": ["a"], "d": ["b", "c"]})
    times = {"a": 1.0, "b": 5.0, "c": 2.0, "d": 3.0}
    length, chain = longest_chain(steps, [times[step.layer] for step in steps])
    assert (length, [steps[place].layer for place in chain]) == (9.0, ["a", "b", "d"])
    assert longest_chain((), []) == (0.0, ())


def test_two_layers_of_one_name_are_refused():
    with pytest.raises(InputError, match="two layers a"):
        network(Linear("a", 8, 8, 1), Linear("a", 8, 8, 1))
