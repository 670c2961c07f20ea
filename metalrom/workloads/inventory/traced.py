"""Any network of the transformers library from its `config.json`: one forward pass without numbers, watched.

The model is built and run on tensors that have shapes and no values (torch's meta device), so
that neither weights nor time are needed. Every product of the pass is seen with its operands: which parameter it
multiplies, how often, and which products it waits for. No code of a model's author is run, and nothing is downloaded:
the libraries stay offline in this process unless HF_HUB_OFFLINE is set otherwise.
"""

import inspect
import logging
import os
from collections.abc import Iterator, Mapping
from typing import Any

from interconnect.errors import InputError, error_text, shortened
from interconnect.optional import has_library, optional_library
from interconnect.suggestion import suggest
from metalrom.workloads.inventory.inventory import Inventory
from metalrom.workloads.inventory.layers import MAX_EXTENT, UNFOLDED
from metalrom.workloads.inventory.trace import Trace

MAX_REPEATED = 1000
"""Blocks or experts; a larger network is a damaged file."""

_REPEATED = ("layers", "n_layer", "depth", "blocks", "experts", "stages")
_FETCHING = ("use_timm_backbone", "use_pretrained_backbone", "backbone")
_NO_PART = ("auto_map", "quantization_config", "_name_or_path", "transformers_version")
"""Keys of a configuration that name other files or say how weights are stored."""

_CONSTANTS = "products of constants, such as those of rotary embeddings, count as products of activations"


def can_trace() -> bool:
    """Whether the libraries of the extra `networks` are installed."""
    return has_library("torch", "transformers")


def traced_takes(data: Mapping[str, Any], where: str) -> str:
    """`image` or `sequence`, as `traced_inventory` takes it."""
    return "image" if _model_class(data, where)[0].main_input_name == "pixel_values" else "sequence"


def traced_inventory(
    data: Mapping[str, Any], where: str, *, image: tuple[int, int] | None, sequence: int | None
) -> Inventory:
    """Inventory of the network that the configuration `data` describes, with the order of its products.

    image: (height, width), default the configuration's; sequence: tokens. Attention is computed product by product.
    Raises InputError for a network that transformers does not know, that needs files beside its configuration, or whose
    products depend on values; MissingLibrary without the extra `networks`.
    """
    kind, config = _model_class(data, where)
    torch = optional_library("torch", extra="networks", purpose="traced networks")
    logging.getLogger("torch").setLevel(logging.CRITICAL)  # what goes wrong is said in one sentence
    try:
        with torch.device("meta"), torch.no_grad():
            model = kind(config).eval()
        with torch._subclasses.FakeTensorMode(allow_non_fake_inputs=True), torch.device("meta"), torch.no_grad():
            inputs, words, items = _inputs(torch, model, config, image, sequence)
            trace = Trace(torch, model, inputs)
            trace.run()
    except InputError as error:
        raise (error if error.where else InputError(error.what, where=where, hint=error.hint)) from None
    except Exception as error:  # whatever a configuration makes of the library's code
        reason = shortened(error_text(error).strip().partition("\n")[0], 150)
        what = f"{kind.__name__} cannot be traced by shapes alone ({type(error).__name__}: {reason})"
        raise InputError(what, where=where) from None
    if trace.unused:
        what = f"{kind.__name__}: {len(trace.unused)} matrices take no part in a pass over {words}"
        raise InputError(what, where=where, hint=f"the first is {trace.unused[0]}; give the configuration of one part")
    layers, steps = trace.tally.result()
    others = trace.tally.other_tables()
    notes = [UNFOLDED] if trace.convolves else []
    notes += [_CONSTANTS] if trace.multiplies_constants else []
    if others:
        notes.append(f"{len(others)} tables are neither multiplied nor looked up: {shortened(', '.join(others), 120)}")
    return Inventory(kind.__name__, words, layers, where, True, tuple(notes), items=items, steps=steps)


