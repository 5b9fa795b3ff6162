"""What the numbers mean that a net gives for each pixel, pixel by pixel independent."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import distrax
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxgen.checks import at_least
from jaxgen.distributions import Bernoulli, DiscretizedLogistic, GrayLevels, Independent
from jaxgen.types import DistraxDistribution


class Likelihood(NamedTuple):
    """A family of distributions over images, or arrays of any shape, independent given the net.

    Attributes:
      outputs: numbers that the net gives per pixel and channel.
      distribution: those numbers, of shape [height, width, channels, outputs], to p(x|z) over
        [height, width, channels].
      initial_bias: the mean image of the data, in [0, 1], to the net's output bias, so that an
        untrained net already says the mean.
    Example:
      >>> bernoulli = LIKELIHOODS["bernoulli"]
      >>> print(bernoulli.distribution(jnp.zeros((8, 8, 1, 1))).log_prob(jnp.ones((8, 8, 1))))
      -44.3614
    """

    outputs: int
    distribution: Callable[[Float[Array, "*shape outputs"]], Independent]
    initial_bias: Callable[[Float[Array, "*shape"]], Float[Array, "*shape outputs"]]


def categorical(levels: int) -> Likelihood:
    """Returns any distribution over the gray levels k/(levels - 1), by one logit each.

    An untrained net says the beta-binomial of the pixel's mean that is uniform for a mean of 1/2.

    Raises:
      ValueError: levels is below two.
    Example:
      >>> head = categorical(17)  # of the digits
      >>> p = head.distribution(jnp.zeros((8, 8, 1, 17)))  # what a net says, to p(x)
      >>> print(p.log_prob(jnp.zeros((8, 8, 1))))  # -64 log 17, in nats
      -181.33
    """
    levels = at_least("levels", levels, 2)

    def initial_bias(mean: Array) -> Array:
        a, b = (2 * jnp.clip(m, 1e-3, 1.0)[..., None] for m in (mean, 1 - mean))
        k, gammaln = jnp.arange(levels), jax.scipy.special.gammaln
        log_choose = -gammaln(k + 1.0) - gammaln(levels - k + 0.0)
        return log_choose + gammaln(k + a) + gammaln(levels - 1 - k + b)

    return _of_pixels(levels, GrayLevels, initial_bias)


def discretized_logistic(levels: int = 256) -> Likelihood:
    """Returns a logistic density rounded to the gray levels k/(levels - 1), by center and scale.

    Raises:
      ValueError: levels is below two.
    Example:
      >>> head = discretized_logistic(256)  # 8-bit pixels, of a center and a scale each
      >>> p = head.distribution(jnp.zeros((8, 8, 1, head.outputs)))
      >>> p.event_shape
      (8, 8, 1)
    Source: Kingma et al. (2016), appendix.
    """
    levels = at_least("levels", levels, 2)

    def one(outputs: Array) -> DiscretizedLogistic:
        return DiscretizedLogistic(*_loc_and_scale(outputs), levels)

    return _of_pixels(2, one, _mean_and_initial_scale)


def logistic_mixture(levels: int, components: int) -> Likelihood:
    """Returns sum_k w_k of discretized logistics, by a logit, a center and a scale each.

    Raises:
      ValueError: levels is below two, or components below one.
    Example:
      >>> head = logistic_mixture(levels=256, components=5)
      >>> head.outputs  # a logit, a center and a scale of each, for every pixel and channel
      15
    Source: Salimans et al. (2017), PixelCNN++, section 2.1.
    """
    levels = at_least("levels", levels, 2)
    components = at_least("components", components, 1)

    def one(outputs: Array) -> distrax.MixtureSameFamily:
        logits, of_each = outputs[..., :components], outputs[..., components:]
        loc, scale = _loc_and_scale(of_each.reshape(*logits.shape, 2))
        return distrax.MixtureSameFamily(
            distrax.Categorical(logits), DiscretizedLogistic(loc, scale, levels)
        )

    def initial_bias(mean: Array) -> Array:
        centers = mean[..., None] + _INITIAL_SCALE * jnp.linspace(-1.0, 1.0, components)
        if components == 1:
            centers = mean[..., None]
        of_each = _mean_and_initial_scale(centers).reshape(*mean.shape, 2 * components)
        return jnp.concatenate([jnp.zeros_like(centers), of_each], axis=-1)

    return _of_pixels(3 * components, one, initial_bias)


def _of_pixels(
    outputs: int,
    one: Callable[[Array], DistraxDistribution],
    initial_bias: Callable[[Array], Array],
) -> Likelihood:
    """Returns the likelihood of which `one` makes a pixel's distribution of its outputs."""

    def distribution(numbers: Array) -> Independent:
        if numbers.ndim < 2 or numbers.shape[-1] != outputs:
            raise ValueError(
                f"net: got an output of shape {numbers.shape}, expected (height, width, channels, "
                f"{outputs}): what this likelihood is told of every pixel stands last"
            )
        return Independent(one(numbers), numbers.ndim - 1)

    return Likelihood(outputs, distribution, initial_bias)


def _bernoulli(outputs: Array) -> Bernoulli:
    return Bernoulli(outputs[..., 0])


def _logit_of_mean(mean: Array) -> Array:
    mean = jnp.clip(mean, 1e-3, 1 - 1e-3)
    return (jnp.log(mean) - jnp.log1p(-mean))[..., None]


# A pixel that never varies would otherwise drive its scale to zero; uniform dequantization noise of
# an 8-bit pixel has standard deviation 1 / (256 sqrt(12)) = .0011.
_SMALLEST_SCALE = 1e-3
_INITIAL_SCALE = 0.25


def _loc_and_scale(outputs: Array) -> tuple[Array, Array]:
    return outputs[..., 0], jax.nn.softplus(outputs[..., 1]) + _SMALLEST_SCALE


def _mean_and_initial_scale(mean: Array) -> Array:
    raw_scale = jnp.full_like(mean, jnp.log(jnp.expm1(_INITIAL_SCALE - _SMALLEST_SCALE)))
    return jnp.stack([mean, raw_scale], axis=-1)


def _gaussian(outputs: Array) -> distrax.Normal:
    return distrax.Normal(*_loc_and_scale(outputs))


LIKELIHOODS: dict[str, Likelihood] = {
    "bernoulli": _of_pixels(1, _bernoulli, _logit_of_mean),
    "gaussian": _of_pixels(2, _gaussian, _mean_and_initial_scale),
    "discretized_logistic": discretized_logistic(256),
}
"""By name: binary pixels; a density with learned mean and diagonal covariance; 8-bit pixels."""
