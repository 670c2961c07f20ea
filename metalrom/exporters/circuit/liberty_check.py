"""Liberty libraries in a design flow: yosys takes a tile as a black box, OpenSTA times it between ports."""

import re
from pathlib import Path

from metalrom.exporters.checksum import symbols
from metalrom.exporters.circuit.boundary import MACRO, Boundary, boundary_of
from metalrom.exporters.circuit.boundary_timing import BoundaryTiming
from metalrom.exporters.executables import program, run_program
from metalrom.exporters.exporter import ToolReading, compare_readings
from metalrom.exporters.run_data import RunData
from ngspice_runner.workspace import scratch_folder

OPENSTA = "apt-get install opensta (Debian)"
YOSYS = "apt-get install yosys (Debian)"
RUN_TIME = 120.0
MARK = "== "
TOP = "metalrom_top"
PERIOD = 1e6
"""ns; of the clocks that the tile is timed with: longer than any read or conversion."""
SINGLE = 1e-6
"""Relative; OpenSTA keeps times as 32-bit numbers."""


def top_netlist(boundary: Boundary) -> str:
    """A Verilog module whose ports are the tile's signal pins, each joined to its pin."""
    names = ", ".join(p.name for p in boundary.signals)
    ranges = {p.name: f"[{p.width - 1}:0] " if p.width else "" for p in boundary.signals}
    ports = "".join(f"  {p.direction} {ranges[p.name]}{p.name};\n" for p in boundary.signals)
    joined = ", ".join(f".{p.name}({p.name})" for p in boundary.signals)
    return f"module {TOP} ({names});\n{ports}  {MACRO} tile ({joined});\nendmodule\n"


def read_with_flow(source: RunData, folder: Path, times: dict[str, BoundaryTiming]) -> ToolReading:
    """Link a top with every library of a folder in yosys and OpenSTA, and compare what OpenSTA times.

    times: what each library should hold, by its condition's symbol. A complaint of either program is a problem.

    Raises
    ------
    ToolMissing
        A program is not installed.
    InputError
        A program does not run.
    """
    timer, synthesizer = program("sta", OPENSTA), program("yosys", YOSYS)
    version = run_program([timer, "-version"], folder, 30).text.strip()
    words = run_program([synthesizer, "-V"], folder, 30).text.split()
    tool = f"OpenSTA {version} and {' '.join(words[:2])}"
    boundary = boundary_of(source.results.macro_geometry)
    with scratch_folder() as work:
        netlist, script = work / "top.v", work / "time.tcl"
        netlist.write_text(top_netlist(boundary), encoding="ascii")
        for name in symbols(source):
            library = work / "tile.lib"  # the folder's own path could hold what a command language interprets
            library.write_bytes((folder / f"metalrom_{name}.lib").read_bytes())
            commands = f"read_liberty -lib tile.lib; read_verilog top.v; hierarchy -check -top {TOP}; check -assert"
            read = run_program([synthesizer, "-q", "-p", commands], Path(work), RUN_TIME)
            if read.code or read.text.strip():
                return ToolReading(tool, f"metalrom_{name}.lib in yosys: {read.complaint}")
            script.write_text(timing_script(boundary), encoding="ascii")
            timed = run_program([timer, "-no_splash", "-exit", script], Path(work), RUN_TIME)
            complaint = re.search(r"^(?:Warning|Error).*", timed.text, re.MULTILINE)
            if timed.code or complaint:
                text = complaint.group(0) if complaint else timed.complaint
                return ToolReading(tool, f"metalrom_{name}.lib in OpenSTA: {text}")
            expected, got = _expected(boundary, times[name]), timed_figures(timed.text)
            if got.keys() != expected.keys():
                return ToolReading(tool, f"metalrom_{name}.lib: OpenSTA times {', '.join(got) or 'nothing'} only")
            wanted = {what: (got[what], value) for what, value in expected.items()}
            reading = compare_readings(tool, wanted, SINGLE)
            if reading.problem is not None:
                return ToolReading(tool, f"metalrom_{name}.lib: {reading.problem}")
    return ToolReading(tool, None, (f"{len(times)} libraries linked and timed without an error or warning",))


def timing_script(boundary: Boundary) -> str:
    """Commands for OpenSTA: it reads `tile.lib` and `top.v`, and reports one path per arc and constraint, in ns."""
    outputs = [p.name for p in boundary.signals if p.direction == "output"]
    codes = [name for name in outputs if name != "settled"]
    lines = ["read_liberty tile.lib", "read_verilog top.v", f"link_design {TOP}"]
    lines += [f"create_clock -name {clock} -period {PERIOD:g} [get_ports {clock}]" for clock in ("read", "convert")]
    lines += [
        "set_clock_groups -asynchronous -group read -group convert",
        "set_input_delay 0 -clock read [get_ports x*]",
        "set_input_delay 0 -clock convert -add_delay [get_ports x*]",
        "set_input_delay 0 -clock convert [get_ports select*]",
        "set_output_delay 0 -clock read [get_ports settled]",
        *(f"set_output_delay 0 -clock convert [get_ports {name}*]" for name in codes),
        "check_setup -verbose",
    ]
    paths = [("settled", "max", "[get_ports settled]"), *((name, "max", f"[get_ports {name}*]") for name in codes)]
    paths += [(f"{name}_{kind}", path, f"[get_pins tile/{name}*]") for name in ("x", "select")
              for kind, path in (("setup", "max"), ("hold", "min"))]  # fmt: skip
    for name, path, end in paths:
        lines += [f"puts {{{MARK}{name}}}", f"report_checks -path_delay {path} -to {end} -digits 9"]
    return "\n".join(lines) + "\n"


def timed_figures(text: str) -> dict[str, float]:
    """Times (ns) by name in OpenSTA's reports of `timing_script`; names whose report holds no path are left out."""
    figures = {}
    for part in text.split(MARK)[1:]:
        name, report = part.split("\n", 1)
        kind = name.partition("_")[2]
        line = rf"^ +(\S+) +\S+ +library {kind} time$" if kind else r"^ +(\S+) +data arrival time$"
        if match := re.search(line, report, re.MULTILINE):
            figures[name] = abs(float(match.group(1)))
    return figures


def _expected(boundary: Boundary, times: BoundaryTiming) -> dict[str, float]:
    """The same times, ns, as the run has them."""
    codes = {p.name: times.convert for p in boundary.signals if p.name.startswith("code")}
    held = {"x_setup": times.setup_x, "x_hold": times.convert, "select_setup": times.setup_select}
    found = {"settled": times.read, **codes, **held, "select_hold": times.convert}
    return {name: value * 1e9 for name, value in found.items()}
