"""Models and transistor cards of others: pinned, fetched on request into the user's cache, never part of the code."""

from metalrom.assets.catalogue import ASSETS, asset_spec
from metalrom.assets.spec import AssetFile, AssetSpec, Licence
from metalrom.assets.store import Asset, AssetState, FetchError, asset_path, asset_state, fetch

__all__ = [
    "ASSETS",
    "Asset",
    "AssetFile",
    "AssetSpec",
    "AssetState",
    "FetchError",
    "Licence",
    "asset_path",
    "asset_spec",
    "asset_state",
    "fetch",
]
