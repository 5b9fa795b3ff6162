"""The PixelCNNs: what each pixel depends on, by autodiff, against the paths that there are."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.nets import GatedPixelCNN, PixelCNN, gated_pixel_cnn, pixel_cnn
from jaxgen.nets.causal_convolution import above, left, patches, shifted_copies

SHAPE = (5, 4, 2)
NETS = {
    "wide": PixelCNN(2, features=3, rows=2, reach=1, layers=1),
    "gated": GatedPixelCNN(2, features=3, layers=2, first_reach=1),
    "deep": GatedPixelCNN(2, features=2, layers=4, first_reach=1),
}


def random_params(net, inputs):
    """Params of N(0, .3²): biases and places count, too."""
    leaves, tree = jax.tree.flatten(jax.eval_shape(net.init, jax.random.key(0), inputs))
    numbers = np.random.default_rng(0)
    drawn = [jnp.asarray(numbers.normal(0, 0.3, leaf.shape), jnp.float32) for leaf in leaves]
    return jax.tree.unflatten(tree, drawn)


def dependence(net, shape=SHAPE):
    """Whether pixel and channel i depends on j, [i, j], for i and j in the order of the model.

    At ones and with positive params no path cancels and no ReLU is dead, so a derivative is zero if
    and only if there is no path. They are small, so that no gate is saturated.
    """
    x = jnp.ones(shape)
    params = jax.tree.map(lambda p: jnp.abs(p) / 3, random_params(net, x))
    slopes = jax.jit(jax.jacobian(net.apply, argnums=1))(params, x)
    return np.asarray(jnp.any(slopes != 0, axis=3)).reshape(x.size, x.size)


def before(pixels, channels=SHAPE[2]):
    """The matrix of what is seen, from the set of pixels that each pixel sees."""
    places = list(np.ndindex(SHAPE[:2]))
    seen = np.array([[q in pixels[p] for q in places] for p in places])
    own = np.kron(np.eye(len(places)), np.tri(channels, k=-1)) > 0
    return (np.kron(seen, np.ones((channels, channels))) > 0) | own


def union(sets, place, rows, columns):
    """What is in the sets of the pixels around a place."""
    around = [(place[0] + row, place[1] + column) for row in rows for column in columns]
    return set().union(*(sets.get(p, set()) for p in around))


def seen_by(net):
    """The pixels that each pixel may see, by following the stacks."""
    places = list(np.ndindex(SHAPE[:2]))
    itself = {p: {p} for p in places}
    if isinstance(net, PixelCNN):
        rows, aside = range(-net.rows, 0), range(-net.reach, net.reach + 1)
        above = {p: union(itself, p, rows, aside) for p in places}
        return {p: above[p] | union(itself, p, [0], range(-net.reach, 0)) for p in places}
    reach = net.first_reach
    vertical = {p: union(itself, p, range(-reach, 0), range(-reach, reach + 1)) for p in places}
    horizontal = {p: union(itself, p, [0], range(-reach, 0)) | vertical[p] for p in places}
    reach = net.reach
    for _ in range(net.layers):
        rows, aside = range(-reach, 1), range(-reach, reach + 1)
        vertical = {p: union(vertical, p, rows, aside) for p in places}
        horizontal = {p: union(horizontal, p, [0], range(-reach, 1)) | vertical[p] for p in places}
    return horizontal


@pytest.mark.parametrize("name", NETS)
def test_a_pixel_depends_on_what_there_is_a_path_from(name):
    np.testing.assert_array_equal(dependence(NETS[name]), before(seen_by(NETS[name])))


def test_a_deep_gated_net_sees_all_that_comes_before_and_has_no_blind_spot():
    np.testing.assert_array_equal(dependence(NETS["deep"]), np.tri(np.prod(SHAPE), k=-1) > 0)


LEAK = lambda reach: (*left(reach), (0, 0))  # noqa: E731
BLIND = lambda rows, reach: tuple(at for at in above(rows, reach) if at[1] <= 0)  # noqa: E731


@pytest.mark.parametrize("twin", [{"left": LEAK}, {"above": BLIND}], ids=["leak", "blind"])
@pytest.mark.parametrize(("name", "module"), [("wide", pixel_cnn), ("deep", gated_pixel_cnn)])
def test_a_leaking_tap_and_a_blind_spot_are_seen(name, module, twin, monkeypatch):
    monkeypatch.setattr(module, *next(iter(twin.items())))
    found, expected = dependence(NETS[name]), before(seen_by(NETS[name]))
    assert np.any(found & ~expected) == ("left" in twin)
    assert np.any(expected & ~found) == ("above" in twin)


def test_shifted_copies_are_a_masked_convolution():
    x = jax.random.normal(jax.random.key(0), (6, 5, 2))
    offsets = above(2, 1) + left(1)
    kernel = jax.random.normal(jax.random.key(1), (len(offsets), 2, 3))
    masked = np.zeros((5, 3, 2, 3), np.float32)
    for (row, column), taps in zip(offsets, kernel, strict=True):
        masked[row + 2, column + 1] = taps
    expected = jax.lax.conv_general_dilated(
        x[None], masked, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
    )[0]
    copies = shifted_copies(x, offsets)
    np.testing.assert_allclose(copies @ kernel.reshape(-1, 3), expected, atol=1e-5)
    places = jnp.array([29, 0, 7])
    np.testing.assert_array_equal(patches(x, offsets, places), copies.reshape(30, -1)[places])


def test_pixels_are_those_of_the_whole_image():
    net = NETS["wide"]
    inputs = (jax.random.uniform(jax.random.key(2), SHAPE), jnp.arange(3.0))
    params = random_params(net, inputs)
    whole = jax.jit(net.apply)(params, inputs).reshape(20, 2, 2)
    places = jnp.array([19, 0, 7, 7])
    some = jax.jit(lambda at: net.apply(params, inputs, at, method="pixels"))(places)
    np.testing.assert_allclose(some, whole[places], atol=1e-6)


@pytest.mark.parametrize("name", ["wide", "gated"])
def test_a_context_reaches_every_pixel(name):
    net, x, context = NETS[name], jnp.ones(SHAPE), jnp.ones((2, 2))
    params = jax.tree.map(jnp.abs, random_params(net, (x, context)))
    slopes = jax.jit(jax.jacobian(lambda c: net.apply(params, (x, c))))(context)
    assert np.all(slopes > 0)


@pytest.mark.parametrize("name", ["wide", "gated"])
def test_dropout_is_for_training_and_half_precision_for_those_who_ask(name):
    net, x = NETS[name].clone(dropout=0.5), jnp.ones(SHAPE)
    params = random_params(net, x)
    told = net.apply(params, x)
    np.testing.assert_array_equal(told, NETS[name].apply(params, x))
    for seed in (3, 4):
        dropped = net.apply(params, x, train=True, rngs={"dropout": jax.random.key(seed)})
        assert np.any(dropped != told)
    half = net.clone(dtype=jnp.bfloat16).apply(params, x)
    assert half.dtype == jnp.bfloat16
    np.testing.assert_allclose(half.astype("f4"), told, atol=0.1)


@pytest.mark.parametrize("name", ["wide", "gated"])
def test_a_batch_is_refused(name, key):
    with pytest.raises(ValueError, match=r"x: got shape \(1, 5, 4, 2\), expected one image"):
        NETS[name].init(key, jnp.ones((1, *SHAPE)))


@pytest.mark.parametrize("name", ["wide", "gated"])
def test_a_context_is_not_forgotten(name):
    params = random_params(NETS[name], (jnp.ones(SHAPE), jnp.ones(2)))
    with pytest.raises(ValueError, match=r"inputs: got no context, expected \(x, context\)"):
        NETS[name].apply(params, jnp.ones(SHAPE))
