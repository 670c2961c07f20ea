"""The one rule set that judges a finished simulation, whatever backend ran it.

Exit codes of ngspice lie in both directions, so a verdict needs evidence: `ok` takes points > 0 in every plot that the
deck asks for, the sweep's last value at its declared end, all declared outputs present and finite, the expected title,
and a log without any fatal or doubtful pattern. Order of the rules: timeout, killed; fatal patterns of the log;
condition of the raw file; title; outputs; end of sweep; finite values; doubtful patterns.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ngspice_runner.backends import RawOutcome
from ngspice_runner.deck import INTEGRATED_NOISE, PLOT_NAMES, Analysis, ParsedDeck
from ngspice_runner.job import Job, Signal, Verdict
from ngspice_runner.lint_finding import LintFinding
from ngspice_runner.raw import Plot

_FATAL: tuple[tuple[Verdict, str], ...] = (
    (
        Verdict.MODEL,
        r"can't find model|could not find a valid modelname|unable to find definition of model|Only MOS device levels"
        r"|unknown model type|Device type .* not supported",
    ),
    (
        Verdict.PARSE,
        r"Undefined parameter|unknown subckt|Too (?:few|many) parameters for subcircuit|Mismatch of \.subckt"
        r"|Could not find (?:include|library) file|unimplemented control card|Error on line|circuit not parsed"
        r"|there aren't any circuits loaded|fatal error in ngspice|no such command available|no such vector"
        r"|is not available or has zero length|no such device or model name|Fatal error: instance"
        r"|resistance to low, set to|Cannot compute substitute|Simulation interrupted due to error",
    ),
    (Verdict.NO_OUTPUT, r"no data saved for|unrecognized variable - "),
    (
        Verdict.CONVERGENCE,
        r"DC solution failed|Transient op failed|OP: +Timestep too small|initial timepoint|out of range for"
        r"|TRAN: +Iteration limit|No convergence",
    ),
    (Verdict.TIMESTEP, r"TRAN: +Timestep too small|Timestep too small"),
    (Verdict.NO_OUTPUT, r"simulation\(s\) aborted|doAnalyses:"),
)
_DOUBTFUL = (
    r"singular matrix|[Gg]min stepping|[Ss]ource stepping|Transient op started|Unusual leading characters"
    r"|unrecognized parameter|on non-existent node|Could not set temperature"
)
_ANY = re.compile(
    "|".join(f"(?P<r{i}>{pattern})" for i, (_, pattern) in enumerate(_FATAL)) + f"|(?P<doubt>{_DOUBTFUL})"
)
_EXCUSED_EXIT = "no simulations run"
_HUGE = 1e30
"""ngspice's behavioural sources answer 1e32 (division by zero) or 1e99 (overflow) instead of infinity."""
_TOLERANCE = 1e-9


@dataclass(frozen=True, slots=True)
class VerdictDecision:
    """Verdict, the lines that decided it, and the vectors to hand out (perhaps partial when the verdict is not ok)."""

    verdict: Verdict
    lines: tuple[str, ...]
    signals: Mapping[str, Signal]


def judge_simulation(
    outcome: RawOutcome, job: Job, deck: ParsedDeck, *, title: str, findings: Sequence[LintFinding] = ()
) -> VerdictDecision:
    """Judge one finished simulation. A pure function.

    title: the title that every plot must carry. findings: of the lint; those with a verdict that did not stop the job
    (a node without DC path) count as doubt.
    """
    plots = outcome.plots or ()
    signals = collect_signals(plots, job, deck)

    def verdict(kind: Verdict, *lines: str) -> VerdictDecision:
        return VerdictDecision(kind, tuple(line for line in lines if line), signals)

    if outcome.cancelled:
        return verdict(Verdict.KILLED, "cancelled before its end")
    if outcome.timed_out:
        return verdict(Verdict.TIMEOUT, f"not finished after {job.timeout:g} s", outcome.raw_problem)
    fatal, doubts = _scan_log(outcome.log, deck)
    if outcome.exit_code is not None and outcome.exit_code < 0:
        return verdict(
            Verdict.KILLED, f"ended by signal {-outcome.exit_code}", *(line for _, line in fatal), outcome.raw_problem
        )
    if fatal:
        rank = min(index for index, _ in fatal)
        kind = _FATAL[rank][0]
        if kind is Verdict.TIMESTEP and not any(plot.points for plot in plots):
            kind = Verdict.CONVERGENCE
        return verdict(
            kind,
            *_unique(line for index, line in fatal if index == rank),
            *_unique(line for i, line in fatal if i != rank),
        )
    if outcome.raw_reason == "killed":
        return verdict(Verdict.KILLED, outcome.raw_problem)
    if outcome.raw_problem:
        return verdict(Verdict.NO_OUTPUT, outcome.raw_problem)
    if not plots or not all(plot.points for plot in plots):
        what = "the engine wrote no points" if plots else "the engine wrote no raw file"
        return verdict(Verdict.NO_OUTPUT, what, _exit_line(outcome))
    for plot in plots:
        if plot.title.strip().casefold() != title.strip().casefold():
            return verdict(
                Verdict.STALE, f"the result carries the title {plot.title.strip()!r} instead of {title.strip()!r}"
            )
    missing = [name for name in job.outputs if name.lower().replace(" ", "") not in signals]
    if missing:
        return verdict(Verdict.NO_OUTPUT, f"not in the result: {', '.join(missing)}")
    pairs, absent = _match(plots, deck.analyses)
    # What a control section ran is only partly written out: there one analysis with a result is enough.
    if absent and not (deck.control and pairs):
        return verdict(Verdict.NO_OUTPUT, f"no result of {absent[0].text!r}")
    paired = [id(plot) for _, plot in pairs]
    for plot in plots:
        if id(plot) not in paired:
            same = next((a for a in deck.analyses if plot.name.lower().startswith(PLOT_NAMES[a.kind])), None)
            pairs.append((same or _unread(plot, job), plot))
    for analysis, plot in pairs:
        problem, unknown = _check_end(analysis, plot, job.stop if analysis is deck.main else None)
        if problem:
            return verdict(
                Verdict.TIMESTEP if analysis.kind == "tran" else Verdict.NO_OUTPUT, problem, _exit_line(outcome)
            )
        if unknown:
            doubts.append(unknown)
    nonfinite, huge = _check_values(signals, job)
    if nonfinite:
        return verdict(Verdict.NONFINITE, f"not finite: {', '.join(nonfinite)}")
    if huge:
        doubts.append(f"stands for infinity (above {_HUGE:g}): {', '.join(huge)}")
    doubts += [str(finding) for finding in findings if finding.verdict is Verdict.SUSPECT]
    if outcome.exit_code and _EXCUSED_EXIT not in outcome.log:
        doubts.append(f"exit code {outcome.exit_code} without a reason in the log")
    if doubts:
        return verdict(Verdict.SUSPECT, *_unique(doubts))
    return verdict(Verdict.OK)


