"""MADE in every order, and the transformer: what an output depends on, by autodiff."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.nets import (
    MADE,
    CausalTransformer,
    even_degrees,
    random_degrees,
    random_orders,
    raster,
)

SHAPE, SIZE = (2, 3, 1), 6
X = jnp.ones(SHAPE)


def backward(size):
    return np.arange(size)[::-1][None]


MADES = {
    "no hidden layer": MADE((), 2, backward),
    "raster": MADE((7,), 2, direct=False),
    "narrow": MADE((3,), orders=random_orders(1), direct=False),
    "random": MADE((9, 8), 2, random_orders(1, 1), random_degrees(), direct=False),
    "direct": MADE((4, 3), 1, random_orders(1, 2), random_degrees(1)),
}


def random_params(net, inputs):
    """Params of N(0, .5²), biases too."""
    leaves, tree = jax.tree.flatten(jax.eval_shape(net.init, jax.random.key(0), inputs))
    numbers = np.random.default_rng(0)
    drawn = [jnp.asarray(numbers.normal(0, 0.5, leaf.shape), jnp.float32) for leaf in leaves]
    return jax.tree.unflatten(tree, drawn)


def dependence(net):
    """Whether entry i depends on j, [i, j]: with positive params, at ones, no path cancels."""
    params = jax.tree.map(jnp.abs, random_params(net, X))
    slopes = jax.jit(jax.jacobian(net.apply, argnums=1))(params, X)
    return np.asarray(jnp.any(slopes != 0, axis=3)).reshape(SIZE, SIZE)


def paths(net):
    """The same, by following the units: j to a unit of at least its position, and on."""
    position = net.orders(SIZE)[0]
    seen, reached = position, np.eye(SIZE, dtype=bool)  # [unit, entry]
    for i, width in enumerate(net.hidden):
        degree = net.degrees(i, width, SIZE)
        reached = (seen <= degree[:, None]) @ reached
        seen = degree
    reached = (seen < position[:, None]) @ reached
    return reached | (net.direct & (position < position[:, None]))


@pytest.mark.parametrize("name", MADES)
def test_an_output_depends_on_what_there_is_a_path_from_and_that_comes_before(name):
    net = MADES[name]
    position = net.orders(SIZE)[0]
    before = position < position[:, None]
    np.testing.assert_array_equal(dependence(net), paths(net))
    assert np.all(before | ~paths(net))
    # Three units are too few for five positions, and random degrees may leave one out.
    assert np.array_equal(before, paths(net)) == (name not in ("narrow", "random"))


def test_a_transformer_sees_all_that_comes_before_and_nothing_else():
    net = CausalTransformer(2, features=4, layers=2, heads=2)
    np.testing.assert_array_equal(dependence(net), np.tri(SIZE, k=-1) > 0)


class Leaky(MADE):
    """Gives an output the mask of the next: it sees its own entry."""

    def _masked(self, name, x, mask):
        return super()._masked(name, x, jnp.roll(mask, -1, axis=1) if name == "output" else mask)


def test_a_mask_that_leaks_is_seen():
    found = dependence(Leaky((7,), direct=False))
    assert found[1, 1]
    assert np.any(found & ~(np.tri(SIZE, k=-1) > 0))


def test_one_net_serves_several_orders_by_the_masks_of_each():
    orders = random_orders(3)
    net = MADE((7, 5), 2, orders, random_degrees())
    inputs = lambda k: (X, ((), k))  # noqa: E731
    params = random_params(net, inputs(0))
    told = jax.jit(jax.vmap(lambda k: net.apply(params, inputs(k))))(jnp.arange(3))
    for k in range(3):
        one = net.clone(orders=lambda size, k=k: orders(size)[k : k + 1])
        np.testing.assert_allclose(told[k], one.apply(params, X), rtol=1e-5)
    assert not np.allclose(told[0], told[1])
    rows = orders(SIZE)
    np.testing.assert_array_equal(np.sort(rows), np.broadcast_to(np.arange(SIZE), rows.shape))
    assert random_orders(3) == orders
    assert repr(random_orders(3, 1)) == "random_orders(3, 1)"


@pytest.mark.parametrize("degrees", [even_degrees, random_degrees()])
def test_degrees_reach_from_the_first_entry_to_the_last_but_one(degrees):
    of_layer = degrees(0, 60, SIZE)
    assert set(of_layer) == set(range(SIZE - 1))
    assert not degrees(0, 4, 1).any()


NETS = {
    "made": MADE((8, 7), 2, random_orders(1)),
    "transformer": CausalTransformer(2, features=4, layers=1, heads=2),
}


@pytest.mark.parametrize("name", NETS)
def test_a_context_reaches_every_output_and_no_context_is_none(name):
    net, context = NETS[name], jnp.ones((2, 2))
    params = jax.tree.map(jnp.abs, random_params(net, (X, context)))
    slopes = jax.jit(jax.jacobian(lambda c: net.apply(params, (X, c))))(context)
    assert np.all(slopes != 0)
    np.testing.assert_array_equal(slopes.shape, (*SHAPE, 2, 2, 2))


@pytest.mark.parametrize("name", NETS)
def test_dropout_is_for_training_and_half_precision_for_those_who_ask(name):
    net = NETS[name].clone(dropout=0.5)
    params = random_params(net, X)
    told = jax.jit(net.apply)(params, X)
    dropped = jax.jit(lambda p: net.apply(p, X, train=True, rngs={"dropout": jax.random.key(3)}))
    assert np.any(dropped(params) != told)
    half = jax.jit(net.clone(dtype=jnp.bfloat16).apply)(params, X)
    assert half.dtype == jnp.bfloat16
    np.testing.assert_allclose(half.astype("f4"), told, atol=0.3)


def test_the_start_is_the_bias_that_was_asked_for(key):
    bias = jnp.arange(12.0).reshape(*SHAPE, 2)
    for net in NETS.values():
        net = net.clone(output_bias_init=lambda *_: bias)
        params = jax.jit(net.init)(key, X)
        np.testing.assert_array_equal(params["params"]["output_bias"], bias)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"orders": lambda size: raster(size)[0]}, r"orders: got an array of shape \(6,\)"),
        ({"orders": lambda size: np.zeros((1, size))}, "orders: .*each row a permutation"),
        ({"degrees": lambda *_: np.arange(7)}, r"degrees: got shape \(7,\), from 0 to 6"),
        ({"degrees": lambda *_: np.zeros(3)}, r"degrees: got shape \(3,\)"),
        (
            {"orders": random_orders(2)},
            r"inputs: got a context of type tuple for 2 orders, expected \(x, \(",
        ),
        ({"hidden": (0,)}, "hidden: got 0"),
    ],
)
def test_what_is_no_order_or_no_degree_is_refused(options, message, key):
    with pytest.raises(ValueError, match=message):
        MADE(**{"hidden": (7,), **options}).init(key, X)
    with pytest.raises(ValueError, match="count: got 0"):
        random_orders(0)
    with pytest.raises(
        ValueError, match="inputs: got a context of type tuple for 1 orders, expected x, or"
    ):
        MADE((7,)).init(key, (X, ((), 0)))


@pytest.mark.parametrize("name", NETS)
def test_a_context_is_not_forgotten(name):
    net = NETS[name]
    params = random_params(net, (X, jnp.ones(2)))
    with pytest.raises(ValueError, match=r"inputs: got no context, expected \(x, context\)"):
        net.apply(params, X)


@pytest.mark.parametrize("order", [3, -1, jnp.array(3)])
def test_an_order_that_there_is_not_is_refused(order):
    net = MADE((7,), orders=random_orders(3))
    params = random_params(net, (X, ((), 0)))
    with pytest.raises(ValueError, match=f"order: got {int(order)}, expected one of 0 to 2"):
        net.apply(params, (X, ((), order)))
    last = jnp.array(2)  # a known number, also where something else is traced
    told = jax.jit(lambda x: net.apply(params, (x, ((), last))))(X)
    np.testing.assert_allclose(told, net.apply(params, (X, ((), 2))), rtol=1e-5)
