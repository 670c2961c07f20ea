"""Six forms of one network on the characterized macro: accuracy, conversions, energy, area, masks.

    metalrom fetch minilm wordsim
    python benchmarks/six_networks.py OUT [--pairs 30] [--chips 5] [--tokens 16] [--only NAME]

Two runs are made in folders of OUT unless they are there: `examples/minilm_trits.yaml` with ternary weights, and
`examples/minilm_chain.yaml` in two's complement, both read by the chain of transistors at tt, ss and ff, 27 and
85 degC, 1.0 V. The worst condition is that of the greatest code error of the run's own layer.
Rows: MiniLM in float, in 8 bits on the binary cell, in 8 and 4 bits on the ternary one (five trits, three signed binary
digits; energy and area of the ternary run with the adders of these digits), and the networks distilled into one and two
ternary planes (`--only` also takes another folder of `metalrom distill`).

Columns. cosine: mean over the words to the float MiniLM's embedding, and to the same network without errors; rho:
Spearman's against people; both with their 95 % interval over chips (Student), and se, the standard error over words and
pairs. conv./MAC: as counted on the chips. uJ: of a sentence of `--tokens` tokens, mm2: of the 36 encoder matrices, each
on macros of its own with the periphery under the array, by the rule of `metalrom estimate --workload`; masks: via
layers that hold the weights. Every pass is kept in OUT/six_networks.jsonl, from which a later call goes on;
30 pairs take about ten CPU minutes, the runs four.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.noise_cliff import Network, chip_passes, distilled, over_chips, spread_of
from benchmarks.trits import changed_example, finished
from metalrom.assets import asset_path
from metalrom.macro.estimate import LayerEstimate
from metalrom.macro.quantity import Span
from metalrom.run.estimate import layer_estimate
from metalrom.run.folder import Run, open_run
from metalrom.run.network_estimate import NetworkEstimate, estimate_network
from metalrom.studies.accuracy import ActivationRule, SentenceSimilarity, Settings, WeightRule, chips_of
from metalrom.studies.accuracy.datasets import judgements
from metalrom.workloads.inventory import Inventory, read_inventory
from metalrom.workloads.inventory.layers import Linear
from metalrom.workloads.networks.fetched import TERNARY_FILE, distilled_folder, minilm
from metalrom.workloads.networks.linear import float_operator

JOURNAL = "six_networks.jsonl"
CONDITIONS = {"conditions": {"corners": ["tt", "ss", "ff"], "temperature": ["27degC", "85degC"], "factorial": True}}
RUNS: dict[str, tuple[str, Mapping[str, Any]]] = {
    "ternary": ("minilm_trits.yaml", {"weights": {"bits": 2}}),
    "binary": ("minilm_chain.yaml", {"mapping": "twos_complement"}),
}
"""Example and changed keys of every run."""


@dataclass(frozen=True)
class Form:
    """A form of the network. run: of the macro that holds it, "" for none. planes: times that it is there. weights,
    mapping: None, "" for the digits of a file."""

    name: str
    run: str
    weights: WeightRule | None = None
    mapping: str = ""
    planes: int = 1

    def network(self, pairs: int) -> Network:
        """What is run, and how its weights become integers."""
        asked = judgements(["wordsim"], pairs)
        if self.weights is None:
            return distilled(self.name, asked)
        rule = Settings(self.weights, ActivationRule(8), options={"mapping": self.mapping} if self.mapping else {})
        return self.name, SentenceSimilarity(*minilm(), asked), rule


FORMS = (
    Form("float", "", WeightRule(8)),
    Form("8 bits, binary cell", "binary", WeightRule(8), "twos_complement"),
    Form("8 bits, five trits", "ternary", WeightRule(8), "trits"),
    Form("4 bits, three digits", "ternary", WeightRule(4), "differential"),
    Form("minilm-ternary", "ternary"),
    Form("minilm-two-planes", "ternary", planes=2),
)


@dataclass(frozen=True)
class Passed:
    """A form on one condition of its run. Pairs: mean and half of the 95 % interval over chips. errors: share of wrong
    codes; words, pairs: standard errors over words of the cosine to float, and over pairs of rho."""

    condition: str
    exact_cosine: float
    exact_rho: float
    cosine: tuple[float, float]
    own_cosine: tuple[float, float]
    rho: tuple[float, float]
    words: float
    pairs: float
    errors: float
    conversions: float
    cpu: float


def worst_condition(run: Run) -> str:
    """Label of the condition of the greatest code error of the run's layer."""
    return max(run.table.conditions, key=lambda c: layer_at(run, c.label).macro.code_error).label


def layer_at(run: Run, condition: str) -> LayerEstimate:
    """The estimate of the run's layer."""
    return layer_estimate(
        run.results, run.table, run.results.layer.inputs, run.results.layer.outputs, condition=condition
    )


