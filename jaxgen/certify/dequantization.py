"""Whether noise fills the interval of each gray level, and no other."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array
from scipy import stats

from jaxgen.certify.finding import DensityReport, Finding
from jaxgen.checks import at_least, between_0_and_1
from jaxgen.types import Key


def check_dequantizer(
    prepare: Callable[[Key, Array], Array],
    levels: int,
    key: Key,
    *,
    num_draws: int = 20_000,
    false_alarm: float = 1e-6,
) -> DensityReport:
    """Returns the report if `prepare` makes level k a uniform draw from [k, k + 1) / levels.

    Only then is log P(levels) >= E[log p(x)] - dimensions · log(levels) as tight as such noise can
    make it. Noise of 1/256 on images of 17 levels leaves gaps: the bound still holds, is looser by
    nats a pixel, and nothing else says so.

    Args:
      prepare: `(key, bytes) -> floats in [0, 1)`; its byte of level k is
        round(255 · k / (levels - 1)).
      levels: that the data have, from 2 to 256.
      num_draws: of all levels together, at least 1,000.
      false_alarm: chance that what is right is refused.
    Raises:
      ValueError: naming what is broken, with the numbers; a number is out of range.
    Example:
      >>> middles = lambda key, x: jnp.floor(x / 128.0) / 2 + jax.random.uniform(key, x.shape) / 2
      >>> print(check_dequantizer(middles, 2, jax.random.key(0)))
    Source: Theis et al. (2016), section 3.1; Kolmogorov's test.
    """
    if at_least("levels", levels, 2) > 256:
        raise ValueError(f"levels: got {levels}, expected at most 256, those of bytes")
    between_0_and_1("false_alarm", false_alarm)
    k = np.arange(at_least("num_draws", num_draws, 1000)) % levels
    pixels = np.rint(255 * k / (levels - 1)).astype(np.uint8)
    x = np.asarray(jax.jit(prepare)(key, jnp.asarray(pixels)), np.float64)
    u = levels * x - k
    outside = 1 - np.mean((u >= -1e-4) & (u <= 1 + 1e-4))  # what is no number, too
    # Level by level: over all of them, what each lacks may fill what others do.
    p_values = [stats.kstest(u[k == level], "uniform").pvalue for level in range(levels)]
    worst = int(np.argmin(p_values))
    p_value = min(1.0, levels * float(p_values[worst]))
    low, high = np.quantile(u[k == worst], [0, 1])
    found = f"that of level {worst} is from {low:.3f} to {high:.3f}, p-value {p_value:.2g}"
    report = DensityReport(
        (
            Finding("noise within its level", not outside, f"{outside:.2g} of the draws are not"),
            Finding("uniform noise", p_value >= false_alarm, found),
        )
    )
    if report.failures:
        broken = "; ".join(f"{of.law}: {of.measured}" for of in report.failures)
        raise ValueError(f"prepare: got one that breaks {broken}; expected none broken")
    return report
