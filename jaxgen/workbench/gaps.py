"""What an ELBO of a VAE with a Gaussian q lacks of log p(x), measured on a set of images."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array

from jaxgen.distributions import diagonal_normal
from jaxgen.inference import (
    HMCInfo,
    InferenceGap,
    LogDensity,
    Transition,
    bidirectional_bounds,
    hmc_step,
    inference_gap,
    linear_temperatures,
    tune_encoder,
)
from jaxgen.models import LatentVariableModel, observe
from jaxgen.types import Key, Params
from jaxgen.workbench.blocks import image_by_image
from jaxgen.workbench.config import GapConfig
from jaxgen.workbench.gaussian_inference import Infer, Phi, elbo_at, encoded_phi, fitted_phi

DRAWS = 200
"""Of z for every ELBO."""
LEAPFROG_STEPS, STEP_SIZE = 5, 0.7
"""Of HMC; the step size in units of q's scale, a dimension each."""
AT_ONCE = 50
"""Images in memory."""


def measure_gaps(
    model: LatentVariableModel, config: GapConfig
) -> Callable[[Params, Key, tuple[Array, Array, Array]], InferenceGap]:
    """Returns `(params, key, (xs, phis, tuned phis)) -> gaps`, compiled once for a size.

    The gaps are those of `inference_gap`, image by image, in float64 on the host. None of them
    should move as what `config` spends on them grows.

    Example:
      >>> measure = measure_gaps(model, GapConfig(measure_steps=100, chains=4))
      >>> gaps = lambda phis: measure(params, key, (x, phis, phis))  # of `each_phi`
    """

    def one(params: Params, key: Key, of: tuple[Array, Phi, Phi]) -> InferenceGap:
        x, phi, tuned_phi = of
        return inference_gap(
            key,
            lambda phi, key: elbo_at(model, params, phi, key, x),
            phi,
            observe(model, params, x).log_joint,
            lambda phi: diagonal_normal(*phi),
            hamiltonian,
            linear_temperatures(config.temperatures),
            optimizer=falling(config),
            num_steps=config.measure_steps,
            tuned_phi=tuned_phi,
            num_chains=config.chains,
            num_draws=DRAWS,
        )

    measure = image_by_image(one, batch_size=AT_ONCE)
    return lambda params, key, of: _in_float64(measure(params, key, of))


class TwoSided(NamedTuple):
    """Bounds on log p(x) of images that a model drew, in nats.

    Attributes:
      lower: of each image, in expectation below log p(x).
      upper: above.
    Example:
      >>> bounds = TwoSided(lower=np.array([-85.0]), upper=np.array([-84.0]))
      >>> bounds.upper - bounds.lower
      array([1.])
    """

    lower: Any  # [images], of JAX or of NumPy
    upper: Any


def bound_draws(
    model: LatentVariableModel, config: GapConfig, params: Params, key: Key, count: int
) -> TwoSided:
    """Returns bounds from both sides on log p(x) of `count` images that the model draws.

    How far they lie apart says how far the log p(x) of a gap is to be trusted.

    Example:
      >>> bounds = partial(
      ...     bound_draws, model, GapConfig(chains=4), params, key
      ... )  # of how many draws
    Source: Wu et al. (2017), section 3.2.
    """
    infer = best_phi(model, config, partial(encoded_phi, model))

    def one(params: Params, key: Key, number: Array) -> tuple[Array, Array]:
        key_z, key_x, key_phi, key_bounds = jax.random.split(key, 4)
        z = model.prior(params).sample(seed=key_z)
        x = model.decode(params, z).sample(seed=key_x)
        phi = infer(params, key_phi, x)
        found = bidirectional_bounds(
            key_bounds,
            z,
            observe(model, params, x).log_joint,
            diagonal_normal(*phi),
            hamiltonian(phi),
            linear_temperatures(config.temperatures),
            config.chains,
        )
        return found.lower, found.upper

    measure = image_by_image(one, batch_size=AT_ONCE)
    return TwoSided(*_in_float64(measure(params, key, jnp.arange(count))))


def best_phi(
    model: LatentVariableModel, config: GapConfig, start: Callable[[Params, Array], Phi]
) -> Infer:
    """Returns a long stochastic variational inference, its step size falling to nothing.

    Args:
      start: `(params, x) -> phi`.
    Example:
      >>> infer = best_phi(model, GapConfig(measure_steps=100), lambda params, x: jnp.zeros((2, 2)))
      >>> jax.eval_shape(infer, params, key, x[0]).shape
      (2, 2)
    """
    return fitted_phi(model, start, falling(config), config.measure_steps)


def falling(config: GapConfig) -> optax.GradientTransformation:
    """Returns the optimizer of an image's phi.

    Example:
      >>> optimize_local(key, bound, phi, falling(config), config.measure_steps)
    """
    return optax.adam(optax.cosine_decay_schedule(config.local_learning_rate, config.measure_steps))


def tune(
    model: LatentVariableModel, config: GapConfig, params: Params, key: Key, xs: Array
) -> Params:
    """Returns the params after the encoder alone has been trained on, on the images `xs`.

    See `jaxgen.inference.tune_encoder`.

    Example:
      >>> tuned = partial(tune, model, GapConfig(tune_steps=10, batch_size=5))
      >>> list(jax.eval_shape(tuned, params, key, x)) == list(params)
      True
    """

    def bound(encoder: Params, key: Key, x: Array) -> Array:
        at = {**params, "encoder": encoder}
        return elbo_at(model, at, encoded_phi(model, at, x), key, x)

    encoder = tune_encoder(
        key,
        bound,
        params["encoder"],
        xs,
        optax.adam(optax.cosine_decay_schedule(config.learning_rate, config.tune_steps)),
        num_steps=config.tune_steps,
        batch_size=config.batch_size,
    )
    return {**params, "encoder": encoder}


def hamiltonian(phi: Phi) -> Transition:
    """Returns Hamiltonian transitions whose steps are of the size of q's scale.

    Example:
      >>> transition = hamiltonian(jnp.zeros((2, 2)))  # for `annealed_importance_weight`
      >>> standard = lambda z: -0.5 * jnp.sum(z**2)
      >>> z, info = jax.eval_shape(lambda z: transition(key, standard, z, 1.0), jnp.ones(2))
      >>> z.shape
      (2,)
    """
    step = partial(
        hmc_step, step_size=STEP_SIZE * jnp.exp(phi[1]), num_leapfrog_steps=LEAPFROG_STEPS
    )

    def transition(
        key: Key, log_density: LogDensity, z: Array, beta: Array
    ) -> tuple[Array, HMCInfo]:
        return step(key, log_density, z)

    return transition


def _in_float64(tree: Any) -> Any:
    return jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), tree)
