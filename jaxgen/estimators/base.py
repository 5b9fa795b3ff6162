"""The contract that every estimator of grad E_q[f(z)] meets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from jaxgen.bounds import ELBO, Bound
from jaxgen.checks import one_distribution
from jaxgen.estimators.factors import innermost
from jaxgen.numerics import all_finite
from jaxgen.types import Distribution, Scalar

State = Any
Objective = Callable[[Array], Array]
"""One sample to one number (nats where it is a log ratio); it may depend on params itself."""


class Estimate(NamedTuple):
    """What an estimator saw of one datapoint; nothing in it carries a gradient.

    Attributes:
      values: f at each sample, in the unit of f.
      all_finite: whether every value and every density of q that was used is finite.
      statistics: what `update` folds into the next state; `()` for a stateless estimator.
    """

    values: Float[Array, "samples"]
    all_finite: Bool[Array, ""]
    statistics: Any = ()


class Estimator(NamedTuple):
    """A way to estimate grad E_q[f(z)], for one datapoint, with all its choices made.

    Attributes:
      name: the field's name for it.
      init: `(key, q, context) -> state`. `context` is what a learned control variate may look at
        besides the sample (a datapoint, say) or None. Stateless estimators return `()`.
      apply: `(state, key, f, q, context=None) -> (surrogate, estimate)`. Only reads the state. The
        surrogate's value is the Monte Carlo estimate of E_q[f] and its gradient, in whatever f and
        q depend on, is the estimate of the gradient. If the state holds learned parameters, the
        surrogate's gradient in the state is their training signal (of a loss to lower, whichever
        way f is to go) and is zero elsewhere.
      update: `(state, estimates) -> state`, with `estimates` of a whole batch (a leading axis):
        a baseline moves once a step and never sees the sample that it is subtracted from.
      unbiased: whether the gradient's expectation is the gradient of E_q[f].
      accepts: the distributions `q` may be, in words.
      evaluations: evaluations of f in one call of `apply`, or `q -> that` where it depends on the
        number of latents; `count_evaluations` reads either.
      bound: how the values of f are joined. With any but the ELBO, their mean, the value is no
        estimate of E_q[f]: it is the bound of f at the samples, and the gradient that of its mean.
    """

    name: str
    init: Callable[..., State]
    apply: Callable[..., tuple[Scalar, Estimate]]
    update: Callable[[State, Estimate], State]
    unbiased: bool
    accepts: str
    evaluations: int | Callable[[Distribution], int]
    bound: Bound = ELBO


def count_evaluations(estimator: Estimator, q: Distribution) -> int:
    """Returns the evaluations of f in one call of the estimator's `apply` with this q.

    Example:
      q = distrax.Independent(distrax.Bernoulli(jnp.zeros(8)), 1)
      count_evaluations(measure_valued(2), q)  # 2 (1 + 8)
    """
    count = estimator.evaluations
    return count(q) if callable(count) else count


def check_state(
    state: State, init: Callable[..., State], q: Distribution, context: Any = None
) -> None:
    """Refuses the state `()` for an estimator that has one: called as if it were stateless.

    Raises:
      ValueError: the state is (), and the one that `init` makes has arrays in it.
    Example:
      check_state((), moving_average().init, distrax.Normal(0.0, 1.0))  # raises
    """
    if not isinstance(state, tuple) or state:
        return
    if jax.tree.leaves(jax.eval_shape(lambda: init(jax.random.key(0), q, context))):
        raise ValueError(
            "state: got (), expected what init(key, q, context) returns: this estimator carries a "
            "state"
        )


def evaluate(f: Objective, samples: Array) -> Float[Array, "samples"]:
    """Returns f at each of `samples` (leading axis), differentiable in both.

    Raises:
      ValueError: f does not return one number per sample.
    Example:
      evaluate(lambda z: jnp.sum(z**2), jnp.ones((8, 3)))  # shape [8]
    """
    if len(samples) == 1:  # an axis of length one would cost XLA a transpose of every cotangent
        values = jax.tree.map(lambda value: jnp.asarray(value)[None], f(samples[0]))
    else:
        values = jax.vmap(f)(samples)
    shape = getattr(values, "shape", None)
    if shape is None or len(shape) != 1:
        came = "no array" if shape is None else f"shape {shape[1:]}"
        raise ValueError(f"f: got {came} for one sample, expected one number (shape ())")
    return values.astype(jnp.result_type(values, float))


def log_prob(q: Distribution, samples: Array) -> Float[Array, "samples"]:
    """Returns log q at each of `samples` (leading axis), in nats.

    Raises:
      ValueError: q is a batch of distributions, which has no one log probability.
    Example:
      log_prob(distrax.Independent(distrax.Bernoulli(jnp.zeros(3)), 1), jnp.ones((8, 3)))  # [8]
    """
    log_probs = q.log_prob(samples)
    one_distribution(q, log_probs.shape[1:])
    return log_probs


def parameters(
    q: Distribution,
) -> tuple[dict[int, Array], Callable[[dict[int, Array]], Distribution]]:
    """Returns the floating arrays that q is made of, and the way back from such arrays to a q.

    distrax's and TFP's distributions are pytrees of their parameters; of anything else the
    dictionary is empty.

    Example:
      params, rebuild = parameters(distrax.Normal(0.0, 1.0))
    """
    leaves, tree = jax.tree.flatten(q)

    def rebuild(params: dict[int, Array]) -> Distribution:
        return jax.tree.unflatten(tree, [params.get(i, leaf) for i, leaf in enumerate(leaves)])

    arrays = {i: leaf for i, leaf in enumerate(leaves) if hasattr(leaf, "dtype")}
    return {i: x for i, x in arrays.items() if jnp.issubdtype(x.dtype, jnp.floating)}, rebuild


def finite(q: Distribution, *arrays: Array) -> Bool[Array, ""]:
    """Returns whether q's own parameters, and `arrays` computed with them, are all finite.

    Logits are among the parameters of a q that was made of probabilities: 0 and 1 have none.
    """
    logits = getattr(innermost(q), "logits", ())
    return all_finite((parameters(q)[0], logits, arrays))