def encoder(tokens: int, planes: int) -> Inventory:
    """The 36 matrices of the encoder, as often as there are planes; the pooler, which no embedding uses, is none."""
    whole = read_inventory(str(asset_path("minilm", "config.json")), sequence=tokens)
    layers = [x for x in whole.layers if isinstance(x, Linear) and x.name.startswith("encoder.")]
    copies = [Linear(f"{x.name}{'_plane2' * n}", x.inputs, x.outputs, x.tokens) for x in layers for n in range(planes)]
    return Inventory(whole.model, whole.input, tuple(copies), whole.source, items=tokens)


def costs(form: Form, run: Run, condition: str, tokens: int) -> NetworkEstimate:
    """What the encoder costs on macros of a run, with the form's own digits."""
    results = run.results
    if form.weights is not None:
        digits = replace(results.macro_geometry, mapping=form.mapping, weight_bits=form.weights.bits)
        results = replace(results, macro_geometry=digits)

    def layer(rows: int, columns: int) -> LayerEstimate:
        return layer_estimate(results, run.table, rows, columns, condition=condition)

    return estimate_network(encoder(tokens, form.planes), layer)


def rho_error(rho: float, pairs: int) -> float:
    """Standard error of Spearman's rho (Bonett and Wright, 2000), by Fisher's z."""
    return (1 - rho**2) * math.sqrt((1 + rho**2 / 2) / (pairs - 3))


def passed(form: Form, folder: Path, condition: str, pairs: int, chips: int, reference: Any) -> Passed:
    """A form on chips of one condition. reference: embeddings of the float MiniLM."""
    started = time.process_time()
    network = form.network(pairs)
    (chip,) = chips_of(str(folder), [condition])
    found = chip_passes(network, chip, chips)
    to_float = [np.einsum("ij,ij->i", p.found, reference) for p in found]
    exact, work = found[0].exact, network[1]
    rho = over_chips([p.outcome.figures["wordsim_spearman"] for p in found])
    return Passed(
        condition=condition,
        exact_cosine=float(np.einsum("ij,ij->i", exact, reference).mean()),
        exact_rho=work.figures(exact, exact)["wordsim_spearman"],
        cosine=over_chips([float(c.mean()) for c in to_float]),
        own_cosine=over_chips([float(p.cosine.mean()) for p in found]),
        rho=rho,
        words=spread_of(to_float),
        pairs=rho_error(rho[0], pairs),
        errors=float(np.mean([p.outcome.code_error_rate or 0.0 for p in found])),
        conversions=found[-1].outcome.conversions_per_mac or 0.0,
        cpu=time.process_time() - started,
    )  # fmt: skip


class Journal:
    """Passes that were made, a line each, by what they depend on."""

    def __init__(self, path: Path) -> None:
        self._path = path
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        self._kept = {json.dumps(key): value for key, value in map(json.loads, lines)}

    def get(self, key: Sequence[Any]) -> Passed | None:
        """A pass, if it was made."""
        found = self._kept.get(json.dumps(key))
        return None if found is None else Passed(**found)

    def keep(self, key: Sequence[Any], value: Passed) -> Passed:
        """Write a pass down."""
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps([key, asdict(value)]) + "\n")
        return value


def interval(value: Sequence[float]) -> str:
    """Mean and half interval in words."""
    return f"{value[0]:.3f} ± {value[1]:.3f}"


def line(cells: Sequence[str]) -> str:
    """A line of a table."""
    return f"| {' | '.join(cells)} |"


def head(cells: Sequence[str]) -> str:
    """The first two lines of a table."""
    return f"\n{line(cells)}\n|{'---|' * len(cells)}"


def ranged(span: Span, scale: float, digits: int = 0) -> str:
    """Middle and range in words."""
    low, mid, high = (f"{value * scale:.{digits}f}" for value in (span.low, span.mid, span.high))
    return f"{mid} ({low} to {high})"


def print_runs(runs: Mapping[str, Path]) -> None:
    """What every run says of a conversion, what of its energy is simulated, and what is assumed."""
    print(head(("run", "rows", "condition", "code error of its layer", "fJ per conversion (range)", "simulated")))
    assumed: dict[str, None] = {}
    for name, folder in runs.items():
        run = open_run(folder)
        for label in dict.fromkeys((run.results.condition, worst_condition(run))):
            macro = layer_at(run, label).macro
            parts = [part for part in macro.conversion.values() if part.provenance.status == "measured"]
            share = sum(part.value.mid for part in parts) / macro.energy_per_conversion.mid
            energy = ranged(macro.energy_per_conversion, 1e15)
            print(line((name, str(run.table.rows), label, f"{macro.code_error:.1e}", energy, f"{100 * share:.0f} %")))
        assumed |= dict.fromkeys(f"{a.name}: {a.value} ({a.status}; {a.source})" for a in run.table.assumptions)
        assumed |= dict.fromkeys([*run.results.warnings, f"not included: {', '.join(macro.not_included)}"])
    print("\n".join(["", "assumed in these figures:", *(f"- {text}" for text in assumed)]), flush=True)


