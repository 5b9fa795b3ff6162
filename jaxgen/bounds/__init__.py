"""How the log weights of one datapoint become one number, in nats.

A `Bound` is a function of log weights l_k = log p(x, z_k) - log q(z_k), z_k ~ q; any of them goes
to any gradient of `jaxgen.objectives.GRADIENTS` that is valid for it.

| question | answer |
|---|---|
| the bound of a VAE, of each sample by itself | `ELBO` |
| more samples for a tighter lower bound | `IWAE` |
| a good encoder and a tight bound at once | `miwae`, `ciwae` |
| the bias of IWAE lower by an order in 1/K, at more variance | `jackknife` |
| below the ELBO, between it and IWAE, above both | `renyi`, by its alpha; at the end `VR_MAX` |
| a bound from above | `chi_upper_bound`, `thermodynamic_upper_bound` |
| log p(x) as an integral over temperatures | `thermodynamic_lower_bound` |
| a bound by its name | `BOUNDS` |
| the log weights themselves | `jaxgen.objectives.log_importance_weights` |
"""

from jaxgen.boundary import doors
from jaxgen.bounds.base import Bound
from jaxgen.bounds.renyi import (
    BOUNDS,
    ELBO,
    IWAE,
    VR_MAX,
    chi_upper_bound,
    log_power_mean,
    renyi,
)
from jaxgen.bounds.subsets import ciwae, jackknife, miwae
from jaxgen.bounds.sumo import random_num_samples, russian_roulette, sumo
from jaxgen.bounds.thermodynamic import thermodynamic_lower_bound, thermodynamic_upper_bound

__all__ = [
    "BOUNDS",
    "ELBO",
    "IWAE",
    "VR_MAX",
    "Bound",
    "chi_upper_bound",
    "ciwae",
    "jackknife",
    "log_power_mean",
    "miwae",
    "random_num_samples",
    "renyi",
    "russian_roulette",
    "sumo",
    "thermodynamic_lower_bound",
    "thermodynamic_upper_bound",
]

doors(__name__)
