"""The reparameterization trick: differentiate through the sample."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any

import distrax
import jax
import jax.numpy as jnp
from jax.extend.core import Literal
from jaxtyping import Array

from jaxgen.bounds import ELBO, Bound
from jaxgen.checks import at_least
from jaxgen.estimators.base import Estimate, Estimator, Integrand
from jaxgen.estimators.discrete import innermost
from jaxgen.estimators.evaluation import evaluate, finite, one_value, parameters
from jaxgen.estimators.held import may_hide_parameters
from jaxgen.types import Distribution, Key, Scalar
from jaxgen.values import known_by_call


@known_by_call
def pathwise(num_samples: int = 1, *, bound: Bound = ELBO) -> Estimator:
    """Returns the estimator grad 1/S sum_s f(z_s), z_s = g(noise_s; params of q).

    Unbiased where f is differentiable and z is a differentiable transformation of noise that does
    not depend on the params (Gaussian, logistic, their flows, implicitly reparameterized gamma).
    Usually the lowest variance of all for smooth f; useless where f is a step. Derivatives of any
    order are right. With another bound than the mean of f, the estimator of grad E[bound]. The
    score of a log q inside f stays in: see `sticking_the_landing`.

    Args:
      num_samples: S, draws of z and evaluations of f per call.
      bound: how the S values of f are joined.
    Raises:
      ValueError: num_samples is below one; the samples of q carry no gradient in one of its
        parameters (a discrete q, the weights of a mixture).
    Example:
      >>> def loss(mean, key):
      ...     return pathwise(64).apply((), key, lambda z: z**2, distrax.Normal(mean, 1.0))[0]
      >>> jax.grad(loss)(0.5, jax.random.key(0))  # exactly: 1
    Source: Kingma & Welling (2014), section 2.4; Mohamed et al. (2020), section 5.
    """
    num_samples = at_least("num_samples", num_samples, 1)

    def apply(
        state: Any, key: Key, f: Integrand, q: Distribution, context: Any = None
    ) -> tuple[Scalar, Estimate]:
        samples = reparameterized_samples(key, q, num_samples)
        # Called from here: a trace from a loss to its likelihood has a frame less.
        values = one_value(f(samples[0])) if num_samples == 1 else evaluate(f, samples)
        return bound(values), Estimate(jax.lax.stop_gradient(values), finite(q, values))

    return Estimator(
        name="pathwise",
        apply=apply,
        unbiased=True,
        accepts="any reparameterizable distribution",
        evaluations=num_samples,
        bound=bound,
    )


def reparameterized_samples(key: Key, q: Distribution, num_samples: int) -> Array:
    """Returns `num_samples` draws from q (leading axis), differentiable in its params.

    Raises:
      ValueError: the draws are integers, or some parameter of q moves them only in jumps: the
        weights of a mixture, the logits of a Bernoulli cast to float.
    Example:
      >>> q = distrax.Gamma(2.0, 1.0)
      >>> z = reparameterized_samples(jax.random.key(0), q, 64)  # by implicit reparameterization
    """
    samples = q.sample(seed=key, sample_shape=(num_samples,))
    if not jnp.issubdtype(samples.dtype, jnp.floating):
        came = f"samples of {samples.dtype}"
    elif _has_jumps(key, q):
        came = "samples that some parameter moves only in jumps"
    else:
        return samples
    raise ValueError(
        f"q: got {came} from {type(q).__name__}, expected a reparameterizable distribution; for a "
        "discrete q use the score function or a relaxation"
    )


_GAUSSIANS = (distrax.Normal, distrax.MultivariateNormalDiag)
_KNOWN_JUMPS: dict[Hashable, bool] = {}
"""Whether a q has jumps, by its structure: tracing its sampler takes longer than sampling."""


def _has_jumps(key: Key, q: Distribution) -> bool:
    if type(innermost(q)) in _GAUSSIANS:
        return False
    if may_hide_parameters(q):
        return _find_jumps(key, q)
    leaves, tree = jax.tree.flatten(q)
    kinds = ((x.shape, x.dtype) if hasattr(x, "dtype") else x for x in leaves)
    structure = (tree, *kinds)
    try:
        known = _KNOWN_JUMPS.get(structure)
    except (TypeError, ValueError):  # something in it is not hashable, or cannot be compared
        return _find_jumps(key, q)
    if known is None:
        known = _KNOWN_JUMPS[structure] = _find_jumps(key, q)
    return known


def _find_jumps(key: Key, q: Distribution) -> bool:
    """Whether a parameter changes the samples and yet, structurally, not their derivative.

    Read off the traced programs of sampling and of its derivative; nothing is computed. What q
    hides in functions is found where sampling captures it, if a gradient is taken in it.
    """
    params, rebuild = parameters(q)
    draw, hidden = jax.closure_convert(
        lambda seed, params: rebuild(params).sample(seed=seed), key, params
    )
    inputs = (params, *hidden)
    count = len(jax.tree.leaves(inputs))
    seed = jax.ShapeDtypeStruct(key.shape, key.dtype)

    def derivative(tangents: Any, seed: Key) -> Array:
        return jax.jvp(lambda params, *hidden: draw(seed, params, *hidden), inputs, tangents)[1]

    value = jax.make_jaxpr(lambda inputs, seed: draw(seed, *inputs))(inputs, seed).jaxpr
    slope = jax.make_jaxpr(derivative)(inputs, seed).jaxpr
    return any(
        _reaches(value, i, lambda v: True) and not _reaches(slope, i, _floating)
        for i in range(count)
    )


def _floating(variable: Any) -> bool:
    """Whether it may be a derivative: integers and truth values have none."""
    return jnp.issubdtype(variable.aval.dtype, jnp.floating)


def _reaches(program: Any, argument: int, may_carry: Callable[[Any], bool]) -> bool:
    """Whether the output of a jaxpr depends on its argument of that number."""
    return any(_reached(program, {program.invars[argument]}, may_carry))


def _reached(program: Any, reached: set, may_carry: Callable[[Any], bool]) -> list[bool]:
    """Which outputs of a jaxpr depend on the variables `reached`, by way of what may carry it."""

    def told(variables: Any) -> list[bool]:
        return [not isinstance(v, Literal) and v in reached for v in variables]

    for equation in program.eqns:
        inputs = told(equation.invars)
        if not any(inputs):
            continue
        outputs = [True] * len(equation.outvars)
        if equation.primitive.name in ("jit", "pjit"):
            inner = equation.params["jaxpr"].jaxpr
            start = {v for v, is_reached in zip(inner.invars, inputs, strict=True) if is_reached}
            outputs = _reached(inner, start, may_carry)
        pairs = zip(equation.outvars, outputs, strict=True)
        reached |= {v for v, is_reached in pairs if is_reached and may_carry(v)}
    return told(program.outvars)
