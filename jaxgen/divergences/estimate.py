"""An f-divergence estimated from samples: a trained critic's bound on samples it never saw."""

from __future__ import annotations

from collections.abc import Callable
from statistics import NormalDist
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float

from jaxgen.checks import between_0_and_1
from jaxgen.divergences.critic import split_held_out, train_critic
from jaxgen.divergences.f_divergence import FDivergence
from jaxgen.divergences.sample_terms import SampleTerms
from jaxgen.divergences.variational import variational_bound
from jaxgen.numerics import all_finite, highest_precision
from jaxgen.pairwise import Samples, sample_sets
from jaxgen.types import Key, Params, Scalar
from jaxgen.values import known_by_call


class BoundEstimate(NamedTuple):
    """A lower bound on D_f(p || q) from samples.

    Attributes:
      value: the mean of the held-out terms: unbiased for the bound that this critic gives, which is
        at most the divergence.
      lower: end of the interval for that bound; below the divergence with the confidence of a
        one-sided interval.
      upper: its other end. The divergence may well be above it: the critic may be poor.
      stderr: of the value.
      params: of the critic.
      training_bounds: on each training batch; far above `value` where the critic has overfitted.
      all_finite: whether all of these, and the samples, are finite.
    Example:
      >>> xs = jax.random.normal(jax.random.key(0), (200, 1))
      >>> init, apply = lambda key: jnp.zeros(1), lambda w, x: x @ w
      >>> found = estimate(
      ...     jax.random.key(1), xs, xs, DIVERGENCES["jensen_shannon"], init, apply, num_steps=5
      ... )
      >>> bool(found.lower <= found.value <= found.upper), bool(found.all_finite)
      (True, True)
    """

    value: Scalar
    lower: Scalar
    upper: Scalar
    stderr: Scalar
    params: Params
    training_bounds: Float[Array, "steps"]
    all_finite: Bool[Array, ""]


def estimate(
    key: Key,
    p_samples: Samples,
    q_samples: Samples,
    divergence: FDivergence,
    init: Callable[[Key], Params],
    apply: Callable[[Params, Array], Float[Array, "n"]],
    *,
    bound: Callable[[Array, Array, FDivergence], SampleTerms] = variational_bound,
    optimizer: optax.GradientTransformation | None = None,
    num_steps: int = 1000,
    batch_size: int = 256,
    held_out: float = 0.5,
    confidence: float = 0.95,
) -> BoundEstimate:
    """Trains a critic on one part of the samples and bounds the divergence with the other.

    The interval is the normal approximation's: too short where the terms have heavy tails, as those
    of KL and Pearson have for critics that reach far above zero at samples of q. There the estimate
    explodes: a critic whose outputs are bounded keeps it finite, and is a bound as well.

    Args:
      p_samples: the data; the samples may have any one shape.
      q_samples: of the model; as many or not.
      init: key to the critic's params.
      apply: `(params, samples) -> v`, [n], any real numbers.
      bound: `activated_bound` for f-GAN's activations; total variation needs it.
      optimizer: Adam with a step of 1e-3 if not given.
      num_steps: of training.
      batch_size: samples of p, and as many of q, in a step.
      held_out: part of each set for the bound.
      confidence: of the two-sided interval.
    Raises:
      ValueError: samples of unlike shape, too few of them, a critic without one output per sample,
        a count below one, a part or confidence not between 0 and 1, or the canonical bound of a
        divergence with a kink, which has no gradient.
    Example:
      >>> xs = jax.random.normal(jax.random.key(0), (500, 1))
      >>> init, apply = lambda key: jnp.zeros(2), lambda w, x: w[0] * x[:, 0] + w[1]
      >>> found = estimate(
      ...     jax.random.key(1),
      ...     xs + 1,
      ...     xs,
      ...     DIVERGENCES["kl"],
      ...     init,
      ...     apply,
      ...     optimizer=optax.adam(0.05),
      ... )
      >>> bool(found.lower < 0.5)  # KL(N(1, 1) || N(0, 1)), whatever the critic
      True
    Source: Nguyen et al. (2010), "Estimating divergence functionals and the likelihood ratio by
      convex risk minimization"; Nowozin et al. (2016), "f-GAN", section 2.2.
    """
    xs, ys = sample_sets(2, p_samples=p_samples, q_samples=q_samples)
    between_0_and_1("confidence", confidence)
    if divergence.curvature is None and bound is variational_bound:
        raise ValueError(
            f"bound: got variational_bound for {divergence.name}, a step in the critic's output "
            "that no gradient can climb; expected activated_bound"
        )
    key_split, key_train = jax.random.split(key)
    train, rest = split_held_out(key_split, xs, ys, held_out, (len(xs), len(ys)))
    critic = train_critic(
        key_train,
        *train,
        _bound_of(divergence, bound),
        init,
        apply,
        optimizer=optimizer,
        num_steps=num_steps,
        batch_size=batch_size,
    )
    outputs = highest_precision(jax.jit(apply, inline=True))
    v_p, v_q = (outputs(critic.params, samples) for samples in rest)
    terms = bound(v_p, v_q, divergence)
    stderr = jnp.sqrt(sum(jnp.var(side, ddof=1) / len(side) for side in terms))
    width = NormalDist().inv_cdf(0.5 + confidence / 2) * stderr
    lower, upper = terms.value - width, terms.value + width
    return BoundEstimate(
        value=terms.value,
        lower=lower,
        upper=upper,
        stderr=stderr,
        params=critic.params,
        training_bounds=critic.bounds,
        all_finite=all_finite((xs, ys, lower, upper, critic)),
    )


@known_by_call
def _bound_of(
    divergence: FDivergence, bound: Callable[[Array, Array, FDivergence], SampleTerms]
) -> Callable[[Array, Array], SampleTerms]:
    """Returns the bound of one divergence: the same value again, so that nothing compiles anew."""
    return lambda v_p, v_q: bound(v_p, v_q, divergence)
