"""A density as a model of gray levels; its latent is the noise within each, uniform or learned."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import distrax
import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array

from jaxgen.array_checks import not_bytes, of_shape
from jaxgen.checks import at_least
from jaxgen.distributions import (
    Independent,
    Transformed,
    nearest_level,
    on_level,
    rational_quadratic_spline,
)
from jaxgen.models.density import Density
from jaxgen.models.flow_layers import chain, coupling_layers, init_layers, shape_after
from jaxgen.models.latent_variable import LatentVariableModel
from jaxgen.models.networks import AnyNet
from jaxgen.types import DistraxDistribution, Key, Params

Shape: TypeAlias = tuple[int, ...]

ROUNDING = 1e-3
"""Share of a bin by which float32 may set a draw beside it; q says where draws are, not this."""


def dequantized(
    density: Density, levels: int, x_shape: Shape, noise: Density | None = None
) -> LatentVariableModel:
    """Returns P(x) of gray levels x = k / (levels - 1): the density's integral over the bin of x.

    As a model with a latent: v in [0, 1] has the density, x is the level in whose bin [k, k + 1) /
    levels v lies, and q(v|x) = (k + noise) / levels. So every bound, estimator and metric of such
    models is one of the discrete log probability, in nats: with one sample and uniform noise, the
    usual bound; with learned noise, variational dequantization; with K samples inside the log, the
    importance-weighted bound. q and the density have no KL in closed form: `elbo` takes
    `kl=monte_carlo_kl`. No unit is left to be counted: bits/dim have bin width one.

    Args:
      density: over v of `x_shape`, in the context ().
      levels: of the set of images.
      x_shape: of one image.
      noise: over [0, 1] of `x_shape`, in the context of x; `uniform_noise(x_shape)` if not given.
    Raises:
      ValueError: levels is below two; in use, x or v has another shape, or x is of bytes.
    Example:
      >>> model = dequantized(standard_normal(2), 17, (2,))
      >>> params = model.init(jax.random.key(0))
      >>> x = jnp.array([0.0, 0.5])  # levels 0 and 8 of 17
      >>> at = observe(model, params, x)
      >>> terms = elbo(
      ...     jax.random.key(1), at.log_likelihood, at.q, at.prior, kl=monte_carlo_kl
      ... )  # of log P(x), a mass
    Source: Theis et al. (2016), section 3.1; Ho et al. (2019), "Flow++", section 3.1.
    """
    levels, x_shape = at_least("levels", levels, 2), tuple(x_shape)
    noise = uniform_noise(x_shape) if noise is None else noise

    def init(key: Key) -> Params:
        key_prior, key_encoder = jax.random.split(key)
        return {
            "prior": density.init(key_prior, ()),
            "encoder": noise.init(key_encoder, jnp.zeros(x_shape)),
        }

    def encode(params: Params, x: Array, *, key: Key | None = None) -> Transformed:
        of_shape("x", x, x_shape)
        not_bytes("x", x)
        into_bin = _IntoBin(nearest_level(x, levels), levels, len(x_shape))
        return Transformed(noise.distribution(params["encoder"], x), into_bin, x_shape)

    def decode(params: Params, v: Array, *, key: Key | None = None) -> Independent:
        of_shape("v", v, x_shape)
        return Independent(_LevelOf(v, levels), len(x_shape))

    def prior(params: Params) -> DistraxDistribution:
        return density.distribution(params["prior"], ())

    return LatentVariableModel(init=init, prior=prior, encode=encode, decode=decode)


def uniform_noise(x_shape: Shape) -> Density:
    """Returns the uniform density on [0, 1] of `x_shape`, in any context, with nothing to learn.

    Example:
      >>> model = dequantized(standard_normal(2), 17, (2,), uniform_noise((2,)))
      >>> params = model.init(jax.random.key(0))
      >>> v = model.encode(params, jnp.array([0.0, 1.0])).sample(seed=jax.random.key(1))
      >>> print(jnp.floor(17 * v))  # the levels 0 and 16, and noise within
      [ 0. 16.]
    """
    return Density(lambda key, x: {}, lambda params, x: _Cube(x_shape, 0.0))


def variational_noise(
    conditioner: Callable[[Shape], AnyNet],
    x_shape: Shape,
    num_layers: int = 4,
    num_bins: int = 8,
    *,
    data: Sequence[distrax.Bijector] = (),
) -> Density:
    """Returns q(u|x) on [0, 1] of `x_shape`: uniform noise that couplings of splines bend.

    A spline maps an interval onto itself, so no noise leaves its bin; with a conditioner whose last
    layer starts at zero, it starts as the uniform.

    Args:
      conditioner: a shape to the net of (what stays, x) whose output has it; see `coupling_layer`.
      x_shape: of one image.
      num_layers: couplings.
      num_bins: of each spline.
      data: what makes of an image that of which couplings split the last axis: `[Squeeze()]`.
    Raises:
      ValueError: as `coupling_layers` and `rational_quadratic_spline`.
    Example:
      >>> noise = variational_noise(lambda shape: MLP((8,), shape), (2,), num_layers=2)
      >>> model = dequantized(standard_normal(2), 17, (2,), noise)
      >>> params = jax.eval_shape(model.init, jax.random.key(0))
      >>> sorted(params)  # the noise is learned beside the density
      ['encoder', 'prior']
    Source: Ho et al. (2019), "Flow++", section 3.1.
    """
    spline = rational_quadratic_spline(num_bins, 1.0)
    shape = shape_after(data, x_shape)
    layers = coupling_layers(conditioner, spline, shape, num_layers)

    def init(key: Key, x: Any) -> Params:
        return init_layers(layers, key, x)

    def distribution(params: Params, x: Any) -> Transformed:
        to_unit = distrax.Block(distrax.ScalarAffine(0.5, 0.5), len(x_shape))
        into_image = [distrax.Inverse(bijector) for bijector in data]
        bent = chain(layers, params, x)
        bijector = distrax.Chain([to_unit, *into_image, bent])
        return Transformed(_Cube(shape, -1.0), bijector, x_shape)

    return Density(init, distribution)


class _Cube(distrax.Distribution):
    """The uniform density on [low, 1], the same a rounding beyond its faces."""

    def __init__(self, shape: Shape, low: float):
        super().__init__()
        self._shape, self._low = shape, low

    @property
    def event_shape(self) -> Shape:
        return self._shape

    @property
    def batch_shape(self) -> Shape:
        return ()

    def log_prob(self, value: Array) -> Array:
        axes = tuple(range(-len(self._shape), 0))
        inside = (value >= self._low - ROUNDING) & (value <= 1 + ROUNDING)
        size = math.prod(self._shape)
        return jnp.where(jnp.all(inside, axes), -size * math.log(1 - self._low), -jnp.inf)

    def _sample_n(self, key, n):  # distrax's hook
        return jax.random.uniform(key, (n, *self._shape), minval=self._low)


class _IntoBin(distrax.Bijector):
    """u in [0, 1] to v = (k + u) / levels."""

    def __init__(self, k: Array, levels: int, event_ndims: int):
        super().__init__(event_ndims_in=event_ndims, is_constant_jacobian=True)
        self._k, self._levels = k, levels

    def forward_and_log_det(self, x: ArrayLike) -> tuple[Array, Array]:
        x = jnp.asarray(x)
        return (self._k + x) / self._levels, self._log_det(x, -1)

    def inverse_and_log_det(self, y: ArrayLike) -> tuple[Array, Array]:
        y = jnp.asarray(y)
        return y * self._levels - self._k, self._log_det(y, 1)

    def _log_det(self, x: Array, sign: int) -> Array:
        batch = x.shape[: x.ndim - self.event_ndims_in]
        return jnp.full(batch, sign * self._k.size * jnp.log(float(self._levels)), x.dtype)


class _LevelOf(distrax.Distribution):
    """The level in whose bin v lies: all mass on one value."""

    def __init__(self, v: Array, levels: int):
        super().__init__()
        self.v, self.levels = v, levels

    @property
    def event_shape(self) -> Shape:
        return ()

    @property
    def batch_shape(self) -> Shape:
        return self.v.shape

    def log_prob(self, value: Array) -> Array:
        off = jnp.abs(self.v * self.levels - nearest_level(value, self.levels) - 0.5)
        return on_level(jnp.where(off <= 0.5 + ROUNDING, 0.0, -jnp.inf), value, self.levels)

    def mean(self) -> Array:
        k = jnp.clip(jnp.floor(self.v * self.levels), 0, self.levels - 1)
        return k / (self.levels - 1)

    def _sample_n(self, key: Key, n: int) -> Array:  # distrax's hook
        return jnp.broadcast_to(self.mean(), (n, *self.v.shape))
