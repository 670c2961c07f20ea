"""The loop: batches, loss, AdamW with a cosine schedule, figures while it runs, and a state from which it goes on."""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from interconnect.errors import InputError
from interconnect.files import atomic_write_bytes, open_regular
from interconnect.optional import optional_library
from metalrom.studies.accuracy import SentenceSimilarity
from metalrom.studies.accuracy.datasets import TASKS, judgements
from metalrom.studies.distill.student import Encoded, Encoder, embed, fix_digits, parameters_of, torch_library
from metalrom.studies.distill.texts import Batch, Corpus, batches, packed
from metalrom.workloads.networks.bert import Bert
from metalrom.workloads.networks.tokenizer import Encoder as TextEncoder

STATE = "state.safetensors"
MOMENTS = ("exp_avg", "exp_avg_sq")
"""What AdamW keeps of every tensor."""
EMBEDDING_WEIGHT = 2.0
"""Of the cosine and of the similarity term, beside the hidden states' relative squared error."""
BETAS = (0.9, 0.98)
WARM_UP = 30
LAST_RATE = 0.02
LONGEST_STEP = 1.0
"""Norm to which gradients are clipped."""

Tell = Callable[["Progress"], None]
Run = Callable[[Batch], Encoded]


@dataclass(frozen=True)
class Recipe:
    """planes: ternary planes of every weight; tokens: to train on; batch: places of a batch; rate: learning rate.

    noise: relative standard deviation of every linear layer's outputs, empty without a macro. start: SHA-256 of the
    state of an earlier run whose weights are the first ones; empty: the float network's. fixed_digits: the digits stay
    those of the start, scales, biases and norms are trained.
    """

    planes: int = 1
    tokens: int = 2_500_000
    seed: int = 0
    batch: int = 2048
    rate: float = 4e-4
    noise: Mapping[str, float] = field(default_factory=dict)
    start: str = ""
    fixed_digits: bool = False

    def __post_init__(self) -> None:
        if self.planes not in (1, 2):
            raise InputError(f"{self.planes} planes of digits", where="--planes", hint="1 or 2")
        if self.tokens < self.batch:
            raise InputError(f"{self.tokens} tokens are less than a batch", where="--tokens", hint=f"{self.batch}")
        if self.fixed_digits and (self.planes != 1 or not self.start):
            raise InputError("digits stay those of an earlier run of one plane", where="--fixed-digits", hint="--start")


@dataclass(frozen=True)
class Progress:
    """step: taken; tokens: seen, without padding; seconds: of CPU time; loss: of the last batch.

    figures: held-out cosine and task scores where they were measured at this step.
    """

    step: int
    tokens: int
    cpu_seconds: float
    loss: float
    figures: Mapping[str, float] = field(default_factory=dict)


class Judge:
    """Figures of an encoder: mean cosine to the float network on held-out texts, and the scores of the word tasks."""

    def __init__(self, model: Bert, encoder: TextEncoder, corpus: Corpus) -> None:
        self._similarity = SentenceSimilarity(model, encoder, judgements(TASKS))
        self._sequences = [encoder.encode(text, most=128) for text in (*corpus.held, *self._similarity.texts)]
        self._held = len(corpus.held)
        teacher = Encoder(model, 0)
        parameters = parameters_of(model)
        self._reference = self._embedded(lambda batch: teacher(parameters, batch))

    def __call__(self, run: Run) -> dict[str, float]:
        """Figures by name; of the held-out cosine also the standard error over texts."""
        found = self._embedded(run)
        cosine = np.einsum("ij,ij->i", found[: self._held], self._reference[: self._held])
        error = float(cosine.std(ddof=1) / math.sqrt(self._held))
        scores = self._similarity.figures(found[self._held :], self._reference[self._held :])
        return {"held_cosine": float(cosine.mean()), "held_cosine_standard_error": error, **scores}

    def _embedded(self, run: Run) -> Any:
        return embed(run, self._sequences, packed)


