"""One step with an estimator that may learn: params by the loss, its state by its control loss."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, Protocol, TypeAlias, runtime_checkable

import jax
import jax.numpy as jnp
import optax
from flax import struct

from jaxgen.train.loss import leading_axis, mean_of_datapoints, sees_step
from jaxgen.train.step import (
    TrainState,
    Update,
    gradient_step,
    init_state,
    refuse_collections,
    with_own_buffers,
)
from jaxgen.types import Info, Key, Params, Scalar

CONTROL_OPTIMIZER = optax.adam(1e-3)
"""What an estimator learns by, unless another optimizer is given."""

_ASIDE = "estimates and gradient of the control loss"  # what the step takes out of the info again


@runtime_checkable
class Estimator(Protocol):
    """What the step needs of an estimator: see `jaxgen.estimators.Estimator`."""

    @property
    def update(self) -> Callable[[Any, Any], Any]:
        """`(state, estimates of a whole batch) -> state`."""
        ...


EstimatorLoss: TypeAlias = Callable[..., tuple[Scalar, Any, Info]]
"""`(params, estimator state, key, datapoint) -> (scalar to lower, estimate, info)`, where the
estimate says its `control_loss` and whether it is `all_finite`: see `estimators.Estimate`."""


@struct.dataclass
class EstimatorTrainState(TrainState):
    """A `TrainState`, and apart from its params what the estimator learns.

    Attributes:
      estimator: the estimator's state: an average, the params of a baseline or a control variate.
      control_opt_state: the state of the optimizer that moves it.
    Example:
      >>> state = init_estimator_state(jnp.zeros(3), optax.adam(1e-3), jnp.zeros(2))
      >>> state.params.shape, state.estimator.shape, int(state.step)
      ((3,), (2,), 0)
    """

    estimator: Any
    control_opt_state: optax.OptState


def init_estimator_state(
    params: Params,
    optimizer: optax.GradientTransformation,
    estimator_state: Any,
    *,
    control_optimizer: optax.GradientTransformation = CONTROL_OPTIMIZER,
    ema: bool = False,
) -> EstimatorTrainState:
    """Returns the state before the first `estimator_step`; its buffers are its own.

    Args:
      params: the initial params, without the estimator's.
      optimizer: moves the params.
      estimator_state: what `estimator.init(key, q, context)` returns; `()` for a stateless one.
      control_optimizer: moves the estimator's state.
      ema: whether to keep an average of the params.
    Raises:
      ValueError: `params` or the state has linen collections beside `params`, as in `init_state`.
    Example:
      >>> q = distrax.Independent(distrax.Bernoulli(jnp.zeros(4)), 1)
      >>> estimator = rebar(1)
      >>> held = estimator.init(jax.random.key(0), q)  # what it learns
      >>> state = init_estimator_state({"logits": jnp.zeros(4)}, optax.adam(1e-3), held)
      >>> int(state.step)
      0
    """
    state = init_state(params, optimizer, ema=ema)
    refuse_collections(estimator_state)
    estimator_state = with_own_buffers(estimator_state)
    return EstimatorTrainState(
        **vars(state),
        estimator=estimator_state,
        control_opt_state=with_own_buffers(control_optimizer.init(estimator_state)),
    )


def estimator_step(
    loss: EstimatorLoss,
    estimator: Estimator,
    optimizer: optax.GradientTransformation,
    *,
    control_optimizer: optax.GradientTransformation = CONTROL_OPTIMIZER,
    ema_decay: float | None = None,
) -> Update:
    """Returns the update of params and of an estimator's state by a batch.

      params:  down grad mean_i loss_i, as `gradient_step` moves them.
      state:   down grad mean_i control_loss_i, whatever the sign of the loss,
               then `estimator.update(state, estimates of the whole batch)`.

    Neither is moved by the other's loss. A datapoint has the key that it has in `mean_over_batch`,
    and infos are means over the batch. Those of `gradient_step` are added, and `control_loss`;
    `all_finite` counts every estimate too. It is sharded, scanned and donated as any update is.

    A state that is no more than an average has no gradient and is moved by `update` alone. An
    optimizer that decays weights would decay it all the same: mask it out.

    Args:
      loss: `(params, estimator state, key, datapoint) -> (scalar to lower, estimate, info)`, where
        the estimate is what `estimator.apply` returned beside the surrogate; if it declares a
        keyword-only parameter `step`, it is given the number of updates made so far.
      estimator: whose `update` folds the estimates; of `jaxgen.estimators`, or of one's own.
      optimizer: the transformation of the params that `init_estimator_state` was given.
      control_optimizer: that of the estimator's state.
      ema_decay: as in `gradient_step`.
    Raises:
      ValueError: the batch's arrays have no common leading axis; `loss` returns no single number;
        as `gradient_step`.
    Example:
      >>> estimator = score_function(1, baseline=learned(lambda key, x: 0 * x, lambda w, x: w @ x))
      >>> def negative_elbo(logits, held, key, x):
      ...     q = distrax.Independent(distrax.Bernoulli(logits), 1)
      ...     prior = distrax.Independent(distrax.Bernoulli(jnp.zeros(3)), 1)
      ...
      ...     def log_weight(z, q=q):
      ...         x_given_z = distrax.Independent(distrax.Normal(z, 1.0), 1)
      ...         return x_given_z.log_prob(x) + prior.log_prob(z) - q.log_prob(z)
      ...
      ...     bound, estimate = estimator.apply(held, key, log_weight, q, x)
      ...     return -bound, estimate, {"elbo": bound}  # to be lowered
      >>> adam, xs, q = (
      ...     optax.adam(1e-3),
      ...     jnp.ones((4, 3)),
      ...     distrax.Independent(distrax.Bernoulli(jnp.zeros(3)), 1),
      ... )
      >>> state = init_estimator_state(
      ...     jnp.zeros(3), adam, estimator.init(jax.random.key(0), q, xs[0])
      ... )
      >>> update = jax.jit(estimator_step(negative_elbo, estimator, adam), donate_argnums=0)
      >>> state, info = update(state, jax.random.key(1), xs)  # with rebar(1): the same lines
      >>> float(info["loss"] + info["elbo"]), bool(info["all_finite"])
      (0.0, True)
    Source: Mnih & Gregor (2014), section 2.3; Tucker et al. (2017), section 3.2.
    """
    with_step = sees_step(loss)

    def update(
        state: EstimatorTrainState, key: Key, batch: Any
    ) -> tuple[EstimatorTrainState, Info]:
        seen = {"step": state.step} if with_step else {}

        def of_batch(params: Params, key: Key, batch: Any) -> tuple[Scalar, Info]:
            keys = jax.random.split(key, leading_axis("batch", batch))

            def of_state(held: Any) -> tuple[Scalar, Any]:
                one = functools.partial(loss, params, held, **seen)
                values, estimates, info = jax.vmap(one)(keys, batch)
                return mean_of_datapoints(estimates.control_loss), (values, estimates, info)

            # The value is an auxiliary here, and so no gradient of the loss reaches the state.
            of_state = jax.value_and_grad(of_state, has_aux=True)
            (control_loss, (values, estimates, info)), signal = of_state(state.estimator)
            if jnp.ndim(values) != 1:
                raise ValueError(
                    f"loss: got a value of shape {jnp.shape(values)[1:]} for one datapoint, "
                    "expected one number (shape ())"
                )
            info = {**jax.tree.map(mean_of_datapoints, info), "control_loss": control_loss}
            return mean_of_datapoints(values), {_ASIDE: (estimates, signal), **info}

        move_params = gradient_step(of_batch, optimizer, ema_decay=ema_decay)
        state, info = move_params(state, key, batch)
        estimates, signal = info.pop(_ASIDE)
        moves, control_opt_state = control_optimizer.update(
            signal, state.control_opt_state, state.estimator
        )
        held = estimator.update(optax.apply_updates(state.estimator, moves), estimates)
        # As a sum of float32 it travels between devices with the gradients; a bit would go alone.
        broken = jnp.sum(~estimates.all_finite, dtype=jnp.float32)
        info["all_finite"] &= (broken == 0) & jnp.isfinite(
            info["control_loss"] + optax.tree.norm(signal)
        )
        return dataclasses.replace(state, estimator=held, control_opt_state=control_opt_state), info

    return update
