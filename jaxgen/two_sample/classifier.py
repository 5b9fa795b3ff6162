"""Classifier two-sample tests: whether anything learned tells the two sets apart."""

from __future__ import annotations

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax
from jax.scipy.special import betainc
from jax.scipy.stats import norm
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from jaxgen.divergences import (
    DIVERGENCES,
    SampleTerms,
    split_held_out,
    train_critic,
    variational_bound,
)
from jaxgen.numerics import highest_precision, one_per_sample
from jaxgen.pairwise import Samples, sample_sets
from jaxgen.two_sample.result import TestResult, result
from jaxgen.types import Key, Params


def accuracy_test(
    scores_p: Float[ArrayLike, "..."], scores_q: Float[ArrayLike, "..."]
) -> TestResult:
    """Returns the test of p = q by how many held-out scores are on the right side of zero.

    The p-value is the chance of as many right among n + m fair coins: exact, beyond 4,000 of them
    by the normal law with its correction for steps. Where more than half are right it is no less
    than that of any fixed classifier on two equal sets drawn alike (Hoeffding 1956).

    Args:
      scores_p: of samples of p that the classifier has not seen, positive where it says p: [n].
      scores_q: of as many samples of q.
    Raises:
      ValueError: the scores are no vectors of one length.
    Example:
      >>> scores_p, scores_q = jnp.array([2.0, 1.0, 3.0, -1.0]), jnp.array([-1.0, -2.0, -1.0, -3.0])
      >>> outcome = accuracy_test(scores_p, scores_q)
      >>> float(outcome.statistic), float(outcome.p_value)  # 7 of 8 right: 9 / 2⁸
      (0.875, 0.03516)
    Source: Lopez-Paz & Oquab (2017), "Revisiting classifier two-sample tests", section 3; Kim et
      al. (2021), "Classification accuracy as a proxy for two-sample testing", section 2.
    """
    scores_p = one_per_sample("scores_p", scores_p)
    scores_q = one_per_sample("scores_q", scores_q)
    if scores_q.shape != scores_p.shape:
        raise ValueError(
            f"scores_q: got shape {scores_q.shape}, expected as many of q as of p, {scores_p.shape}"
        )
    total = 2 * len(scores_p)
    right = jnp.sum(scores_p > 0) + jnp.sum(scores_q <= 0)
    right = right.astype(scores_p.dtype)
    if total > 4000:  # where the incomplete beta function has lost its digits in float32
        tail = norm.sf((right - 0.5 - total / 2) / math.sqrt(total / 4))
    else:
        tail = betainc(jnp.maximum(right, 1.0), total - right + 1, 0.5)  # P(Binomial >= right)
    return result(right / total, jnp.where(right > 0, tail, 1.0), (scores_p, scores_q))


def classifier_test(
    key: Key,
    p_samples: Samples,
    q_samples: Samples,
    init: Callable[[Key], Params],
    apply: Callable[[Params, Array], Float[Array, "n"]],
    *,
    optimizer: optax.GradientTransformation | None = None,
    num_steps: int = 1000,
    batch_size: int = 256,
    held_out: float = 0.5,
) -> TestResult:
    """Trains a classifier on one part of the samples and tests p = q by its accuracy on the other.

    Trained by the logistic loss on batches with as many of p as of q, and held out as many of each.

    Args:
      p_samples: the data; the samples may have any one shape.
      q_samples: of the model; as many or not.
      init: key to the classifier's params.
      apply: `(params, samples) -> logits` that a sample is of p, [n].
      optimizer: Adam with a step of 1e-3 if not given.
      num_steps: of training.
      batch_size: samples of p, and as many of q, in a step.
      held_out: part of the smaller set to test on, and as many of the other.
    Raises:
      ValueError: samples of unlike shape, too few of them, a classifier without one output per
        sample, a count below one, or held_out not between 0 and 1.
    Example:
      >>> xs = jax.random.normal(jax.random.key(0), (400, 1))
      >>> init, apply = lambda key: jnp.zeros(2), lambda w, x: w[0] * x[:, 0] + w[1]
      >>> outcome = classifier_test(jax.random.key(1), xs + 2, xs, init, apply)
      >>> bool(outcome.p_value < 1e-6)
      True
    Source: Lopez-Paz & Oquab (2017), "Revisiting classifier two-sample tests", section 3.
    """
    xs, ys = sample_sets(2, p_samples=p_samples, q_samples=q_samples)
    key_split, key_train = jax.random.split(key)
    fewer = min(len(xs), len(ys))
    train, rest = split_held_out(key_split, xs, ys, held_out, (fewer, fewer))
    critic = train_critic(
        key_train,
        *train,
        _log_likelihood,
        init,
        apply,
        optimizer=optimizer,
        num_steps=num_steps,
        batch_size=batch_size,
    )
    logits = highest_precision(jax.jit(apply, inline=True))
    outcome = accuracy_test(*(logits(critic.params, samples) for samples in rest))
    return result(outcome.statistic, outcome.p_value, (outcome, xs, ys))


def _log_likelihood(v_p: Array, v_q: Array) -> SampleTerms:
    """Returns the terms of log D(x) and log(1 - D(y)), D = sigmoid(v): minus the logistic loss."""
    return variational_bound(v_p, v_q, DIVERGENCES["gan"])
