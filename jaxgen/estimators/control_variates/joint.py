"""The pathwise gradient of a minibatch, less the noise of its data and of its draws at once."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from jax.core import Tracer
from jaxtyping import Array, Float, Int

from jaxgen.array_checks import of_shape
from jaxgen.checks import at_least
from jaxgen.estimators.base import Estimate, Estimator, Integrand, check_state
from jaxgen.estimators.control_variates.quadratic import expansion, moments, quadratic_control
from jaxgen.estimators.evaluation import evaluate, finite, first_derivative_only
from jaxgen.estimators.held import without_score
from jaxgen.estimators.pathwise import reparameterized_samples
from jaxgen.types import Distribution, Key, Scalar
from jaxgen.values import known_by_call


@struct.dataclass
class JointState:
    """The expansion t_n(z) = b_n z + z^T B_n z / 2 of each datapoint when it was last seen.

    Attributes:
      slopes: b, [N, D]; zero before.
      curvatures: B, [N, D, D].
    Example:
      >>> state = joint(num_data=5).init(jax.random.key(0), distrax.Normal(0.0, 1.0))
      >>> state.curvatures.shape
      (5, 1, 1)
    """

    slopes: Any
    curvatures: Any

    def slope_at(self, z: Float[Array, "d"]) -> Float[Array, "*n d"]:
        """Returns b + B z: a sum, which no accelerator rounds."""
        return self.slopes + jnp.sum(self.curvatures * z, axis=-1)


@known_by_call
def joint(num_samples: int = 1, *, num_data: int) -> Estimator:
    """Returns the estimator grad [1/S sum_s (f_n(z_s) - t_n(z_s)) + 1/N sum_m E_q t_m].

    Its mean over n is that of grad E_q f_n, for one q of all data, as of a model's parameters;
    `context` is n. t_n is f_n's quadratic expansion at q's mean when n was last seen, zero before.
    Unbiased whatever the t are, if n is drawn uniformly and anew each time, not in shuffled epochs.
    The gradient's noise of n goes with that of z, all of it where the f_n are quadratic and all
    were seen; the value keeps that of f_n at the mean. The source keeps q's parameters of that time
    and differentiates t_n there, this at the present ones. What f_n itself depends on keeps its
    noise; in an f with a parameter q, log q is held. An index past the end gives NaN under jit.

    Args:
      num_samples: S, draws of z per call. f is evaluated S + 1 + D times for D latents, and N D²
        numbers are kept, so for few latents.
      num_data: N.
    Raises:
      ValueError: num_samples or num_data is below one; the context is no index of a datapoint; the
        state is (), or of another size; q is not reparameterizable, or does not say its mean and
        its variance.
    Example:
      >>> x, key, estimator = jnp.array([1.0, 2.0, 6.0]), jax.random.key(0), joint(num_data=3)
      >>> def loss(mean, state, n):
      ...     f, q = lambda z: (z - x[n]) ** 2, distrax.Normal(mean, 1.0)
      ...     return estimator.apply(state, key, f, q, n)
      >>> state = estimator.init(key, distrax.Normal(0.5, 1.0))
      >>> seen = jax.vmap(lambda n: loss(0.5, state, n)[1])(jnp.arange(3))
      >>> state = estimator.update(state, seen)
      >>> print(jax.grad(lambda mean: loss(mean, state, jnp.array(2))[0])(0.5))  # 2 (0.5 - 3)
      -5.0
    Source: Wang et al. (2024).
    """
    num_samples = at_least("num_samples", num_samples, 1)
    num_data = at_least("num_data", num_data, 1)

    def init(key: Key, q: Distribution, context: Any = None) -> JointState:
        size = moments(q)[0].size
        return JointState(jnp.zeros((num_data, size)), jnp.zeros((num_data, size, size)))

    def apply(
        state: Any, key: Key, f: Integrand, q: Distribution, context: Any = None
    ) -> tuple[Scalar, Estimate]:
        check_state(state, init, q, context)
        index = _index(context, num_data)
        held = without_score(f, q)
        samples = reparameterized_samples(key, q, num_samples)
        values = evaluate(held, samples)
        center = jax.lax.stop_gradient(moments(q)[0])
        size = center.size
        of_shape("state.slopes", state.slopes, (num_data, size))
        of_shape("state.curvatures", state.curvatures, (num_data, size, size))
        slope, curvature, known = expansion(held, center, samples.shape[1:])

        seen = jax.lax.stop_gradient(state)
        own = jax.tree.map(lambda t: jnp.take(t, index, 0, mode="fill", fill_value=jnp.nan), seen)
        mean = jax.tree.map(lambda t: t.mean(0), seen)
        at_center = own.slope_at(center)
        control = quadratic_control(q, samples, at_center, own.curvatures)
        # At q's mean itself the control is -E_q t: E_q t_n gives way to the mean of all E_q t.
        apart = at_center - mean.slope_at(center), own.curvatures - mean.curvatures
        surrogate = jnp.mean(values) - control + quadratic_control(q, center[None], *apart)
        if held is not f:
            surrogate = first_derivative_only(surrogate, samples)
        at_zero = slope - jnp.sum(curvature * center, axis=-1)
        known &= jnp.all(jnp.isfinite(at_zero))
        news = jnp.where(known, index, num_data), at_zero, curvature
        all_finite = finite(q, values, at_center) & known
        return surrogate, Estimate(jax.lax.stop_gradient(values), all_finite, news)

    def update(state: JointState, estimates: Estimate) -> JointState:
        index, slope, curvature = estimates.statistics  # an index past the end is dropped
        return JointState(
            state.slopes.at[index].set(slope, mode="drop"),
            state.curvatures.at[index].set(curvature, mode="drop"),
        )

    return Estimator(
        name="joint",
        apply=apply,
        unbiased=True,
        accepts="any reparameterizable distribution with a mean and a variance, one for all data",
        evaluations=lambda q: num_samples + 1 + moments(q)[0].size,
        init=init,
        update=update,
    )


def _index(context: Any, num_data: int) -> Int[Array, ""]:
    dtype = getattr(context, "dtype", type(context))
    if (
        not jnp.issubdtype(dtype, jnp.integer)
        or np.shape(context)
        or not (isinstance(context, Tracer) or 0 <= int(context) < num_data)
    ):
        raise ValueError(
            f"context: got {context}, expected the index of a datapoint, 0 to {num_data - 1}"
        )
    return jnp.asarray(context, int)  # a byte would not hold what is past the end
