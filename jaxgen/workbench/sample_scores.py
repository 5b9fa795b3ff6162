"""All that this package measures of a model's samples beside data that the model has not seen."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxgen.divergences import kernel_mixture, median_heuristic, rbf
from jaxgen.metrics import (
    Interval,
    frechet_distance,
    kernel_distance,
    parzen_bandwidth,
    parzen_log_likelihood,
    precision_recall,
)
from jaxgen.nets import MLP
from jaxgen.numerics import wilson_interval
from jaxgen.two_sample import classifier_test, memorization_test, mmd_permutation_test
from jaxgen.types import Key, Params
from jaxgen.workbench.summary import Mean, mean_over_images

Features = Float[Array, "n dims"]

PERMUTATIONS = 199
BANDWIDTHS = (0.2, 0.5, 1.0)
"""Of the MMD's kernels, in units of the median distance."""
STEPS, BATCH, SPLITS = 600, 64, 8
"""Of the classifier: steps at most, batch, how often, on other halves of the samples each time."""
SUBSETS = 5
"""Whose spread is the error of the kernel distance."""
FEWEST = 4 * SUBSETS
"""Samples and data that can be judged."""
CLASSIFIER = MLP((64,), (1,))


class Reals(NamedTuple):
    """Data, or features of them.

    Attributes:
      train: what the models were trained on.
      validation: to choose the bandwidth of the Parzen estimate by.
      test: to compare samples with.
    Example:
      >>> points = np.zeros((60, 2), np.float32)
      >>> Reals(points[:20], points[20:40], points[40:]).test.shape
      (20, 2)
    """

    train: Features
    validation: Features
    test: Features


class SampleScores(NamedTuple):
    """What is measured of samples; p-values are small where a difference is seen.

    Attributes:
      parzen: log likelihood of the test data under Gaussians about the samples, in nats.
      mmd_p: of the permutation test of the MMD.
      accuracy: of a classifier trained to tell samples from test data, on held-out ones of both;
        the mean over eight splits, its interval as if each sample was held out once.
      accuracy_p: that it is no better than a coin: twice the median of the splits' p-values.
      kernel: the kernel distance, unbiased: about zero for draws of the data.
      frechet: distance of the fitted Gaussians; above zero even for draws of the data.
      precision: samples within the test data's balls.
      recall: test data within the samples' balls.
      density: test data's balls about a sample, one on average for draws of the data.
      coverage: test data with a sample in their ball.
      nearer: chance that a sample is nearer to the training data than a test image is.
      memorization_p: that it is no nearer.
    Example:
      >>> share = Interval(0.5, 0.4, 0.6)
      >>> scores = SampleScores(
      ...     parzen=Mean(-80.0, 0.5),
      ...     mmd_p=0.3,
      ...     accuracy=share,
      ...     accuracy_p=0.2,
      ...     kernel=Mean(0.0, 0.001),
      ...     frechet=1.5,
      ...     precision=share,
      ...     recall=share,
      ...     density=1.0,
      ...     coverage=share,
      ...     nearer=0.5,
      ...     memorization_p=0.4,
      ... )
      >>> scores.accuracy.value
      0.5
    """

    parzen: Mean
    mmd_p: float
    accuracy: Interval
    accuracy_p: float
    kernel: Mean
    frechet: float
    precision: Interval
    recall: Interval
    density: float
    coverage: Interval
    nearer: float
    memorization_p: float


