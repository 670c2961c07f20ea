"""What ngspice does before a deck: start-up files and compiled models of a job."""

from __future__ import annotations

from pathlib import Path

import pytest

from ngspice_runner import Job, JobError, Verdict, run
from ngspice_runner.capability import probe_engine
from ngspice_runner.kit_startup import startup_text

DECK = "divider\nV1 a 0 1\nR1 a b 1k\nR2 b 0 1k\n.op\n.end\n"


def job(deck: str, **options: Path) -> Job:
    return Job(deck, ("v(b)",), options=tuple((name, str(path)) for name, path in options.items()))


def test_a_start_up_file_is_read(tmp_path: Path) -> None:
    kit = tmp_path / "start"
    kit.write_text("* the kit's\nset num_threads=1\nunset ngdebug\noption reltol=1e-4\n")
    assert run(job(DECK, startup=kit)).verdict is Verdict.OK
    kit.write_text("nonsense_command\n")
    result = run(Job(DECK, ("v(b)",), options=(("startup", str(kit)),), trust=True))
    assert result.verdict is Verdict.PARSE  # the engine was told, and complains
    assert "nonsense_command" in result.log


@pytest.mark.parametrize("line", ["shell true", "source other", "set sourcepath = ( / )", "echo x > ../y", "alias a b"])
def test_a_start_up_file_may_not_execute(tmp_path: Path, line: str) -> None:
    kit = tmp_path / "start"
    kit.write_text(f"set a=1\n{line}\n")
    with pytest.raises(JobError, match="line 2: a start-up file may load models"):
        run(job(DECK, startup=kit))


def test_compiled_models(tmp_path: Path) -> None:
    model = tmp_path / "model.osdi"
    with pytest.raises(JobError, match=r"no compiled model|not there|model\.osdi"):
        startup_text(job(DECK, osdi=model))
    model.write_bytes(b"no library")
    assert startup_text(job(DECK, osdi=model)) == f"osdi {model}\n"
    result = run(job(DECK, osdi=model))
    if not probe_engine().osdi:
        assert result.verdict is Verdict.PARSE
        assert "osdi" in result.log


def test_its_content_is_part_of_the_key(tmp_path: Path) -> None:
    kit = tmp_path / "start"
    keys = set()
    for text in ("set a=1\n", "set a=2\n"):
        kit.write_text(text)
        result = run(job(DECK, startup=kit))
        assert result.provenance is not None
        keys.add(result.provenance.key)
    assert len(keys) == 2
