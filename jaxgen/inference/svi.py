"""Variational parameters of each datapoint, optimized anew: stochastic variational inference."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from flax import struct
from jaxtyping import Array, Bool, Float

from jaxgen.array_checks import arrays, of_shape
from jaxgen.checks import at_least
from jaxgen.inference.made_once import made_once
from jaxgen.numerics import all_finite
from jaxgen.types import Info, Key, Params


class LocalOptimum(NamedTuple):
    """Where the ascent of one datapoint's bound ended.

    Attributes:
      params: phi after the last step; carries no gradient.
      values: the objective before each step, as estimated for that step, in its unit.
      all_finite: whether the params and all values are finite.
    Example:
      >>> optimum = optimize_local(
      ...     jax.random.key(0), lambda phi, key: -(phi**2), jnp.float32(1.0), optax.sgd(0.25), 2
      ... )
      >>> optimum.params, optimum.values
      (Array(0.25, dtype=float32), Array([-1.  , -0.25], dtype=float32))
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
      ValueError: num_steps is below one; params is no pytree of arrays; the objective's value is
        not one number.
    Example:
      >>> prior = distrax.Normal(0.0, 1.0)
      >>> def bound(phi, key):  # of x = 2, seen as N(z, 1): the posterior is N(1, 1/2)
      ...     q = distrax.Normal(phi["mean"], jnp.exp(phi["log_scale"]))
      ...     return elbo(key, lambda z: distrax.Normal(z, 1.0).log_prob(2.0), q, prior).elbo
      >>> phi = {"mean": jnp.float32(0.0), "log_scale": jnp.float32(0.0)}
      >>> optimum = optimize_local(jax.random.key(0), bound, phi, optax.adam(0.05), 200)
      >>> optimum.params["mean"]
      Array(1.0, dtype=float32)
    Source: Kim et al. (2018), algorithm 1 for the semi-amortized start; Cremer et al. (2018).
    """
    num_steps = at_least("num_steps", num_steps, 1)
    arrays("params", params)

    step = made_once(_local_step, objective, optimizer)
    start = (key, params, optimizer.init(params))
    (_, params, _), values = jax.lax.scan(step, start, jnp.arange(num_steps))
    params, values = jax.lax.stop_gradient((params, values))
    return LocalOptimum(params, values, all_finite((params, values)))


def _local_step(
    objective: Callable[[Params, Key], Array], optimizer: optax.GradientTransformation
) -> Callable[[tuple[Key, Params, Any], Array], tuple[tuple[Key, Params, Any], Array]]:
    def of_params(params: Params, key: Key) -> Array:
        value = objective(params, key)
        of_shape("objective", value, ())
        return value

    climb = jax.value_and_grad(of_params)

    def step(carry: tuple[Key, Params, Any], index: Array) -> tuple[tuple[Key, Params, Any], Array]:
        key, params, opt_state = carry
        value, gradient = climb(params, jax.random.fold_in(key, index))
        return (key, *_ascend(optimizer, gradient, opt_state, params)), value

    return step


@struct.dataclass
class SVIState:
    """The model's params theta beside the variational parameters of every datapoint.

    Attributes:
      params: theta.
      opt_state: of theta's optimizer.
      local_params: phi^1 ... phi^M, on a leading axis of every leaf.
    Example:
      >>> theta = {"bias": jnp.zeros(3)}
      >>> state = SVIState(theta, optax.adam(1e-3).init(theta), jnp.zeros((100, 2)))
      >>> state.local_params.shape  # of 100 datapoints
      (100, 2)
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
      >>> def objective(theta, phi, key, x):  # theta is what the prior believes in
      ...     q, prior = distrax.Normal(phi, 1.0), distrax.Normal(theta, 1.0)
      ...     return elbo(key, lambda z: distrax.Normal(z, 1.0).log_prob(x), q, prior).elbo
      >>> update = svi_step(objective, optax.sgd(0.1), optax.sgd(0.1), 5)
      >>> theta, xs, indices = jnp.float32(0.0), jnp.array([1.0, 3.0, 5.0]), jnp.array([0, 2])
      >>> state = SVIState(theta, optax.sgd(0.1).init(theta), jnp.zeros(3))
      >>> state, info = jax.jit(update)(state, jax.random.key(0), (indices, xs[indices]))
      >>> bool(state.local_params[1] == 0)  # its datapoint was not in the batch
      True
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
