"""Algorithms over functions that are passed in: EM, per-datapoint optimization, HMC, AIS, SMC.

The exact models that they are compared with are models: `jaxgen.models.kalman_filter`,
`mixture_density`, `factor_density`.
"""

from jaxgen.inference.ais import (
    AnnealedWeight,
    annealed_importance_weight,
    reverse_annealed_importance_weight,
)
from jaxgen.inference.bidirectional import BidirectionalBounds, bidirectional_bounds
from jaxgen.inference.em import EMResult, EMSteps, em
from jaxgen.inference.hmc import HMCInfo, hmc_step, leapfrog
from jaxgen.inference.inference_gap import InferenceGap, inference_gap
from jaxgen.inference.resampling import RESAMPLING, Resampling, multinomial, stratified, systematic
from jaxgen.inference.schedules import Schedule, always, ess_below, never
from jaxgen.inference.smc import SMCResult, Step, smc
from jaxgen.inference.step_sizes import tune_step_sizes
from jaxgen.inference.svi import LocalOptimum, SVIState, optimize_local, svi_step
from jaxgen.inference.temperatures import Temperatures, linear_temperatures, sigmoidal_temperatures

__all__ = [
    "RESAMPLING",
    "AnnealedWeight",
    "BidirectionalBounds",
    "EMResult",
    "EMSteps",
    "HMCInfo",
    "InferenceGap",
    "LocalOptimum",
    "Resampling",
    "SMCResult",
    "SVIState",
    "Schedule",
    "Step",
    "Temperatures",
    "always",
    "annealed_importance_weight",
    "bidirectional_bounds",
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
    "sigmoidal_temperatures",
    "smc",
    "stratified",
    "svi_step",
    "systematic",
    "tune_step_sizes",
]
