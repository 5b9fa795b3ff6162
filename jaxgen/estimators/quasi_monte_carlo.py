"""Randomized quasi-Monte Carlo: the samples of a pathwise gradient, spread evenly."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import jax
from flax import struct
from jaxtyping import Array

from jaxgen.estimators.base import Estimate, Estimator, Integrand
from jaxgen.estimators.fixed_noise import noise_shape, of_uniforms
from jaxgen.estimators.pathwise import pathwise
from jaxgen.estimators.sobol import scrambled_sobol
from jaxgen.estimators.sticking_the_landing import sticking_the_landing
from jaxgen.types import Distribution, Key, Scalar
from jaxgen.values import known_by_call


@struct.dataclass
class Evenly:
    """q whose draws are made of scrambled Sobol points: each has its law, all are spread evenly."""

    q: Any

    def sample(self, *, seed: Key, sample_shape: tuple[int, ...] = ()) -> Array:
        """Draws an array of shape `sample_shape + event_shape`."""
        shape = noise_shape(self.q)
        uniforms = scrambled_sobol(seed, math.prod(sample_shape), math.prod(shape))
        samples = jax.vmap(lambda u: of_uniforms(self.q, u.reshape(shape)))(uniforms)
        return samples.reshape(*sample_shape, *samples.shape[1:])

    def log_prob(self, value: Array) -> Array:
        """Log density of q, in nats."""
        return self.q.log_prob(value)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name == "q":
            raise AttributeError(name)
        return getattr(self.q, name)


@known_by_call
def quasi_monte_carlo(estimator: Estimator) -> Estimator:
    """Returns the estimator with the noise of its samples from a scrambled Sobol sequence.

    Unbiased, since each sample has the law of q: the surrogate is a mean over them. They are not
    independent: for a smooth f of few latents the variance falls about as 1/K² in place of 1/K. Of
    two latents, 16 samples have a variance 7 to 11 times below that of independent ones, 64 one of
    30 to 50 times. Of many latents the gain is small unless few of them matter. Best with K a power
    of two.

    It cannot serve where samples judge each other or are joined by a bound other than the ELBO:
    their independence is part of what is estimated there.

    Args:
      estimator: `pathwise` or `sticking_the_landing` of the ELBO, or of any f.
    Raises:
      ValueError: it is another; q is not a distrax Normal, Laplace, Logistic or Gumbel, a
        transformation of one, or independent ones.
    Example:
      >>> f, q = lambda z: jnp.cos(z), distrax.Normal(0.5, 1.0)
      >>> estimator = quasi_monte_carlo(pathwise(64))
      >>> value, _ = estimator.apply((), jax.random.key(0), f, q)
      >>> exact = jnp.cos(0.5) * jnp.exp(-0.5)
      >>> bool(abs(value - exact) < 0.01)  # independent draws: 0.06
      True
    Source: Buchholz et al. (2018).
    """
    if estimator.name not in (pathwise().name, sticking_the_landing().name):
        raise ValueError(
            f"estimator: got {estimator.name}, expected pathwise or sticking_the_landing, whose "
            "gradient is a mean over samples"
        )
    if not estimator.bound.linear:
        raise ValueError(
            f"estimator: got {estimator.name} of the bound {estimator.bound.name}, expected one of "
            "the ELBO: another bound's mean is that of independent draws"
        )

    def apply(
        state: Any, key: Key, f: Integrand, q: Distribution, context: Any = None
    ) -> tuple[Scalar, Estimate]:
        return estimator.apply(state, key, f, Evenly(q), context)

    return dataclasses.replace(estimator, name=f"quasi-Monte Carlo {estimator.name}", apply=apply)
