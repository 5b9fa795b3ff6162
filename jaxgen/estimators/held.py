"""log q(z) with the parameters of q held: no gradient reaches what q is made of."""

from __future__ import annotations

import inspect
from typing import Any

import jax
from jaxtyping import Array

from jaxgen.bounds import ELBO, Bound
from jaxgen.estimators.base import Integrand
from jaxgen.estimators.evaluation import parameters
from jaxgen.types import Distribution


def without_score(f: Integrand, q: Distribution, bound: Bound = ELBO) -> Integrand:
    """Returns z -> f(z, q), the params of q held, for an f with a parameter named q; else f itself.

    In log q(z) at a sample z of q, the score grad log q(z) at fixed z has mean zero. Where the
    bound is linear in the values of f it may be left out, and it is almost always better to: near
    the posterior it is most of the variance. First derivatives only: second ones do need it. Under
    any other bound than a linear one the score counts, and f is returned as it is.

    Example:
      >>> p, q = distrax.Normal(1.0, 1.0), distrax.Normal(0.0, 1.0)
      >>> f = lambda z, q=q: p.log_prob(z) - q.log_prob(z)  # a log weight
      >>> evaluate(without_score(f, q), jnp.linspace(-1.0, 1.0, 5))
    Source: Roeder et al. (2017), section 3.
    """
    if not bound.linear or not has_parameter_q(f):
        return f
    of_sample = held(q)
    return lambda z: f(z, q=of_sample)


def has_parameter_q(f: Integrand) -> bool:
    """Returns whether f takes the q whose log q(z) it uses, besides the sample."""
    try:
        parameter = inspect.signature(f).parameters.get("q")
    except (TypeError, ValueError):  # some functions have no signature
        return False
    return parameter is not None and parameter.kind is not parameter.POSITIONAL_ONLY


def held(q: Distribution) -> Distribution:
    """Returns q for log q(z) alone, which has a gradient in z and none in q's parameters.

    `stop_gradient` does this for a pytree of parameters. Some distributions keep them in functions
    besides, where it does not reach them: bijectors with bound methods (distrax's DiagLinear, and
    so its MultivariateNormalDiag), a coupling's conditioner, lambdas. Of these, log q is traced,
    and what it captures is stopped.

    Example:
      >>> q = held(distrax.MultivariateNormalDiag(jnp.zeros(2), jnp.ones(2)))
      >>> q.log_prob(jnp.zeros(2))  # -log 2 pi
      Array(-1.8378, dtype=float32)
    """
    return _Held(q) if may_hide_parameters(q) else jax.lax.stop_gradient(q)


def may_hide_parameters(q: Distribution) -> bool:
    """Returns whether q may be made of more than the arrays that it shows as a pytree."""
    if not parameters(q)[0]:
        return True
    leaves, tree = jax.tree.flatten(q)
    # The address of a function or of an object, either of which may hold arrays.
    opaque = any(not hasattr(x, "dtype") and not isinstance(x, int | float) for x in leaves)
    return opaque or " at 0x" in str(tree)


class _Held:
    def __init__(self, q: Any):
        self._q = q

    @property
    def event_shape(self) -> tuple[int, ...]:
        return self._q.event_shape

    @property
    def batch_shape(self) -> tuple[int, ...]:
        return self._q.batch_shape

    def sample(self, *, seed: Any, sample_shape: Any = ()) -> Any:
        raise ValueError("q: got asked for samples inside f, expected for log_prob alone")

    def log_prob(self, value: Array) -> Array:
        log_prob, captured = jax.closure_convert(self._q.log_prob, value)
        return log_prob(value, *jax.lax.stop_gradient(captured))
