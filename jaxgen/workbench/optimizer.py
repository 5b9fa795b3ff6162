"""Adam as the flags of a recipe ask for it."""

from __future__ import annotations

from typing import Literal

import optax

from jaxgen.checks import at_least, positive


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
    Raises:
      ValueError: learning_rate or clip_norm is not positive, or num_steps below one.
    Example:
      >>> optimizer = make_optimizer(1e-3, num_steps=1000, clip_norm=1.0)
    """
    positive("learning_rate", learning_rate)
    num_steps = at_least("num_steps", num_steps, 1)
    if clip_norm is not None:
        positive("clip_norm", clip_norm)
    rate: optax.ScalarOrSchedule = learning_rate
    if schedule == "cosine":
        rate = optax.cosine_decay_schedule(learning_rate, num_steps, alpha=0.01)
    if schedule == "half_linear":
        half = num_steps // 2
        falling = optax.linear_schedule(learning_rate, 0.0, num_steps - half)
        rate = optax.join_schedules([optax.constant_schedule(learning_rate), falling], [half])
    clip = optax.identity() if clip_norm is None else optax.clip_by_global_norm(clip_norm)
    return optax.chain(clip, optax.adam(rate, b1=b1, b2=b2))
