"""Which epochs to show of a training that moves fast at first and slowly later."""

from __future__ import annotations

import numpy as np

from jaxgen.checks import at_least


def geometric_steps(last: int, count: int) -> list[int]:
    """Returns at most `count` whole numbers from 0 to `last`, each step longer than the one before.

    They are round(exp(s)) - 1 for `count` equally spaced s from 0 to log(last + 1), each once.

    Raises:
      ValueError: last is below zero, or count below one.
    Example:
      >>> geometric_steps(100, 4)
      [0, 4, 21, 100]
    """
    last, count = at_least("last", last, 0), at_least("count", count, 1)
    return (np.unique(np.geomspace(1, last + 1, count).round().astype(int)) - 1).tolist()
