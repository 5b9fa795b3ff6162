"""The score function with a control variate through the continuous z behind a discrete b."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from jaxgen.checks import at_least
from jaxgen.estimators.base import Estimate, Estimator, Integrand, check_state
from jaxgen.estimators.discrete import Latent, relaxable
from jaxgen.estimators.evaluation import evaluate, finite, with_gradient
from jaxgen.estimators.held import without_score
from jaxgen.types import Distribution, Key, Scalar


def relaxed_control(
    num_samples: int,
    *,
    name: str,
    init: Callable[..., Any],
    control: Callable[[Any, Integrand, Latent, Array, Any], Array],
    evaluations_per_sample: int,
) -> Estimator:
    """Returns the estimator (f(b) - c(z)) dlog q(b) + dc(z) - dc(z~), d in the logits.

    z = logits + noise, b = harden(z), z~ ~ p(z | b). Unbiased for any c: what E[c(z~) dlog q(b)]
    takes out, E[dc(z) - dc(z~)] puts back. The noise of z~ is coupled to that of z such that z~ = z
    (common random numbers), which no expectation sees: c and its slope are evaluated once, and
    the two paths differ only in how z and z~ move with the logits.

    The parameters of c are the state. The Estimate's `control_loss` is the estimate's squared norm.
    Its gradient in the state is an unbiased estimate of that of sum_j Var(estimate_j) over the
    logits j, since the mean does not depend on the state; it has no gradient in anything else.

    Args:
      num_samples: S, draws of b.
      name: the estimator's name.
      init: `(key, q, context) -> state`.
      control: `(state, f, latent, z, context) -> c(z)`, differentiable in state and z.
      evaluations_per_sample: evaluations of f, the hard one and those in `control`.
    Raises:
      ValueError: num_samples is below one; q is neither Bernoulli nor one-hot categorical; the
        state is () and init makes another.
    Example:
      >>> def control(w, f, latent, z, context):
      ...     return w @ z
      >>> relaxed_control(1, name="linear", init=init, control=control, evaluations_per_sample=1)
    Source: Tucker et al. (2017), equation 7; Grathwohl et al. (2018), equation 7.
    """
    num_samples = at_least("num_samples", num_samples, 1)

    def apply(
        state: Any, key: Key, f: Integrand, q: Distribution, context: Any = None
    ) -> tuple[Scalar, Estimate]:
        latent = relaxable(q)
        check_state(state, init, q, context)
        logits = jax.lax.stop_gradient(latent.logits)
        z = logits + latent.noise(key, (num_samples, *logits.shape), logits.dtype)
        b = latent.harden(z)
        held = without_score(f, q)
        values = evaluate(held, b)

        def gradient(state: Any, z: Array, b: Array, value: Array) -> Array:
            c, slope = jax.value_and_grad(lambda z: control(state, held, latent, z, context))(z)
            return (value - c) * (b - latent.soften(logits)) + latent.residual(slope, z, logits)

        def squared_norm(state: Any) -> tuple[Scalar, Array]:
            # Of the average of S independent gradients, up to what does not depend on the state.
            grads = jax.vmap(gradient, in_axes=(None, 0, 0, 0))(state, z, b, values)
            return jnp.sum(grads**2) / float(num_samples**2), jnp.mean(grads, axis=0)

        (moment, grad), signal = jax.value_and_grad(squared_norm, has_aux=True)(state)
        surrogate = with_gradient(jnp.mean(values), grad, latent.logits)
        return surrogate, Estimate(
            jax.lax.stop_gradient(values),
            finite(q, values, grad, logits),
            control_loss=with_gradient(jax.lax.stop_gradient(moment), signal, state),
        )

    return Estimator(
        name=name,
        apply=apply,
        unbiased=True,
        accepts="Bernoulli or one-hot categorical",
        evaluations=evaluations_per_sample * num_samples,
        init=init,
    )
