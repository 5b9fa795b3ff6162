"""What is no model, or none of this data, is refused by name: "name: got, expected"."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.distributions import affine
from jaxgen.inference import em
from jaxgen.models import (
    LIKELIHOODS,
    autoregressive,
    conditioned,
    coupling_flow,
    dequantized,
    diagonal_gaussian,
    fit_mixture,
    full_gaussian,
    gaussian_posterior,
    gaussian_vae,
    kmeans,
    memorizer,
    mixture_elbo,
    mixture_steps,
    observe,
    parzen_window,
    random_mixture,
    standard_normal,
    uniform_levels,
)
from jaxgen.nets import MADE, MLP, ConvDecoder, PixelCNN

BERNOULLI = LIKELIHOODS["bernoulli"]
IMAGES = jax.random.uniform(
    jax.random.key(0), (8, 8, 8, 1)
)  # as many images as rows: no shape gives it away
POINTS = jnp.array([[0.0], [1.0]])
POSTERIOR = gaussian_posterior(MLP((), (2, 3)), 3)
PARAMS = POSTERIOR.init(jax.random.key(0), jnp.ones(4))
VAE = gaussian_vae(
    MLP((), (2, 3)), MLP((), (4, 1)), BERNOULLI.distribution, latent_size=3, x_shape=(4,)
)
NAN = np.array([[0.0], [np.nan]])


def started(density, context=()):
    return lambda: density.init(jax.random.key(0), context)


CASES = {
    "full Gaussians of images": (
        lambda: random_mixture(jax.random.key(0), full_gaussian(1e-3), IMAGES, 2),
        r"xs: got shape \(8, 8, 8, 1\), expected \(datapoints, dims\)",
    ),
    "diagonal Gaussians of images": (
        lambda: fit_mixture(diagonal_gaussian(), jnp.ones((8, 1)), IMAGES),
        r"xs: got shape \(8, 8, 8, 1\), expected \(datapoints, dims\)",
    ),
    "q of another mixture": (
        lambda: mixture_elbo(
            diagonal_gaussian(),
            fit_mixture(diagonal_gaussian(), jnp.full((2, 2), 0.5), POINTS),
            jnp.ones(1),
            jnp.zeros(1),
        ),
        r"q: got shape \(1,\), expected \(2,\)",
    ),
    "centroids of NaN": (lambda: kmeans(NAN, 1), "xs: got numbers that are not finite"),
    "centroids of bytes": (
        lambda: kmeans(np.zeros((3, 2), np.uint8), 1),
        "xs: got uint8, expected floating-point",
    ),
    "centroids of nothing": (lambda: kmeans([], 1), r"xs: got shape \(0,\), expected datapoints"),
    "a seed below zero": (lambda: kmeans(POINTS, 1, seed=-1), "seed: got -1, expected an integer"),
    "windows about NaN": (lambda: parzen_window(NAN, 0.1), "points: got numbers that are not fin"),
    "NaN by heart": (lambda: memorizer(NAN), "points: got numbers that are not finite"),
    "one level": (lambda: uniform_levels((2,), 1), "levels: got 1, expected an integer >= 2"),
    "no params": (lambda: observe(VAE, None, jnp.ones(4)), "params: got None, expected a pytree"),
    "no context": (
        lambda: conditioned(POSTERIOR, PARAMS, None),
        "context: got None, expected a pytree of arrays",
    ),
    "a context of another size": (
        lambda: conditioned(POSTERIOR, PARAMS, jnp.ones(5)),
        r"encoder: got inputs of shapes \[\(5,\)\], expected those that its params are for",
    ),
    "bytes into a VAE": (
        lambda: VAE.encode(VAE.init(jax.random.key(0)), jnp.zeros(4, jnp.uint8)),
        "x: got uint8, expected the model's unit",
    ),
    "bytes into a net": (
        lambda: conditioned(POSTERIOR, PARAMS, jnp.zeros(4, jnp.uint8)),
        "encoder: got uint8, expected the model's unit",
    ),
    "bytes into bins": (
        lambda: dequantized(standard_normal(2), 256, (2,)).encode({}, jnp.zeros(2, jnp.uint8)),
        "x: got uint8, expected the model's unit",
    ),
    "a width of zero": (
        started(autoregressive(MADE((0,)), BERNOULLI, (4,))),
        "hidden: got 0, expected an integer >= 1",
    ),
    "a shape of zero": (
        started(coupling_flow(lambda shape: MLP((8,), (0,)), affine(), (2,), 1)),
        "output_shape: got 0, expected an integer >= 1",
    ),
    "a shape without outputs": (
        lambda: ConvDecoder((8, 8, 1)).init(jax.random.key(0), jnp.zeros(3)),
        r"output_shape: got \(8, 8, 1\), expected \(height, width, channels, outputs\)",
    ),
    "a transform that was not called": (
        lambda: coupling_flow(lambda shape: MLP((8,), shape), affine, (2,), 1),
        "transform: got the function affine, expected ScalarTransform",
    ),
    "a shape of one number": (
        lambda: autoregressive(MADE((8,)), BERNOULLI, 64),
        "x_shape: got 64, expected",
    ),
    **{
        f"a class by number in {type(net).__name__}": (
            started(autoregressive(net, BERNOULLI, (2, 2, 1)), 3),
            r"context: got int32, expected floating-point numbers, such as jax.nn.one_hot",
        )
        for net in (MADE((4,)), PixelCNN(1, features=2, layers=0))
    },
    "an order that is missing": (
        started(
            autoregressive(
                MADE((4,), orders=lambda size: np.stack([np.arange(size)] * 2)), BERNOULLI, (4,)
            )
        ),
        r"inputs: got a context of type tuple for 2 orders, expected \(x, \(context, order\)\)",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_it_is_refused_by_name(case):
    call, message = CASES[case]
    with pytest.raises(ValueError, match=message):
        call()


def test_params_of_numpy_serve_under_jit():
    density = autoregressive(PixelCNN(1, features=2, layers=1), BERNOULLI, (2, 2, 1))
    params = jax.tree.map(np.asarray, density.init(jax.random.key(0), ()))
    x = jnp.ones((2, 2, 1))
    log_prob = jax.jit(lambda x: density.distribution(params, ()).log_prob(x))(x)
    draw = jax.jit(lambda key: density.distribution(params, ()).sample(seed=key))(jax.random.key(0))
    assert np.isfinite(log_prob)
    assert draw.shape == (2, 2, 1)


def test_a_mixture_of_vectors_is_fitted():
    xs = IMAGES.reshape(8, -1)
    start = random_mixture(jax.random.key(0), diagonal_gaussian(1e-3), xs, 2)
    assert em(mixture_steps(diagonal_gaussian(1e-3), xs), start, 1).all_finite
