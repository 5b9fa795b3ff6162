"""One step down the gradient of a loss."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import optax
from flax import struct

from jaxgen.train.average import in_float32_at_least, move_average, start_average
from jaxgen.train.loss import sees_step
from jaxgen.types import Info, Key, Params

Update: TypeAlias = Callable[[Any, Key, Any], tuple[Any, Info]]
"""`(state, key, batch) -> (state, info)`: one change of the state, to be scanned or sharded."""


@struct.dataclass
class TrainState:
    """All that one player's training carries from step to step.

    Attributes:
      params: what the optimizer changes.
      opt_state: the optimizer's own state.
      ema: exponential moving average of the params, in float32 at least, or None if none is kept.
      step: number of updates made, an int32 scalar.
    Example:
      >>> state = init_state(jnp.zeros(3), optax.adam(1e-3))
      >>> state.params.shape, int(state.step), state.ema
      ((3,), 0, None)
    """

    params: Params
    opt_state: optax.OptState
    ema: Any
    step: Any


def init_state(
    params: Params, optimizer: optax.GradientTransformation, *, ema: bool = False
) -> TrainState:
    """Returns the state before the first step.

    Every leaf is a copy with a buffer of its own, so that an update may donate the state: neither
    the caller's `params` nor two aliases of one array can be lost with it. None is weakly typed (as
    `jnp.asarray(0.5)` is), which the first update would change, and so compile twice.

    Args:
      params: the initial params.
      optimizer: any optax transformation, clipping and schedules included.
      ema: whether to keep an average of the params, for `gradient_step(..., ema_decay=...)`.
    Raises:
      ValueError: `params` has linen's `params` beside other collections (batch statistics, ...),
        which are no optimizer's to change: see `init_player`.
    Example:
      >>> params = nn.Dense(2).init(jax.random.key(0), jnp.ones(3))
      >>> state = init_state(params, optax.adam(1e-3), ema=True)
      >>> int(state.step)
      0
    """
    refuse_collections(params)
    state = TrainState(
        params=params,
        opt_state=optimizer.init(params),
        ema=start_average(params) if ema else None,
        step=jnp.zeros((), jnp.int32),
    )
    return with_own_buffers(state)


def with_own_buffers(tree: Any) -> Any:
    """Returns a copy of `tree`, no leaf of it weakly typed nor in the same buffer as another."""
    return jax.tree.map(lambda leaf: jnp.array(leaf, jnp.result_type(leaf), copy=True), tree)


def refuse_collections(params: Params) -> None:
    """Raises if `params`, or a mapping within, is linen variables with collections of its own."""
    if not isinstance(params, Mapping):
        return
    others = sorted(map(str, params.keys() - {"params"}))
    if "params" in params and others:
        raise ValueError(
            f"params: got the collections {', '.join(others)} beside params, which the optimizer "
            "would move; expected params alone. A player of a game (init_player) carries them"
        )
    for tree in params.values():
        refuse_collections(tree)


def gradient_step(
    loss: Callable[..., tuple[jax.Array, Info]],
    optimizer: optax.GradientTransformation,
    *,
    ema_decay: float | None = None,
) -> Update:
    """Returns the update that moves the params one optimizer step down the gradient of `loss`.

    Its info is the loss's own, with three entries added: `loss` (in the loss's unit), `grad_norm`
    (the Euclidean norm of the whole gradient, before the optimizer touches it) and `all_finite`
    (whether both of these are finite; a NaN or an infinity in any gradient shows in the norm).

    A step that is not finite still returns the state it computed. Nothing is hidden: the loop reads
    `all_finite`, stops, and has its last checkpoint. To skip such steps instead, wrap the
    optimizer in `optax.apply_if_finite`; the info still tells.

    The average is bias-corrected as in Adam: after t steps `ema` is the mean of the t params seen,
    the one k steps back weighted by decay^k, and the initial params have no part in it. Until the
    first step it holds a copy of the initial params. It is kept in float32 at least: a weight of
    .001 is lost in half precision.

    Args:
      loss: `(params, key, batch) -> (scalar, info)`; if it declares a keyword-only parameter
        `step`, it is given the number of updates made so far: for a weight that warms up, a penalty
        of every sixteenth step.
      optimizer: the transformation that `init_state` was given.
      ema_decay: weight of the past in the average, in (0, 1); None if the state keeps none.
    Raises:
      ValueError: ema_decay is outside (0, 1), or the state keeps an average without a decay or the
        reverse; `loss` returns no scalar.
    Example:
      >>> def loss(params, key, batch):  # to be lowered
      ...     return jnp.mean((batch - params) ** 2), {"largest": jnp.max(batch)}
      >>> sgd = optax.sgd(0.1)
      >>> update = jax.jit(gradient_step(loss, sgd, ema_decay=0.999), donate_argnums=0)
      >>> state = init_state(jnp.float32(0.0), sgd, ema=True)
      >>> state, info = update(state, jax.random.key(0), jnp.ones(4))
      >>> float(state.params), float(info["loss"]), float(info["grad_norm"])
      (0.2, 1.0, 2.0)
    Source: Kingma & Ba (2015), "Adam", section 3, for the bias correction.
    """
    if ema_decay is not None and not 0.0 < ema_decay < 1.0:
        raise ValueError(f"ema_decay: got {ema_decay}, expected a number in (0, 1) or None")
    with_step = sees_step(loss)

    def update(state: TrainState, key: Key, batch: Any) -> tuple[TrainState, Info]:
        if (state.ema is None) != (ema_decay is None):
            kept = "no average" if state.ema is None else "an average"
            raise ValueError(
                f"ema_decay: got {ema_decay} for a state that keeps {kept}, expected init_state's "
                "ema=True together with a decay, or neither"
            )
        seen = {"step": state.step} if with_step else {}
        try:
            grad = jax.value_and_grad(loss, has_aux=True)
            (value, info), grads = grad(state.params, key, batch, **seen)
        except TypeError:
            shape = jax.eval_shape(loss, state.params, key, batch, **seen)[0].shape
            if shape == ():
                raise
            raise ValueError(
                f"loss: got shape {shape}, expected one number (shape ()); average the "
                "datapoints' values first"
            ) from None
        updates, opt_state = optimizer.update(grads, state.opt_state, state.params)
        params = optax.apply_updates(state.params, updates)
        step = state.step + 1
        ema = None
        if ema_decay is not None:
            ema = move_average(state.ema, params, step, ema_decay)
        # Measured on a CPU, the barrier (norm after update) halves what the norm costs a step.
        grads, params = jax.lax.optimization_barrier((grads, params))
        grads = jax.tree.map(in_float32_at_least, grads)
        # No vdot: a product is rounded by accelerators, and on a CPU takes a quarter longer.
        grad_norm = jnp.sqrt(sum(jnp.sum(jnp.square(g)) for g in jax.tree.leaves(grads)))
        all_finite = jnp.isfinite(value) & jnp.isfinite(grad_norm)
        info = {**info, "loss": value, "grad_norm": grad_norm, "all_finite": all_finite}
        moved = {"params": params, "opt_state": opt_state, "ema": ema, "step": step}
        return dataclasses.replace(state, **moved), info

    return update
