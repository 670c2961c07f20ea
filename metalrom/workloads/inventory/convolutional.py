"""AlexNet and ResNet as torchvision builds them, layer by layer for any image that fits."""

from interconnect.errors import InputError
from metalrom.workloads.inventory.inventory import Inventory
from metalrom.workloads.inventory.layers import Conv, Linear, Norm, WorkloadLayer, map_after
from metalrom.workloads.inventory.schedule import steps_of_graph

Size = tuple[int, int]

_ALEXNET = "torchvision.models.alexnet (Krizhevsky, arXiv 1404.5997)"
_ALEXNET_CIFAR = (
    "AlexNet for 32 x 32 images as in github.com/bearpaw/pytorch-classification, models/cifar/alexnet.py: "
    "2 x 2 pooling and one linear layer (published: 2.47 M parameters for CIFAR-10)"
)
_RESNET = "torchvision.models.resnet{} (He et al., arXiv 1512.03385)"

_BLOCKS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3)}
_CHANNELS = (192, 384, 256, 256)
"""Outputs of AlexNet's second to fifth convolution."""


def alexnet(image: Size) -> Inventory:
    """torchvision's AlexNet, 1000 classes. Raises InputError for an image that its three poolings reduce to nothing."""
    conv = Conv("features.0", 3, 64, (11, 11), _fits(image, 11), stride=4, padding=2)
    layers: list[WorkloadLayer] = [conv]
    size, channels = _pooled(conv.output_size, image), 64
    for index, outputs, kernel in zip((3, 6, 8, 10), _CHANNELS, (5, 3, 3, 3), strict=True):
        conv = Conv(f"features.{index}", channels, outputs, (kernel, kernel), size, padding=kernel // 2)
        layers.append(conv)
        channels = outputs
        if index in (3, 10):
            size = _pooled(conv.output_size, image)
    # Whatever is left is averaged or repeated to 6 x 6 before the classifier.
    for name, inputs, outputs in (("1", 256 * 36, 4096), ("4", 4096, 4096), ("6", 4096, 1000)):
        layers.append(Linear(f"classifier.{name}", inputs, outputs, 1))
    return Inventory("AlexNet", _words(image), tuple(layers), _ALEXNET)


def alexnet_cifar(image: Size) -> Inventory:
    """The CIFAR-10 variant of AlexNet: another network (2.47 M parameters), for 32 x 32 images only."""
    if image != (32, 32):
        raise InputError(f"AlexNet (CIFAR variant) is made for 32x32 images, not {image[0]}x{image[1]}")
    layers: list[WorkloadLayer] = [Conv("features.0", 3, 64, (11, 11), image, stride=4, padding=5)]
    size, channels = (4, 4), 64
    for index, outputs, kernel in zip((3, 6, 8, 10), _CHANNELS, (5, 3, 3, 3), strict=True):
        layers.append(Conv(f"features.{index}", channels, outputs, (kernel, kernel), size, padding=kernel // 2))
        channels = outputs
        if index == 3:
            size = (2, 2)
    layers.append(Linear("classifier", 256, 10, 1))
    return Inventory("AlexNet (CIFAR variant)", _words(image), tuple(layers), _ALEXNET_CIFAR)


def resnet(depth: int, image: Size) -> Inventory:
    """torchvision's ResNet-18 or ResNet-34, 1000 classes."""
    first = Conv("conv1", 3, 64, (7, 7), _fits(image, 1), stride=2, padding=3, bias=False)
    layers: list[WorkloadLayer] = [first, Norm("bn1", 64)]
    height, width = (map_after(n, 3, 2, 1) for n in first.output_size)
    size, channels = (height, width), 64
    before: tuple[str, ...] = (first.name,)
    after: dict[str, tuple[str, ...]] = {}
    for stage, blocks in enumerate(_BLOCKS[depth]):
        outputs = 64 << stage
        for block in range(blocks):
            stride = 2 if block == 0 and stage > 0 else 1
            name = f"layer{stage + 1}.{block}"
            one = Conv(f"{name}.conv1", channels, outputs, (3, 3), size, stride=stride, padding=1, bias=False)
            two = Conv(f"{name}.conv2", outputs, outputs, (3, 3), one.output_size, padding=1, bias=False)
            layers += [one, Norm(f"{name}.bn1", outputs), two, Norm(f"{name}.bn2", outputs)]
            if stride != 1 or channels != outputs:
                around = Conv(f"{name}.downsample.0", channels, outputs, (1, 1), size, stride=stride, bias=False)
                layers += [around, Norm(f"{name}.downsample.1", outputs)]
                after[around.name] = before
                skipped: tuple[str, ...] = (around.name,)
            else:
                skipped = before  # what is added to the block's result
            after |= {one.name: before, two.name: (one.name,)}
            before = (two.name, *skipped)
            size, channels = one.output_size, outputs
    layers.append(Linear("fc", channels, 1000, 1))
    steps = steps_of_graph(layers, after | {"fc": before})
    return Inventory(f"ResNet-{depth}", _words(image), tuple(layers), _RESNET.format(depth), steps=steps)


def _fits(image: Size, least: int) -> Size:
    if min(image) < least:
        raise InputError(f"an image of {image[0]}x{image[1]} is smaller than the first convolution's {least}x{least}")
    return image


def _pooled(size: Size, image: Size) -> Size:
    """After AlexNet's 3 x 3 pooling with stride 2, which needs a map of at least 3 x 3."""
    height, width = (map_after(n, 3, 2, 0) for n in size)
    if min(size) < 3:
        raise InputError(
            f"AlexNet cannot take an image of {image[0]}x{image[1]}: its poolings leave a map of "
            f"{size[0]}x{size[1]} before a 3x3 pooling",
            hint="at least 63x63; use alexnet-cifar for 32x32",
        )
    return height, width


def _words(image: Size) -> str:
    return f"image {image[0]}x{image[1]}"
