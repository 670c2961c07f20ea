"""Networks from a Hugging Face `config.json`: its keys are checked, never guessed."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from interconnect.errors import InputError, shortened
from interconnect.files import read_text
from interconnect.suggestion import suggest
from metalrom.workloads.inventory.catalogue import IMAGE, SEQUENCE, check_input
from metalrom.workloads.inventory.inventory import Inventory
from metalrom.workloads.inventory.traced import can_trace, traced_inventory, traced_takes
from metalrom.workloads.inventory.transformers import BertShape, Gpt2, LlamaShape, Vit

MAX_CONFIG = 4_000_000
"""Bytes; a larger file is no configuration."""

MAX_DEPTH = 10_000
"""Blocks; a deeper network is a damaged file."""


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys of a configuration, each read with its type and its place in messages."""

    data: Mapping[str, Any]
    where: str

    def count(self, *names: str, default: int | None = None, most: int = 10**9) -> int:
        """A positive integer under the first of `names` that is there. Raises InputError if it is missing or wrong."""
        for name in names:
            value = self.data.get(name)
            if value is not None:
                if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
                    shown = shortened(repr(value))
                    raise InputError(f"is {shown}, expected a whole number from 1 to {most}", where=self._at(name))
                return value
        if default is None:
            raise InputError("this key is missing", where=self._at(names[0]), hint="it is needed to count parameters")
        return default

    def flag(self, name: str, default: bool) -> bool:
        """True or false."""
        value = self.data.get(name, default)
        if not isinstance(value, bool):
            raise InputError(f"is {shortened(repr(value))}, expected true or false", where=self._at(name))
        return value

    def classes(self, default: int = 2) -> int:
        """Number of classes of a classifier: the length of `id2label`, else `num_labels`."""
        labels = self.data.get("id2label")
        if isinstance(labels, Mapping) and labels:
            return len(labels)
        return self.count("num_labels", default=default)

    def _at(self, name: str) -> str:
        return f"{self.where}: {name}"


@dataclass(frozen=True, slots=True)
class ModelFamily:
    """A model_type: what its network takes, and how its layers come from the keys, by architecture.

    heads: what each architecture adds to the bare model; the first entry is the bare model.
    """

    takes: str
    read: Callable[[Keys, str], BertShape | Gpt2 | LlamaShape | Vit]
    heads: tuple[str, ...]


def config_inventory(path: Path, *, image: tuple[int, int] | None = None, sequence: int | None = None) -> Inventory:
    """Inventory of the network that a `config.json` describes.

    The class in `architectures` decides about output layers; without it the bare model is counted. Families that are
    not built in are traced by the extra `networks`. Raises InputError:
    unreadable file, unknown model_type or architecture (the known ones listed), a key missing or of the wrong type.
    """
    keys, family, kind = _opened(path)
    where = keys.where
    if family is None:
        check_input(kind, traced_takes(keys.data, where), image, sequence)
        return _noted(traced_inventory(keys.data, where, image=image, sequence=sequence), kind)
    check_input(kind, family.takes, image, sequence)
    head = _head(keys.data, family, where)
    try:
        return _noted(_inventory(family.read(keys, head), head, image, sequence, where), kind)
    except InputError as error:
        raise (error if error.where else InputError(error.what, where=where, hint=error.hint)) from None


def config_takes(path: Path) -> str:
    """`image` or `sequence`: the input of the network that a `config.json` describes. Raises as `config_inventory`."""
    keys, family, _ = _opened(path)
    return traced_takes(keys.data, keys.where) if family is None else family.takes


