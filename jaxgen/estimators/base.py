"""The contract that every estimator of grad E_q[f(z)] meets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
from jaxtyping import Array, Bool, Float

from jaxgen.bounds import ELBO, Bound
from jaxgen.types import Distribution, Key, Scalar
from jaxgen.values import Value

State = Any

Integrand = Callable[..., Array]
"""f: one sample to one number (nats where it is a log ratio). It may depend on params itself.

If f has a parameter named q, `def f(z, q=q): return log_joint(z) - q.log_prob(z)`, then it uses q
for log q(z) alone. One such f serves every estimator: each that draws hard samples hands it a q
whose params carry no gradient wherever the score of log q has mean zero (see `without_score`)."""


class Estimate(NamedTuple):
    """What an estimator saw of one datapoint.

    Attributes:
      values: f at each sample, in the unit of f; no gradient.
      all_finite: whether every value and every density of q that was used is finite.
      statistics: what `update` folds into the next state; `()` for a stateless estimator.
      control_loss: what the learned parameters in the state are to lower, whether f is climbed or
        lowered. It has a gradient in the state alone, and nothing else here has any.
    Example:
      >>> q, key = distrax.Bernoulli(0.3), jax.random.key(0)
      >>> _, estimate = score_function(3).apply((), key, lambda b: 2.0 * b, q)
      >>> estimate.values.shape
      (3,)
    """

    values: Float[Array, "samples"]
    all_finite: Bool[Array, ""]
    statistics: Any = ()
    control_loss: Scalar | float = 0.0


def no_state(key: Key, q: Distribution, context: Any = None) -> State:
    """Returns the state `()` of what carries none."""
    return ()


def unchanged(state: State, estimates: Estimate) -> State:
    """Returns the state as it is."""
    return state


class Estimator(Value):
    """A way to estimate grad E_q[f(z)], for one datapoint, with all its choices made.

    Equal calls make equal estimators, shown by their call: pass them by `static_argnums`. One that
    was made with an array, traced or not, works as any but is not hashable.

    Attributes:
      name: the field's name for it.
      apply: `(state, key, f, q, context=None) -> (surrogate, estimate)`. Only reads the state. The
        surrogate's value is the Monte Carlo estimate of E_q[f] and its gradient, in whatever f and
        q depend on, is the estimate of the gradient. It has no gradient in the state: what the
        state learns by gradient is `estimate.control_loss`, which `train.estimator_step` lowers.
      unbiased: whether the gradient's expectation is the gradient of E_q[f].
      accepts: the distributions `q` may be, in words.
      evaluations: evaluations of f in one call of `apply`, or `q -> that` where it depends on the
        number of latents; `count_evaluations` reads either.
      init: `(key, q, context=None) -> state`. `context` is what a learned control variate may look
        at besides the sample (a datapoint, say) or None. By default there is no state, `()`.
      update: `(state, estimates) -> state`, with `estimates` of a whole batch (a leading axis):
        a baseline moves once a step and never sees the sample that it is subtracted from.
      bound: how the values of f are joined. With any but the ELBO, their mean, the value is no
        estimate of E_q[f]: it is the bound of f at the samples, and the gradient that of its mean.
    Example:
      >>> estimator = score_function(8)
      >>> estimator, estimator.unbiased, estimator.accepts
      (score_function(8), True, 'any distribution')
    """

    name: str
    apply: Callable[..., tuple[Scalar, Estimate]]
    unbiased: bool
    accepts: str
    evaluations: int | Callable[[Distribution], int]
    init: Callable[..., State] = no_state
    update: Callable[[State, Estimate], State] = unchanged
    bound: Bound = ELBO


def count_evaluations(estimator: Estimator, q: Distribution) -> int:
    """Returns the evaluations of f in one call of the estimator's `apply` with this q.

    Example:
      >>> q = distrax.Independent(distrax.Bernoulli(jnp.zeros(8)), 1)
      >>> count_evaluations(measure_valued(2), q)  # 2 (1 + 8)
      18
    """
    count = estimator.evaluations
    return count(q) if callable(count) else count


def check_state(
    state: State, init: Callable[..., State], q: Distribution, context: Any = None
) -> None:
    """Raises if () is passed to an estimator that carries a state.

    Raises:
      ValueError: the state is (), and the one that `init` makes has arrays in it.
    Example:
      >>> check_state((), moving_average().init, distrax.Normal(0.0, 1.0))  # raises
    """
    if init is no_state or not isinstance(state, tuple) or state:
        return
    if jax.tree.leaves(jax.eval_shape(lambda: init(jax.random.key(0), q, context))):
        raise ValueError(
            "state: got (), expected what init(key, q, context) returns: this estimator carries a "
            "state"
        )
