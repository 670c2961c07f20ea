"""As in a container: a user without name, home or variables, a read-only installation, no network."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.scripts import ROOT, metalrom_command

SCRIPT = Path(__file__).with_name("unprivileged.sh")

pytestmark = [
    pytest.mark.ngspice,
    pytest.mark.skipif(
        os.geteuid() != 0 or not all(map(shutil.which, ("unshare", "chroot"))), reason="needs root on Linux"
    ),
]


def in_room(*lines: str) -> subprocess.CompletedProcess[str]:
    """Run shell lines in the room of `unprivileged.sh`; `metalrom` is that of this checkout."""
    command = shlex.join(metalrom_command())
    shell = "\n".join(["set -eu", f'metalrom() {{ {command} "$@"; }}', *lines])
    places = {str(ROOT), sys.prefix, sys.base_prefix}
    done = subprocess.run(
        [str(SCRIPT), *sorted(places), "--", "sh", "-c", shell],
        capture_output=True, text=True, timeout=900, check=False,
    )  # fmt: skip
    if "unshare" in done.stderr and "not permitted" in done.stderr:
        pytest.skip("no namespaces here")
    return done


def test_what_simulates_nothing_needs_no_cache_and_writes_none() -> None:
    done = in_room(
        'test -z "${HOME:-}"',
        "! touch /usr/x /etc/x 2>/dev/null",
        f"! touch {ROOT}/x 2>/dev/null",
        'test "$(id -u)" = 54321',
        "metalrom --help > /dev/null",
        "metalrom schema > schema.json",
        "metalrom init demo --cell res_via --rows 8 --bits 2",
        "sed -i 's/group_rows: auto/group_rows: 4/' demo/metalrom.yaml",
        "metalrom netlist demo/metalrom.yaml --level macro -o m.cir",
        "metalrom audit m.cir demo/metalrom.yaml",
        "ls -A /job",
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-3:] == ["demo", "m.cir", "schema.json"]


def test_a_run_ends_with_its_report_and_its_network_is_none() -> None:
    done = in_room(
        "export METALROM_CACHE=/job/cache",
        "metalrom init demo --cell res_via --rows 8 --bits 2",
        "metalrom run demo/metalrom.yaml -o out --jobs 2 || [ $? -eq 1 ]",  # 1: a specification is missed
        "test -s out/report.html",
        "test -s out/results.json",
        "grep -c : /proc/net/dev",  # the loopback interface alone, and that is down
        "ls /job",
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-4:] == ["1", "cache", "demo", "out"]
    assert "MPLCONFIGDIR" not in done.stderr


def test_a_run_without_a_place_for_its_cache_says_so() -> None:
    done = in_room(
        "metalrom init demo --cell res_via --rows 8 --bits 2",
        "metalrom run demo/metalrom.yaml -o out",
    )
    assert done.returncode == 2
    assert done.stderr.strip().splitlines()[-1].endswith("set METALROM_CACHE to a folder")
