"""Table of the transistor cards against their targets, corner by corner.

    python benchmarks/device_cards.py [--devices open45] [--freepdk45 FOLDER] [--temperature 27]

FOLDER holds freepdk45_nom.spi, freepdk45_ff.spi and freepdk45_ss.spi; the same bench then reads the VTG cards in them.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict, fields
from pathlib import Path

from characterization.device_testbench import DeviceReadings, DeviceTestbench, measure_models
from netlists.devices.device_set import load_devices
from netlists.devices.model_card import parse_model_cards

SCALES = {  # quantity -> (unit to print, factor)
    "ion": ("uA/um", 1.0),
    "ioff": ("nA/um", 1e3),
    "vth": ("V", 1.0),
    "swing": ("mV/dec", 1e3),
    "cgg": ("fF/um", 1e9),
    "fo4": ("ps", 1e12),
}
FREEPDK45_FILES = {"tt": "freepdk45_nom.spi", "ff": "freepdk45_ff.spi", "ss": "freepdk45_ss.spi"}


def read_freepdk45(folder: Path, corner: str, bench: DeviceTestbench) -> DeviceReadings:
    """The FreePDK45 VTG cards of a corner on the same bench."""
    path = folder / FREEPDK45_FILES[corner]
    cards = parse_model_cards(path.read_text(encoding="utf-8"), where=str(path))
    text = cards["nmos_vtg"].render() + cards["pmos_vtg"].render()
    return measure_models(text, "nmos_vtg", "pmos_vtg", bench)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--devices", default="open45", help="built-in name or path of a device set")
    parser.add_argument("--freepdk45", type=Path, help="folder with the FreePDK45 cards, to print them side by side")
    parser.add_argument("--temperature", type=float, default=27.0, help="degC")
    arguments = parser.parse_args()
    devices = load_devices(arguments.devices)
    bench = DeviceTestbench(vdd=devices.vdd, temperature=arguments.temperature)
    print(f"{devices.name}: {devices.vdd:g} V, {bench.temperature:g} degC (targets hold at 27 degC)")
    print(f"{'corner':7}{'quantity':11}{'unit':8}{'target':>9}{'ours':>9}{'deviation':>11}{'FreePDK45 VTG':>15}")
    for corner in devices.corners:
        ours = asdict(measure_models(devices.cards(corner), devices.nmos, devices.pmos, bench))
        real = None
        if arguments.freepdk45 and corner in FREEPDK45_FILES:
            real = asdict(read_freepdk45(arguments.freepdk45, corner, bench))
        targets = devices.targets.get(corner, {}) if bench.temperature == 27.0 else {}
        for quantity in (field.name for field in fields(DeviceReadings)):
            unit, factor = SCALES[quantity.split("_")[0]]
            target = targets.get(quantity)
            wanted = f"{float(target) * factor:9.4g}" if target else f"{'-':>9}"
            off = f"{100 * (ours[quantity] / float(target) - 1):+10.2f}%" if target else f"{'-':>11}"
            other = f"{real[quantity] * factor:15.4g}" if real else f"{'-':>15}"
            print(f"{corner:7}{quantity:11}{unit:8}{wanted}{ours[quantity] * factor:9.4g}{off}{other}")


if __name__ == "__main__":
    main()