def _exit_line(outcome: RawOutcome) -> str:
    return f"exit code {outcome.exit_code}" if outcome.exit_code else ""


def _scan_log(log: str, deck: ParsedDeck) -> tuple[list[tuple[int, str]], list[str]]:
    """(rank of the fatal rule, line) pairs and doubtful lines of a log."""
    fatal: list[tuple[int, str]] = []
    doubts: list[str] = []
    for match in _ANY.finditer(log):
        start = log.rfind("\n", 0, match.start()) + 1
        end = log.find("\n", match.end())
        lines = [log[start : end if end >= 0 else len(log)].strip()[:300]]
        group = match.lastgroup or ""
        if _names_a_parameter(log[start : end + 200 if end >= 0 else len(log)], deck):
            continue
        if "unrecognized parameter" in lines[0] and not _is_own_model_parameter(lines[0], deck):
            continue
        if lines[0].endswith("or its substitute:"):
            # The engine tells the offending card and the reason on the two lines that follow.
            lines = [re.sub(r"\s+", " ", log[start : start + 600].partition("Simulation interrupted")[0]).strip()[:300]]
        if group == "doubt":
            doubts.extend(lines)
        else:
            fatal.append((int(group[1:]), lines[0]))
        if len(fatal) + len(doubts) > 10_000:
            break
    return fatal, doubts


def _names_a_parameter(lines: str, deck: ParsedDeck) -> bool:
    """True for a resistor, capacitor or inductor whose value is a `.param` without braces: the engine looks for a model
    of this name first, says that there is none, and takes the value."""
    match = re.match(r".*can't find model '([^']*)'[^\n]*\n\s*[rcl]", lines, re.IGNORECASE)
    return match is not None and match[1].lower() in deck.parameters


def _is_own_model_parameter(line: str, deck: ParsedDeck) -> bool:
    """True when the deck itself, not a library, names the parameter that the engine ignores."""
    match = re.search(r"unrecognized parameter \((\w+)\)", line)
    return match is not None and any(
        card[:6].lower() == ".model" and re.search(rf"\b{match[1]}\s*=", card, re.IGNORECASE) for _, card in deck.cards
    )


def _unique(lines: Iterator[str] | Sequence[str], limit: int = 8) -> list[str]:
    return list(dict.fromkeys(lines))[:limit]


def _match(plots: Sequence[Plot], analyses: Sequence[Analysis]) -> tuple[list[tuple[Analysis, Plot]], list[Analysis]]:
    """Pair each analysis with its plot: of its kind, with its end, else of its kind; analyses without plot come
    second. Order counts only between plots that both are possible (the harness runs analyses of one kind one by one,
    a control section in its own order)."""
    left = list(plots)
    pairs: list[tuple[Analysis, Plot]] = []
    absent: list[Analysis] = []
    for analysis in analyses:
        possible = [plot for plot in left if plot.name.lower().startswith(PLOT_NAMES[analysis.kind])]
        fitting = (p for p in possible if p.points and not _check_end(analysis, p, None)[0])
        plot = next(fitting, None) if len(possible) > 1 else None
        plot = plot or next(iter(possible), None)
        if plot is None:
            absent.append(analysis)
        else:
            left.remove(plot)
            pairs.append((analysis, plot))
    return pairs, absent


