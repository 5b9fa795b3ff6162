"""How far the ELBO lies below log p(x), split into what each part of inference loses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float

from jaxgen.checks import at_least
from jaxgen.inference.ais import LogDensity, Transition, annealed_importance_weight
from jaxgen.inference.svi import LocalOptimum, optimize_local
from jaxgen.inference.temperatures import Temperatures
from jaxgen.numerics import all_finite, highest_precision, log_mean_exp
from jaxgen.types import Distribution, Key, Params, Scalar


class InferenceGap(NamedTuple):
    """What is known of one datapoint, in nats; or of several, stacked by `vmap` or `lax.map`.

    Attributes:
      elbo: at the phi that was given.
      tuned_elbo: at the phi of the tuned encoder.
      best_elbo: at phi*, the end of a long local optimization from the phi that was given.
      log_px: log p(x), by annealed importance sampling from q at phi*.
      optimum: phi* and the bound on the way to it.
      transitions: what those of annealing said, [chains, temperatures].
      all_finite: whether the four numbers are.
    Example:
      >>> gap = InferenceGap(-90.0, -88.0, -85.0, -84.0, None, None, True)
      >>> gap.approximation, gap.amortization, gap.generalization, gap.total
      (1.0, 3.0, 2.0, 6.0)
    """

    elbo: Scalar
    tuned_elbo: Scalar
    best_elbo: Scalar
    log_px: Scalar
    optimum: LocalOptimum
    transitions: Any
    all_finite: Bool[Array, ""]

    @property
    def approximation(self) -> Float[ArrayLike, "..."]:
        """The approximation gap: log p(x) less the best ELBO of the family, KL(q* || p(z|x))."""
        return self.log_px - self.best_elbo

    @property
    def amortization(self) -> Float[ArrayLike, "..."]:
        """The amortization gap: the best ELBO of the family less that of the tuned encoder."""
        return self.best_elbo - self.tuned_elbo

    @property
    def generalization(self) -> Float[ArrayLike, "..."]:
        """The generalization gap: ELBO of the tuned encoder less that of the given one."""
        return self.tuned_elbo - self.elbo

    @property
    def total(self) -> Float[ArrayLike, "..."]:
        """log p(x) - ELBO, the sum of the three."""
        return self.log_px - self.elbo


@highest_precision
def inference_gap(
    key: Key,
    bound: Callable[[Params, Key], Array],
    phi: Params,
    log_joint: LogDensity,
    family: Callable[[Params], Distribution],
    transition: Callable[[Params], Transition],
    betas: Temperatures,
    *,
    optimizer: optax.GradientTransformation,
    num_steps: int,
    tuned_phi: Params | None = None,
    num_chains: int = 8,
    num_draws: int = 100,
) -> InferenceGap:
    """Measures one datapoint's gap between log p(x) and its ELBO, and splits it.

    All ELBOs are means over the same noise. Too short an optimization takes from the amortization
    gap what it adds to the approximation gap; too short an annealing takes from the total: see that
    neither moves as they are made longer. `vmap`, or `lax.map` in bounded memory, over datapoints,
    within `jax.jit`: called by itself it compiles the annealing anew, whose q is another each time.

    Args:
      bound: `(phi, key) -> ` a one-sample estimate of the ELBO, in nats. With a gradient that
        sticks the landing the optimum is found almost without noise.
      phi: unconstrained, e.g. what an encoder gives for x.
      log_joint: z to log p(x, z), in nats.
      family: phi to q, normalized.
      transition: phi* to the transitions of annealing, so that their step may fit q's scale.
      betas: of annealing, rising from 0 to 1.
      optimizer: of phi, with a step size that falls.
      num_steps: of it.
      tuned_phi: what the encoder gives once it has been trained on, on data such as x (the split
        that x is of) with the model held fixed; by default phi, so that nothing is lost there.
      num_chains: of annealing.
      num_draws: of z for either ELBO.
    Raises:
      ValueError: a number is below one, or betas do not rise from 0 to 1.
    Example:
      >>> prior = distrax.Normal(0.0, 1.0)  # p(x = 2 | z) is N(2; z, 1), so the posterior N(1, 1/2)
      >>> log_joint = lambda z: prior.log_prob(z) + distrax.Normal(z, 1.0).log_prob(2.0)
      >>> family = lambda phi: distrax.Normal(phi, 0.5**0.5)
      >>> def bound(phi, key):
      ...     f, q = lambda z, q: log_joint(z) - q.log_prob(z), family(phi)
      ...     return sticking_the_landing().apply((), key, f, q)[0]
      >>> def step(key, log_density, z, beta):
      ...     return hmc_step(key, log_density, z, step_size=0.5, num_leapfrog_steps=3)
      >>> gap = inference_gap(
      ...     jax.random.key(0),
      ...     bound,
      ...     jnp.float32(0.0),
      ...     log_joint,
      ...     family,
      ...     lambda phi: step,
      ...     linear_temperatures(5),
      ...     optimizer=optax.sgd(0.1),
      ...     num_steps=30,
      ... )
      >>> gap.amortization  # by 100 draws; KL(N(0, 1/2) || N(1, 1/2)) is 1
      Array(0.93, dtype=float32)
    Source: Cremer et al. (2018), section 3; their amortization gap on held-out data is what
    is split further here, at an encoder tuned to them.
    """
    at_least("num_chains", num_chains, 1)
    at_least("num_draws", num_draws, 1)
    key_optimum, key_draws, key_chains = jax.random.split(key, 3)
    optimum = optimize_local(key_optimum, bound, phi, optimizer, num_steps)
    draws = jax.random.split(key_draws, num_draws)
    q = family(optimum.params)

    def elbo(phi: Params) -> Array:
        return jnp.mean(jax.vmap(lambda key: bound(phi, key))(jax.random.clone(draws)))

    chains = jax.vmap(
        lambda key: annealed_importance_weight(key, log_joint, q, transition(optimum.params), betas)
    )(jax.random.split(key_chains, num_chains))
    numbers = {
        "elbo": elbo(phi),
        "tuned_elbo": elbo(phi if tuned_phi is None else tuned_phi),
        "best_elbo": elbo(optimum.params),
        "log_px": log_mean_exp(chains.log_weight, axis=0),
    }
    return InferenceGap(
        **numbers, optimum=optimum, transitions=chains.info, all_finite=all_finite(numbers)
    )
