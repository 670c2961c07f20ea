from metalrom.workloads.inventory.catalogue import (
    MODELS as MODELS,
    SIZES as SIZES,
    Size as Size,
    build_inventory as build_inventory,
)
from metalrom.workloads.inventory.inventory import Inventory as Inventory
from metalrom.workloads.inventory.read import read_inventory as read_inventory
from metalrom.workloads.inventory.tiling import NetworkTiling as NetworkTiling, tile_inventory as tile_inventory
