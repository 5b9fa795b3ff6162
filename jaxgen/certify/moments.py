"""Moments of a gradient estimator by sampling: mean, variance and signal-to-noise."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
from jaxtyping import Array

from jaxgen.certify.running import (
    RunningBatches,
    add_batch,
    joined,
    no_batches,
    of_draws,
    total,
    variance,
    widened,
)
from jaxgen.checks import at_least
from jaxgen.numerics import highest_precision
from jaxgen.types import Key, Params, Scalar

DrawGradient: TypeAlias = Callable[[Key], Params]
"""`key -> one draw of a gradient`, a pytree of arrays."""


class Moments(NamedTuple):
    """The first two moments of one draw of a gradient, in float32 at least.

    Attributes:
      mean: average gradient.
      variance: of each coordinate of one draw (not of the mean over the draws).
      trace: trace of the covariance: the sum of the variances.
      snr: signal-to-noise ratio, |mean| / sqrt(trace). A gradient of zero reads about 1 / sqrt(n)
        from n draws.
      variance_stderr: standard error of `variance`, from its spread between batches of draws.
      trace_stderr: standard error of `trace`, likewise, since its terms may be correlated.
    Example:
      >>> moments = grad_moments(lambda key: 3.0 + jax.random.normal(key), jax.random.key(0), 1000)
      >>> moments.snr  # 3 / 1
      Array(2.9, dtype=float32)
    """

    mean: Params
    variance: Params
    trace: Scalar
    snr: Scalar
    variance_stderr: Params
    trace_stderr: Scalar


@highest_precision
def grad_moments(
    gradient: DrawGradient, key: Key, num_draws: int, batch_size: int | None = None
) -> Moments:
    """Returns the moments of independent gradients, with one batch of them at a time in memory.

    Args:
      gradient: `key -> gradient`.
      num_draws: gradients drawn. A remainder smaller than a batch costs a second compilation.
      batch_size: gradients computed at once, at least 2; by default a twentieth of num_draws. The
        standard errors come from the spread between whole batches, so have some 20 of them.
    Raises:
      ValueError: batch_size is below 2, or num_draws below its double.
    Example:
      >>> f = lambda b: (b - 0.45) ** 2
      >>> loss = lambda logit, key: disarm(2).apply((), key, f, distrax.Bernoulli(logit))[0]
      >>> grad_moments(lambda key: jax.grad(loss)(0.3, key), jax.random.key(0), 2000).trace
    Source: Welford (1962); Chan et al. (1983) for joining the batches.
    """
    batch_size = max(2, num_draws // 20) if batch_size is None else batch_size
    batch_size = at_least("batch_size", batch_size, 2)
    num_batches, rest = divmod(at_least("num_draws", num_draws, 2 * batch_size), batch_size)

    def draw(key: Key) -> Params:
        return widened(gradient(key))

    def batch_of(key_data: Array, size: int) -> Params:
        # As data: under vmap, key-reuse checks take a scan over typed keys for a second use.
        batch_key = jax.random.wrap_key_data(key_data, impl=jax.random.key_impl(key))
        return jax.vmap(draw)(jax.random.split(batch_key, size))

    def step(running: RunningBatches, key_data: Array) -> tuple[RunningBatches, None]:
        return add_batch(running, batch_of(key_data, batch_size)), None

    start = no_batches(jax.eval_shape(draw, key))
    keys = jax.random.key_data(jax.random.split(key, num_batches + 1))
    running, _ = jax.lax.scan(step, start, keys[:-1])
    if rest:
        draws = joined(running.draws, of_draws(batch_of(keys[-1], rest)))
        running = running._replace(draws=draws)
    return moments_of(running)


def moments_of(running: RunningBatches) -> Moments:
    """Returns the moments of all draws seen, with standard errors from the batches' spread."""
    within, num_batches = running.variances, running.variances.num_draws
    stderrs = jax.tree.map(lambda v: jnp.sqrt(v / num_batches.astype(v.dtype)), variance(within))
    return summarize(running.draws.mean, variance(running.draws), *stderrs)


def summarize(
    mean: Params, variance: Params, variance_stderr: Params, trace_stderr: Scalar
) -> Moments:
    """Returns the moments with what follows from them: the trace and the signal-to-noise ratio."""
    trace = total(variance)
    snr = jnp.sqrt(total(jax.tree.map(jnp.square, mean)) / trace)
    return Moments(mean, variance, trace, snr, variance_stderr, trace_stderr)
