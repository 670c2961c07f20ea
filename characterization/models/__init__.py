"""Fitted models with error bars, sampling that asks where the fit is least sure, rare events, statistical chips.

Names load on first use, so that importing the package costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from interconnect.lazy import lazy_names

if TYPE_CHECKING:
    from characterization.models.adaptive import AdaptiveResult, adaptive_fit
    from characterization.models.box import Domain, DomainInput
    from characterization.models.chip import ChipDraw, ChipSource
    from characterization.models.form import Form, fit_form, register_form
    from characterization.models.rare import Probability, brute_force, importance_sampling, sigma_extrapolation
    from characterization.models.surrogate import Prediction, SurrogateModel, fit_surrogate

_HOME = {
    "AdaptiveResult": "adaptive",
    "adaptive_fit": "adaptive",
    "Domain": "box",
    "DomainInput": "box",
    "ChipDraw": "chip",
    "ChipSource": "chip",
    "Form": "form",
    "fit_form": "form",
    "register_form": "form",
    "Probability": "rare",
    "brute_force": "rare",
    "importance_sampling": "rare",
    "sigma_extrapolation": "rare",
    "Prediction": "surrogate",
    "SurrogateModel": "surrogate",
    "fit_surrogate": "surrogate",
}

__all__ = [
    "AdaptiveResult",
    "ChipDraw",
    "ChipSource",
    "Domain",
    "DomainInput",
    "Form",
    "Prediction",
    "Probability",
    "SurrogateModel",
    "adaptive_fit",
    "brute_force",
    "fit_form",
    "fit_surrogate",
    "importance_sampling",
    "register_form",
    "sigma_extrapolation",
]

__getattr__ = lazy_names("characterization.models", _HOME)
