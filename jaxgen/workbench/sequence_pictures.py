"""Pictures of a model of sequences: one of them filtered, or images drawn row by row."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
from jaxtyping import Array

from jaxgen.inference import smc
from jaxgen.models import importance_step, sample_sequence
from jaxgen.pictures import band_in_time, image_grid
from jaxgen.types import Key, Params
from jaxgen.workbench.sequences import Known, SequenceSets

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PARTICLES = 1000


def draw_sequences(key: Key, sets: SequenceSets, params: Params) -> dict[str, Figure]:
    """Returns the longest test sequence, `filtered`, or 100 `samples` of a model of images.

    Example:
      >>> sets = load_sequences(SequenceConfig(dataset="digits"), key)
      >>> figures = partial(draw_sequences, key, sets)  # of the params of `sets.model`
    """
    if sets.known is not None:
        return {"filtered": _filtered(key, sets, sets.known, params)}
    height = sets.test.xs.shape[1]
    sample = partial(sample_sequence, model=sets.model, params=params, time=height)
    xs, _ = jax.jit(jax.vmap(lambda key: sample(key)))(jax.random.split(key, 100))
    return {"samples": image_grid(xs.reshape(100, height, *sets.row_shape), title="Samples")}


def _filtered(key: Key, sets: SequenceSets, known: Known, params: Params) -> Figure:
    """Returns the signal as the particles of the learned model see it, and as it was."""
    model, (xs, mask, zs) = sets.model, sets.test
    assert zs is not None
    longest = int(jnp.argmax(mask.sum(axis=1)))
    xs, zs = (of[longest, : int(mask[longest].sum())] for of in (xs, zs))

    def signal(params: Params, z: Array) -> Array:
        return known.signal(model.decode(params, model.start(params), z))

    @jax.jit
    def see(key: Key) -> tuple[Array, Array]:
        """Mean and standard deviation of the signal at every step."""
        result = smc(key, importance_step(model, params), model.start(params), xs, PARTICLES)
        values = jax.vmap(jax.vmap(partial(signal, params)))(result.samples)
        weights = jnp.exp(result.log_weights)
        mean = jnp.sum(weights * values, axis=1)
        variance = jnp.sum(weights * (values - mean[:, None]) ** 2, axis=1)
        return mean, jnp.sqrt(variance)

    return band_in_time(
        *see(key),
        curves={"truth": jax.vmap(partial(signal, known.params))(zs)},
        dots={"|x|": jnp.abs(xs[:, 0])} if known.name == "volatility" else {"x": xs[:, 0]},
        ylabel=known.name,
        title="One test sequence, filtered by the learned model",
    )
