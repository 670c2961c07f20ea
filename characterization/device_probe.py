"""Trying a device set before use: does the simulator offer what it needs, and does one transistor of it run?

That its files, sections and devices exist was checked when it was loaded. Each problem is one sentence.
"""

import math
import re
from collections.abc import Callable, Iterator

from netlists.devices.device_set import DeviceSet
from netlists.transistors import device_printer
from ngspice_runner import run as run_job
from ngspice_runner.capability import Capability, probe_engine
from ngspice_runner.engine import Engine, find_engine
from ngspice_runner.errors import EngineError
from ngspice_runner.job import Job, Result
from ngspice_runner.vacask.modules import find_vacask

_LEAST_CURRENT = 1e-9
"""A transistor that is switched on carries more than this, A; less is a deck that runs and means nothing."""

_fine: set[tuple[str, str]] = set()
"""(device set, engine) by content that this process found in order."""

_REMEDY = {
    "osdi": "use an ngspice that was configured with --enable-osdi, or VACASK (`simulator: vacask` under `needs`)",
    "bsimcmg": "use an ngspice that was configured with --enable-osdi and load BSIM-CMG there as an OSDI model",
    "klu": "use an ngspice that was configured with --enable-klu",
    "xspice": "use an ngspice that was configured with --enable-xspice",
}


def probe_devices(
    devices: DeviceSet, *, engine: Engine | None = None, run: Callable[[Job], Result] | None = None
) -> Iterator[str]:
    """Sentences about what does not work with this simulator, features first; nothing when all is well.

    The transistors are tried one NMOS and one PMOS per corner, only if no feature is missing. Raises EngineError when
    there is no simulator.
    """
    missing = list(_missing(devices, engine))
    yield from missing
    if missing:
        return
    if run is None:
        run = run_job
    for corner in devices.corners:
        result = run(probe_job(devices, corner))
        if not result.ok:
            reason = " ".join(result.log.split())[:200] or f"verdict {result.verdict}"
            yield f"{devices.name}: a deck with one transistor of each type does not run at corner {corner} ({reason})"
            continue
        for kind, name in (("n", devices.nmos), ("p", devices.pmos)):
            current = abs(float(result.signals[f"i(v{kind})"].values[-1].real))
            if not (math.isfinite(current) and current > _LEAST_CURRENT):
                yield f"{devices.name}: {name} carries only {current:.3g} A when it is switched on at corner {corner}"


def check_devices(devices: DeviceSet, *, engine: Engine | None = None) -> None:
    """Raise EngineError with the first sentence of `probe_devices`, if there is any; once per set and simulator."""
    engine = find_vacask().engine if _by_vacask(devices) else engine or find_engine()
    if (devices.sha256, engine.sha256) in _fine:
        return
    for sentence in probe_devices(devices, engine=engine):
        raise EngineError(sentence)
    _fine.add((devices.sha256, engine.sha256))


def _by_vacask(devices: DeviceSet) -> bool:
    return ("simulator", "vacask") in devices.job_options


def _missing(devices: DeviceSet, engine: Engine | None) -> Iterator[str]:
    if _by_vacask(devices):
        try:
            find_vacask()
        except EngineError as error:
            yield f"{devices.name} is simulated by VACASK: {error}"
        return
    engine = engine or find_engine()
    yield from missing_features(devices, engine.version, probe_engine(engine))


def missing_features(devices: DeviceSet, version: str, capability: Capability) -> Iterator[str]:
    """One sentence for every need of the set that an engine of this version and capability does not meet."""
    needs = devices.needs
    there = {
        "osdi": capability.osdi,
        "bsimcmg": capability.osdi,
        "klu": capability.klu,
        "xspice": capability.xspice,
        "bsim4": True,  # levels 14 and 54 are in every ngspice
    }
    for feature in needs.features:
        if not there[feature]:
            what = "OSDI, which BSIM-CMG needs" if feature == "bsimcmg" else feature.upper()
            yield f"{devices.name} needs {feature}, and {version} was built without {what}; {_REMEDY[feature]}"
    found = re.search(r"(\d+)", version)
    if found and int(found[1]) < needs.ngspice:
        yield f"{devices.name} needs ngspice {needs.ngspice} or newer, and this is {version}"


def probe_job(devices: DeviceSet, corner: str) -> Job:
    """One NMOS and one PMOS of least width, switched on at the nominal supply: drain currents `i(vn)`, `i(vp)`."""
    mos = device_printer(devices, devices.default_length)
    width = min(devices.w_max, 2 * devices.w_min)
    vdd = devices.vdd
    lines = [
        f"one transistor of each type of {devices.name} at {corner}",
        ".option num_threads=1 noinit",
        devices.cards(corner).rstrip("\n"),
        f"vn dn 0 {vdd!r}",
        f"vp dp 0 {-vdd!r}",
        mos("mn", "dn", "dn", "0", "0", "n", width),
        mos("mp", "dp", "dp", "0", "0", "p", width),
        ".op",
        ".end",
    ]
    return Job(text="\n".join(lines) + "\n", outputs=("i(vn)", "i(vp)"), timeout=120.0, options=devices.job_options)
