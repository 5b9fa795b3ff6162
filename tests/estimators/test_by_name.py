"""The table of estimators: each is made of a number of samples, each says whether it is biased."""

import pytest

from jaxgen.estimators import ESTIMATORS

BIASED = {"relaxed", "straight_through", "gumbel_straight_through"}


@pytest.mark.parametrize("name", ESTIMATORS)
def test_a_name_and_a_number_of_samples_make_an_estimator(name):
    estimator = ESTIMATORS[name](2)
    assert estimator.unbiased == (name not in BIASED)
    assert estimator == ESTIMATORS[name](2)
    assert estimator != ESTIMATORS[name](4)
