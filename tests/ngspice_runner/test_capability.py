"""What the engine can do, and the warning before what it cannot."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from ngspice_runner import Job, find_engine, run
from ngspice_runner.capability import Capability, MeshWarning, mesh_size, probe_engine, warn_before
from ngspice_runner.deck import read_deck


def crossbar(rows: int, cols: int) -> str:
    """Crossing (i, j): word node w_i_j and bit node b_i_j, a cell between them, one segment to each neighbour."""
    cards = [f"Vw{i} w_{i}_0 0 1" for i in range(rows)] + [f"Rs{j} b_{rows - 1}_{j} 0 1" for j in range(cols)]
    for i in range(rows):
        for j in range(cols):
            cards.append(f"Rc{i}_{j} w_{i}_{j} b_{i}_{j} 1e4")
            if j:
                cards.append(f"Rw{i}_{j} w_{i}_{j - 1} w_{i}_{j} 1")
            if i:
                cards.append(f"Rb{i}_{j} b_{i - 1}_{j} b_{i}_{j} 1")
    return "\n".join(["mesh", *cards, ".op", ".end", ""])


def test_probe() -> None:
    found = probe_engine()
    assert isinstance(found, Capability)
    assert found.version == find_engine().version
    assert found.xspice  # every packaged ngspice has it


@pytest.mark.parametrize(("rows", "cols"), [(3, 4), (10, 10), (2, 2)])
def test_loops_of_a_crossbar(rows: int, cols: int) -> None:
    """Nodes 2 r c less the r driven ones; loops = edges - nodes + components, by hand: driving splits nothing off."""
    nodes, loops = mesh_size(read_deck(crossbar(rows, cols)))
    assert nodes == 2 * rows * cols - rows
    edges = rows * cols + rows * (cols - 1) + cols * (rows - 1)
    to_ground = rows + rows  # the first cell and the first segment of each row end at a driven node
    kept = edges - to_ground
    components = 1 + 1 if cols > 1 else 2  # the first bit line hangs on driven nodes only
    assert loops == kept - nodes + components


def test_mesh_is_warned_of_and_ladder_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    import ngspice_runner.capability as capability

    monkeypatch.setattr(capability, "probe_engine", lambda _: Capability("ngspice-39", False, False, True, True))
    (warning,) = warn_before(Job(crossbar(60, 60), ()))
    assert "mesh of 7140 nodes" in warning
    assert "KLU" in warning
    assert warn_before(Job(crossbar(20, 20), ())) == []
    ladder = "\n".join(f"R{i} n{i} n{i + 1} 1\nC{i} n{i} 0 1e-15" for i in range(6000))
    assert warn_before(Job(f"ladder\nV1 n0 0 1\n{ladder}\n.op\n.end\n", ())) == []
    monkeypatch.setattr(capability, "probe_engine", lambda _: Capability("ngspice-45", True, True, True, True))
    assert warn_before(Job(crossbar(60, 60), ())) == []


def test_run_warns_before_it_starts() -> None:
    if probe_engine().klu:
        pytest.skip("this ngspice has KLU")
    with pytest.warns(MeshWarning, match="without KLU"):
        run(Job(crossbar(50, 50), ("v(b_0_0)",), timeout=0.5))


def test_small_mesh_is_right_and_silent() -> None:
    """20 x 20, all cells equal and wires negligible: every bit-line node sees 20 cells of 10 kohm in parallel."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = run(Job(crossbar(20, 20).replace("_0 0 1\n", "_0 0 1.0\n"), ("v(b_19_3)",)))
    assert result.ok
    assert np.real(result.signals["v(b_19_3)"].values[-1]) == pytest.approx(20 / 1e4, rel=0.05)
