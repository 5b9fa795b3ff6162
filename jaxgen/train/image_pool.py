"""A pool of past fakes, which the critic of a translation is shown among the present ones."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import struct
from jaxtyping import Array, Float

from jaxgen.array_checks import of_shape
from jaxgen.checks import at_least
from jaxgen.types import Key


@struct.dataclass
class PoolState:
    """What a pool holds.

    Attributes:
      images: [size, ...], zeros where there is none yet.
      count: images that it holds, the first of them; an int32 scalar.
    Example:
      >>> state = image_pool(50).init(jnp.zeros((8, 8, 1)))
      >>> state.images.shape, int(state.count)
      ((50, 8, 8, 1), 0)
    """

    images: Any
    count: Any


class ImagePool(NamedTuple):
    """A pool of at most `size` images, as pure functions of its state: see `image_pool`.

    Example:
      >>> ImagePool(50).size
      50
    """

    size: int

    def init(self, image: Any) -> PoolState:
        """Returns the empty pool for images of the shape and dtype of `image`."""
        return PoolState(
            images=jnp.zeros((self.size, *image.shape), image.dtype),
            count=jnp.zeros((), jnp.int32),
        )

    def swap(
        self, state: PoolState, key: Key, images: Float[Array, "n ..."]
    ) -> tuple[Float[Array, "n ..."], PoolState]:
        """Returns as many images, of the past and the present, and the pool after them.

        Raises:
          ValueError: the images are of another shape than those of the pool.
        """
        of_shape("images", images, (len(images), *state.images.shape[1:]))
        coin_key, slot_key = jax.random.split(key)
        swapped = jax.random.bernoulli(coin_key, shape=images.shape[:1])
        slots = jax.random.randint(slot_key, images.shape[:1], 0, self.size)

        # One after another: an image may come back within the batch that it was stored in.
        def one(state: PoolState, step: tuple[Array, Array, Array]) -> tuple[PoolState, Array]:
            image, swap, slot = step
            full = state.count == self.size
            slot = jnp.where(full, slot, state.count)
            old = state.images[slot]
            shown = jnp.where(full & swap, old, image)
            kept = jnp.where(full & ~swap, old, image)
            # One image is written, whatever happens: the pool itself is never copied.
            stored = state.images.at[slot].set(kept)
            count = jnp.minimum(state.count + 1, self.size)
            return PoolState(images=stored, count=count), shown

        state, shown = jax.lax.scan(one, state, (images, swapped, slots))
        return shown, state


def image_pool(size: int) -> ImagePool:
    """Returns a pool of `size` images, so that a critic does not forget what it has seen through.

    Image by image: until the pool is full, an image is stored and returned. Afterwards a fair coin
    decides. Either a stored image, each as likely as the other, is returned and the new one takes
    its place; or the new one is returned, and is not stored.

    Its state stands in the critic's collections, under "pool": it is saved and resumed with the
    player, and vmapped with it over seeds.

    Args:
      size: images that it can hold.
    Raises:
      ValueError: size is below one. For no pool, pass None where one is asked for.
    Example:
      >>> pool, fakes = image_pool(50), jnp.ones((4, 8, 8, 1))
      >>> state = pool.init(fakes[0])
      >>> shown, state = pool.swap(state, jax.random.key(0), fakes)
      >>> shown.shape, int(state.count)  # until it is full, what comes is shown
      ((4, 8, 8, 1), 4)
    Source: Shrivastava et al. (2017), "Learning from simulated and unsupervised images through
      adversarial training", section 2.3; Zhu et al. (2017), "Unpaired image-to-image translation
      using cycle-consistent adversarial networks", section 4, and `ImagePool` of its code.
    """
    return ImagePool(at_least("size", size, 1))
