"""metalrom: netlists, readout characterization and macro estimates of transistor-less 3D metal-ROM compute-in-memory.

    import metalrom
    project = metalrom.load("project.yaml")
    deck = project.netlist("column")
    done = project.characterize()
    y = project.macro(done).matmul(x, w)

Names load on first use, so that importing the package costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from metalrom.config import Config, load_config
    from metalrom.project import Project, load

__version__ = "0.1.0"

_HOME = {"Config": "config", "load_config": "config", "Project": "project", "load": "project"}

__all__ = ["Config", "Project", "__version__", "load", "load_config"]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"metalrom.{_HOME[name]}"), name)
