"""The Concrete or Gumbel-softmax relaxation: differentiate through softened samples."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from jaxgen.checks import at_least, positive
from jaxgen.estimators.base import Estimate, Estimator, Objective, evaluate, finite
from jaxgen.estimators.logits import relaxable
from jaxgen.types import Distribution, Key, Scalar


def relaxed(num_samples: int = 1, *, temperature: float = 0.5) -> Estimator:
    """Returns the estimator grad 1/S sum_s f(soften(z_s / t)), z_s = logits + noise_s.

    soften is the sigmoid (the binary Concrete) or the softmax. Both value and gradient are those
    of E[f(relaxed z)], not of E_q[f]: biased unless f is constant. The bias vanishes as t falls,
    but not steadily, and the variance grows (on Tucker's toy, t = .45, logit .3, the gradient is
    8%, 30% and 14% too large at t = 1, .5, .1). f must accept floats between 0 and 1.

    Args:
      num_samples: S, draws of z and evaluations of f per call.
      temperature: t > 0, the width of the softened step in units of the logits.
    Raises:
      ValueError: num_samples is below one, temperature not above zero; q is neither Bernoulli nor
        one-hot categorical.
    Example:
      value, _ = relaxed(64).apply((), key, f, distrax.Bernoulli(logits))
    Source: Jang et al. (2017), equation 2; Maddison et al. (2017), section 3.
    """
    num_samples = at_least("num_samples", num_samples, 1)
    temperature = positive("temperature", temperature)

    def apply(
        state: Any, key: Key, f: Objective, q: Distribution, context: Any = None
    ) -> tuple[Scalar, Estimate]:
        latent = relaxable(q)
        logits = latent.logits
        z = logits + latent.noise(key, (num_samples, *logits.shape), logits.dtype)
        values = evaluate(f, latent.soften(z / temperature))
        estimate = Estimate(jax.lax.stop_gradient(values), finite(q, values))
        return jnp.mean(values), estimate

    return Estimator(
        name="relaxed",
        init=lambda key, q, context=None: (),
        apply=apply,
        update=lambda state, estimates: state,
        unbiased=False,
        accepts="Bernoulli or one-hot categorical",
        evaluations=num_samples,
    )
