"""Toy targets with exact densities and known modes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import distrax
import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from jaxgen.array_checks import not_bytes, of_event_shape
from jaxgen.checks import at_least, positive
from jaxgen.distributions.diagonal_normal import diagonal_normal
from jaxgen.types import Key

Numbers: TypeAlias = Array | np.ndarray | Sequence[Any] | float


class IsotropicMixture(distrax.MixtureSameFamily):
    """A mixture of round Gaussians, by distrax's name, that samples the chosen component alone.

    What `jax.vmap` returns of one is a batch of them.

    Args:
      modes: means of the components, [k, dims].
      scales: standard deviation of each component, [k], or one for all.
      weights: of the components, to be normalized; equal if not given.
    Raises:
      ValueError: modes is no matrix; a scale or a weight is not positive; there are not as many as
        modes.
    Example:
      >>> p = IsotropicMixture([[0.0], [3.0]], 1.0, weights=[1.0, 3.0])
      >>> print(p.log_prob(jnp.array([0.0])))  # log(1/4 N(0; 0, 1) + 3/4 N(0; 3, 1))
      -2.2725
    """

    def __init__(
        self,
        modes: Numbers,
        scales: Numbers,
        weights: Numbers = 1.0,
    ):
        self.modes: Array = jnp.asarray(modes, jnp.float32)
        if self.modes.ndim != 2:
            raise ValueError(f"modes: got shape {self.modes.shape}, expected (k, dims)")
        count, dims = self.modes.shape
        self.scales: Array = _positive("scales", scales, count)
        weights = _positive("weights", weights, count)
        self.weights: Array = weights / weights.sum()
        super().__init__(
            distrax.Categorical(logits=jnp.log(self.weights)),
            diagonal_normal(
                self.modes, scale=jnp.broadcast_to(self.scales[:, None], (count, dims))
            ),
        )

    def log_prob(self, value: ArrayLike) -> Array:
        """Log density in nats, of one point or of many on leading axes.

        Raises:
          ValueError: the last axis of `value` is not one of `dims`, or it is of bytes.
        """
        not_bytes("value", value)
        of_event_shape(value, self.event_shape)
        return jnp.asarray(super().log_prob(jnp.asarray(value)))

    def _sample_n(self, key: Key, n: int) -> Float[Array, "n *batch dims"]:
        if self.batch_shape:  # `jax.vmap` has made a batch of it
            keys = jax.random.split(key, len(self.modes))
            return jax.vmap(lambda p, key: p._sample_n(key, n), out_axes=1)(self, keys)
        key_component, key_noise = jax.random.split(key)
        # One uniform number each: a categorical draw would take one for every component.
        which = jnp.searchsorted(
            jnp.cumsum(self.weights)[:-1], jax.random.uniform(key_component, (n,))
        )
        noise = jax.random.normal(key_noise, (n, self.modes.shape[1]))
        return self.modes[which] + self.scales[which, None] * noise


def ring(num_modes: int = 8, radius: float = 2.0, scale: float = 0.02) -> IsotropicMixture:
    """Returns equal Gaussians evenly around a circle, the first at (radius, 0).

    The defaults are those of Metz et al.; Lin et al. (PacGAN) have radius 1 and scale .01.

    Raises:
      ValueError: num_modes is below one.
    Example:
      >>> p = ring()
      >>> p.sample(seed=jax.random.key(0), sample_shape=512).shape
      (512, 2)
      >>> print(p.modes[0])
      [2. 0.]
    Source: Metz et al. (2017), section 3.1.
    """
    angles = 2 * jnp.pi * jnp.arange(at_least("num_modes", num_modes, 1)) / num_modes
    return IsotropicMixture(radius * jnp.stack([jnp.cos(angles), jnp.sin(angles)], axis=1), scale)


def grid(side: int = 5, spacing: float = 2.0, scale: float = 0.05) -> IsotropicMixture:
    """Returns equal Gaussians on a square lattice around the origin, side² of them.

    Raises:
      ValueError: side is below one.
    Example:
      >>> p = grid()
      >>> p.modes.shape, p.modes[0].tolist()
      ((25, 2), [-4.0, -4.0])
    Source: Lin et al. (2018), PacGAN, section 4.1.
    """
    axis = spacing * (jnp.arange(at_least("side", side, 1)) - (side - 1) / 2)
    return IsotropicMixture(
        jnp.stack(jnp.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 2), scale
    )


def line(means: Numbers, scales: Numbers, weights: Numbers = 1.0) -> IsotropicMixture:
    """Returns a mixture on the line; its samples have shape [1].

    Example:
      >>> p = line([-1.0, 2.0], [0.065**0.5, 2.0**0.5], [0.33, 0.67])  # f-GAN's mixture
      >>> p.sample(seed=jax.random.key(0)).shape
      (1,)
    Source: Nowozin et al. (2016), section 2.5, with variances .065 and 2.
    """
    return IsotropicMixture(jnp.asarray(means)[:, None], scales, weights)


def _positive(name: str, given: Numbers, count: int) -> Float[Array, "k"]:
    values = jnp.asarray(given, jnp.float32)
    if values.shape not in ((), (count,)):
        raise ValueError(f"{name}: got shape {values.shape}, expected one number or ({count},)")
    return jnp.broadcast_to(positive(name, values), (count,))
