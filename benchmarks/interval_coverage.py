"""Held-out error and coverage of the 95 % intervals of column models, on points simulated by ngspice that no fit saw.

    python benchmarks/interval_coverage.py [--train 300] [--test 400] [--json]

Quantities: spacing of levels per count, level without counts (its sign changes: the residual is added, errors are
told against its standard deviation), static spread from chip to chip. `raw` is the process's own interval, `calibrated`
the one whose scale comes from ten-fold cross-validation on the training points. Same column as benchmarks/adaptive.py.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from adaptive import FORM, FREE, bench

from characterization.models.column_bench import COLUMN_BOX
from characterization.models.form import Form, fit_form
from characterization.models.rare import wilson
from characterization.models.surrogate import TWO_SIDED_95, fit_surrogate, surrogate_from_json

OFFSET = Form("charge_injection", {**FORM.parameters, "off": 1e-18, "off_per_pitch": 1e-11, "gate": 1e-10}, "add")
CASES = {
    "lsb": (FORM, FREE),
    "offset": (OFFSET, tuple(OFFSET.parameters)),
    "static": (Form("constant", {"value": 1e-3}), ("value",)),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--train", type=int, default=300)
    parser.add_argument("--test", type=int, default=400)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    column, box = bench(), COLUMN_BOX
    x, test = box.latin_hypercube(options.train, 1000), box.uniform(450, 901)[: options.test]
    train, held = column.run(box, x), column.run(box, test)
    results = []
    for name, (form, free) in CASES.items():
        began = time.process_time()
        y, truth = getattr(train, name), getattr(held, name)
        law = fit_form(form, box.named(x), y, free)
        model = fit_surrogate(name, "V", box, x, y, form=law, folds=10, smooth=False, restarts=0, seed=1)
        fit_seconds = time.process_time() - began
        p = model.predict(test)
        again = surrogate_from_json(json.loads(json.dumps(model.to_json()))).predict(test)
        # The raw interval of the process is the calibrated one with its scale taken back (in the residual's unit).
        residual = law.residual(box.named(test), truth)
        middle, sigma = model.process.predict(box.unit(test))
        raw = np.abs(residual - middle) <= TWO_SIDED_95 * np.hypot(sigma, model.process.noise)
        inside = (p.low <= truth) & (truth <= p.high)
        unit = np.abs(truth) if form.combine == "multiply" else np.full(len(truth), np.std(truth))
        error = np.abs(p.mean - truth) / unit
        low, high = wilson(int(inside.sum()), len(inside))
        results.append(
            {
                "quantity": name,
                "relative_to": "value" if form.combine == "multiply" else "standard deviation",
                "train": options.train,
                "held_out": len(truth),
                "form_rms": float(
                    np.std(law.residual(box.named(x), y)) / (1 if form.combine == "multiply" else np.std(y))
                ),
                "rms": float(np.sqrt(np.mean(error**2))),
                "rms_V": float(np.sqrt(np.mean((p.mean - truth) ** 2))),
                "p95": float(np.quantile(error, 0.95)),
                "largest": float(error.max()),
                "cross_validated_rms_V": model.quality.rms,
                "raw_coverage": float(np.mean(raw)),
                "coverage": float(np.mean(inside)),
                "coverage_low": low,
                "coverage_high": high,
                "cross_validated_coverage": model.quality.coverage,
                "scale": model.scale,
                "noise_share": float(np.median(p.noise / np.hypot(p.sigma, p.noise))),
                "json_difference": float(np.max(np.abs(again.mean / p.mean - 1))),
                "fit_cpu_seconds": fit_seconds,
            }
        )
    cpu = {"simulations": train.simulations + held.simulations, "fresh": train.fresh + held.fresh}
    cpu |= {"ngspice_cpu_seconds": train.cpu_seconds + held.cpu_seconds, "python_cpu_seconds": time.process_time()}
    if options.json:
        print(json.dumps({"results": results, **cpu}))
        return
    for r in results:
        print(
            f"{r['quantity']:7s} trained on {r['train']}, {r['held_out']} held out: error of {r['relative_to']} rms "
            f"{100 * r['rms']:.2f} % (form alone {100 * r['form_rms']:.1f} %), 95 % below {100 * r['p95']:.2f} %, "
            f"largest {100 * r['largest']:.2f} %; {1e6 * r['rms_V']:.2f} uV rms, "
            f"cross-validated {1e6 * r['cross_validated_rms_V']:.2f}; "
            f"coverage raw {100 * r['raw_coverage']:.1f} %, calibrated {100 * r['coverage']:.1f} % "
            f"({100 * r['coverage_low']:.1f} to {100 * r['coverage_high']:.1f}), scale {r['scale']:.2f}, "
            f"noise share {r['noise_share']:.2f}, JSON {r['json_difference']:.0e}, fit {r['fit_cpu_seconds']:.1f} s CPU"
        )
    print(cpu)


if __name__ == "__main__":
    main()
