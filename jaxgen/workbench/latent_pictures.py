"""Pictures of a generator and its encoder: round trips, ways between images, entries of a code."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxgen.models import BiGan
from jaxgen.pictures import image_grid, side_by_side
from jaxgen.types import Key, Variables

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHOWN, STEPS = 10, 9
"""Images in a row, and steps of an interpolation or a traversal."""


def traversals(
    z: Float[Array, "dims"], values: Float[Array, "steps"], count: int
) -> Float[Array, "count steps dims"]:
    """Returns z with each of its first `count` entries moved through the values.

    Example:
      >>> codes = traversals(z, jnp.linspace(-1, 1, 9), 8).reshape(-1, len(z))
      >>> images, _ = model.generate(player, codes)
    """
    each = jnp.broadcast_to(z, (count, len(values), len(z)))
    rows = jnp.arange(count)
    return each.at[rows, :, rows].set(values)


def draw_codes(
    model: BiGan, player: Variables, images: Float[Array, "n ..."], key: Key
) -> dict[str, Figure]:
    """Returns samples, reconstructions, interpolations and traversals, by the names of their files.

    A traversal moves one entry of a code at a time through the quantiles of the prior.

    Args:
      model: the BiGAN.
      player: both nets' variables.
      images: at least 20, in [0, 1].
      key: of samples; cloned.
    Raises:
      ValueError: there are fewer images.
    Example:
      >>> flat = nn.Sequential([lambda x: x.reshape(len(x), -1), nn.Dense(2)])
      >>> pair = bigan(
      ...     Net(
      ...         lambda key, z: {},
      ...         lambda variables, z, **mode: (jnp.full((len(z), 8, 8, 1), 0.5), {}),
      ...     ),
      ...     flat,
      ...     concatenated(MLPCritic((8,))),
      ...     prior=standard_normal(2),
      ...     x_shape=(8, 8, 1),
      ... )
      >>> figures = partial(draw_codes, pair)  # of (player, images, key)
    """
    if len(images) < 2 * SHOWN:
        raise ValueError(f"images: got {len(images)}, expected at least {2 * SHOWN}")
    generate = partial(jax.jit(lambda player, z: model.generate(player, z)[0]), player)
    draws = model.sample_latent(jax.random.clone(key), 1000)
    x = images[: 2 * SHOWN]
    z = model.encode(player, x)[0]
    t = jnp.linspace(0, 1, STEPS)[:, None, None]
    between = generate(((1 - t) * z[:SHOWN] + t * z[SHOWN:]).reshape(-1, z.shape[1]))
    steps = {
        f"{float(t):.3g}": row
        for t, row in zip(t[:, 0, 0], between.reshape(STEPS, SHOWN, *x.shape[1:]), strict=True)
    }
    values = jnp.quantile(draws, jnp.linspace(0.02, 0.98, STEPS))
    moved = generate(traversals(z[0], values, min(SHOWN, z.shape[1])).reshape(-1, z.shape[1]))
    return {
        "samples": image_grid(np.asarray(generate(draws[:100])), title="Samples"),
        "reconstructions": side_by_side(
            {"x": np.asarray(x), "G(E(x))": np.asarray(generate(z))}, title="Round trips"
        ),
        "interpolations": side_by_side(
            {"image": x[:SHOWN], **steps, "another": x[SHOWN:]},
            columns=SHOWN,
            title="Between the codes of two images",
        ),
        "traversals": image_grid(
            np.asarray(moved), columns=STEPS, title="Each entry of one image's code, a row each"
        ),
    }
