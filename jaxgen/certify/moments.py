"""Moments of a gradient estimator by sampling: mean, variance, signal-to-noise and bias."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxgen.checks import at_least
from jaxgen.types import Key, Params, Scalar

Gradient = Callable[[Key], Params]
"""One draw of a gradient, a pytree of arrays."""


class Moments(NamedTuple):
    """The first two moments of one draw of a gradient.

    Attributes:
      mean: average gradient.
      variance: of each coordinate of one draw (not of the mean over the draws).
      trace: trace of the covariance: the sum of the variances.
      snr: signal-to-noise ratio, |mean| / sqrt(trace). A gradient of zero reads about 1 / sqrt(n)
        from n draws.
      variance_stderr: standard error of `variance`, seen in its spread between batches of draws.
      trace_stderr: standard error of `trace`, likewise, for its terms may be correlated.
    """

    mean: Params
    variance: Params
    trace: Scalar
    snr: Scalar
    variance_stderr: Params
    trace_stderr: Scalar


class Bias(NamedTuple):
    """A gradient estimator against a reference.

    Attributes:
      difference: mean of the gradient less that of the reference.
      z: `difference` in its standard errors, coordinate by coordinate.
      worst_z: the largest |z|; of d coordinates with no bias it is about sqrt(2 log d).
    """

    difference: Params
    z: Params
    worst_z: Scalar


class _Running(NamedTuple):
    """Welford's number, mean and sum of squared deviations of draws."""

    num_draws: Scalar
    mean: Params
    squares: Params


def grad_moments(
    gradient: Gradient, key: Key, num_draws: int, batch_size: int | None = None
) -> Moments:
    """Returns the moments of independent gradients, with one batch of them at a time in memory.

    Args:
      gradient: `key -> gradient`.
      num_draws: gradients drawn. What the last whole batch leaves over costs a second compilation.
      batch_size: gradients computed at once, at least 2; by default a twentieth of num_draws. The
        standard errors come from the spread between whole batches, so have some 20 of them.
    Raises:
      ValueError: batch_size is below 2, or num_draws below its double.
    Example:
      loss = lambda p, key: rloo.apply((), key, f, distrax.Bernoulli(p))[0]
      grad_moments(lambda key: jax.grad(loss)(logits, key), key, 2000).trace
    Source: Welford (1962); Chan et al. (1983) for joining the batches.
    """
    batch_size = max(2, num_draws // 20) if batch_size is None else batch_size
    batch_size = at_least("batch_size", batch_size, 2)
    num_batches, rest = divmod(at_least("num_draws", num_draws, 2 * batch_size), batch_size)

    def draw(key: Key) -> Params:  # in float32 at least: half precision holds no sums of squares
        return jax.tree.map(
            lambda x: jnp.asarray(x, jnp.promote_types(jnp.result_type(x), jnp.float32)),
            gradient(key),
        )

    def batch_of(key: Key, size: int) -> _Running:
        return _of_draws(jax.vmap(draw)(jax.random.split(key, size)), size)

    def add_batch(carry: tuple[_Running, _Running], key: Key):
        draws, variances = carry
        batch = batch_of(key, batch_size)
        variance = _variance(batch)
        one_more = _of_draws(jax.tree.map(lambda x: x[None], (variance, _total(variance))), 1)
        return (_joined(draws, batch), _joined(variances, one_more)), None

    zero = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), jax.eval_shape(draw, key))
    none, zeros = jnp.zeros(()), (zero, _total(zero))
    nothing = (_Running(none, zero, zero), _Running(none, zeros, zeros))
    keys = jax.random.split(key, num_batches + 1)
    (draws, variances), _ = jax.lax.scan(add_batch, nothing, keys[:-1])
    if rest:
        draws = _joined(draws, batch_of(keys[-1], rest))
    variance, trace = _variance(draws), _total(_variance(draws))
    stderrs = jax.tree.map(lambda v: jnp.sqrt(v / num_batches), _variance(variances))
    snr = jnp.sqrt(_total(jax.tree.map(jnp.square, draws.mean)) / trace)
    return Moments(draws.mean, variance, trace, snr, *stderrs)


