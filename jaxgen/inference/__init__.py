"""Algorithms over functions that are passed in: EM, per-datapoint optimisation, HMC, AIS, SMC."""

from jaxgen.inference.resampling import RESAMPLING, Resampling, multinomial, stratified, systematic
from jaxgen.inference.schedules import Schedule, always, effective_sample_size, ess_below, never
from jaxgen.inference.smc import SMCResult, smc

__all__ = [
    "RESAMPLING",
    "Resampling",
    "SMCResult",
    "Schedule",
    "always",
    "effective_sample_size",
    "ess_below",
    "multinomial",
    "never",
    "smc",
    "stratified",
    "systematic",
]
