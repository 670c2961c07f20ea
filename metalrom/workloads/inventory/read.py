"""One door to every inventory: a built-in name, a config.json, a list of layers, an ONNX file or a file of tensors."""

from pathlib import Path

from interconnect.errors import InputError, shortened
from interconnect.suggestion import suggest
from metalrom.workloads.inventory import tensorfile
from metalrom.workloads.inventory.catalogue import MODELS, Size, at_size, build_inventory, check_input, is_known_network
from metalrom.workloads.inventory.huggingface import config_inventory, config_takes
from metalrom.workloads.inventory.inventory import Inventory
from metalrom.workloads.inventory.layerlist import layer_list_inventory
from metalrom.workloads.inventory.onnx_file import onnx_inventory

INDEX = ".safetensors.index.json"
LISTS = (".csv", ".yaml", ".yml")
TENSORS = (".safetensors", ".gguf", ".pt", ".pth", ".bin")
SUFFIXES = (".json", ".onnx", *TENSORS, *LISTS)


def read_inventory(model: str, *, image: tuple[int, int] | None = None, sequence: int | None = None) -> Inventory:
    """Inventory of `model` for an image (height, width) or a sequence; defaults 224 x 224 (or the model's own), 128.

    model: a built-in name, the path of a config.json (or of the folder it lies in), of a list of layers (.csv, .yaml),
    of an .onnx file, or of a file of tensors (.safetensors or their index, .gguf, .pt).
    Raises InputError for anything else, for a damaged file or an input that does not fit.
    """
    path = Path(model)
    suffix = path.suffix.casefold()
    if suffix not in SUFFIXES:
        if is_known_network(model) is None and _is_folder(path):
            path, suffix = (path / "config.json", ".json") if (path / "config.json").exists() else (path, INDEX)
        elif is_known_network(model) is not None:
            return build_inventory(model, image=image, sequence=sequence)
        else:
            raise InputError(
                f"unknown model {shortened(repr(model))}",
                hint=f"{suggest(model, MODELS)} Or give a config.json, .onnx, .csv, .yaml, .safetensors or .gguf file",
            )
    if suffix == ".json" and not path.name.endswith(INDEX):
        return config_inventory(path, image=image, sequence=sequence)
    if suffix == ".onnx":
        return onnx_inventory(path, image=image, sequence=sequence)
    if suffix in LISTS:
        check_input(path.name, "", image, sequence)
        return layer_list_inventory(path)
    check_input(path.name, "sequence", image, sequence)
    reader = tensorfile.gguf_inventory if suffix == ".gguf" else tensorfile.safetensors_inventory
    return reader(path, sequence=sequence)


def sized_inventory(model: str, size: Size) -> Inventory:
    """Inventory of `model` at a size of the comparison: its image or its sequence. Raises as `read_inventory`."""
    if is_known_network(model) is not None:
        return at_size(model, size)
    path = Path(model)
    if _is_folder(path):
        path = path / "config.json"
    if path.suffix.casefold() == ".json":
        if config_takes(path) == "image":
            return config_inventory(path, image=size.image)
        return config_inventory(path, sequence=size.sequence)
    if path.suffix.casefold() in LISTS:
        return layer_list_inventory(path)
    if path.suffix.casefold() == ".onnx":
        return onnx_inventory(path, image=size.image, sequence=size.sequence, exact=False)
    return read_inventory(model, sequence=size.sequence)


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False