def paired_bias(
    gradient: Gradient,
    reference: Gradient,
    key: Key,
    num_draws: int,
    batch_size: int | None = None,
) -> Bias:
    """Returns the bias of a gradient against a reference, both drawn with the same keys.

    The common random numbers cancel whatever noise the two share; `lambda key: exact` is a
    reference without any. Standard errors are held above float32 rounding, so that two exact
    gradients differ by no z.

    Args:
      gradient: `key -> gradient` on trial.
      reference: `key -> gradient`, unbiased, of the same structure.
      num_draws: pairs drawn, as for `grad_moments`.
      batch_size: pairs computed at once, as for `grad_moments`.
    Example:
      paired_bias(concrete_gradient, lambda key: exact_gradient, key, 10_000).worst_z
    """

    def difference(key: Key) -> tuple[Params, Params]:
        # The very same noise for both is the point.
        ours, theirs = gradient(jax.random.clone(key)), reference(key)
        size = jax.tree.map(lambda x, y: jnp.abs(x) + jnp.abs(y), ours, theirs)
        return jax.tree.map(jnp.subtract, ours, theirs), size

    moments = grad_moments(difference, key, num_draws, batch_size)
    (mean, size), (variance, _) = moments.mean, moments.variance

    def z_score(mean: Array, variance: Array, size: Array) -> Array:
        rounding = 4 * jnp.finfo(size.dtype).eps * size + jnp.finfo(size.dtype).tiny
        return mean / (jnp.sqrt(variance / num_draws) + rounding)

    z = jax.tree.map(z_score, mean, variance, size)
    return Bias(mean, z, jnp.max(jnp.stack([jnp.max(jnp.abs(x)) for x in jax.tree.leaves(z)])))


def directional_snr(
    gradient: Gradient, direction: Params, key: Key, num_draws: int, batch_size: int = 100
) -> Scalar:
    """Returns E[|g along u| / |g across u|], u the unit vector of `direction`.

    What the plain ratio misses: noise along the gradient does no harm. For two coordinates or more.

    Args:
      gradient: `key -> gradient`.
      direction: the true gradient, or a mean estimated apart from these draws.
      num_draws: gradients drawn.
      batch_size: gradients computed at once.
    Example:
      directional_snr(gradient, moments.mean, key, 1000)
    Source: Rainforth et al. (2018), the directional signal-to-noise ratio.
    """
    num_draws = at_least("num_draws", num_draws, 1)
    norm = jnp.sqrt(_total(jax.tree.map(jnp.square, direction)))

    def ratio(key: Key) -> Scalar:
        g = gradient(key)
        along = _total(jax.tree.map(lambda x, y: x * y, g, direction)) / norm
        across = jax.tree.map(lambda x, y: x - along * y / norm, g, direction)
        return jnp.abs(along) / jnp.sqrt(_total(jax.tree.map(jnp.square, across)))

    keys = jax.random.split(key, num_draws)
    return jnp.mean(jax.lax.map(ratio, keys, batch_size=batch_size))


def _total(tree: Params) -> Float[Array, ""]:
    return jnp.sum(jnp.stack([jnp.sum(x) for x in jax.tree.leaves(tree)]))


def _variance(running: _Running) -> Params:
    return jax.tree.map(lambda s: s / (running.num_draws - 1), running.squares)


def _of_draws(draws: Params, count: int) -> _Running:
    """The running moments of `count` draws on a leading axis."""
    mean = jax.tree.map(lambda x: jnp.mean(x, axis=0), draws)
    squares = jax.tree.map(lambda x, m: jnp.sum((x - m) ** 2, axis=0), draws, mean)
    return _Running(jnp.asarray(float(count)), mean, squares)


def _joined(a: _Running, b: _Running) -> _Running:
    """The running moments of the draws of both."""
    count = a.num_draws + b.num_draws
    part = b.num_draws / count
    mean = jax.tree.map(lambda x, y: x + part * (y - x), a.mean, b.mean)
    squares = jax.tree.map(
        lambda s, t, x, y: s + t + a.num_draws * part * (y - x) ** 2,
        *(a.squares, b.squares, a.mean, b.mean),
    )
    return _Running(count, mean, squares)
