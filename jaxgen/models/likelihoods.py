"""p(x|z): a net and what its outputs mean; for images, pixel by pixel."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import distrax
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxgen.checks import at_least
from jaxgen.distributions import Bernoulli, DiscretizedLogistic, Independent
from jaxgen.models.density import Density
from jaxgen.models.networks import AnyNet, network
from jaxgen.types import DistraxDistribution, Key, Params


def decoder(net: AnyNet, likelihood: Callable[[Array], DistraxDistribution]) -> Density:
    """Returns p(x|z) = likelihood(net(z)). Its params are the net's.

    Args:
      net: one z to the likelihood's parameters, which come to it in float32 or wider.
      likelihood: those parameters to a distribution over one datapoint. One made with
        `distrax.Independent` is made strict about the shape of x.
    Raises:
      ValueError: at init, the net's output is not one array, or it keeps collections (batch
        statistics) beside its params.
    Example:
      decoder(MLP((200,), (28, 28, 1, 1)), LIKELIHOODS["bernoulli"].distribution)
    """
    run = network("decoder", net)

    def distribution(params: Params, z: Any, *, key: Key | None = None) -> DistraxDistribution:
        p = likelihood(run.apply(params, z, key))
        if isinstance(p, distrax.Independent) and not isinstance(p, Independent):
            return Independent(p.distribution, p.reinterpreted_batch_ndims)
        return p

    return Density(run.init, distribution)


class Likelihood(NamedTuple):
    """A family of distributions over images, independent given z.

    Attributes:
      outputs: numbers that the decoder gives per pixel and channel.
      distribution: those numbers, of shape [height, width, channels, outputs], to p(x|z) over
        [height, width, channels].
      initial_bias: the mean image of the data, in [0, 1], to the decoder's output bias, so that an
        untrained decoder already says the mean.
    """

    outputs: int
    distribution: Callable[[Float[Array, "height width channels outputs"]], Independent]
    initial_bias: Callable[
        [Float[Array, "height width channels"]], Float[Array, "height width channels outputs"]
    ]


def _of_pixels(outputs: Array, count: int) -> Array:
    """Returns the outputs, provided that there are `count` for every pixel and channel."""
    if outputs.ndim != 4 or outputs.shape[-1] != count:
        raise ValueError(
            f"decoder: got an output of shape {outputs.shape}, expected (height, width, channels, "
            f"{count}): what this likelihood is told of every pixel stands last"
        )
    return outputs


def _bernoulli(outputs: Array) -> Independent:
    outputs = _of_pixels(outputs, 1)
    return Independent(Bernoulli(outputs[..., 0]), 3)


def _logit_of_mean(mean: Array) -> Array:
    mean = jnp.clip(mean, 1e-3, 1 - 1e-3)
    return (jnp.log(mean) - jnp.log1p(-mean))[..., None]


# A pixel that never varies would otherwise drive its scale to zero; uniform dequantization noise of
# an 8-bit pixel has standard deviation 1 / (256 sqrt(12)) = .0011.
_SMALLEST_SCALE = 1e-3
_INITIAL_SCALE = 0.25


def _loc_and_scale(outputs: Array) -> tuple[Array, Array]:
    outputs = _of_pixels(outputs, 2)
    return outputs[..., 0], jax.nn.softplus(outputs[..., 1]) + _SMALLEST_SCALE


def _mean_and_initial_scale(mean: Array) -> Array:
    raw_scale = jnp.full_like(mean, jnp.log(jnp.expm1(_INITIAL_SCALE - _SMALLEST_SCALE)))
    return jnp.stack([mean, raw_scale], axis=-1)


def _gaussian(outputs: Array) -> Independent:
    return Independent(distrax.Normal(*_loc_and_scale(outputs)), 3)


def discretized_logistic(levels: int) -> Likelihood:
    """Returns the likelihood of pixels that take `levels` gray values, k / (levels - 1).

    Args:
      levels: of the set of images. Of a likelihood of 256 the digits' 17 levels get about a
        fifteenth of the probability that is theirs.
    Raises:
      ValueError: fewer than two levels.
    Example:
      discretized_logistic(17).distribution(outputs).log_prob(image)  # outputs: [8, 8, 1, 2]
    Source: Kingma et al. (2016), appendix; Salimans et al. (2017), equation 2.
    """
    levels = at_least("levels", levels, 2)

    def distribution(outputs: Array) -> Independent:
        return Independent(DiscretizedLogistic(*_loc_and_scale(outputs), levels), 3)

    return Likelihood(2, distribution, _mean_and_initial_scale)


LIKELIHOODS: dict[str, Likelihood] = {
    "bernoulli": Likelihood(1, _bernoulli, _logit_of_mean),
    "gaussian": Likelihood(2, _gaussian, _mean_and_initial_scale),
    "discretized_logistic": discretized_logistic(256),
}
"""By name: binary pixels; a density with learned mean and diagonal covariance; 8-bit pixels."""
