"""The networks that `metalrom fetch` brings, ready to run."""

from metalrom.assets import asset_path
from metalrom.workloads.networks.bert import Bert, load_bert
from metalrom.workloads.networks.bpe import BytePairs
from metalrom.workloads.networks.llama import Llama, load_llama, load_tokenizer
from metalrom.workloads.networks.wordpiece import WordPiece, load_wordpiece
from netlists.weights import GgufFile

SMOLLM2_FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"


def minilm() -> tuple[Bert, WordPiece]:
    """all-MiniLM-L6-v2 and its tokenizer. Raises InputError, naming the command, while the asset is not fetched."""
    weights, config, vocabulary = (asset_path("minilm", n) for n in ("model.safetensors", "config.json", "vocab.txt"))
    return load_bert(weights, config), load_wordpiece(vocabulary)


def smollm2(*, blocks: bool = False) -> tuple[Llama, BytePairs]:
    """SmolLM2-135M-Instruct and its tokenizer; blocks: with the file's own integers of every linear layer.

    Raises InputError, naming the command, while it is not fetched.
    """
    file = GgufFile(asset_path("smollm2", SMOLLM2_FILE))
    return load_llama(file, blocks=blocks), load_tokenizer(file)
