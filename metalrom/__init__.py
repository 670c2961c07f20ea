"""metalrom: netlists, readout characterization and macro estimates of transistor-less 3D metal-ROM compute-in-memory.

    import metalrom
    project = metalrom.load("project.yaml")
    deck = project.netlist("column")
    done = project.characterize()
    y = project.macro(done).matmul(x, w)

Names load on first use, so that importing the package costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from interconnect.lazy import lazy_names
from metalrom.version import __version__

if TYPE_CHECKING:
    from metalrom.api import Project, load
    from metalrom.config.schema import Config, load_config

_HOME = {"Config": "config.schema", "load_config": "config.schema", "Project": "api", "load": "api"}

__all__ = ["Config", "Project", "__version__", "load", "load_config"]

__getattr__ = lazy_names(__name__, _HOME)
