"""`check_density` on every net, order, head and precision of autoregressive models."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from jaxgen.certify import check_density, density_report
from jaxgen.models import (
    LIKELIHOODS,
    autoregressive,
    categorical,
    discretized_logistic,
    logistic_mixture,
    uniform_mixture,
)
from jaxgen.nets import MADE, CausalTransformer, GatedPixelCNN, PixelCNN, random_orders

BITS, BINARY, FOUR, LEVELS_3 = (3, 3, 1), (0, 1), (2, 2, 1), (0, 0.5, 1)
COINS = LIKELIHOODS["bernoulli"]
ORDERS = random_orders(3)
LABEL = jax.nn.one_hot(1, 3)
SMALL = {"features": 8, "layers": 1}


def of_bits(net, **settings):
    return autoregressive(net, COINS, BITS), {"values": BINARY, **settings}


def of_levels(head):
    return autoregressive(MADE((16,), head.outputs), head, FOUR), {"values": LEVELS_3}


in_orders, _ = of_bits(MADE((16,), orders=ORDERS))
FAMILIES = {
    "MADE": of_bits(MADE((16, 16))),
    "MADE in an order": of_bits(
        MADE((16,), orders=ORDERS), context=((), jnp.array(2)), order=ORDERS(9)[2]
    ),
    "MADE, a mixture of orders": (uniform_mixture(in_orders, 3, BITS), {"values": BINARY}),
    "MADE, bfloat16": of_bits(MADE((16,), dtype=jnp.bfloat16)),
    "PixelCNN": of_bits(PixelCNN(1, features=8, layers=1)),
    "PixelCNN, bfloat16, of a class": of_bits(
        PixelCNN(1, features=8, layers=1, dtype=jnp.bfloat16), context=LABEL
    ),
    "PixelCNN, two channels": (
        autoregressive(PixelCNN(1, features=8, layers=1), COINS, (2, 2, 2)),
        {"values": BINARY},
    ),
    "gated PixelCNN": of_bits(GatedPixelCNN(1, **SMALL)),
    "transformer": of_bits(CausalTransformer(1, heads=2, **SMALL)),
    "levels": of_levels(categorical(3)),
    "a logistic": of_levels(discretized_logistic(3)),
    "logistics": of_levels(logistic_mixture(3, 2)),
}


def with_params(density, context):
    """Params off their start, where a position bias of zeros or a zero layer says nothing."""

    @jax.jit
    def moved(key, key_move):
        leaves, tree = jax.tree.flatten(density.init(key, context))
        keys = jax.random.split(key_move, len(leaves))
        return tree.unflatten(
            [a + 0.3 * jax.random.normal(k, a.shape) for a, k in zip(leaves, keys, strict=True)]
        )

    return moved(jax.random.key(0), jax.random.key(1))


@pytest.mark.parametrize("name", FAMILIES)
def test_every_net_order_head_and_precision_is_a_density(name):
    density, settings = FAMILIES[name]
    params = with_params(density, settings.get("context", ()))
    report = check_density(density, params, jax.random.key(2), num_draws=4000, **settings)
    if "mixture" not in name:
        # On so small an image there is a path from every earlier entry, whatever the reach.
        assert "0 leaks; 100% of the earlier entries seen" in str(report)


def test_another_order_than_the_nets_is_a_leak():
    density, settings = FAMILIES["MADE in an order"]
    settings = {**settings, "order": np.arange(9)}
    params = with_params(density, settings["context"])
    report = density_report(density, params, jax.random.key(2), num_draws=4000, **settings)
    assert [finding.law for finding in report.failures] == ["causality"]


class Leaking(nn.Module):
    """A PixelCNN that was given the whole image's mean."""

    @nn.compact
    def __call__(self, x, *, train=False):
        return PixelCNN(1, features=8, layers=1)(x, train=train) + jnp.mean(x)


def test_a_net_that_sees_too_much_is_refused_by_two_laws():
    density, settings = of_bits(Leaking())
    params = with_params(density, ())
    report = density_report(density, params, jax.random.key(2), num_draws=4000, **settings)
    broken = {finding.law for finding in report.failures}
    assert {"causality", "normalization"} <= broken
