"""Adam as the flags of a recipe ask for it."""

from __future__ import annotations

from typing import Literal

import optax


def make_optimizer(
    learning_rate: float,
    num_steps: int,
    *,
    schedule: Literal["constant", "cosine", "half_linear"] = "cosine",
    clip_norm: float | None = None,
    b1: float = 0.9,
    b2: float = 0.999,
) -> optax.GradientTransformation:
    """Returns Adam with a schedule and clipping.

    Args:
      learning_rate: at the first step.
      num_steps: of the whole training.
      schedule: constant; down to a hundredth of that along half a cosine; or constant for half of
        the steps and then down to zero along a line, as translations are trained.
      clip_norm: the largest norm of a gradient; longer ones are shortened.
      b1: decay of the mean gradient.
      b2: decay of the mean square.
    Example:
      >>> optimizer = make_optimizer(1e-3, epochs * (len(images) // batch_size), clip_norm=1.0)
    """
    rate: optax.ScalarOrSchedule = learning_rate
    if schedule == "cosine":
        rate = optax.cosine_decay_schedule(learning_rate, num_steps, alpha=0.01)
    if schedule == "half_linear":
        half = num_steps // 2
        falling = optax.linear_schedule(learning_rate, 0.0, num_steps - half)
        rate = optax.join_schedules([optax.constant_schedule(learning_rate), falling], [half])
    clip = optax.identity() if clip_norm is None else optax.clip_by_global_norm(clip_norm)
    return optax.chain(clip, optax.adam(rate, b1=b1, b2=b2))
