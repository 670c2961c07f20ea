"""The layers that networks are made of, each with its exact counts. Nothing is computed but integers.

Counts of one inference (batch 1). parameters: stored numbers, biases and tables included. weights: those of them that
are multiplied by inputs as a fixed matrix, which a ROM array holds. macs: their multiply-accumulates. attention_macs:
products of two activations, whose operands change with every inference, so no ROM can hold them. activations_in,
activations_out: numbers that enter and leave the fixed matrices.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

from interconnect.errors import InputError

MAX_EXTENT = 10**9
"""No length, width or count of a layer may exceed this: a larger one is a damaged file."""

COUNTS = ("parameters", "weights", "macs", "attention_macs", "activations_in", "activations_out")
"""What is counted of a layer and of a network, see above."""


UNFOLDED = (
    "convolutions are matrices of their unfolded inputs (im2col): rows are kernel x input channels of a group, one use "
    "per output pixel"
)
"""How a convolution is counted."""


class Matrix(NamedTuple):
    """A fixed matrix as arrays hold it: `copies` independent blocks of `rows` inputs by `columns` outputs."""

    rows: int
    columns: int
    copies: int = 1


@dataclass(frozen=True, slots=True)
class WorkloadLayer:
    """One layer: name and counts; a subclass overrides what it has."""

    name: str

    def __post_init__(self) -> None:
        for field, value in self.extents().items():
            if not 1 <= value <= MAX_EXTENT:
                raise InputError(f"layer {self.name}: {field} is {value}, expected 1 to {MAX_EXTENT}")

    def extents(self) -> dict[str, int]:
        """What has to be a positive number."""
        return {}

    @property
    def kind(self) -> str:
        """Class name in lower case."""
        return type(self).__name__.lower()

    @property
    def parameters(self) -> int:
        """Stored numbers."""
        return 0

    @property
    def matrix(self) -> Matrix | None:
        """The fixed matrix, None if there is none."""
        return None

    @property
    def weights(self) -> int:
        """Numbers in the fixed matrix."""
        m = self.matrix
        return m.rows * m.columns * m.copies if m else 0

    @property
    def vectors(self) -> int | None:
        """Input vectors per inference that the fixed matrix multiplies; None if the source does not tell."""
        return 0

    @property
    def active(self) -> int:
        """Copies of the fixed matrix that multiply one input vector: all of them, unless a router chooses."""
        return self.matrix.copies if self.matrix else 0

    @property
    def macs(self) -> int | None:
        """Multiply-accumulates with fixed weights."""
        m = self.matrix
        return 0 if m is None else None if self.vectors is None else m.rows * m.columns * self.active * self.vectors

    @property
    def attention_macs(self) -> int:
        """Multiply-accumulates of two activations."""
        return 0

    @property
    def activations_in(self) -> int | None:
        """Numbers that enter the fixed matrix."""
        return 0

    @property
    def activations_out(self) -> int | None:
        """Numbers that leave the fixed matrix."""
        return 0

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {"name": self.name, "kind": self.kind, **{name: getattr(self, name) for name in COUNTS}}


@dataclass(frozen=True, slots=True)
class Linear(WorkloadLayer):
    """y = W x + b for `tokens` vectors (None: unknown). stored: False where it shares the table of another layer."""

    inputs: int
    outputs: int
    tokens: int | None
    bias: bool = True
    stored: bool = True

    def extents(self) -> dict[str, int]:
        return {"inputs": self.inputs, "outputs": self.outputs, "tokens": 1 if self.tokens is None else self.tokens}

    @property
    def parameters(self) -> int:
        return self.inputs * self.outputs * self.stored + self.outputs * self.bias

    @property
    def matrix(self) -> Matrix:
        return Matrix(self.inputs, self.outputs)

    @property
    def vectors(self) -> int | None:
        return self.tokens

    @property
    def activations_in(self) -> int | None:
        return None if self.tokens is None else self.inputs * self.tokens

    @property
    def activations_out(self) -> int | None:
        return None if self.tokens is None else self.outputs * self.tokens


@dataclass(frozen=True, slots=True)
class Conv(WorkloadLayer):
    """Convolution of a map of `size` (height, width) with `kernel` (height, width), `padding` on each side."""

    inputs: int
    outputs: int
    kernel: tuple[int, int]
    size: tuple[int, int]
    stride: int = 1
    padding: int = 0
    groups: int = 1
    bias: bool = True

    def extents(self) -> dict[str, int]:
        return {
            "inputs": self.inputs,
            "outputs": self.outputs,
            "kernel height": self.kernel[0],
            "kernel width": self.kernel[1],
            "stride": self.stride,
            "groups": self.groups,
            "output height": self.output_size[0],
            "output width": self.output_size[1],
        }

    @property
    def output_size(self) -> tuple[int, int]:
        """(height, width) of the result; not positive if the map is too small."""
        height, width = (
            map_after(n, k, self.stride, self.padding) for n, k in zip(self.size, self.kernel, strict=True)
        )
        return height, width

    @property
    def parameters(self) -> int:
        return self.weights + self.outputs * self.bias

    @property
    def matrix(self) -> Matrix:
        rows = self.inputs // self.groups * self.kernel[0] * self.kernel[1]
        return Matrix(rows, self.outputs // self.groups, self.groups)

    @property
    def vectors(self) -> int:
        height, width = self.output_size
        return height * width

    @property
    def activations_in(self) -> int:
        return self.inputs * self.size[0] * self.size[1]

    @property
    def activations_out(self) -> int:
        return self.outputs * self.vectors


@dataclass(frozen=True, slots=True)
class Norm(WorkloadLayer):
    """Normalisation over `width` numbers or channels: a scale and, with `bias`, an offset for each."""

    width: int
    bias: bool = True

    def extents(self) -> dict[str, int]:
        return {"width": self.width}

    @property
    def parameters(self) -> int:
        return self.width * (1 + self.bias)


@dataclass(frozen=True, slots=True)
class Embedding(WorkloadLayer):
    """A table of `rows` vectors of `width`, looked up or added, never multiplied."""

    rows: int
    width: int

    def extents(self) -> dict[str, int]:
        return {"rows": self.rows, "width": self.width}

    @property
    def parameters(self) -> int:
        return self.rows * self.width


@dataclass(frozen=True, slots=True)
class Offsets(WorkloadLayer):
    """Numbers that are added or scale, as a tensor file shows them: biases, norms, class tokens."""

    count: int

    @property
    def parameters(self) -> int:
        return self.count


@dataclass(frozen=True, slots=True)
class Kernel(Linear):
    """A convolution kernel from a tensor file: its weights are known, the map it runs over is not."""

    tokens: int | None = None
    bias: bool = False

    def extents(self) -> dict[str, int]:
        return {}


@dataclass(frozen=True, slots=True)
class FixedMatrix(WorkloadLayer):
    """A fixed matrix by its counts, as a list of layers or a traced network states them.

    uses: input vectors. copies: independent blocks of `rows` x `columns`; chosen: those of them that multiply one
    vector (experts behind a router), 0 for all. stored: False where it shares the table of another layer. read,
    written: numbers that enter and leave, 0 for those of the vectors (the map of a convolution is read once).
    """

    rows: int
    columns: int
    uses: int = 1
    copies: int = 1
    chosen: int = 0
    stored: bool = True
    read: int = 0
    written: int = 0

    def extents(self) -> dict[str, int]:
        return {"rows": self.rows, "columns": self.columns, "uses": self.uses, "copies": self.copies}

    @property
    def parameters(self) -> int:
        return self.weights * self.stored

    @property
    def matrix(self) -> Matrix:
        return Matrix(self.rows, self.columns, self.copies)

    @property
    def active(self) -> int:
        return self.chosen or self.copies

    @property
    def vectors(self) -> int:
        return self.uses

    @property
    def activations_in(self) -> int:
        return self.read or self.rows * self.active * self.uses

    @property
    def activations_out(self) -> int:
        return self.written or self.columns * self.active * self.uses


@dataclass(frozen=True, slots=True)
class Product(WorkloadLayer):
    """Products of two activations, counted where they happen.

    products: MACs. operands: numbers of the operand that plays the part of the weights. moved: read and written."""

    products: int
    operands: int
    moved: int

    @property
    def attention_macs(self) -> int:
        return self.products


@dataclass(frozen=True, slots=True)
class Attention(WorkloadLayer):
    """Scores and weighted sum of `heads` heads of `head_width`: 2 * queries * keys * heads * head_width MACs.

    Every query meets every key, as the published counts have it; a causal mask would need about half. key_heads:
    heads of keys and values (grouped queries share them).
    """

    heads: int
    head_width: int
    queries: int
    keys: int
    key_heads: int

    def extents(self) -> dict[str, int]:
        return {
            "heads": self.heads,
            "head width": self.head_width,
            "queries": self.queries,
            "keys": self.keys,
            "key heads": self.key_heads,
        }

    @property
    def attention_macs(self) -> int:
        return 2 * self.queries * self.keys * self.heads * self.head_width

    @property
    def operands(self) -> int:
        """Numbers of keys and values, which play the part of the weights."""
        return 2 * self.keys * self.key_heads * self.head_width

    @property
    def moved(self) -> int:
        """Numbers read and written: queries, keys, values, scores twice (written, read), result."""
        ends = 2 * self.queries * self.heads * self.head_width
        return ends + self.operands + 2 * self.heads * self.queries * self.keys


def map_after(size: int, kernel: int, stride: int, padding: int) -> int:
    """Extent of a map after a convolution or pooling: floor((size + 2 padding - kernel) / stride) + 1."""
    return (size + 2 * padding - kernel) // stride + 1
