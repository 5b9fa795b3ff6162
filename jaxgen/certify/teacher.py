"""Images of known entropy: draws of a frozen PixelCNN, with the log probability of each."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxgen.certify.frozen import frozen_params
from jaxgen.checks import at_least
from jaxgen.distributions import Bernoulli
from jaxgen.models import LIKELIHOODS, Density, autoregressive
from jaxgen.nets import PixelCNN
from jaxgen.numerics import highest_precision
from jaxgen.types import Key, Params

TEACHER_NET = PixelCNN(outputs=1, features=64, rows=7, reach=6, layers=3)
"""The PixelCNN that the frozen teachers are."""
X_SHAPE = (28, 28, 1)
AT_ONCE = 250
"""Images drawn together."""


class Draws(NamedTuple):
    """Binary images, and what is known of each.

    Attributes:
      x: the images, of zeros and ones.
      log_prob: log p(x) of each, in nats, exact but for rounding; minus its mean estimates the
        entropy.
    Example:
      >>> draws = Draws(x=jnp.zeros((3, 28, 28, 1)), log_prob=jnp.array([-70.0, -80.0, -90.0]))
      >>> -jnp.mean(draws.log_prob)  # an estimate of the entropy, in nats
      Array(80., dtype=float32)
    """

    x: Float[Array, "n height width channels"]
    log_prob: Float[Array, "n"]


class Teacher(NamedTuple):
    """A distribution over images that is known in all respects.

    Attributes:
      density: p(x), of one image, in the context ().
      params: its own.
      draw: `(key, count) -> Draws`, pixel by pixel.
    Example:
      >>> p = teacher()
      >>> p.density.distribution(p.params, ()).event_shape
      (28, 28, 1)
    """

    density: Density
    params: Params
    draw: Callable[[Key, int], Draws]


@cache
def teacher(temperature: float = 1.0) -> Teacher:
    """Returns the frozen distribution over handwritten digits, binary and of 28x28.

    A PixelCNN that was trained on MNIST, and is the truth for whatever is trained on its draws: of
    each image log p(x) is known. So -log q(x) of a model less -log p(x) is, on average over draws,
    KL(p || q) in nats: see `kl_from_draws`. Fresh images are free, so nothing can be memorized
    unseen.

    Args:
      temperature: that all logits are divided by. Another one than 1 gives another distribution
        whose log p(x) is as well known: 784 dimensions, and an exact log ratio at every image.
    Raises:
      ValueError: temperature is not positive.
    Example:
      >>> p, q = teacher(), teacher(1.2)
      >>> x, log_p = p.draw(jax.random.key(0), 8)
      >>> log_q = jax.vmap(q.density.distribution(q.params, ()).log_prob)(x)
      >>> kl_from_draws(log_p, log_q).value
    """
    if not temperature > 0:
        raise ValueError(f"temperature: got {temperature}, expected a positive number")
    params = frozen_params("pixels")
    last = params["params"]["ChannelByChannel_0"]
    with jax.ensure_compile_time_eval():  # as in `frozen_params`
        output = jax.tree.map(lambda array: array / temperature, last["output_0"])
    cooled = {**last, "output_0": output}
    params = {"params": {**params["params"], "ChannelByChannel_0": cooled}}
    density = autoregressive(TEACHER_NET, LIKELIHOODS["bernoulli"], X_SHAPE)
    return Teacher(density, params, partial(_draw, params))


@highest_precision
def _draw(params: Params, key: Key, count: int) -> Draws:
    return Draws(*_drawn(params, key, count=at_least("count", count, 1)))


@partial(jax.jit, static_argnames="count")
def _drawn(params: Params, key: Key, *, count: int) -> tuple[Array, Array]:
    width, num_places = X_SHAPE[1], X_SHAPE[0] * X_SHAPE[1]

    def one(key: Key) -> tuple[Array, Array]:
        def step(place: Array, so_far: tuple[Array, Array]) -> tuple[Array, Array]:
            x, log_prob = so_far
            logit = TEACHER_NET.apply(params, x, place[None], method="pixels")[0, 0, 0]  # type: ignore[index]
            pixel = Bernoulli(logit)
            bit = pixel.sample(seed=jax.random.fold_in(key, place))
            x = x.at[place // width, place % width, 0].set(bit)
            return x, log_prob + pixel.log_prob(bit)

        return jax.lax.fori_loop(0, num_places, step, (jnp.zeros(X_SHAPE), jnp.zeros(())))

    return jax.lax.map(one, jax.random.split(key, count), batch_size=min(AT_ONCE, count))