def _opened(path: Path) -> tuple[Keys, ModelFamily | None, str]:
    """Keys, family and model_type of a configuration; no family for what the extra `networks` knows."""
    where = str(path)
    try:
        data = json.loads(read_text(path, limit=MAX_CONFIG))
    except (ValueError, RecursionError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError("is not valid JSON", where=where) from None
    if not isinstance(data, dict):
        raise InputError("holds no JSON object", where=where, hint="a Hugging Face config.json is expected")
    kind = data.get("model_type")
    if not isinstance(kind, str):
        raise InputError("this key is missing", where=f"{where}: model_type", hint=f"one of {', '.join(FAMILIES)}")
    if kind not in FAMILIES or (not _known_head(data, FAMILIES[kind]) and can_trace()):
        if can_trace():
            return Keys(data, where), None, kind
        known = f"supported: {', '.join(FAMILIES)}; all that transformers knows with pip install 'metalrom[networks]'"
        raise InputError(f"model_type {shortened(repr(kind))} is not supported", where=where, hint=known)
    return Keys(data, where), FAMILIES[kind], kind


def _inventory(
    network: BertShape | Gpt2 | LlamaShape | Vit,
    head: str,
    image: tuple[int, int] | None,
    sequence: int | None,
    where: str,
) -> Inventory:
    if isinstance(network, Vit):
        # The image that the position table was made for, unless another is asked for.
        size = image or (network.image, network.image)
        words = f"image {size[0]}x{size[1]}, {network.tokens(size)} tokens"
        return Inventory(head, words, tuple(network.layers(size)), where)
    tokens = sequence or SEQUENCE
    return Inventory(head, f"sequence of {tokens}", tuple(network.layers(tokens)), where, items=tokens)


def _noted(found: Inventory, kind: str) -> Inventory:
    """With the number of ternary weights of a network that has some."""
    if kind != "bitnet":
        return found
    ternary = [layer.weights for layer in found.layers if layer.matrix and "layers." in layer.name]
    words = f"{sum(ternary):,} ternary weights in {len(ternary)} layers; tables and the output layer are not ternary"
    return replace(found, notes=(words, *found.notes))


def _known_head(data: Mapping[str, Any], family: ModelFamily) -> bool:
    named = data.get("architectures")
    return not named or (named[0] if isinstance(named, list) else named) in family.heads


def _head(data: Mapping[str, Any], family: ModelFamily, where: str) -> str:
    named = data.get("architectures")
    if named is None or named == []:
        return family.heads[0]
    head = named[0] if isinstance(named, list) else named
    if not isinstance(head, str) or head not in family.heads:
        known = suggest(str(head), family.heads)
        listed = known if known.startswith("known") else f"{known} supported: {', '.join(family.heads)}"
        raise InputError(
            f"architecture {shortened(repr(head))} is not supported", where=f"{where}: architectures", hint=listed
        )
    return head


def _dimensions(keys: Keys) -> dict[str, Any]:
    """Width, depth, heads and hidden width under the names that most families use."""
    return {
        "width": keys.count("hidden_size"),
        "depth": keys.count("num_hidden_layers", most=MAX_DEPTH),
        "heads": keys.count("num_attention_heads"),
        "hidden": keys.count("intermediate_size"),
    }


def _bert(keys: Keys, head: str) -> BertShape:
    masked = head in ("BertForMaskedLM", "BertForPreTraining", "BertLMHeadModel")
    classified = head in ("BertForSequenceClassification", "BertForTokenClassification")
    tokens_only = head in (
        "BertForMaskedLM",
        "BertLMHeadModel",
        "BertForTokenClassification",
        "BertForQuestionAnswering",
    )
    if masked and not keys.flag("tie_word_embeddings", True):
        raise InputError("an untied output layer is not supported", where=f"{keys.where}: tie_word_embeddings")
    return BertShape(
        **_dimensions(keys),
        vocabulary=keys.count("vocab_size"),
        positions=keys.count("max_position_embeddings"),
        segments=keys.count("type_vocab_size", default=2),
        pooler=not tokens_only,
        masked_words=masked,
        next_sentence=head == "BertForPreTraining",
        classes=keys.classes() if classified else 2 if head == "BertForQuestionAnswering" else 0,
    )


def _gpt2(keys: Keys, head: str) -> Gpt2:
    width = keys.count("n_embd", "hidden_size")
    return Gpt2(
        width=width,
        depth=keys.count("n_layer", "num_hidden_layers", most=MAX_DEPTH),
        heads=keys.count("n_head", "num_attention_heads"),
        hidden=keys.count("n_inner", default=4 * width),
        vocabulary=keys.count("vocab_size"),
        positions=keys.count("n_positions", "n_ctx", "max_position_embeddings"),
        output=head == "GPT2LMHeadModel",
        tied=keys.flag("tie_word_embeddings", True),
    )


def _llama(keys: Keys, head: str) -> LlamaShape:
    width, heads = keys.count("hidden_size"), keys.count("num_attention_heads")
    if keys.data.get("head_dim") is None and width % heads:
        raise InputError(f"a width of {width} does not split into {heads} heads", where=f"{keys.where}: hidden_size")
    return LlamaShape(
        width=width,
        depth=keys.count("num_hidden_layers", most=MAX_DEPTH),
        heads=heads,
        key_heads=keys.count("num_key_value_heads", default=heads),
        head_width=keys.count("head_dim", default=max(1, width // heads)),
        hidden=keys.count("intermediate_size"),
        vocabulary=keys.count("vocab_size"),
        attention_bias=keys.flag("attention_bias", False),
        hidden_bias=keys.flag("mlp_bias", False),
        output=head.endswith("ForCausalLM"),
        tied=keys.flag("tie_word_embeddings", False),
        inner_norms=head.startswith("BitNet"),
    )


def _vit(keys: Keys, head: str) -> Vit:
    return Vit(
        **_dimensions(keys),
        patch=keys.count("patch_size", default=16),
        image=keys.count("image_size", default=IMAGE[0]),
        channels=keys.count("num_channels", default=3),
        attention_bias=keys.flag("qkv_bias", True),
        pooler=head == "ViTModel",
        classes=keys.classes() if head == "ViTForImageClassification" else 0,
    )


FAMILIES: Mapping[str, ModelFamily] = {
    "bert": ModelFamily(
        "sequence",
        _bert,
        (
            "BertModel",
            "BertForMaskedLM",
            "BertLMHeadModel",
            "BertForPreTraining",
            "BertForSequenceClassification",
            "BertForTokenClassification",
            "BertForQuestionAnswering",
        ),
    ),
    "gpt2": ModelFamily("sequence", _gpt2, ("GPT2Model", "GPT2LMHeadModel")),
    "llama": ModelFamily("sequence", _llama, ("LlamaModel", "LlamaForCausalLM")),
    "vit": ModelFamily("image", _vit, ("ViTModel", "ViTForImageClassification")),
    "bitnet": ModelFamily("sequence", _llama, ("BitNetModel", "BitNetForCausalLM")),
}
"""Families by model_type."""