def _unread(plot: Plot, job: Job) -> Analysis:
    """A stand-in for the analysis of a plot that the deck's own text does not ask for (it stands in an include)."""
    kind = next((key for key, start in PLOT_NAMES.items() if plot.name.lower().startswith(start)), "op")
    return Analysis(kind, 0, plot.name, stop=job.stop)


def _check_end(analysis: Analysis, plot: Plot, declared: float | None) -> tuple[str, str]:
    """(what is wrong, what cannot be checked) at the end of a sweep; empty strings when it ended as expected."""
    if not analysis.swept:
        return "", ""
    stop = analysis.stop if analysis.stop is not None else declared
    if stop is None:
        return "", f"the end of {analysis.text!r} cannot be read from the deck: declare the job's stop"
    last = float(np.real(plot.signals[0].values[-1]))
    slack = _TOLERANCE * abs(stop)
    low = stop - slack
    if analysis.kind == "dc" and analysis.step:
        reach = abs(analysis.step) * (1 - 1e-6)
        wrong = abs(stop - last) > reach + slack
    elif analysis.spacing == "oct" and analysis.step:
        wrong = not low / 2 ** (1 / analysis.step) < last <= stop + slack
    elif analysis.spacing:
        wrong = abs(last - stop) > 1e-6 * abs(stop)
    else:
        wrong = abs(last - stop) > slack
    return (f"the sweep of {analysis.text!r} ended at {last:.6g} instead of {stop:.6g}", "") if wrong else ("", "")


def _check_values(signals: Mapping[str, Signal], job: Job) -> tuple[list[str], list[str]]:
    wanted = [name.lower().replace(" ", "") for name in job.outputs] or list(signals)
    nonfinite: list[str] = []
    huge: list[str] = []
    for name in wanted:
        values = signals[name].values
        peak = float(np.abs(values).max(initial=0.0)) if values.size else 0.0
        if not np.isfinite(peak):
            nonfinite.append(name)
        elif peak >= _HUGE:
            huge.append(name)
    return nonfinite, huge


def collect_signals(plots: Sequence[Plot], job: Job, deck: ParsedDeck) -> dict[str, Signal]:
    """Vectors by lower-case name. The deck's main analysis has plain names, others a prefix (`op.v(a)`, `tran2.v(a)`).

    The totals of a `.noise` stand under `integrated.`. Declared outputs are found under the name that was asked for:
    `out` for `v(out)`, `v(a,b)` as a difference, `i(r1)` for the engine's `@r1[i]`, `onoise_total` for the
    integrated noise.
    """
    if not plots:
        return {}
    pairs, _ = _match(plots, deck.analyses)
    main_plot = next((plot for analysis, plot in pairs if analysis is deck.main), plots[0])
    signals = {signal.name: signal for signal in main_plot.signals}
    used: dict[str, int] = {}
    for plot in plots:
        kind = _kind(plot)
        used[kind] = used.get(kind, 0) + 1
        if plot is not main_plot:
            prefix = kind if used[kind] == 1 else f"{kind}{used[kind]}"
            signals.update({f"{prefix}.{signal.name}": signal for signal in plot.signals})
    for output in job.outputs:
        name = output.lower().replace(" ", "")
        if name not in signals:
            found = _derive(name, signals)
            if found is not None:
                signals[name] = found
    return signals


def _kind(plot: Plot) -> str:
    """Prefix of a plot's vectors: its analysis, `integrated` for the second plot of `.noise`, else `plot`."""
    name = plot.name.lower()
    if name.startswith(INTEGRATED_NOISE):
        return "integrated"
    return next((key for key, start in PLOT_NAMES.items() if name.startswith(start)), "plot")


def _derive(name: str, signals: Mapping[str, Signal]) -> Signal | None:
    inner = name[2:-1]
    if name.startswith("v(") and "," in inner:
        plus, minus = (signals.get(f"v({node})") for node in inner.split(",", 1))
        zero = {"0", "gnd"}
        if plus is not None and inner.split(",")[1] in zero:
            return Signal(name, plus.unit, plus.values)
        if plus is None or minus is None:
            return None
        return Signal(name, plus.unit, plus.values - minus.values)
    if name.startswith("i(") and f"@{inner}[i]" in signals:
        found = signals[f"@{inner}[i]"]
        return Signal(name, "A", found.values)
    if "(" not in name and name.endswith("_total"):
        # `.noise` writes its totals as voltages or currents into a plot of their own.
        for total in (f"integrated.v({name})", f"integrated.i({name})", f"integrated.{name}"):
            if total in signals:
                return Signal(name, signals[total].unit, signals[total].values)
    if name.startswith(("pole(", "zero(")) and f"v({name})" in signals:
        return Signal(name, "rad/s", signals[f"v({name})"].values)
    if "(" not in name and f"v({name})" in signals:
        return Signal(name, "V", signals[f"v({name})"].values)
    return None
