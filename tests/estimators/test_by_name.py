"""The table of estimators: each is made of a number of samples, each says whether it is biased."""

from functools import partial

import distrax
import jax
import jax.numpy as jnp
import pytest

from jaxgen.estimators import ESTIMATORS, network_estimators
from jaxgen.nets import MLP

BIASED = {
    *("relaxed", "straight_through", "gumbel_straight_through"),
    *("gumbel_rao", "gapped_straight_through", "reinmax"),
}
NET = MLP((4,), ())
ALL = {**ESTIMATORS, **network_estimators(NET, NET)}


@pytest.mark.parametrize("name", ALL)
def test_a_name_and_a_number_of_samples_make_an_estimator(name):
    estimator = ALL[name](2)
    assert estimator.unbiased == (name not in BIASED)
    assert estimator == ALL[name](2)
    assert estimator != ALL[name](4)


def test_networks_see_the_datapoint_and_a_control_the_latents_too(key):
    q, x = distrax.Independent(distrax.Bernoulli(jnp.zeros(3)), 1), jnp.ones((2, 2, 1))
    for name, size in {"nvil": 4, "relax": 4 + 3}.items():
        init = ALL[name](2).init
        state = jax.eval_shape(partial(init, q=q, context=x), key)
        kernels = [leaf.shape for leaf in jax.tree.leaves(state) if leaf.ndim == 2]
        assert (size, 4) in kernels
