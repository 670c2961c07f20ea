"""Transformer families: BERT, GPT-2, Llama and ViT as Hugging Face builds them, from their few dimensions."""

from dataclasses import dataclass

from interconnect.errors import InputError
from metalrom.workloads.inventory.layers import Attention, Conv, Embedding, Linear, Norm, WorkloadLayer

Size = tuple[int, int]


@dataclass(frozen=True, slots=True)
class TransformerShape:
    """Dimensions that every transformer has; the defaults are those of the smallest published BERT, GPT-2 and ViT."""

    width: int = 768
    depth: int = 12
    heads: int = 12
    hidden: int = 3072

    def check(self, tokens: int = 0, positions: int = 0) -> None:
        """Refuse more words than the position table has rows, and heads that do not divide the width."""
        if tokens > positions:
            raise InputError(f"a sequence of {tokens} exceeds the model's {positions} positions")
        if self.heads < 1 or self.width % self.heads:
            raise InputError(f"a width of {self.width} does not split into {self.heads} attention heads")


@dataclass(frozen=True, slots=True)
class BertShape(TransformerShape):
    """Dimensions of a BERT encoder. head: none, pooler, or what a task adds."""

    vocabulary: int = 30522
    positions: int = 512
    segments: int = 2
    pooler: bool = True
    masked_words: bool = False
    classes: int = 0
    next_sentence: bool = False

    def layers(self, tokens: int) -> list[WorkloadLayer]:
        """Layers for `tokens` words."""
        self.check(tokens, self.positions)
        w = self.width
        found: list[WorkloadLayer] = [
            Embedding("embeddings.word_embeddings", self.vocabulary, w),
            Embedding("embeddings.position_embeddings", self.positions, w),
            Embedding("embeddings.token_type_embeddings", self.segments, w),
            Norm("embeddings.LayerNorm", w),
        ]
        for block in range(self.depth):
            found += encoder_block(f"encoder.layer.{block}", w, self.heads, self.hidden, tokens)
        if self.pooler:
            found.append(Linear("pooler.dense", w, w, 1))
        if self.masked_words:
            found += [
                Linear("cls.predictions.transform.dense", w, w, tokens),
                Norm("cls.predictions.transform.LayerNorm", w),
                Linear("cls.predictions.decoder", w, self.vocabulary, tokens, stored=False),
            ]
        if self.next_sentence:
            found.append(Linear("cls.seq_relationship", w, 2, 1))
        if self.classes:
            found.append(Linear("classifier", w, self.classes, 1 if self.pooler else tokens))
        return found


