"""What an ngspice was built with, and a warning before a circuit that it cannot solve in any useful time.

Without KLU, ngspice factorises with Sparse 1.3, which orders two-dimensional resistor meshes badly: 64 x 64 crossings
(8,192 nodes) take 6-8 s for an operating point, 128 x 128 were not finished after 110 s, while ladders and trees of any
length are cheap (512 rows 20 ms; ngspice 39 on one core). The measure is the number of independent loops.
"""

import functools
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from ngspice_runner.backends.process import environment
from ngspice_runner.deck import ParsedDeck, read_deck, root_of
from ngspice_runner.engine import Engine, find_engine
from ngspice_runner.errors import EngineError
from ngspice_runner.job import Job

MESH_NODES = 4000
"""Nodes of a mesh above which Sparse 1.3 takes more than some seconds."""
_LOOPS_PER_NODE = 0.25
_CONDUCTORS = frozenset("rcl")


class MeshWarning(UserWarning):
    """The engine has no sparse solver that can handle this circuit."""


@dataclass(frozen=True, slots=True)
class Capability:
    """What an engine offers. threads: it was built with OpenMP (the harness runs it with one thread)."""

    version: str
    klu: bool
    osdi: bool
    xspice: bool
    threads: bool


def probe_engine(engine: Engine | None = None) -> Capability:
    """Ask an engine what it was built with; remembered per file. Raises EngineError when it does not answer."""
    return _probe(engine or find_engine())


@functools.lru_cache(maxsize=8)
def _probe(engine: Engine) -> Capability:
    deck = "probe\n.control\nversion -f\npre_osdi none\nquit 0\n.endc\n.end\n"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "probe.cir")
        path.write_text(deck)
        try:
            done = subprocess.run(
                [engine.path, "-n", "-b", str(path)],
                env=environment(folder, scripts=""),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=20,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise EngineError(f"{engine.path} does not report its build options ({error})") from None
    message = done.stdout + done.stderr
    return Capability(
        engine.version,
        "KLU" in message,
        "osdi: no such command" not in message,
        "XSPICE" in message,
        "OpenMP" in message,
    )


def mesh_size(deck: ParsedDeck) -> tuple[int, int]:
    """(nodes, independent loops) of the R, C and L of a flat deck, ground and supply nodes taken out."""
    fixed = {"0", "gnd"}
    edges: set[tuple[str, str]] = set()
    depth = 0
    for _, card in deck.cards:
        kind = card[0].lower()
        if kind == ".":
            lowered = card[:7].lower()
            depth += (lowered == ".subckt") - (lowered[:5] == ".ends")
        elif not depth and kind in _CONDUCTORS:
            nodes = card.lower().split(None, 3)[1:3]
            if len(nodes) == 2:
                edges.add((min(nodes), max(nodes)))
        elif not depth and kind == "v":
            nodes = card.lower().split(None, 3)[1:3]
            if len(nodes) == 2 and nodes[1] in ("0", "gnd"):
                fixed.add(nodes[0])
    parent: dict[str, str] = {}

    loops = 0
    for one, other in edges:
        if one in fixed or other in fixed or one == other:
            continue
        left, right = root_of(parent, one), root_of(parent, other)
        loops += left == right
        parent[left] = right
    return len(parent), loops


def warn_before(job: Job, engine: Engine | None = None) -> list[str]:
    """Sentences about what this engine cannot do with a job; empty when nothing is known against it."""
    return warnings_of(read_deck(job.text), engine or find_engine())


def warnings_of(deck: ParsedDeck, engine: Engine) -> list[str]:
    """The same for a deck that was read before."""
    if len(deck.cards) <= MESH_NODES:
        return []
    nodes, loops = mesh_size(deck)
    if nodes <= MESH_NODES or loops < _LOOPS_PER_NODE * nodes or probe_engine(engine).klu:
        return []
    return [
        f"the deck is a mesh of {nodes} nodes with {loops} loops and {engine.version} was built without KLU: it may "
        f"run for minutes or never end; reduce it below {MESH_NODES} nodes or use a solver for linear networks"
    ]
