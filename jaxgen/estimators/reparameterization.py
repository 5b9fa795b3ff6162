"""Samples that are differentiable functions of the params of q, and the check that they are."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax.extend.core import Literal
from jaxtyping import Array

from jaxgen.estimators.base import parameters
from jaxgen.types import Distribution, Key


def reparameterized_samples(key: Key, q: Distribution, num_samples: int) -> Array:
    """Returns `num_samples` draws from q (leading axis), differentiable in its params.

    Raises:
      ValueError: the draws are integers, or some parameter of q moves them only in jumps: the
        weights of a mixture, the logits of a Bernoulli cast to float. Jumps are seen only in a q
        that is a pytree of its parameters, as distrax's and TFP's are.
    Example:
      z = reparameterized_samples(key, distrax.Gamma(2.0, 1.0), 64)  # implicit reparameterization
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


def _has_jumps(key: Key, q: Distribution) -> bool:
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
