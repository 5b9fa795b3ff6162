"""MuProp: the first-order Taylor expansion of f at the mean of q as a control variate."""

from __future__ import annotations

from typing import Any

import distrax
import jax
import jax.numpy as jnp
from jaxtyping import Array
from tensorflow_probability.substrates import jax as tfp

from jaxgen.estimators.base import Integrand
from jaxgen.estimators.control_variates.base import Baseline, Control
from jaxgen.estimators.discrete import innermost
from jaxgen.types import Distribution
from jaxgen.values import known_by_call


@known_by_call
def muprop() -> Baseline:
    """Returns the control variate h(z) = f(m) + f'(m) (z - m), m = E_q[z] (the delta method).

    Its mean is known, grad E_q[h] = f'(m) grad m, so the gradient is that of the mean-field network
    plus the score function of what the expansion misses. f must accept m: a differentiable f of
    floats, where the latents are Bernoulli, one-hot or continuous. Costs one evaluation of f and
    one derivative.

    Raises:
      ValueError: q has no mean (an integer Categorical), or one that is no expectation (an angle).
    Example:
      >>> score_function(1, baseline=muprop())
    Source: Gu et al. (2016).
    """

    def apply(
        state: Any, f: Integrand, q: Distribution, samples: Array, values: Array, context: Any
    ) -> Control:
        mean = _mean(q)
        center = jax.lax.stop_gradient(mean)
        value, slope = jax.lax.stop_gradient(jax.value_and_grad(f)(center))
        exact = jax.lax.Precision.HIGHEST
        rise = jnp.tensordot(samples - center, slope, axes=slope.ndim, precision=exact)
        return Control(value + rise, mean=jnp.vdot(slope, mean, precision=exact))

    return Baseline(apply, evaluations=1)


def _mean(q: Any) -> Array:
    latent = innermost(q)
    if isinstance(latent, tfp.distributions.VonMises):
        raise ValueError(
            f"q: got {type(latent).__name__}, whose mean() is a direction, expected a distribution "
            "whose mean() is E_q[z]: muprop needs the expectation of a linear function of z"
        )
    try:
        return jnp.asarray(
            latent.probs if isinstance(latent, distrax.OneHotCategorical) else q.mean()
        )
    except (AttributeError, NotImplementedError):
        raise ValueError(
            f"q: got {type(latent).__name__}, expected a distribution with a mean (for categories, "
            "distrax.OneHotCategorical): muprop expands f there"
        ) from None
