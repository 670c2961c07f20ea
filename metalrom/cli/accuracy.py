"""The command `evaluate`: a real network's accuracy with its weights in a characterized macro.

The command line takes it over with `add_accuracy_command`; it imports what it needs when it runs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from interconnect.errors import InputError, shortened
from interconnect.suggestion import suggest
from metalrom.cli import completion as known
from metalrom.cli.console import emit, examples, guard, guarded, progress, say
from metalrom.cli.options import Json, one_of, several_of

if TYPE_CHECKING:
    from rich.console import RenderableType

    from metalrom.studies.accuracy import Evaluation, PassResult
    from metalrom.studies.accuracy.measure import Workload
    from netlists.weights import TernaryRule

MODELS = ("minilm", "minilm-ternary", "minilm-two-planes", "smollm2")
PAIRS, DOCUMENTS = 100, 2
WORD_TOKENS, STORY_TOKENS = 64, 24
"""Defaults of --limit and --tokens for the encoder and the language model: a minute or two, not an hour."""


def add_accuracy_command(app: typer.Typer) -> None:
    """Register the command of this file."""
    app.command(
        "evaluate",
        epilog=examples(
            "evaluate minilm --macro out",
            "evaluate minilm --macro synthetic:sigma=0.14 --tasks wordsim,simlex --json",
            "evaluate smollm2 --macro out --native-blocks --budget",
            "evaluate SmolLM2-135M-Instruct.Q4_K_M.gguf --macro ideal --tokens 12 --limit 1",
            "evaluate bitnet-b1.58-2B-4T --macro ideal --native-blocks --tokens 12 --limit 1",
        ),
    )(guarded(evaluate_model))


def evaluate_model(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL",
            help="minilm[-ternary, -two-planes] or smollm2, fetched before, a GGUF file, or a folder (BitNet, distill)",
            autocompletion=known.names(known.MODELS),
        ),
    ],
    macro: Annotated[str, typer.Option(metavar="OUT", help="folder of a run, ideal, or synthetic:sigma=0.14,...")],
    tasks: Annotated[str | None, several_of(known.TASKS, "minilm: wordsim,simlex,lee (default wordsim)")] = None,
    weight_bits: Annotated[
        str | None, typer.Option("--weights-bits", help="2 to 8, sign included, or ternary (default 8)")
    ] = None,
    ternary_rule: Annotated[
        str | None, one_of(known.TERNARY_RULES, "scale of ternary weights: twn or bitnet (default twn)")
    ] = None,
    activation_bits: Annotated[int, typer.Option(help="2 to 8, sign included")] = 8,
    fitted: Annotated[bool, typer.Option("--fitted-weights", help="column scales of least squared error")] = False,
    shifted: Annotated[bool, typer.Option("--shifted-activations", help="use the whole range of each token")] = False,
    native: Annotated[bool, typer.Option("--native-blocks", help="the integers of the GGUF file or BitNet")] = False,
    conditions: Annotated[
        list[str] | None, typer.Option("--condition", help="e.g. ss_0.90V_85C; may be repeated")
    ] = None,
    nearest: Annotated[bool, typer.Option("--nearest", help="closest condition if it was not characterized")] = False,
    seed: Annotated[int, typer.Option(min=0, help="the chip and its noise")] = 0,
    limit: Annotated[int | None, typer.Option(min=0, help="pairs or documents per task, 0 = all")] = None,
    tokens: Annotated[int | None, typer.Option(min=3, help="first tokens of each text")] = None,
    budget: Annotated[bool, typer.Option("--budget", help="switch each non-ideality off in turn")] = False,
    options: Annotated[
        list[str] | None, typer.Option("--option", metavar="NAME=VALUE", help="further option of the macro")
    ] = None,
    json: Json = False,
) -> None:
    """Accuracy of a real network with its weights in the macro."""
    if model not in MODELS and not model.casefold().endswith(".gguf") and not Path(model).is_dir():
        hint = f"{suggest(model, MODELS)} Or give a .gguf file or the folder of a BitNet"
        raise InputError(f"unknown model {shortened(repr(model))}", hint=hint)
    from metalrom.studies.accuracy import ActivationRule, NativeBlocks, Settings, WeightRule, chips_of
    from metalrom.studies.accuracy import evaluate_network as evaluated
    from metalrom.studies.accuracy.macro_product import checked_options
    from metalrom.studies.accuracy.measure import conversions_of

    if native:
        _check_native(model, weight_bits, fitted, ternary_rule)
    weights = NativeBlocks() if native else WeightRule(_bits(weight_bits), fitted, ternary=_rule(ternary_rule))
    settings = Settings(
        weights,
        ActivationRule(activation_bits, shifted),
        seed=seed,
        budget=budget,
        options=parse_options(options or ()),
    )
    checked_options(settings.options)
    chips = chips_of(macro, conditions or (), nearest=nearest)
    if native and macro == "ideal":
        if budget or settings.options:
            what = "--budget" if budget else "--option"
            raise InputError(
                "the ideal macro with native blocks is computed as an exact product, without a macro", where=what,
                hint="leave it out, or take synthetic:rows=32",
            )  # fmt: skip
        chips = ()
    workload = _workload(model, tasks, limit, tokens, native)
    for chip in chips:
        count = conversions_of(workload, chip, settings)
        say(f"{workload.tokens} tokens, {count / 1e9:.3g} billion conversions per pass on {chip.title}")
    with guard(resume="nothing was kept; a smaller --limit or --tokens takes less time"), _Bars() as bars:
        found = evaluated(workload, chips, settings, progress=bars)
    emit({"model": model, "macro": macro, **vars(found)}, as_json=json, human=lambda: _shown(model, found))


def parse_options(texts: Sequence[str]) -> dict[str, Any]:
    """`name=value` as keyword options of the macro; values are numbers, true, false, lists or plain words (YAML).

    Raises InputError for text that is not of that form.
    """
    import yaml

    options: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        try:
            options[name.strip()] = yaml.safe_load(value)
        except yaml.YAMLError:
            equals = ""
        if not equals or not name.strip().isidentifier():
            raise InputError(f"`{text}` is not name=value", where="--option", hint="e.g. columns_per_adc=64")
    return options


def _bits(text: str | None) -> int:
    """Bits of a weight, which may be given as `ternary`. Raises InputError for another word."""
    from metalrom.config.schema import TERNARY

    if text is None or text == TERNARY:
        return 8 if text is None else 2
    try:
        return int(text)
    except ValueError:
        raise InputError(
            f"`{text}` is no number of bits", where="--weights-bits", hint=f"2 to 8, or {TERNARY}"
        ) from None


def _rule(text: str | None) -> TernaryRule:
    """The rule of ternary weights. Raises InputError for another word."""
    from netlists.weights import TERNARY_RULES

    for rule in TERNARY_RULES:
        if text in (None, rule):
            return rule
    hint = f"{suggest(str(text), TERNARY_RULES)} Expected {' or '.join(TERNARY_RULES)}"
    raise InputError(f"no rule {shortened(repr(text))}", where="--ternary-rule", hint=hint)


def _check_native(model: str, weight_bits: str | None, fitted: bool, rule: str | None) -> None:
    if model == "minilm":
        raise InputError(f"{model} is stored as floats and has no blocks", where="--native-blocks", hint="smollm2")
    for given, name in (
        (weight_bits is not None, "--weights-bits"),
        (fitted, "--fitted-weights"),
        (rule is not None, "--ternary-rule"),
    ):
        if given:
            raise InputError("native blocks define their own bits and scales", where=name, hint="leave it out")


def _workload(model: str, tasks: str | None, limit: int | None, tokens: int | None, native: bool) -> Workload:
    from metalrom.studies.accuracy import NextToken, SentenceSimilarity
    from metalrom.studies.accuracy.datasets import judgements, lee_documents
    from metalrom.workloads.networks import fetched

    distilled = None if model == "minilm" else fetched.distilled_folder(model)
    if model == "minilm" or distilled is not None:
        names = [name.strip() for name in (tasks or "wordsim").split(",")]
        kept = None if limit == 0 else (limit or PAIRS)
        asked = judgements(names, kept)  # missing data is refused before a model is loaded
        if distilled is not None and not native:
            hint = "with --native-blocks"
            raise InputError(f"{model} is stored as digits, which are not quantized again", where="MODEL", hint=hint)
        loaded_encoder = fetched.minilm() if distilled is None else fetched.ternary_minilm(distilled)
        return SentenceSimilarity(*loaded_encoder, asked, most_tokens=tokens or WORD_TOKENS)
    if tasks not in (None, "next_token"):
        raise InputError(
            f"a language model has one task, next_token, not {tasks!r}", where="--tasks", hint="leave it out"
        )
    documents = lee_documents()[: None if limit == 0 else (limit or DOCUMENTS)]
    loaded = fetched.smollm2(blocks=native) if model in MODELS else fetched.language_model(Path(model), blocks=native)
    return NextToken(*loaded, documents, most_tokens=tokens or STORY_TOKENS)


class _Bars:
    """A bar on standard error for the pass that is running."""

    def __init__(self) -> None:
        self._shown = progress("")

    def __enter__(self) -> _Bars:
        self._bar = self._shown.__enter__()
        return self

    def __exit__(self, *found: Any) -> None:
        self._shown.__exit__(*found)

    def __call__(self, title: str, done: int, total: int) -> None:
        if done == 1:
            self._bar.restart(title)
        self._bar.advance(done, total)


def _shown(model: str, found: Evaluation) -> RenderableType:
    from rich.console import Group
    from rich.text import Text

    parts: list[Any] = [_table(model, found.outcomes)]
    for title, outcomes in found.budget.items():
        parts.append(_table(f"error budget: {title}", outcomes))
    lines = [*(f"WARNING: {w}" for w in found.warnings), *found.notes]
    lines += [f"assumed: {a}" for a in found.assumptions]
    return Group(*parts, Text("\n".join(lines)))


def _table(title: str, outcomes: Sequence[PassResult]) -> RenderableType:
    from rich.table import Table

    table = Table(title=title, title_justify="left")
    names = list(outcomes[0].figures)
    for name in (
        "scheme",
        *(n.replace("_", " ") for n in names),
        "code errors",
        "conversions/MAC",
        "tokens/s",
        "s",
        "tokens/CPU s",
        "CPU s",
    ):
        table.add_column(name, justify="left" if name == "scheme" else "right")
    for o in outcomes:
        errors = "" if o.code_error_rate is None else f"{o.code_error_rate:.1e}"
        made = "" if o.conversions_per_mac is None else f"{o.conversions_per_mac:.3g}"
        scores = [_number(o.figures[n]) for n in names]
        wall = f"{o.tokens_per_second:.3g}", f"{o.seconds:.1f}"
        cpu = f"{o.tokens_per_cpu_second:.3g}", f"{o.cpu_seconds:.1f}"
        table.add_row(o.scheme, *scores, errors, made, *wall, *cpu)
    return table


def _number(value: float) -> str:
    if not math.isfinite(value):
        return "undefined"
    return f"{value:.4f}" if abs(value) < 10 else f"{value:.4g}"
