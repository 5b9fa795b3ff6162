"""The reparameterization trick: differentiate through the sample."""

from __future__ import annotations

from collections.abc import Hashable
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
from jaxgen.estimators.evaluation import evaluate, finite, parameters
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
        values = evaluate(f, samples)
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
        weights of a mixture, the logits of a Bernoulli cast to float. Jumps are seen only in a q
        that is a pytree of its parameters, as distrax's and TFP's are.
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
    leaves, tree = jax.tree.flatten(q)
    if " at 0x" in str(tree):  # the address of a function or an object, which may hold tracers
        return _find_jumps(key, q)
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

    Read off the traced programs of sampling and of its derivative; nothing is computed.
    """
    params, rebuild = parameters(q)
    seed = jax.ShapeDtypeStruct(key.shape, key.dtype)

    def draw(params: dict[int, Array], seed: Key) -> Array:
        return rebuild(params).sample(seed=seed)

    def derivative(tangents: dict[int, Array], seed: Key) -> Array:
        return jax.jvp(lambda params: draw(params, seed), (params,), (tangents,))[1]

    value, slope = (jax.make_jaxpr(f)(params, seed).jaxpr for f in (draw, derivative))
    return any(_reaches(value, i) and not _reaches(slope, i) for i in range(len(params)))


def _reaches(program: Any, argument: int) -> bool:
    """Whether the output of a jaxpr depends on its argument of that number."""
    reached = {program.invars[argument]}
    for equation in program.eqns:
        if any(not isinstance(v, Literal) and v in reached for v in equation.invars):
            reached.update(equation.outvars)
    return any(not isinstance(v, Literal) and v in reached for v in program.outvars)
