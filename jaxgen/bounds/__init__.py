"""How the log weights of one datapoint become one number, in nats."""

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
    "renyi",
    "thermodynamic_lower_bound",
    "thermodynamic_upper_bound",
]

doors(__name__)
