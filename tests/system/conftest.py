"""A small project that runs in seconds, and the command line as a user calls it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.scripts import metalrom_command

SMALL = """\
name: small
technology: {{stack: generic28, devices: open45}}
cell:
  kind: cap_balanced
  row_pitch: 200nm
  column_pitch: 300nm
  row_width: 50nm
  column_width: 50nm
  planes: [{{row: M2, column: M3}}]
array: {{rows: 16, columns: 64, group_rows: 4, columns_per_adc: 8}}
weights: {{random: [16, 4], bits: 4}}
inputs: {{bits: 4, source: random, vectors: 8}}
readout: {{double_sampling: true, code_error_target: 1e-2}}
conditions: {{corners: [tt]}}
characterization: {{patterns: 2, samples: 30, max_levels: 5, seed: {seed}}}
"""

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session")
def shared_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One cache for the whole session, so that equal decks and cells are worked out once."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def metalrom(shared_cache: Path) -> Run:
    """Call the command line in a process of its own: metalrom("run", path, ..., env={...})."""

    def call(
        *arguments: object, env: dict[str, str] | None = None, timeout: float = 240
    ) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "METALROM_CACHE": str(shared_cache), "COLUMNS": "200", **(env or {})}
        return subprocess.run(
            metalrom_command(*arguments),
            capture_output=True,
            text=True,
            timeout=timeout,
            env=environment,
            check=False,
        )

    return call


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """Path of a small charge project."""
    path = tmp_path / "small.yaml"
    path.write_text(SMALL.format(seed=1))
    return path
