"""The networks that `metalrom fetch` brings, or that a file holds, ready to run."""

from pathlib import Path

from metalrom.assets import asset_path
from metalrom.workloads.networks.bert import Bert, load_bert
from metalrom.workloads.networks.llama import Llama
from metalrom.workloads.networks.llama_files import load_bitnet, load_llama
from metalrom.workloads.networks.tokenizer import Tokenizer, gguf_tokenizer, load_tokenizer, load_word_pieces
from netlists.weights import GgufFile

SHIPPED = Path(__file__).with_name("data")
DISTILLED = ("minilm-ternary", "minilm-two-planes")
"""MiniLM with the ternary encoders that come with the project: one plane of digits, and two."""
FIGURES_FILE = "distilled.json"
TERNARY_FILE = "model.safetensors"
SMOLLM2_FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"


def minilm() -> tuple[Bert, Tokenizer]:
    """all-MiniLM-L6-v2 and its tokenizer.

    Raises InputError, naming the command, while the asset is not fetched or the extra `llm` is missing.
    """
    weights, config, vocabulary = (asset_path("minilm", n) for n in ("model.safetensors", "config.json", "vocab.txt"))
    tokenizer = load_word_pieces(vocabulary)  # first: it is quick, and says what is missing
    return load_bert(weights, config), tokenizer


def distilled_folder(model: str) -> Path | None:
    """Folder of a distilled MiniLM: one that comes with the project, by name, or a given one; None for other models."""
    folder = SHIPPED / model.removeprefix("minilm-").replace("-", "_") if model in DISTILLED else Path(model)
    return folder if (folder / FIGURES_FILE).is_file() else None


def ternary_minilm(folder: Path) -> tuple[Bert, Tokenizer]:
    """all-MiniLM-L6-v2 with the ternary encoder of a folder that `metalrom distill` wrote; its embeddings stay float.

    Raises InputError as `minilm`, and for a folder without such a network.
    """
    weights, config, vocabulary = (asset_path("minilm", n) for n in ("model.safetensors", "config.json", "vocab.txt"))
    tokenizer = load_word_pieces(vocabulary)
    return load_bert(weights, config, ternary=folder / TERNARY_FILE), tokenizer


def smollm2(*, blocks: bool = False) -> tuple[Llama, Tokenizer]:
    """SmolLM2-135M-Instruct and its tokenizer; blocks: with the file's own integers of every linear layer.

    Raises InputError, naming the command, while it is not fetched or the extra `llm` is missing.
    """
    return language_model(asset_path("smollm2", SMOLLM2_FILE), blocks=blocks)


def language_model(path: Path, *, blocks: bool = False) -> tuple[Llama, Tokenizer]:
    """The network of a GGUF file of the Llama family, or of a folder with a BitNet, and its tokenizer.

    Raises InputError as `load_llama`, `load_bitnet` and their tokenizers.
    """
    if path.is_dir():
        tokenizer = load_tokenizer(path / "tokenizer.json")
        return load_bitnet(path, blocks=blocks), tokenizer
    file = GgufFile(path)
    tokenizer = gguf_tokenizer(file)
    return load_llama(file, blocks=blocks), tokenizer
