"""What a budget of evaluations buys, and of whom."""

import distrax
import jax.numpy as jnp
import pytest

from jaxgen.certify import accepted, at_budget, toy
from jaxgen.estimators import disarm, pathwise, score_function, sticking_the_landing


def test_a_budget_buys_what_it_can():
    q = distrax.Bernoulli(jnp.zeros(()))
    assert at_budget(disarm, q, 9)[0] == 8
    assert at_budget(disarm, q, 1)[0] == 2  # the cheapest there is
    with pytest.raises(ValueError, match="num_samples"):
        at_budget(lambda samples: disarm(-samples), q, 4)


def test_only_what_accepts_q_is_tried():
    makes = {
        "disarm": disarm,
        "score_function": score_function,
        "pathwise": pathwise,
        "sticking_the_landing": sticking_the_landing,
    }
    assert set(accepted(toy(0.45), makes)) == {"disarm", "score_function"}
