from characterization.models.adaptive import AdaptiveResult as AdaptiveResult, adaptive_fit as adaptive_fit
from characterization.models.box import Domain as Domain, DomainInput as DomainInput
from characterization.models.chip import ChipDraw as ChipDraw, ChipSource as ChipSource
from characterization.models.form import Form as Form, fit_form as fit_form, register_form as register_form
from characterization.models.rare import (
    Probability as Probability,
    brute_force as brute_force,
    importance_sampling as importance_sampling,
    sigma_extrapolation as sigma_extrapolation,
)
from characterization.models.surrogate import (
    Prediction as Prediction,
    SurrogateModel as SurrogateModel,
    fit_surrogate as fit_surrogate,
)
