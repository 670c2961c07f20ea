"""What the second witness catches that was `ok` without it, and what it calls wrong without reason.

    python benchmarks/witness.py [--networks 60] [--seed 1] [FOLDER ...]

Traps are decks whose numbers are not those that the deck states. Good decks are random linear networks of all nine
kinds of elements in four analyses, the decks of `docs/examples/netlists` and of each FOLDER. Every deck is run twice,
with the witness and without; a good deck that is `ok` without it and not with it is a false alarm.
"""

from __future__ import annotations

import argparse
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

from ngspice_runner import Job, Result, Verdict, run
from ngspice_runner import reading as reading_module
from ngspice_runner import simulate as simulate_module

EXAMPLES = Path(__file__).resolve().parents[1] / "docs" / "examples" / "netlists"
ANALYSES = (".op", ".dc V1 0 1 0.25", ".ac dec 3 1e3 1e6", ".tran 1e-8 2e-6")
TRAPS = {
    "gain of a controlled source is read otherwise": "t\nV1 a 0 1\nE1 b 0 a 0 {2^3^2}\nR1 b 0 1k\n.op\n.end\n",
    "transconductance with an author's comma": "t\nV1 a 0 1\nG1 0 b a 0 1,5\nR1 b 0 1k\n.op\n.end\n",
    "value with a long hierarchical name": (
        "t\nV1 a 0 1\nXamplifier_stage_one a b part\nR2 b 0 1k\n.subckt part p q\nRresistor p q {2^3^2}\n.ends\n"
        ".op\n.end\n"
    ),
    "transresistance in mils": "t\nV1 a 0 1\nR1 a 0 1\nH1 b 0 V1 {1mil}\nR2 b 0 1k\n.op\n.end\n",
    "current gain with a power of powers": "t\nV1 a 0 1\nR1 a 0 1\nF1 0 b V1 {2^3^2}\nR2 b 0 1k\n.op\n.end\n",
}


def network(rng: random.Random, analysis: str) -> str:
    """A random connected linear network: every node has a resistance to one before it."""
    count = rng.randint(3, 9)
    nodes = ["0", *(f"n{i}" for i in range(1, count))]
    cards = ["V1 n1 0 dc 1 ac 1" + (" pulse(0 1 1e-7 1e-9 1e-9 5e-7 1e-6)" if "tran" in analysis else "")]
    cards += [f"R{i} n{i} {rng.choice(nodes[:i])} {rng.uniform(10, 1e5):.6e}" for i in range(1, count)]
    for number in range(rng.randint(4, 14)):
        kind = rng.choice("rclviegfhx")
        one, other = rng.sample(nodes, 2)
        here, there = rng.sample(nodes, 2)
        value = {"r": rng.uniform(1, 1e6), "c": rng.uniform(1e-13, 1e-9), "l": rng.uniform(1e-9, 1e-4),
                 "i": rng.uniform(-1e-3, 1e-3), "g": rng.uniform(-1e-5, 1e-5), "f": rng.uniform(-0.3, 0.3)}  # fmt: skip
        name = f"{kind}x{number}"
        if kind in "rcl":
            cards.append(
                f"{name} {one} {other} {value[kind]:.6e}" + (" m=2" if kind == "r" and number % 3 == 0 else "")
            )
        elif kind == "i":
            cards.append(f"{name} {one} {other} {value['i']:.6e}")
        elif kind == "g":
            cards.append(f"{name} {one} {other} {here} {there} {value['g']:.6e}")
        elif kind == "f":
            cards.append(f"{name} {one} {other} V1 {value['f']:.6e}")
        elif kind == "x":
            cards.append(f"Xlong_name_of_an_instance_{number} {one} {other} part rv={rng.uniform(10, 1e4):.6e}"
                         + (" m=3" if number % 2 else ""))  # fmt: skip
        else:  # a branch of its own, so that no loop of voltage sources arises
            tail = {"v": f"{rng.uniform(-1, 1):.6e}", "e": f"{here} {there} {rng.uniform(-0.5, 0.5):.6e}",
                    "h": f"V1 {rng.uniform(-10, 10):.6e}"}[kind]  # fmt: skip
            cards += [f"{name} s{number} {other} {tail}", f"rs{number} s{number} {one} {rng.uniform(10, 1e4):.6e}"]
    part = [".subckt part p q rv=1k", "R1 p m {rv}", "C1 m q 1e-12", "R2 m q {rv*2}", "G1 m q p q 1e-6", ".ends"]
    return "\n".join(["network", *cards, *part, analysis, ".end", ""])


def judged(job: Job, *, witness: bool) -> Result:
    """The result with the engine's view and Kirchhoff's laws, or without Kirchhoff's laws."""
    reading_module._seen.clear()
    if witness:
        return run(job)
    with mock.patch.object(simulate_module, "_compared_result", lambda prepared, result, setting: result):
        return run(job)


def good_decks(networks: int, seed: int, folders: list[Path]) -> Iterator[tuple[str, Job]]:
    """(name, job) of decks that mean what they say."""
    rng = random.Random(seed)  # noqa: S311
    for number in range(networks):
        yield f"network {number}", Job(network(rng, ANALYSES[number % len(ANALYSES)]), ())
    for folder in (EXAMPLES, *folders):
        for path in sorted(folder.glob("*.cir")):
            yield path.name, Job(path.read_text("utf-8", "surrogateescape"), (), folder=str(folder), timeout=60.0)


def main() -> None:
    """Both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("folders", nargs="*", type=Path)
    asked = parser.parse_args()
    caught = 0
    for name, text in TRAPS.items():
        before, after = (judged(Job(text, ()), witness=witness) for witness in (False, True))
        caught += before.ok and after.verdict is Verdict.SUSPECT
        print(f"{name}: {before.verdict.value} -> {after.verdict.value}: {after.log.splitlines()[:1]}")
    counts: Counter[str] = Counter()
    for name, job in good_decks(asked.networks, asked.seed, asked.folders):
        before, after = (judged(job, witness=witness) for witness in (False, True))
        false = before.ok and not after.ok
        counts["false alarm" if false else before.verdict.value] += 1
        if false:
            print(f"false alarm: {name}: {after.log}")
    print(f"traps: {caught} of {len(TRAPS)} caught; good decks: {dict(counts)}")


if __name__ == "__main__":
    main()
