"""Algorithms over functions that are passed in: EM, per-datapoint optimisation, HMC, AIS, SMC."""

from jaxgen.inference.ais import (
    AnnealedWeight,
    BidirectionalBounds,
    annealed_importance_weight,
    bidirectional_bounds,
    reverse_annealed_importance_weight,
)
from jaxgen.inference.em import EMResult, EMSteps, em
from jaxgen.inference.factor_analysis import (
    FactorModel,
    FactorPosterior,
    factor_elbo,
    factor_posterior,
    factor_steps,
    independent,
    isotropic,
)
from jaxgen.inference.gap import InferenceGap, inference_gap
from jaxgen.inference.gaussian_components import (
    DiagonalGaussian,
    FullGaussian,
    diagonal_gaussian,
    full_gaussian,
)
from jaxgen.inference.hmc import HMCInfo, hmc_step, leapfrog
from jaxgen.inference.kalman import KalmanResult, kalman_filter
from jaxgen.inference.mixture import (
    ComponentFamily,
    Mixture,
    fit_mixture,
    mixture_elbo,
    mixture_log_joint,
    mixture_steps,
)
from jaxgen.inference.resampling import RESAMPLING, Resampling, multinomial, stratified, systematic
from jaxgen.inference.schedules import Schedule, always, effective_sample_size, ess_below, never
from jaxgen.inference.smc import SMCResult, smc
from jaxgen.inference.step_sizes import tune_step_sizes
from jaxgen.inference.svi import LocalOptimum, SVIState, optimize_local, svi_step
from jaxgen.inference.temperatures import (
    Temperatures,
    linear_temperatures,
    sigmoidal_temperatures,
)

__all__ = [
    "RESAMPLING",
    "AnnealedWeight",
    "BidirectionalBounds",
    "ComponentFamily",
    "DiagonalGaussian",
    "EMResult",
    "EMSteps",
    "FactorModel",
    "FactorPosterior",
    "FullGaussian",
    "HMCInfo",
    "InferenceGap",
    "KalmanResult",
    "LocalOptimum",
    "Mixture",
    "Resampling",
    "SMCResult",
    "SVIState",
    "Schedule",
    "Temperatures",
    "always",
    "annealed_importance_weight",
    "bidirectional_bounds",
    "diagonal_gaussian",
    "effective_sample_size",
    "em",
    "ess_below",
    "factor_elbo",
    "factor_posterior",
    "factor_steps",
    "fit_mixture",
    "full_gaussian",
    "hmc_step",
    "independent",
    "inference_gap",
    "isotropic",
    "kalman_filter",
    "leapfrog",
    "linear_temperatures",
    "mixture_elbo",
    "mixture_log_joint",
    "mixture_steps",
    "multinomial",
    "never",
    "optimize_local",
    "reverse_annealed_importance_weight",
    "sigmoidal_temperatures",
    "smc",
    "stratified",
    "svi_step",
    "systematic",
    "tune_step_sizes",
]
