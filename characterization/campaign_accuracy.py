"""What a campaign's numbers are worth: error bars from decks that were run more finely as well."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ngspice_runner.accuracy import SignalError, worst_errors


@dataclass(frozen=True, slots=True)
class CampaignAccuracy:
    """Largest errors over the sampled decks.

    sampled: decks with a finer run. failed: finer runs that gave no result. level: of the level at the sample instant,
    V or A. signals: by signal.
    """

    sampled: int
    failed: int
    level: float
    signals: Mapping[str, SignalError] = field(default_factory=dict)


def joined_accuracy(parts: Sequence[CampaignAccuracy | None]) -> CampaignAccuracy | None:
    """Several samples as one; None when there is none."""
    found = [part for part in parts if part is not None]
    if not found:
        return None
    levels = [part.level for part in found if not np.isnan(part.level)]
    return CampaignAccuracy(
        sum(part.sampled for part in found),
        sum(part.failed for part in found),
        max(levels, default=float("nan")),
        worst_errors([part.signals for part in found]),
    )


def accuracy_text(stored: Mapping[str, Any]) -> str:
    """A manifest's `accuracy` in words."""
    sampled, level, unit = stored["sampled"], stored["level"], stored["unit"]
    bar = "" if level is None else f": levels to {1e3 * level:.2g} m{unit}"
    return f"{sampled} simulations repeated with half of the step and a tenth of the tolerances{bar}"
