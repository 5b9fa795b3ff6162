"""Names that every room shares.

The dictionary of the house: `x` is data, `z` a latent, `q` a posterior or any distribution whose
parameters are learned, `theta`/`phi` are spelled `params`, `logits` and `probs` say which they are,
`num_samples` is a count, `value` is the number whose gradient is wanted. Keys are typed
(`jax.random.key`), stand before the data that they act on and are consumed once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import (
    Any,
    NamedTuple,
    Protocol,
    TypeAlias,
    runtime_checkable,
)

import jax
from jaxtyping import Array, Float
from jaxtyping import Key as _Key

Key: TypeAlias = _Key[Array, ""]
"""One typed random key."""

Scalar: TypeAlias = Float[Array, ""]
"""One floating-point number; a log probability or a divergence is in nats."""

Params: TypeAlias = Any
"""A pytree of arrays that an optimizer may change."""

Variables: TypeAlias = dict[str, Any]
"""What a net is applied with: `params` and, beside it, the collections that a forward pass in
training changes (batch statistics, singular vectors, a pool of images), by name, as in linen."""

Info: TypeAlias = dict[str, Any]
"""What is worth seeing of a step: named arrays, never fed back into the computation."""

Loss: TypeAlias = Callable[[Params, Key, Any], tuple[jax.Array, Info]]
"""`(params, key, batch) -> (scalar to lower, info)`: all that training knows of a model. One that
declares a keyword-only parameter `step` is given the number of updates made so far."""

PlayerLoss: TypeAlias = Callable[[Variables, Any, Key, Any], tuple[jax.Array, Variables, Info]]
"""`(own, other, key, batch) -> (scalar to lower, own collections as changed, info)`. `other` is the
other player's variables, or for the critic's loss the sides that they make. May see the step, too.
"""


class GameLosses(NamedTuple):
    """All that training knows of a game, as `Loss` is all that it knows of a model.

    Attributes:
      draw: `(key, data) -> batch`: what both players see beside the data, such as latents.
      sides: `(generator's variables, key, batch) -> sides`, what the critic compares.
      generator: `(generator's variables, critic's, key, batch) -> (scalar, changed, info)`.
      critic: `(critic's variables, sides, key, batch) -> (scalar, changed, info)`.
    Example:
      >>> model = gan(MLPGenerator((8,), (2,)), MLPCritic((8,)), latent_size=3, x_shape=(2,))
      >>> losses = game_losses(model, non_saturating())
      >>> isinstance(losses, GameLosses), losses._fields
      (True, ('draw', 'sides', 'generator', 'critic'))
    """

    draw: Callable[[Key, Any], Any]
    sides: Callable[[Variables, Key, Any], Any]
    generator: PlayerLoss
    critic: PlayerLoss


@runtime_checkable
class Pool(Protocol):
    """Past fakes that a critic is shown among the present ones, `jaxgen.train.image_pool` for one.

    Its state is explicit, and stands in the critic's collections.

    Example:
      >>> isinstance(image_pool(50), Pool)
      True
    """

    def init(self, image: Any) -> Any:
        """Returns the empty pool for images of the shape and dtype of `image`."""
        ...

    def swap(self, state: Any, key: Key, images: Array) -> tuple[Array, Any]:
        """Returns as many images to show, and the pool after them."""
        ...


@runtime_checkable
class Distribution(Protocol):
    """Anything that samples and scores, in distrax's spelling.

    Example:
      >>> isinstance(distrax.Normal(0.0, 1.0), Distribution), isinstance(ring(), Distribution)
      (True, True)
    """

    def sample(self, *, seed: Any, sample_shape: Any = ()) -> Any:
        """Draws an array of shape `sample_shape + batch_shape + event_shape`."""
        ...

    def log_prob(self, value: Any) -> Any:
        """Log density or mass of `value`, in nats, of shape `batch_shape`."""
        ...


@runtime_checkable
class DistraxDistribution(Distribution, Protocol):
    """A Distribution with more of distrax's spelling; what has no closed form raises there.

    Example:
      >>> isinstance(distrax.Normal(0.0, 1.0), DistraxDistribution)
      True
    """

    @property
    def event_shape(self) -> Any:
        """Shape of one sample."""
        ...

    @property
    def batch_shape(self) -> Any:
        """Shape of the batch of distributions; () for one."""
        ...

    def mean(self) -> Any:
        """Expectation, of shape `batch_shape + event_shape`."""
        ...

    def stddev(self) -> Any:
        """Standard deviation of each entry."""
        ...

    def entropy(self) -> Any:
        """In nats."""
        ...

    def kl_divergence(self, other_dist: Any) -> Any:
        """KL(self || other), in nats."""
        ...
