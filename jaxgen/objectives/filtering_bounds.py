"""Every filtering bound of one sequence, with common random numbers."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from jaxgen.inference import Resampling, Step, UnobservedStep
from jaxgen.objectives.filtering import (
    FILTERING_OBJECTIVES,
    FilteringObjective,
    filtering_bound,
)
from jaxgen.types import Key, Scalar


def filtering_bounds(
    key: Key,
    step: Step,
    start: Any,
    xs: Any,
    num_particles: int,
    *,
    objectives: Mapping[str, FilteringObjective] = FILTERING_OBJECTIVES,
    mask: Array | None = None,
    observed: Array | None = None,
    unobserved_step: UnobservedStep | None = None,
) -> dict[str, Scalar]:
    """Returns one sequence's log Z-hat by each objective, in nats, without gradients.

    All see the same key, so that they differ in nothing but when and how they resample, and all are
    one compiled loop over the particles.

    Args:
      step: moves and weighs one particle (see `smc`).
      start: the state before the first step.
      xs: a pytree of arrays with a common leading axis of time.
      num_particles: K.
      objectives: by name.
      mask, observed, unobserved_step: which steps exist, which of them were seen, and how a
        particle moves at the others (see `smc`).
    Raises:
      ValueError: as `smc`.
    Example:
      >>> def step(key, z, x):  # bootstrap proposal of a random walk seen in noise
      ...     z = z + jax.random.normal(key)
      ...     return z, z, jax.scipy.stats.norm.logpdf(x, z)
      >>> xs = jnp.array([1.0, 2.0, 3.0])

      >>> bounds = filtering_bounds(jax.random.key(0), step, jnp.zeros(()), xs, 4)
      >>> sorted(bounds)
      ['aesmc', 'fivo', 'iwae', 'vsmc']
    Source: Maddison et al. (2017b), section 3.
    """
    schemes, schedules, _ = zip(*objectives.values(), strict=True)

    def bound(index: Array) -> Scalar:
        sample = partial(jax.lax.switch, index, [scheme.sample for scheme in schemes])
        objective = FilteringObjective(
            Resampling(sample),
            lambda log_weights: jax.lax.switch(index, schedules, log_weights),
        )
        same = jax.random.wrap_key_data(data, impl=jax.random.key_impl(key))
        return filtering_bound(
            same,
            step,
            start,
            xs,
            num_particles,
            objective,
            mask=mask,
            observed=observed,
            unobserved_step=unobserved_step,
        )[0]

    data = jax.random.key_data(key)  # which may be read more than once, as a key must not
    values = jax.lax.map(bound, jnp.arange(len(objectives)))
    return dict(zip(objectives, values, strict=True))
