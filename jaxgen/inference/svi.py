"""Variational parameters of each datapoint, optimized anew: stochastic variational inference."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from flax import struct
from jaxtyping import Array, Bool, Float

from jaxgen.checks import at_least
from jaxgen.numerics import all_finite
from jaxgen.types import Info, Key, Params


class LocalOptimum(NamedTuple):
    """Where the ascent of one datapoint's bound ended.

    Attributes:
      params: phi after the last step; carries no gradient.
      values: the objective before each step, as estimated for that step, in its unit.
      all_finite: whether the params and all values are finite.
    """

    params: Params
    values: Float[Array, "steps"]
    all_finite: Bool[Array, ""]


def optimize_local(
    key: Key,
    objective: Callable[[Params, Key], Array],
    params: Params,
    optimizer: optax.GradientTransformation,
    num_steps: int,
) -> LocalOptimum:
    """Climbs `objective` in the variational parameters of one datapoint.

    Any family will do whose parameters are unconstrained (log scales, logits), with any gradient
    estimator inside the objective. Started at zeros this is SVI; started at an encoder's output it
    is semi-amortized inference. `vmap` over the datapoints' keys, params and objectives.

    Args:
      objective: `(params, key) -> ` a number to climb, e.g. one datapoint's ELBO.
      params: the start, phi.
      optimizer: any optax transformation; a schedule that decays averages the noise out.
      num_steps: local updates.
    Raises:
      ValueError: num_steps is below one.
    Example:
      >>> def local(key, x):
      ...     bound = lambda phi, key: elbo(key, log_likelihood(x), gaussian(phi), prior).elbo
      ...     return optimize_local(key, bound, encode(x), optax.adam(1e-2), 100)
      >>> phi = jax.vmap(local)(jax.random.split(key, len(xs)), xs).params
    Source: Kim et al. (2018), algorithm 1 for the semi-amortized start; Cremer et al. (2018).
    """
    num_steps = at_least("num_steps", num_steps, 1)
    climb = jax.value_and_grad(objective)

    def step(carry: tuple[Params, Any], index: Array) -> tuple[tuple[Params, Any], Array]:
        params, opt_state = carry
        value, gradient = climb(params, jax.random.fold_in(key, index))
        return _ascend(optimizer, gradient, opt_state, params), value

    start = (params, optimizer.init(params))
    (params, _), values = jax.lax.scan(step, start, jnp.arange(num_steps))
    params, values = jax.lax.stop_gradient((params, values))
    return LocalOptimum(params, values, all_finite((params, values)))


@struct.dataclass
class SVIState:
    """The model's params theta beside the variational parameters of every datapoint.

    Attributes:
      params: theta.
      opt_state: of theta's optimizer.
      local_params: phi^1 ... phi^M, on a leading axis of every leaf.
    """

    params: Params
    opt_state: Any
    local_params: Params


def svi_step(
    objective: Callable[[Params, Params, Key, Any], Array],
    optimizer: optax.GradientTransformation,
    local_optimizer: optax.GradientTransformation,
    num_local_steps: int,
) -> Callable[[SVIState, Key, tuple[Array, Any]], tuple[SVIState, Info]]:
    """Returns the update that learns theta with variational parameters of each datapoint's own.

    Five steps: (1) initialize theta and all phi: an `SVIState`; (2) sample
    datapoints: the batch; (3) climb each one's bound in its phi, from where it was left; (4) take
    the gradient in theta at those phi; (5) move theta up it. Nothing is differentiated through
    step 3. The local optimizer starts afresh at each visit.

    Args:
      objective: `(theta, phi, key, x) -> ` one datapoint's ELBO, in nats.
      optimizer: of theta.
      local_optimizer: of phi.
      num_local_steps: updates of phi in step 3.
    Returns:
      `(state, key, (indices, xs)) -> (state, info)`: `indices` say which of the local params belong
      to `xs` and must differ from each other. Info: `elbo`, the batch's mean in nats at the theta
      that came and the phi that go; `grad_norm` in theta; `all_finite`.
    Raises:
      ValueError: num_local_steps is below one.
    Example:
      >>> update = svi_step(objective, optax.adam(1e-3), optax.adam(1e-2), 20)
      >>> state = SVIState(
      ...     theta, optax.adam(1e-3).init(theta), jnp.zeros((len(xs), 2, latent_size))
      ... )
      >>> state, info = jax.jit(update)(state, key, (indices, xs[indices]))
    Source: Hoffman et al. (2013), stochastic variational inference.
    """
    num_local_steps = at_least("num_local_steps", num_local_steps, 1)

    def update(state: SVIState, key: Key, batch: tuple[Array, Any]) -> tuple[SVIState, Info]:
        indices, xs = batch
        key_local, key_params = jax.random.split(key)

        def local(key: Key, phi: Params, x: Any) -> LocalOptimum:
            def bound(phi: Params, key: Key) -> Array:
                return objective(state.params, phi, key, x)

            return optimize_local(key, bound, phi, local_optimizer, num_local_steps)

        phis = jax.tree.map(lambda leaf: leaf[indices], state.local_params)
        optima = jax.vmap(local)(jax.random.split(key_local, len(indices)), phis, xs)
        keys = jax.random.split(key_params, len(indices))

        def mean_bound(params: Params) -> Array:
            return jnp.mean(jax.vmap(objective, (None, 0, 0, 0))(params, optima.params, keys, xs))

        value, gradient = jax.value_and_grad(mean_bound)(state.params)
        params, opt_state = _ascend(optimizer, gradient, state.opt_state, state.params)
        local_params = jax.tree.map(
            lambda leaf, new: leaf.at[indices].set(new, unique_indices=True),
            state.local_params,
            optima.params,
        )
        info = {
            "elbo": value,
            "grad_norm": optax.tree.norm(gradient),
            "all_finite": all_finite((value, gradient)) & jnp.all(optima.all_finite),
        }
        return SVIState(params=params, opt_state=opt_state, local_params=local_params), info

    return update


def _ascend(
    optimizer: optax.GradientTransformation, gradient: Params, opt_state: Any, params: Params
) -> tuple[Params, Any]:
    """Returns params and optimizer state after one step up the gradient."""
    downhill = jax.tree.map(jnp.negative, gradient)
    updates, opt_state = optimizer.update(downhill, opt_state, params)
    return optax.apply_updates(params, updates), opt_state
