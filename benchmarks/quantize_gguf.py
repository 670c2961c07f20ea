"""Makes a Q4_K_M file of a GGUF file of the Llama family with ggml's own quantizer.

    python benchmarks/quantize_gguf.py SOURCE.gguf TARGET.gguf

Needs `pip install gguf xllamacpp` (the latter for the quantizer of ggml that its extension holds). The mixture is
that of llama.cpp (src/llama-quant.cpp, llama_tensor_get_type): Q4_K, but Q6_K for the output matrix or the table that
it shares and for the values and the down projections of some blocks; rows that are no multiple of 256 take Q5_0 for
Q4_K and Q8_0 for Q6_K. Without an importance matrix. A source that is quantized already adds its own error.
"""

from __future__ import annotations

import argparse
import ctypes
import re
from importlib.util import find_spec
from pathlib import Path

import gguf
import numpy as np
from gguf import GGMLQuantizationType as Kind

FALLBACK = {Kind.Q4_K: Kind.Q5_0, Kind.Q6_K: Kind.Q8_0}


def mixture(name: str, shape: tuple[int, ...], blocks: int, tied: bool) -> Kind:
    """The format of a tensor; shape: contiguous dimension last."""
    if len(shape) < 2:
        return Kind.F32
    found = re.fullmatch(r"blk\.(\d+)\.(attn_v|ffn_down)\.weight", name)
    better = name == "output.weight" or (name == "token_embd.weight" and tied)
    if found:  # use_more_bits
        i, eighth = int(found[1]), blocks // 8
        better = i < eighth or i >= 7 * blocks // 8 or (i - eighth) % 3 == 2
    kind = Kind.Q6_K if better else Kind.Q4_K
    return kind if shape[-1] % 256 == 0 else FALLBACK[kind]


def quantizer() -> ctypes.CDLL:
    """The library with ggml_quantize_chunk."""
    spec = find_spec("xllamacpp.xllamacpp")
    if spec is None or spec.origin is None:
        raise SystemExit("pip install xllamacpp")
    library = ctypes.CDLL(spec.origin)
    library.ggml_quantize_chunk.restype = ctypes.c_size_t
    library.ggml_quantize_chunk.argtypes = [
        ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64, ctypes.c_int64, ctypes.c_void_p,
    ]  # fmt: skip
    return library


def quantized(library: ctypes.CDLL, values: np.ndarray, kind: Kind) -> np.ndarray:
    """Rows of floats as rows of bytes."""
    values = np.ascontiguousarray(values, np.float32)
    per, size = gguf.GGML_QUANT_SIZES[kind]
    out = np.empty((*values.shape[:-1], values.shape[-1] // per * size), np.uint8)
    rows = values.size // values.shape[-1]
    done = library.ggml_quantize_chunk(kind, values.ctypes.data, out.ctypes.data, 0, rows, values.shape[-1], None)
    if done != out.nbytes:
        raise SystemExit(f"ggml wrote {done} bytes, expected {out.nbytes}")
    return out


def main() -> None:
    """Read, quantize and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path)
    parser.add_argument("target", type=Path)
    asked = parser.parse_args()
    reader, library = gguf.GGUFReader(asked.source), quantizer()
    kind = reader.fields["general.architecture"].contents()
    blocks = reader.fields[f"{kind}.block_count"].contents()
    writer = gguf.GGUFWriter(asked.target, kind)
    for field in reader.fields.values():
        if field.name.startswith("GGUF.") or field.name in ("general.architecture", "general.file_type"):
            continue
        writer.add_key_value(
            field.name, field.contents(), field.types[0], field.types[-1] if len(field.types) > 1 else None
        )
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q4_K_M)
    tied = all(tensor.name != "output.weight" for tensor in reader.tensors)
    counts: dict[str, int] = {}
    for tensor in reader.tensors:
        shape = tuple(int(n) for n in reversed(tensor.shape))
        to = mixture(tensor.name, shape, blocks, tied)
        values = gguf.quants.dequantize(tensor.data, tensor.tensor_type).reshape(shape)
        counts[to.name] = counts.get(to.name, 0) + values.size
        if to == Kind.F32:
            writer.add_tensor(tensor.name, values.astype(np.float32))
        else:
            writer.add_tensor(tensor.name, quantized(library, values, to), raw_dtype=to)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    print(f"wrote {asked.target}:", ", ".join(f"{name} {count:,}" for name, count in counts.items()))


if __name__ == "__main__":
    main()
