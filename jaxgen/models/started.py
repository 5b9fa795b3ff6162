"""The beginning of a generator and its critic, each refused where its output has another shape."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
from jaxtyping import Array

from jaxgen.nets import Net
from jaxgen.types import Key, Variables


def start_players(
    key: Key,
    generator: Net,
    critic: Net,
    inputs: Any,
    judged: Callable[[Array], Any],
    shape: tuple[int, ...],
) -> tuple[Variables, Variables]:
    """Returns the variables of both nets.

    Args:
      generator: inputs to samples.
      critic: two packs of what it judges to one number each.
      inputs: the generator's, of two packs of samples.
      judged: from the samples to what the critic is given.
      shape: of the samples that the generator must return, [2 packs, *x_shape].
    Raises:
      ValueError: a net's output has another shape.
    """
    generator_key, critic_key = jax.random.split(key)
    generator_variables = generator.init(jax.random.clone(generator_key), inputs)
    x, _ = generator.apply(generator_variables, inputs, key=generator_key, train=True)
    if x.shape != shape:
        raise ValueError(
            f"generator: got an output of shape {x.shape} for {shape[0]} latents, expected {shape}"
        )
    packs = judged(x)
    critic_variables = critic.init(jax.random.clone(critic_key), packs)
    outputs = jax.eval_shape(
        lambda: critic.apply(critic_variables, packs, key=critic_key, train=True)[0]
    )
    if outputs.shape != (2,):
        raise ValueError(
            f"critic: got an output of shape {outputs.shape} for 2 packs of {shape[0] // 2}, "
            "expected (2,): one number each"
        )
    return generator_variables, critic_variables
