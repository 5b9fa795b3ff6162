"""Algorithms over functions that are passed in: EM, per-datapoint optimization, HMC, AIS, SMC.

The exact models that they are compared with are models: `jaxgen.models.kalman_filter`,
`mixture_density`, `factor_density`.

The functions are pure: one that is passed again, with arrays of the same shapes, is neither traced
nor compiled again, so that what it closes over must be as it was. Within `jax.jit` and `jax.vmap`
they are traced each time, as all else.

| question | answer |
|---|---|
| log p(x), without trust in an encoder | `annealed_importance_weight` |
| a bound of it with a gradient in all | `differentiable_annealed_weight` |
| between which two numbers it lies, x drawn from the model | `bidirectional_bounds` |
| what the encoder and the family of q each lose | `inference_gap` |
| the best q of one datapoint | `optimize_local` |
| a q for each datapoint, learned with the model | `svi_step` |
| an encoder's q, improved by some steps | `semi_amortized_loss` |
| a better encoder of a model that stays | `tune_encoder` |
| exact EM | `em`, with the steps of `jaxgen.models.mixture_steps` |
| a chain that leaves a density as it is | `hmc_step`; `tune_step_sizes` finds its steps |
| sequences, particle by particle | `smc`, with `systematic` resampling by `ess_below` |
"""

from jaxgen.boundary import doors
from jaxgen.inference.ais import (
    AnnealedWeight,
    Transition,
    annealed_importance_weight,
    reverse_annealed_importance_weight,
)
from jaxgen.inference.amortized import amortized_loss, semi_amortized_loss
from jaxgen.inference.bidirectional import BidirectionalBounds, bidirectional_bounds
from jaxgen.inference.differentiable_ais import differentiable_annealed_weight
from jaxgen.inference.em import EMResult, EMSteps, em
from jaxgen.inference.hmc import HMCInfo, LogDensity, hmc_step, leapfrog
from jaxgen.inference.inference_gap import InferenceGap, inference_gap
from jaxgen.inference.resampling import RESAMPLING, Resampling, multinomial, stratified, systematic
from jaxgen.inference.schedules import Schedule, always, ess_below, never
from jaxgen.inference.smc import SMCResult, Step, UnobservedStep, smc
from jaxgen.inference.step_sizes import tune_step_sizes
from jaxgen.inference.svi import LocalOptimum, SVIState, optimize_local, svi_step
from jaxgen.inference.temperatures import Temperatures, linear_temperatures, sigmoidal_temperatures
from jaxgen.inference.tuned_encoder import tune_encoder

__all__ = [
    "RESAMPLING",
    "AnnealedWeight",
    "BidirectionalBounds",
    "EMResult",
    "EMSteps",
    "HMCInfo",
    "InferenceGap",
    "LocalOptimum",
    "LogDensity",
    "Resampling",
    "SMCResult",
    "SVIState",
    "Schedule",
    "Step",
    "Temperatures",
    "Transition",
    "UnobservedStep",
    "always",
    "amortized_loss",
    "annealed_importance_weight",
    "bidirectional_bounds",
    "differentiable_annealed_weight",
    "em",
    "ess_below",
    "hmc_step",
    "inference_gap",
    "leapfrog",
    "linear_temperatures",
    "multinomial",
    "never",
    "optimize_local",
    "reverse_annealed_importance_weight",
    "semi_amortized_loss",
    "sigmoidal_temperatures",
    "smc",
    "stratified",
    "svi_step",
    "systematic",
    "tune_encoder",
    "tune_step_sizes",
]

doors(__name__)
