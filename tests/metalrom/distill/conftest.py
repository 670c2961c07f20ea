"""A small encoder as files, and an encoder of texts that needs no vocabulary."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from metalrom.studies.distill.texts import Corpus
from metalrom.workloads.networks.bert import Bert, load_bert

WIDTH, WIDE, HEADS, VOCABULARY, LONGEST, BLOCKS = 16, 32, 2, 30, 128, 2
CONFIG = {
    "model_type": "bert", "hidden_act": "gelu", "num_hidden_layers": BLOCKS, "num_attention_heads": HEADS,
    "vocab_size": VOCABULARY, "max_position_embeddings": LONGEST, "layer_norm_eps": 1e-12, "hidden_size": WIDTH,
}  # fmt: skip


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """model.safetensors and config.json of a random BERT."""
    rng = np.random.default_rng(5)
    tensors: dict[str, np.ndarray] = {}

    def matrix(name: str, outputs: int, inputs: int) -> None:
        tensors[f"{name}.weight"] = rng.normal(0, inputs**-0.5, (outputs, inputs)).astype(np.float32)
        tensors[f"{name}.bias"] = rng.normal(0, 0.1, outputs).astype(np.float32)

    def norm(name: str) -> None:
        tensors[f"{name}.weight"] = rng.normal(1, 0.1, WIDTH).astype(np.float32)
        tensors[f"{name}.bias"] = rng.normal(0, 0.1, WIDTH).astype(np.float32)

    for name, rows in (("word", VOCABULARY), ("position", LONGEST), ("token_type", 2)):
        tensors[f"embeddings.{name}_embeddings.weight"] = rng.normal(0, 1, (rows, WIDTH)).astype(np.float32)
    norm("embeddings.LayerNorm")
    for i in range(BLOCKS):
        at = f"encoder.layer.{i}"
        for part in ("query", "key", "value"):
            matrix(f"{at}.attention.self.{part}", WIDTH, WIDTH)
        matrix(f"{at}.attention.output.dense", WIDTH, WIDTH)
        matrix(f"{at}.intermediate.dense", WIDE, WIDTH)
        matrix(f"{at}.output.dense", WIDTH, WIDE)
        norm(f"{at}.attention.output.LayerNorm")
        norm(f"{at}.output.LayerNorm")
    path = tmp_path_factory.mktemp("small_bert")
    save_file(tensors, path / "model.safetensors")
    (path / "config.json").write_text(json.dumps(CONFIG))
    return path


@pytest.fixture(scope="session")
def model(folder: Path) -> Bert:
    return load_bert(folder / "model.safetensors", folder / "config.json")


@dataclass(frozen=True)
class Letters:
    """Every letter is a token."""

    def encode(self, text: str, *, most: int | None = None) -> list[int]:
        ids = [1 + ord(letter) % (VOCABULARY - 1) for letter in text]
        return ids[:most]


@pytest.fixture(scope="session")
def corpus() -> Corpus:
    rng = np.random.default_rng(3)

    def texts(count: int, longest: int) -> tuple[str, ...]:
        letters = np.array(list("abcdefghijklmnop "))
        return tuple("".join(rng.choice(letters, int(n))) for n in rng.integers(2, longest, count))

    return Corpus({"glosses": texts(300, 30), "words": texts(200, 8), "stories": texts(20, 90)}, texts(40, 30))
