"""What ngspice must do before it reads a deck: load compiled models, and run the lines of a kit's own start-up file.

Both go into a start-up file in the run's folder. A kit's file may load models (`osdi`) and set variables and options;
anything else is refused unless the job is trusted.
"""

from pathlib import Path

from ngspice_runner.errors import JobError
from ngspice_runner.job import Job
from ngspice_runner.permissions import executes

_LOADING = ("osdi", "pre_osdi")
_SETTING = ("set", "setcs", "unset", "option", "options")
_LARGEST = 1_000_000


def startup_text(job: Job) -> str:
    """Lines of the start-up file, empty for most jobs. Raises JobError for a file that is missing or does more than it
    may."""
    lines = []
    for name in job.told("startup"):
        path = Path(name)
        if not path.is_file() or path.stat().st_size > _LARGEST:
            raise JobError(f"there is no start-up file {name} (or it is larger than {_LARGEST} bytes)")
        text = path.read_text("utf-8", "replace")
        for number, line in enumerate(text.splitlines(), start=1):
            command = line.strip()
            if not command or command.startswith("*"):
                continue
            word = command.split()[0].lower()
            if not job.trust and word not in _LOADING and (word not in _SETTING or executes(command)):
                raise JobError(
                    f"{name}, line {number}: a start-up file may load models and set variables, not {command[:60]!r}; "
                    "set the job's trust (simulate --trust) if you know what it does"
                )
            lines.append(command)
    for name in job.told("osdi"):
        if not Path(name).is_file():
            raise JobError(f"there is no compiled model {name}")
        lines.append(f"osdi {name}")
    return "".join(f"{line}\n" for line in lines)