PREDICTION = """prediction, from the cliff (docs/explanation/ternary.md) and the bills of benchmarks/trits.py:
- nominal, cosine to the same network without errors: 8 bits on the binary cell above .9 (fewest code errors), in trits
  and in 4 bits .80 to .90, one and two planes above .97; worst: 8 and 4 bits below .6, planes .85 to .92
- uJ of 16 tokens: binary cell 1,180, five trits 1,430, three digits 860, ternary 270, two planes 550
- mm2: proportional to the columns, but of ternary ones, half of whose macros is empty: 1.6; 4 masks of all"""

HEAD = (
    "network", "exact: cosine, rho", "condition", "code errors", "cosine to float (95 %)", "se", "to own exact (95 %)",
    "rho (95 %)", "se", "conv./MAC", "uJ (range)", "mm2 (range)", "macros used", "masks", "CPU s",
)  # fmt: skip


def row(form: Form, p: Passed, cost: NetworkEstimate, masks: int, tokens: int) -> str:
    """A line of the table."""
    return line((
        form.name, f"{p.exact_cosine:.3f}, {p.exact_rho:.3f}", p.condition, f"{p.errors:.1e}", interval(p.cosine),
        f"{p.words:.3f}", interval(p.own_cosine), interval(p.rho), f"{p.pairs:.3f}", f"{p.conversions:.2f}",
        ranged(cost.energy, tokens * 1e6), ranged(cost.stacked, 1e6, 2),
        f"{cost.tiles}, {100 * cost.utilisation:.0f} %", str(masks), f"{p.cpu:.0f}",
    ))  # fmt: skip


def chosen_forms(only: str | None) -> list[Form]:
    """All, or the one of a name or folder."""
    known = [form for form in FORMS if only in (None, form.name)]
    if known:
        return known
    first = distilled(str(only), judgements(["wordsim"], 3))[1].layers[0]
    return [Form(str(only), "ternary", planes=1 + len(first.further))]


def made_runs(out: Path, forms: Sequence[Form]) -> dict[str, Path]:
    """Folders of the runs that the forms need."""
    names = [name for name in RUNS if any(form.run == name for form in forms)]
    return {
        name: finished(changed_example(name, RUNS[name][0], {**RUNS[name][1], **CONDITIONS}), out) for name in names
    }


def digest(path: Path) -> str:
    """Of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def main() -> None:
    """Predict, measure what the journal does not hold, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="folder of runs and journal")
    parser.add_argument("--pairs", type=int, default=30, help="of WordSim353, evenly spaced; 353: all")
    parser.add_argument("--chips", type=int, default=5)
    parser.add_argument("--tokens", type=int, default=16, help="of the sentence whose energy is given")
    parser.add_argument("--only", metavar="NAME", help="one row, or a folder of `metalrom distill`")
    given = parser.parse_args()
    print(PREDICTION, flush=True)
    forms = chosen_forms(given.only)
    runs = made_runs(given.out, forms)
    if runs:
        print_runs(runs)
    journal = Journal(given.out / JOURNAL)
    work = FORMS[0].network(given.pairs)[1]
    reference = work.run(float_operator)
    rho = work.figures(reference, reference)["wordsim_spearman"]
    words = f"{work.notes[0]}, {work.tokens / len(work.texts):.2f} tokens each"
    print(f"\n{words}; {given.chips} chips; energy of a sentence of {given.tokens} tokens")
    print(head(HEAD))
    for form in forms:
        if not form.run:
            error = f"{rho_error(rho, given.pairs):.3f}"
            print(line((form.name, f"1, {rho:.3f}", "-", "-", "1", "-", "1", f"{rho:.3f}", error, *"------")))
            continue
        folder = runs[form.run]
        run = open_run(folder)
        for condition in dict.fromkeys((run.results.condition, worst_condition(run))):
            key = (form.name, weights_of(form), digest(folder / "manifest.json"), condition, given.pairs, given.chips)
            found = journal.get(key) or journal.keep(
                key, passed(form, folder, condition, given.pairs, given.chips, reference)
            )
            cost = costs(form, run, condition, given.tokens)
            print(row(form, found, cost, len(run.results.layer.planes), given.tokens), flush=True)


def weights_of(form: Form) -> str:
    """What the form's weights are: hash of a distilled network's file, or the rule."""
    folder = distilled_folder(form.name)
    return digest(folder / TERNARY_FILE) if folder is not None else str(form.weights)


if __name__ == "__main__":
    main()