def score_samples(key: Key, reals: Reals, samples: Features) -> SampleScores:
    """Returns all scores of a model's samples, compiled once for each size of the sets.

    Compare models by equal numbers of samples alone: Parzen's estimate, precision and recall move
    with it. The key is cloned, so that models may be compared by the same.

    Args:
      reals: the sets of data.
      samples: of the model, as many as reals.test or fewer.
    Raises:
      ValueError: the sets differ in dimension, or one has fewer than 20 rows.
    Example:
      >>> points = jax.random.normal(key, (60, 2))
      >>> score = partial(score_samples, key, Reals(points[:20], points[20:40], points[40:]))
      >>> score(points[:3])
      Traceback (most recent call last):
      ValueError: samples: got 3 rows, expected at least 20
    """
    for name, rows in {**reals._asdict(), "samples": samples}.items():
        if len(rows) < FEWEST:
            raise ValueError(f"{name}: got {len(rows)} rows, expected at least {FEWEST}")
    found = jax.device_get(_measured(jax.random.clone(key), reals, jnp.asarray(samples)))
    shares = found["shares"]
    fewer = min(len(reals.test), len(samples))
    return SampleScores(
        parzen=mean_over_images(np.asarray(found["parzen"], np.float64)),
        mmd_p=float(found["mmd_p"]),
        accuracy=_interval(found["accuracy"], 2 * fewer),
        accuracy_p=float(found["accuracy_p"]),
        kernel=Mean(*map(float, found["kernel"])),
        frechet=float(found["frechet"]),
        precision=_interval(shares.precision, len(samples)),
        recall=_interval(shares.recall, len(reals.test)),
        density=float(shares.density),
        coverage=_interval(shares.coverage, len(reals.test)),
        nearer=float(found["nearer"]),
        memorization_p=float(found["memorization_p"]),
    )


def classifier_accuracy(key: Key, test: Features, samples: Features) -> Interval:
    """Returns the accuracy of a small classifier that tells samples from data, held out.

    One half for draws of the data. The key is cloned.

    Example:
      >>> classifier_accuracy(key, test_features, sample_features).value
    Source: Lopez-Paz & Oquab (2017), "Revisiting classifier two-sample tests"; Rüger (1978), for
      twice the median of p-values.
    """
    accuracy, _ = jax.device_get(told_apart(jax.random.clone(key), test, jnp.asarray(samples)))
    return _interval(accuracy, 2 * min(len(test), len(samples)))


@jax.jit
def _measured(key: Key, reals: Reals, samples: Features) -> dict[str, Any]:
    key_mmd, key_classifier, key_kernel = jax.random.split(key, 3)
    median = median_heuristic(reals.test, samples)
    kernel = kernel_mixture(*(rbf(factor * median) for factor in BANDWIDTHS))
    accuracy, accuracy_p = told_apart(key_classifier, reals.test, samples)
    subset_size = min(len(reals.test), len(samples)) // SUBSETS
    distance = kernel_distance(key_kernel, reals.test, samples, subset_size=subset_size)
    memorized = memorization_test(reals.train, reals.test, samples)
    bandwidth = parzen_bandwidth(reals.validation, samples, jnp.geomspace(0.02, 1.0, 24))
    return {
        "parzen": parzen_log_likelihood(reals.test, samples, bandwidth),
        "mmd_p": mmd_permutation_test(key_mmd, reals.test, samples, kernel, PERMUTATIONS).p_value,
        "accuracy": accuracy,
        "accuracy_p": accuracy_p,
        "kernel": jnp.stack([distance.value, distance.stderr]),
        "frechet": frechet_distance(reals.test, samples).value,
        "shares": precision_recall(reals.test, samples),
        "nearer": memorized.statistic,
        "memorization_p": memorized.p_value,
    }


@jax.jit
def told_apart(key: Key, test: Features, samples: Features) -> tuple[Array, Array]:
    """Returns the mean accuracy over splits, and twice the median of their p-values."""

    fewer = min(len(test), len(samples))

    def split(key: Key) -> tuple[Array, Array]:
        outcome = classifier_test(
            key,
            test,
            samples,
            lambda key: CLASSIFIER.init(key, test[0]),
            _logits,
            num_steps=min(STEPS, 4 * fewer),
            batch_size=min(BATCH, fewer // 2),
        )
        return outcome.statistic, outcome.p_value

    accuracies, p_values = jax.lax.map(split, jax.random.split(key, SPLITS))
    return jnp.mean(accuracies), jnp.minimum(1.0, 2 * jnp.median(p_values))


def _logits(params: Params, xs: Features) -> Float[Array, "n"]:
    return jax.vmap(lambda x: CLASSIFIER.apply(params, x)[0])(xs)  # type: ignore[index]


def _interval(share: Any, count: int) -> Interval:
    low, high = wilson_interval(float(share), count)
    return Interval(float(share), float(low), float(high))
