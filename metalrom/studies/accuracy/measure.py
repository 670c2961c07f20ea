"""Run a workload as float, in exact integers and through chips; switch each non-ideality off in turn."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from metalrom.macro import EFFECTS
from metalrom.studies.accuracy.chips import Chip
from metalrom.studies.accuracy.macro_product import Counted, MacroProduct, checked_options
from metalrom.studies.accuracy.native import (
    BlockOperator,
    ExactBlocks,
    MacroBlocks,
    NativeBlocks,
    formats,
)
from metalrom.studies.accuracy.quantized import ActivationRule, ExactProduct, QuantizedOperator, WeightRule
from metalrom.studies.accuracy.spent import Spent
from metalrom.workloads.networks.linear import Float32, LinearLayer, Operator, float_operator

Progress = Callable[[str, int, int], None]
"""Called with what is running, layers done and layers in all."""


_TERNARY_SCALES = {
    "twn": "that is the mean of the |w| above 0.7 mean |w|, the others being 0 (TWN)",
    "bitnet": "that is the mean |w| (BitNet b1.58)",
}


class Workload(Protocol):
    """A network with its data: what is run, and what is read off the outputs."""

    notes: tuple[str, ...]

    @property
    def tokens(self) -> int: ...

    @property
    def layers(self) -> tuple[LinearLayer, ...]: ...

    @property
    def passes(self) -> int: ...

    def run(self, operator: Operator) -> Any: ...

    def figures(self, found: Any, reference: Any) -> dict[str, float]: ...


@dataclass(frozen=True)
class Settings:
    """How weights and activations become integers; seed: the chip and its noise; options: further keywords of `Macro`.

    weights: `NativeBlocks()` takes the integers that the network's file holds. budget: also switch each non-ideality
    off in turn.
    """

    weights: WeightRule | NativeBlocks = field(default_factory=lambda: WeightRule(8))
    activations: ActivationRule = field(default_factory=lambda: ActivationRule(8))
    seed: int = 0
    budget: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class PassResult:
    """One pass. figures: scores by name; conversions: of the macro, 0 without one; skipped: that no driven row made
    needless; conversions_per_mac: of the linear layers.

    seconds, cpu_seconds: wall and CPU time; storing_seconds: wall time of the part that quantized and stored the
    weights, once; tokens_per_second, tokens_per_cpu_second: without that part.
    """

    scheme: str
    figures: dict[str, float]
    seconds: float
    storing_seconds: float
    tokens_per_second: float
    cpu_seconds: float
    tokens_per_cpu_second: float
    conversions: int = 0
    code_error_rate: float | None = None
    skipped: int = 0
    conversions_per_mac: float | None = None


@dataclass(frozen=True)
class Evaluation:
    """Every pass; budget: chip title -> passes with one non-ideality off. notes, warnings, assumptions: the labels."""

    settings: Settings
    outcomes: tuple[PassResult, ...]
    budget: dict[str, tuple[PassResult, ...]]
    notes: tuple[str, ...]
    warnings: tuple[str, ...]
    assumptions: tuple[str, ...]


def evaluate_network(
    workload: Workload,
    chips: Sequence[Chip],
    settings: Settings | None = None,
    *,
    progress: Progress | None = None,
) -> Evaluation:
    """Run `workload` as float, in exact integers, and on every chip.

    Every pass on a chip starts from a fresh macro of the same seed: results repeat exactly and effects are compared on
    the same chip. Raises InputError for options that the macro does not have, or with native blocks for layers without
    blocks and chips whose conversions do not divide them.
    """
    settings = settings or Settings()
    checked_options(settings.options)
    for chip in chips:
        _, product = _operator(workload, chip, settings, EFFECTS)  # refusals come before the first pass
        if isinstance(settings.weights, WeightRule) and isinstance(product, MacroProduct):
            # every pass, the exact one too, takes the integers that the mapping holds
            settings = replace(settings, weights=settings.weights.within(product.scheme))
    exact, _ = _operator(workload, None, settings, EFFECTS)
    watch = _Watch(workload, progress)
    reference = watch.run("float", float_operator)
    name = _scheme(workload, settings)
    outcomes = [watch.outcome("float", reference, reference), _pass(watch, f"{name} exact", exact, reference)]
    budget: dict[str, tuple[PassResult, ...]] = {}
    for chip in chips:
        outcomes.append(_on_chip(watch, f"{name} {chip.condition.label}", chip, settings, EFFECTS, reference))
        if settings.budget:
            parts = [(f"without {off}", tuple(e for e in EFFECTS if e != off)) for off in EFFECTS]
            parts.append(("without any (clipping stays)", ()))
            budget[chip.title] = tuple(
                _on_chip(watch, title, chip, settings, effects, reference) for title, effects in parts
            )
    return Evaluation(
        settings,
        tuple(outcomes),
        budget,
        notes=(
            *workload.notes,
            *(chip.title for chip in chips),
            _quantization(workload, settings),
            f"one chip, seed {settings.seed}",
            *((f"macro options: {dict(settings.options)}",) if settings.options else ()),
        ),
        warnings=tuple(dict.fromkeys(w for chip in chips for w in chip.warnings)),
        assumptions=tuple(dict.fromkeys(a for chip in chips for a in chip.assumptions)),
    )


def conversions_of(workload: Workload, chip: Chip, settings: Settings) -> int:
    """Conversions of one pass without mitigations, worked out beforehand: none skipped for want of a driven row."""
    rows, (_, product) = chip.table.rows, _operator(workload, chip, settings, EFFECTS)

    assert product is not None  # noqa: S101 - a chip has one
    per_token = sum(
        -(-layer.inputs // rows) * layer.outputs * product.conversions_per_weight(layer) for layer in workload.layers
    )
    return workload.tokens * per_token


def _pass(watch: _Watch, title: str, operator: Operator, reference: Any) -> PassResult:
    return watch.outcome(title, watch.run(title, operator), reference)


def _on_chip(
    watch: _Watch, title: str, chip: Chip, settings: Settings, effects: tuple[str, ...], reference: Any
) -> PassResult:
    operator, product = _operator(watch.workload, chip, settings, effects)
    found = watch.run(title, operator)
    return watch.outcome(title, found, reference, product)


def _operator(
    workload: Workload, chip: Chip | None, settings: Settings, effects: tuple[str, ...]
) -> tuple[QuantizedOperator | BlockOperator, MacroProduct | MacroBlocks | None]:
    """What applies the layers on a chip (None: exactly), and what counts its conversions."""
    weights, activations = settings.weights, settings.activations
    if isinstance(weights, NativeBlocks):
        if chip is None:
            return BlockOperator(ExactBlocks(), activations), None
        blocks = MacroBlocks(
            chip, workload.layers, input_bits=activations.bits, seed=settings.seed, effects=effects,
            options=settings.options,
        )  # fmt: skip
        return BlockOperator(blocks, activations), blocks
    if chip is None:
        return QuantizedOperator(ExactProduct(), weights, activations), None
    product = MacroProduct(
        chip,
        weight_bits=weights.bits,
        input_bits=activations.bits,
        seed=settings.seed,
        effects=effects,
        options=settings.options,
    )
    return QuantizedOperator(product, weights, activations), product


def _scheme(workload: Workload, settings: Settings) -> str:
    if isinstance(settings.weights, NativeBlocks):
        return f"{'+'.join(sorted(formats(workload.layers)))} a{settings.activations.bits}"
    return f"w{settings.weights.bits}a{settings.activations.bits}"


def _quantization(workload: Workload, settings: Settings) -> str:
    if isinstance(settings.weights, NativeBlocks):
        held = ", ".join(f"{n} x {name}" for name, n in sorted(formats(workload.layers).items()))
        span = "shifted" if settings.activations.shifted else "symmetric"
        return (
            f"linear layers: the file's own blocks ({held}), weights not quantized again, the float network being the "
            f"same blocks; activations of {settings.activations.bits} bits, {span}, one scale per token; exact: what "
            "an ideal macro returns, of several blocks per column computed as activation integers times dequantized "
            "weights in single precision; no training; the rest digital float"
        )
    scale = "of the largest weight"
    if settings.weights.top == 1:
        scale = _TERNARY_SCALES[settings.weights.ternary]
    if settings.weights.fitted:
        scale = "of least squared error"
    span = "shifted" if settings.activations.shifted else "symmetric"
    return (
        f"linear layers: weights of {settings.weights.bits} bits, one scale per column {scale}; activations of "
        f"{settings.activations.bits} bits, {span}, one scale per token; no training; the rest digital float"
    )


class _Watch:
    """Runs passes, times them and tells how far they are."""

    def __init__(self, workload: Workload, progress: Progress | None) -> None:
        self.workload, self._progress = workload, progress
        self._steps = len(workload.layers) * workload.passes
        self._macs = workload.tokens * sum(layer.inputs * layer.outputs for layer in workload.layers)
        self._spent = self._storing = Spent()

    def run(self, title: str, operator: Operator) -> Any:
        done = 0

        def message(layer: LinearLayer, x: Float32) -> Float32:
            nonlocal done
            y = operator(layer, x)
            done += 1
            if self._progress:
                self._progress(title, done, self._steps)
            return y

        self._spent = Spent()
        with self._spent:
            found = self.workload.run(message)
        self._storing = operator.storing if isinstance(operator, QuantizedOperator | BlockOperator) else Spent()
        return found

    def outcome(self, title: str, found: Any, reference: Any, product: Counted | None = None) -> PassResult:
        spent, storing = self._spent, self._storing

        def speed(seconds: float) -> float:
            return self.workload.tokens / seconds if seconds > 0 else 0.0

        return PassResult(
            title,
            self.workload.figures(found, reference),
            spent.wall,
            storing.wall,
            speed(spent.wall - storing.wall),
            spent.cpu,
            speed(spent.cpu - storing.cpu),
            product.conversions if product else 0,
            product.code_error_rate if product else None,
            product.skipped if product else 0,
            product.conversions / self._macs if product else None,
        )