def _model_class(data: Mapping[str, Any], where: str) -> tuple[Any, Any]:
    """The library's class for the configuration, and its configuration object."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")  # a configuration must not make the library fetch anything
    transformers = optional_library("transformers", extra="networks", purpose="traced networks")
    transformers.logging.set_verbosity_error()
    kind = str(data["model_type"])
    known = transformers.CONFIG_MAPPING
    if kind not in known:
        raise InputError(
            f"model_type {shortened(repr(kind))} is not supported", where=where, hint=suggest(kind, list(known))
        )
    for path, value in _values(data):
        if path.rpartition(".")[2] in _FETCHING and value:
            raise InputError("a network with a backbone of another library is not supported", where=f"{where}: {path}")
        if isinstance(value, bool) or not isinstance(value, int):
            continue
        most = MAX_REPEATED if any(part in path for part in _REPEATED) else MAX_EXTENT
        if abs(value) > most:
            raise InputError(f"is {value}, expected at most {most}", where=f"{where}: {path}")
    try:
        config = known[kind].from_dict({key: value for key, value in data.items() if key not in _NO_PART})
        config.use_cache = False
        config._attn_implementation = "eager"
        config._experts_implementation = "batched_mm"
    except Exception as error:
        raise InputError(
            f"is no configuration of {shortened(kind)} ({shortened(error_text(error), 150)})", where=where
        ) from None
    named = data.get("architectures")
    name = named[0] if isinstance(named, list) and named else named
    if not name:
        found = transformers.MODEL_MAPPING.get(type(config), None)
        found = found[0] if isinstance(found, tuple | list) else found
    else:
        found = getattr(transformers, name, None) if isinstance(name, str) else None
    base = transformers.PreTrainedModel
    fits = isinstance(found, type) and issubclass(found, base)
    if not (fits and isinstance(config, getattr(found, "config_class", None) or ())):
        what = f"architecture {shortened(repr(name))} is not supported" if name else f"{kind} has no bare model"
        stem = type(config).__name__.removesuffix("Config")
        classes = [one for one in dir(transformers) if one.startswith((f"{stem}For", f"{stem}Model", f"{stem}LM"))]
        raise InputError(what, where=f"{where}: architectures", hint=suggest(str(name), classes))
    return found, config


def _values(data: object, path: str = "") -> Iterator[tuple[str, object]]:
    """Every text, number and flag of a configuration, with its path."""
    if isinstance(data, Mapping):
        for key, value in data.items():
            yield from _values(value, f"{path}.{key}".lstrip("."))
    elif isinstance(data, list):
        for value in data:
            yield from _values(value, path)
    else:
        yield path, data


def _inputs(
    torch: Any, model: Any, config: Any, image: tuple[int, int] | None, sequence: int | None
) -> tuple[dict[str, Any], str, int]:
    """What the model is given: its tensors by name, in words, and the number of tokens (0: not token by token)."""
    accepted = inspect.signature(model.forward).parameters
    main = model.main_input_name
    text = config.get_text_config()
    positions = getattr(text, "max_position_embeddings", None)
    most = positions if isinstance(positions, int) and positions > 0 else MAX_EXTENT
    tokens = sequence or min(128, most)
    if tokens > most:
        raise InputError(f"a sequence of {tokens} exceeds the model's {positions} positions")
    whole = torch.ones((1, tokens), dtype=torch.long)
    found: dict[str, Any] = {}
    words = []
    if main == "pixel_values" or "pixel_values" in accepted:
        vision = getattr(config, "vision_config", config)
        size = image or _pair(getattr(vision, "image_size", None) or 224)
        found["pixel_values"] = torch.ones((1, getattr(vision, "num_channels", 3), *size))
        words.append(f"image {size[0]}x{size[1]}")
    elif image is not None:
        raise InputError("accepts no image size", hint="it takes a sequence length (--sequence N)")
    if main == "input_features":
        frames = 2 * getattr(config, "max_source_positions", 1500)
        bins = getattr(config, "num_mel_bins", None) or getattr(config, "feature_size", 80)
        found["input_features"] = torch.ones((1, bins, frames))
        words.append(f"{frames} frames of {bins} bands")
    elif main == "input_values":
        found["input_values"] = torch.ones((1, 16000))
        words.append("16000 samples")
    if main == "input_ids" or ("pixel_values" in found and "input_ids" in accepted):
        found["input_ids"] = whole
        words.append(f"sequence of {tokens}")
    elif sequence is not None and not config.is_encoder_decoder:
        raise InputError("accepts no sequence length", hint="its input is fixed")
    if getattr(config, "is_encoder_decoder", False):
        found["decoder_input_ids"] = whole
        words.append(f"{tokens} tokens out")
    items = tokens if len(words) == 1 and "input_ids" in found else 0
    return found, ", ".join(words), items


def _pair(size: Any) -> tuple[int, int]:
    height, width = size if isinstance(size, list | tuple) else (size, size)
    return int(height), int(width)