def distilled(
    model: Bert,
    encoder: TextEncoder,
    recipe: Recipe,
    folder: Path,
    *,
    corpus: Corpus,
    judge: Callable[[Run], Mapping[str, float]],
    tell: Tell,
    looks: int = 10,
    start: Path | None = None,
) -> dict[str, Any]:
    """Train a ternary student of `model` on the texts of a corpus; returns its tensors by name.

    judge: measures the figures that `tell` receives. folder: keeps the state after every look (`looks` of them, evenly
    spaced), from which the same recipe goes on. start: folder of an earlier run, whose weights are the first ones.
    Raises InputError for a folder that holds the state of another recipe, MissingLibrary without torch.
    """
    torch = torch_library()
    frozen = parameters_of(model)
    teacher = Encoder(model, 0)
    with torch.no_grad():
        teacher_weights = teacher.weights(frozen)
    parameters = {name: value.clone().requires_grad_() for name, value in frozen.items()}
    if start is not None:
        _take(start, parameters)
    digits = fix_digits(model, parameters) if recipe.fixed_digits else None
    student = Encoder(model, recipe.planes, recipe.noise, digits)
    optimizer = torch.optim.AdamW(parameters.values(), lr=recipe.rate, betas=BETAS, weight_decay=0, fused=True)
    done, spent = _resume(folder, recipe, parameters, optimizer)
    tokens, started = done.tokens, time.process_time() - spent
    torch.manual_seed(recipe.seed * 1_000_003 + done.step)
    stream = batches(corpus, encoder, seed=recipe.seed, tokens=recipe.batch)
    for _ in range(done.step):
        next(stream)
    step, loss, next_look = done.step, math.nan, (tokens * looks // recipe.tokens + 1) * recipe.tokens / looks

    def look() -> None:
        with torch.no_grad():
            held = student.weights(parameters)
        quiet = Encoder(model, recipe.planes)
        figures = judge(lambda batch: quiet(parameters, batch, held))
        now = Progress(step, tokens, time.process_time() - started, loss, figures)
        _keep(folder, recipe, now, parameters, optimizer)
        tell(now)

    if not done.step:
        look()
    while tokens < recipe.tokens:
        batch = next(stream)
        with torch.no_grad():
            wanted = teacher(frozen, batch, teacher_weights)
        total = _loss(torch, batch, student(parameters, batch), wanted)
        total.backward()
        torch.nn.utils.clip_grad_norm_(parameters.values(), LONGEST_STEP)
        for group in optimizer.param_groups:
            group["lr"] = recipe.rate * _schedule(step, tokens / recipe.tokens)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        step, tokens, loss = step + 1, tokens + batch.tokens, float(total.detach())
        if tokens >= min(next_look, recipe.tokens):
            next_look += recipe.tokens / looks
            look()
        else:
            tell(Progress(step, tokens, time.process_time() - started, loss))
    found = {name: value.detach() for name, value in parameters.items()}
    return found | {f"{name}.weight": digit * found[f"{name}.weight"] for name, digit in (digits or {}).items()}


def _loss(torch: Any, batch: Batch, found: Encoded, wanted: Encoded) -> Any:
    """Relative squared error of every block's hidden states, and what the embeddings and their similarities miss."""
    here = (torch.arange(batch.ids.shape[1])[None, :] < torch.from_numpy(batch.lengths)[:, None])[..., None]
    hidden = sum(
        (((x.float() - y.float()) ** 2) * here).sum() / ((y.float() ** 2) * here).sum()
        for x, y in zip(found.hidden, wanted.hidden, strict=True)
    ) / len(wanted.hidden)
    mine, other = found.embedding.float(), wanted.embedding.float()
    cosine = (1 - (mine * other).sum(-1)).mean()
    similarity = ((mine @ mine.T - other @ other.T) ** 2).mean()
    return hidden + EMBEDDING_WEIGHT * (cosine + similarity)


def state_digest(folder: Path) -> str:
    """SHA-256 of the tensors that a run left in a folder. Raises InputError where there are none."""
    with open_regular(folder / STATE) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _opened(folder: Path) -> Any:
    safe = optional_library("safetensors", extra="networks", purpose="states of a training run")
    return safe.safe_open(str(folder / STATE), "pt")


def _take(folder: Path, parameters: Mapping[str, Any]) -> None:
    """Give the parameters the values that a run left in a folder. Raises InputError where it left scales alone."""
    torch = torch_library()
    with _opened(folder) as file, torch.no_grad():
        for name, value in parameters.items():
            held = file.get_tensor(name)
            if held.shape != value.shape:
                raise InputError("holds a run with fixed digits, which is a last one", where=str(folder))
            value.copy_(held)


def _schedule(step: int, share: float) -> float:
    cosine = 0.5 * (1 + math.cos(math.pi * min(share, 1.0)))
    return min(1.0, (step + 1) / WARM_UP) * (LAST_RATE + (1 - LAST_RATE) * cosine)


def _keep(folder: Path, recipe: Recipe, now: Progress, parameters: Mapping[str, Any], optimizer: Any) -> None:
    """One file, so that tensors and the step they belong to are replaced together."""
    safetensors = optional_library("safetensors.torch", extra="networks", purpose="states of a training run")
    tensors = {name: value.detach().contiguous() for name, value in parameters.items()}
    for name, value in parameters.items():
        for part in MOMENTS:
            if part in optimizer.state[value]:
                tensors[f"{part}:{name}"] = optimizer.state[value][part]
    state = {"recipe": asdict(recipe), "progress": asdict(now)}
    atomic_write_bytes(folder / STATE, safetensors.save(tensors, {"state": json.dumps(state)}))


def _resume(folder: Path, recipe: Recipe, parameters: Mapping[str, Any], optimizer: Any) -> tuple[Progress, float]:
    """Progress of an earlier call and its CPU seconds; the parameters and moments take its values."""
    torch = torch_library()
    if not (folder / STATE).exists():
        return Progress(0, 0, 0.0, math.nan), 0.0
    with _opened(folder) as file:
        state = json.loads(file.metadata()["state"])
        if state["recipe"] != json.loads(json.dumps(asdict(recipe))):
            raise InputError("holds the state of another recipe", where=str(folder), hint="take another folder")
        done = Progress(**state["progress"])
        if done.step:
            for name, value in parameters.items():
                optimizer.state[value] = {
                    "step": torch.tensor(float(done.step)),
                    **{part: file.get_tensor(f"{part}:{name}") for part in MOMENTS},
                }
    _take(folder, parameters)
    return done, done.cpu_seconds
