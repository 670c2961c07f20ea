"""metalrom: netlists, readout characterization and macro estimates of transistor-less 3D metal-ROM compute-in-memory.

    import metalrom
    project = metalrom.load("project.yaml")
    deck = project.netlist("column")
    done = project.characterize()
    y = project.macro(done).matmul(x, w)

Names load on first use, so that importing the package costs nothing.
"""

from importlib import import_module

from metalrom.version import __version__

# The program runs this file before it can catch Ctrl-C (`metalrom.cli.start`), so not even `typing` and
# `interconnect.lazy` are imported: they take ten times as long as the rest.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from metalrom.api import Project, load
    from metalrom.config.schema import Config, load_config

_HOME = {"Config": "config.schema", "load_config": "config.schema", "Project": "api", "load": "api"}

__all__ = ["Config", "Project", "__version__", "load", "load_config"]


def __getattr__(name: str) -> object:
    """Load a public name from the module that has it (PEP 562)."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
