"""Statistical laws with a declared false-alarm rate.

`assert_unbiased` compares the mean of independent draws with an exact value: with `n` draws of
standard deviation `s`, an error above about `(z + 3) s / sqrt(n)` is rejected with probability
.999, where `z` is the threshold that `false_alarm` fixes (4.9 at 1e-6). Every use has a broken twin
that must be rejected: `with rejected(): assert_unbiased(broken_draws, truth)`.
"""

import contextlib

import numpy as np
import pytest
from scipy import stats


class LawBroken(AssertionError):
    """A law does not hold."""


def assert_unbiased(draws, truth, false_alarm=1e-6):
    """Asserts that the mean over the leading axis of `draws` is `truth`, in every component.

    The chance of rejecting an unbiased estimator is at most `false_alarm` (Bonferroni over the
    components, normal approximation of the mean). Where all draws agree, the mean must be `truth`
    to rounding.
    """
    draws, truth = np.asarray(draws, np.float64), np.asarray(truth, np.float64)
    count = len(draws)
    if count < 100:
        raise ValueError(f"draws: got {count}, expected at least 100 for the normal approximation")
    threshold = stats.norm.isf(false_alarm / 2 / max(truth.size, 1))
    error = np.abs(draws.mean(axis=0) - truth)
    stderr = draws.std(axis=0, ddof=1) / np.sqrt(count)
    rounding = 1e-5 * (np.abs(truth) + np.abs(draws).max(axis=0))
    worst = np.max(error / np.maximum(stderr, 1e-30))
    if not np.all(error <= threshold * stderr + rounding):
        raise LawBroken(f"biased by {error.max():.3g}: {worst:.1f} > {threshold:.1f} std. errors")


def assert_biased(draws, truth, false_alarm=1e-6):
    """Asserts that the law of unbiasedness rejects `draws`: for estimators labeled biased."""
    with rejected():
        assert_unbiased(draws, truth, false_alarm)


@contextlib.contextmanager
def rejected():
    """The block must break a law."""
    with pytest.raises(LawBroken):
        yield
