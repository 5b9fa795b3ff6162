"""Classifier two-sample tests: whether anything learned tells the two sets apart."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import optax
from jax.scipy.special import betainc
from jax.scipy.stats import norm
from jaxtyping import Array, Float, Num

from jaxgen.divergences import DIVERGENCES, Apply, Init, split, train_critic, variational_bound
from jaxgen.pairwise import vectors
from jaxgen.two_sample.result import TestResult, result
from jaxgen.types import Key


def accuracy_test(scores_p: Float[Array, "..."], scores_q: Float[Array, "..."]) -> TestResult:
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
      accuracy_test(classifier(held_out_p), classifier(held_out_q)).statistic  # the accuracy
    Source: Lopez-Paz & Oquab (2017), section 3; Kim et al. (2021), section 2.
    """
    for name, scores in (("scores_p", scores_p), ("scores_q", scores_q)):
        if scores.ndim != 1 or scores.shape != scores_p.shape or not len(scores):
            raise ValueError(
                f"{name}: got shape {scores.shape}, expected one number per sample, as many of q "
                f"as of p, {scores_p.shape}"
            )
    total = 2 * len(scores_p)
    right = jnp.sum(scores_p > 0) + jnp.sum(scores_q <= 0)
    right = right.astype(jnp.promote_types(scores_p.dtype, jnp.float32))
    if total > 4000:  # where the incomplete beta function has lost its digits in float32
        tail = norm.sf((right - 0.5 - total / 2) / math.sqrt(total / 4))
    else:
        tail = betainc(jnp.maximum(right, 1.0), total - right + 1, 0.5)  # P(Binomial >= right)
    return result(right / total, jnp.where(right > 0, tail, 1.0), (scores_p, scores_q))


def classifier_test(
    key: Key,
    p_samples: Num[Array, "n ..."],
    q_samples: Num[Array, "m ..."],
    init: Init,
    apply: Apply,
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
      net = MLPCritic((64, 64))
      init, apply = partial(net.init, x=xs, train=True), partial(net.apply, train=False)
      classifier_test(key, xs, ys, init, apply).p_value
    Source: Lopez-Paz & Oquab (2017), section 3.
    """
    vectors(p_samples, q_samples)
    key_split, key_train = jax.random.split(key)
    fewer = min(len(p_samples), len(q_samples))
    train, rest = split(key_split, p_samples, q_samples, held_out, (fewer, fewer))
    critic = train_critic(
        key_train,
        *train,
        lambda v_p, v_q: variational_bound(v_p, v_q, DIVERGENCES["gan"]),
        init,
        apply,
        optimizer=optax.adam(1e-3) if optimizer is None else optimizer,
        num_steps=num_steps,
        batch_size=batch_size,
    )
    outcome = accuracy_test(*(apply(critic.params, samples) for samples in rest))
    return result(outcome.statistic, outcome.p_value, (outcome, p_samples, q_samples))


def nearest_neighbor_test(
    p_samples: Num[Array, "n ..."], q_samples: Num[Array, "m ..."]
) -> TestResult:
    """Returns the classifier test of p = q that learns nothing: whose sample is the nearest?

    The first halves are what the second are compared with: a sample is p's where the nearest of all
    is p's, or most of those at the least distance. Cheap enough to be looked at while a generator
    trains in few dimensions; a trained classifier sees more. Holds n² / 2 differences in memory.

    Args:
      p_samples: the data, independent; the samples may have any one shape.
      q_samples: as many of the model.
    Raises:
      ValueError: samples of unlike shape, or not as many of q as of p, or fewer than 2.
    Example:
      nearest_neighbor_test(reals[:1000], fakes[:1000]).statistic  # near 1/2 if they are alike
    Source: Lopez-Paz & Oquab (2017), section 3, with the 1-nearest-neighbor classifier.
    """
    xs, ys = vectors(p_samples, q_samples)
    if len(xs) != len(ys):
        raise ValueError(f"q_samples: got {len(ys)} samples, expected as many as of p, {len(xs)}")
    half = len(xs) // 2

    def votes(held_out: Array) -> Array:
        """Of the nearest known samples, how many more are p's than q's."""
        squares = [jnp.sum((held_out[:, None] - s[:half]) ** 2, axis=-1) for s in (xs, ys)]
        least = jnp.minimum(*(jnp.min(square, axis=1, keepdims=True) for square in squares))
        of_p, of_q = (jnp.sum(square == least, axis=1) for square in squares)
        return (of_p - of_q).astype(xs.dtype)

    outcome = accuracy_test(*(votes(s[-half:]) for s in (xs, ys)))
    return result(outcome.statistic, outcome.p_value, (outcome, p_samples, q_samples))
