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

if TYPE_CHECKING:
    from metalrom.config import Config, load_config
    from metalrom.project import Project, load

__version__ = "0.1.0"

_HOME = {"Config": "config", "load_config": "config", "Project": "project", "load": "project"}

__all__ = ["Config", "Project", "__version__", "load", "load_config"]

__getattr__ = lazy_names(__name__, _HOME)
