"""Built-in networks by name, and the three input sizes at which systems are compared."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from interconnect.errors import InputError
from interconnect.suggestion import suggest
from metalrom.workloads.inventory import convolutional, multimodal
from metalrom.workloads.inventory.inventory import Inventory
from metalrom.workloads.inventory.transformers import BertShape, Gpt2, LlamaShape, Vit

Image = tuple[int, int]

IMAGE, SEQUENCE = (224, 224), 128
"""Input of an inventory that asks for none."""

MAX_INPUT = 100_000
"""Longest sequence and largest image side that are counted."""


@dataclass(frozen=True, slots=True)
class Size:
    """An input size: what an image network and what a language model is given."""

    name: str
    image: Image
    sequence: int


SIZES = {
    size.name: size for size in (Size("S", (32, 32), 12), Size("M", (512, 512), 128), Size("L", (1080, 1920), 512))
}
"""The sizes of the 3D-METRO talk's comparison: images 32 x 32, 512 x 512, 1080p; sequences of 12, 128, 512."""


@dataclass(frozen=True, slots=True)
class Model:
    """A built-in network. takes: `image`, `sequence` or nothing. year: of its publication. small: what stands in for it
    at 32 x 32 where it cannot run."""

    name: str
    takes: str
    build: Callable[[Image, int], Inventory]
    year: int
    small: str = ""


def _transformer(name: str, parts: BertShape | Gpt2 | LlamaShape, source: str) -> Callable[[Image, int], Inventory]:
    return lambda image, words: Inventory(name, f"sequence of {words}", tuple(parts.layers(words)), source, items=words)


def _vit(image: Image) -> Inventory:
    vit = Vit()
    words = f"image {image[0]}x{image[1]}, {vit.tokens(image)} tokens"
    return Inventory("ViT-B/16", words, tuple(vit.layers(image)), "torchvision.models.vit_b_16 (arXiv 2010.11929)")


_BERT = "google-bert/bert-base-uncased, BertModel (arXiv 1810.04805)"
_LLAMA = "lmsys/vicuna-7b, the dimensions of Llama-7B (arXiv 2302.13971)"
_LLAMA31 = LlamaShape(hidden=14336, key_heads=8, vocabulary=128256)
_BITNET = LlamaShape(
    width=2560, depth=30, heads=20, hidden=6912, key_heads=5, vocabulary=128256, tied=True, inner_norms=True
)

MODELS: Mapping[str, Model] = {
    model.name: model
    for model in (
        Model("alexnet", "image", lambda image, _: convolutional.alexnet(image), 2012, small="alexnet-cifar"),
        Model("alexnet-cifar", "image", lambda image, _: convolutional.alexnet_cifar(image), 2012),
        Model("resnet-18", "image", lambda image, _: convolutional.resnet(18, image), 2015),
        Model("resnet-34", "image", lambda image, _: convolutional.resnet(34, image), 2015),
        Model("bert-base", "sequence", _transformer("BERT-base", BertShape(), _BERT), 2018),
        Model("gpt2", "sequence", _transformer("GPT-2", Gpt2(), "openai-community/gpt2"), 2019),
        Model("vit-b/16", "image", lambda image, _: _vit(image), 2020),
        Model("vicuna-7b", "sequence", _transformer("Vicuna-7B", LlamaShape(), _LLAMA), 2023),
        Model("llama-3.1-8b", "sequence", _transformer("Llama-3.1-8B", _LLAMA31, "meta-llama/Llama-3.1-8B"), 2024),
        Model("bitnet-2b", "sequence", _transformer("BitNet-2B", _BITNET, "microsoft/bitnet-b1.58-2B-4T"), 2025),
        Model("eva-vit-g/14", "image", lambda image, _: multimodal.eva_vit(image), 2022),
        Model("q-former", "", lambda _, __: multimodal.q_former(), 2023),
        Model("projection-4096", "", lambda _, __: multimodal.projection(4096), 2023),
        Model("projection-5120", "", lambda _, __: multimodal.projection(5120), 2023),
        Model("minigpt-4", "sequence", lambda _, words: multimodal.minigpt4(words), 2023),
    )
}
"""Built-in networks by name."""

_ALIASES = {"llama-7b": "vicuna-7b", "bert": "bert-base", "minigpt-4-7b": "minigpt-4", "projection": "projection-4096"}


def is_known_network(name: str) -> Model | None:
    """The built-in network of that name, spelled with or without its hyphens, in any case."""
    return _SPELLED.get(_spelled(name))


def find_network(name: str) -> Model:
    """The built-in network of that name. Raises InputError with a suggestion if there is none."""
    model = is_known_network(name)
    if model is None:
        raise InputError(f"unknown model {name!r}", hint=suggest(name, [*MODELS, *_ALIASES]))
    return model


def build_inventory(name: str, *, image: Image | None = None, sequence: int | None = None) -> Inventory:
    """Inventory of a built-in network for an image (height, width) or a sequence length; defaults 224 x 224, 128.

    Raises InputError: unknown name, an input that the network does not take or that does not fit it.
    """
    model = find_network(name)
    check_input(model.name, model.takes, image, sequence)
    default = (32, 32) if model.name == "alexnet-cifar" else IMAGE
    return model.build(image or default, sequence or SEQUENCE)


def at_size(name: str, size: Size) -> Inventory:
    """A built-in network at one of the comparison's sizes, with its stand-in where 32 x 32 is too small for it."""
    model = find_network(name)
    if model.small and size.image == (32, 32):
        model = MODELS[model.small]
    return model.build(size.image, size.sequence)


def check_input(name: str, takes: str, image: Image | None, sequence: int | None) -> None:
    """Refuse an input that a network does not take, or one beyond all measure."""
    if image is not None and takes != "image":
        raise InputError(f"{name} accepts no image size", hint=_takes(takes))
    if sequence is not None and takes != "sequence":
        raise InputError(f"{name} accepts no sequence length", hint=_takes(takes))
    for value in (*(image or ()), *(() if sequence is None else (sequence,))):
        if not 1 <= value <= MAX_INPUT:
            raise InputError(f"an input of {value} is out of range", hint=f"1 to {MAX_INPUT}")


def _takes(takes: str) -> str:
    options = {"image": "it takes an image (--image HxW)", "sequence": "it takes a sequence length (--sequence N)"}
    return options.get(takes, "its input is fixed")


def _spelled(name: str) -> str:
    return "".join(letter for letter in name.casefold() if letter.isalnum())


_SPELLED = {_spelled(name): model for name, model in MODELS.items()} | {
    _spelled(alias): MODELS[name] for alias, name in _ALIASES.items()
}