@dataclass(frozen=True, slots=True)
class Gpt2(TransformerShape):
    """Dimensions of a GPT-2 decoder. output: with the output layer, which shares the word table if `tied`."""

    vocabulary: int = 50257
    positions: int = 1024
    output: bool = True
    tied: bool = True

    def layers(self, tokens: int) -> list[WorkloadLayer]:
        """Layers for `tokens` words."""
        self.check(tokens, self.positions)
        w = self.width
        found: list[WorkloadLayer] = [Embedding("wte", self.vocabulary, w), Embedding("wpe", self.positions, w)]
        for block in range(self.depth):
            name = f"h.{block}"
            found += [
                Norm(f"{name}.ln_1", w),
                Linear(f"{name}.attn.c_attn", w, 3 * w, tokens),
                Attention(f"{name}.attn", self.heads, w // self.heads, tokens, tokens, self.heads),
                Linear(f"{name}.attn.c_proj", w, w, tokens),
                Norm(f"{name}.ln_2", w),
                Linear(f"{name}.mlp.c_fc", w, self.hidden, tokens),
                Linear(f"{name}.mlp.c_proj", self.hidden, w, tokens),
            ]
        found.append(Norm("ln_f", w))
        if self.output:
            found.append(Linear("lm_head", w, self.vocabulary, tokens, bias=False, stored=not self.tied))
        return found


@dataclass(frozen=True, slots=True)
class LlamaShape(TransformerShape):
    """Dimensions of a Llama decoder. key_heads: heads of keys and values (grouped queries). inner_norms: with a norm
    before the last matrix of attention and feed-forward, too (BitNet b1.58, arXiv 2504.12285)."""

    width: int = 4096
    depth: int = 32
    heads: int = 32
    hidden: int = 11008
    key_heads: int = 32
    head_width: int = 128
    vocabulary: int = 32000
    attention_bias: bool = False
    hidden_bias: bool = False
    output: bool = True
    tied: bool = False
    inner_norms: bool = False

    def layers(self, tokens: int) -> list[WorkloadLayer]:
        """Layers for `tokens` words; the output layer runs for every one of them."""
        if self.heads % self.key_heads:
            raise InputError(f"{self.heads} query heads cannot share {self.key_heads} key heads", hint="a divisor")
        w, queries, keys = self.width, self.heads * self.head_width, self.key_heads * self.head_width
        bias, h = self.attention_bias, self.hidden
        found: list[WorkloadLayer] = [Embedding("embed_tokens", self.vocabulary, w)]
        for block in range(self.depth):
            name = f"layers.{block}"
            found += [
                Norm(f"{name}.input_layernorm", w, bias=False),
                Linear(f"{name}.self_attn.q_proj", w, queries, tokens, bias),
                Linear(f"{name}.self_attn.k_proj", w, keys, tokens, bias),
                Linear(f"{name}.self_attn.v_proj", w, keys, tokens, bias),
                Attention(f"{name}.self_attn", self.heads, self.head_width, tokens, tokens, self.key_heads),
                *([Norm(f"{name}.self_attn.attn_sub_norm", w, bias=False)] if self.inner_norms else []),
                Linear(f"{name}.self_attn.o_proj", queries, w, tokens, bias),
                Norm(f"{name}.post_attention_layernorm", w, bias=False),
                Linear(f"{name}.mlp.gate_proj", w, h, tokens, self.hidden_bias),
                Linear(f"{name}.mlp.up_proj", w, h, tokens, self.hidden_bias),
                *([Norm(f"{name}.mlp.ffn_sub_norm", h, bias=False)] if self.inner_norms else []),
                Linear(f"{name}.mlp.down_proj", h, w, tokens, self.hidden_bias),
            ]
        found.append(Norm("norm", w, bias=False))
        if self.output:
            found.append(Linear("lm_head", w, self.vocabulary, tokens, bias=False, stored=not self.tied))
        return found


@dataclass(frozen=True, slots=True)
class Vit(TransformerShape):
    """Dimensions of a vision transformer.

    image: the square image that the position table was made for. key_bias: False where keys have no bias though
    queries and values do (EVA). final_norm, pooler, classes: what follows the blocks. joined_attention: one matrix for
    queries, keys and values.
    """

    patch: int = 16
    image: int = 224
    channels: int = 3
    attention_bias: bool = True
    key_bias: bool = True
    final_norm: bool = True
    pooler: bool = False
    classes: int = 1000

    def tokens(self, image: Size) -> int:
        """Patches and the class token. Raises InputError if the patches do not cover the image."""
        if any(n % self.patch or n < self.patch for n in image):
            raise InputError(
                f"an image of {image[0]}x{image[1]} does not split into patches of {self.patch}x{self.patch}",
                hint=f"give multiples of {self.patch}",
            )
        return image[0] // self.patch * (image[1] // self.patch) + 1

    def layers(self, image: Size) -> list[WorkloadLayer]:
        """Layers for `image`; the position table keeps its size and is interpolated for another image."""
        self.check()
        w, tokens = self.width, self.tokens(image)
        found: list[WorkloadLayer] = [
            Embedding("embeddings.cls_token", 1, w),
            Embedding("embeddings.position_embeddings", self.tokens((self.image, self.image)), w),
            Conv("embeddings.patch_embeddings", self.channels, w, (self.patch, self.patch), image, stride=self.patch),
        ]
        for block in range(self.depth):
            name = f"encoder.layer.{block}"
            bias = self.attention_bias
            found += [
                Norm(f"{name}.layernorm_before", w),
                Linear(f"{name}.attention.query", w, w, tokens, bias),
                Linear(f"{name}.attention.key", w, w, tokens, bias and self.key_bias),
                Linear(f"{name}.attention.value", w, w, tokens, bias),
                Attention(f"{name}.attention", self.heads, w // self.heads, tokens, tokens, self.heads),
                Linear(f"{name}.attention.output", w, w, tokens),
                Norm(f"{name}.layernorm_after", w),
                Linear(f"{name}.intermediate", w, self.hidden, tokens),
                Linear(f"{name}.output", self.hidden, w, tokens),
            ]
        if self.final_norm:
            found.append(Norm("layernorm", w))
        if self.pooler:
            found.append(Linear("pooler.dense", w, w, 1))
        if self.classes:
            found.append(Linear("classifier", w, self.classes, 1))
        return found


def encoder_block(name: str, width: int, heads: int, hidden: int, tokens: int) -> list[WorkloadLayer]:
    """One BERT block: self-attention and feed-forward, each followed by a normalisation."""
    return [*attention_part(f"{name}.attention", width, heads, tokens), *feed_forward(name, width, hidden, tokens)]


def attention_part(
    name: str, width: int, heads: int, tokens: int, keys: int | None = None, key_width: int | None = None
) -> list[WorkloadLayer]:
    """Attention of BERT; `keys` vectors of `key_width` are attended to, default the `tokens` themselves."""
    from_width, count = key_width or width, keys or tokens
    return [
        Linear(f"{name}.self.query", width, width, tokens),
        Linear(f"{name}.self.key", from_width, width, count),
        Linear(f"{name}.self.value", from_width, width, count),
        Attention(f"{name}.self", heads, width // heads, tokens, count, heads),
        Linear(f"{name}.output.dense", width, width, tokens),
        Norm(f"{name}.output.LayerNorm", width),
    ]


def feed_forward(name: str, width: int, hidden: int, tokens: int) -> list[WorkloadLayer]:
    """The two linear layers of a BERT block."""
    return [
        Linear(f"{name}.intermediate.dense", width, hidden, tokens),
        Linear(f"{name}.output.dense", hidden, width, tokens),
        Norm(f"{name}.output.LayerNorm", width),
    ]
