"""Stable forms of the few expressions that recur in every likelihood."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, ParamSpec, TypeVar

import jax
import jax.numpy as jnp
from jax.scipy.special import ndtri
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from jaxgen.array_checks import axis_of_samples, from_0_to_1
from jaxgen.checks import at_least, between_0_and_1
from jaxgen.types import Scalar

P = ParamSpec("P")
T = TypeVar("T")


def log_mean_exp(log_values: Float[Array, "..."], axis: int | tuple[int, ...]) -> Array:
    """Returns log(mean(exp(log_values))) along `axis`, in nats, without overflow.

    `axis` has no default: the mean runs over samples, never over datapoints, and the caller says
    which axis that is. All entries -inf give -inf; where the mean is zero or infinite it has no
    slope, and the gradient is zero, not NaN. Half precision is widened, having no 70,000.

    Example:
      >>> log_weights = jnp.log(jnp.array([[1.0, 3.0], [2.0, 2.0]]))  # [datapoints, samples]
      >>> log_mean_exp(log_weights, axis=1).tolist()  # log 2 each
      [0.6931, 0.6931]
    """
    log_values = at_least_float32("log_values", log_values)
    axes = (axis,) if isinstance(axis, int) else axis
    count = 1
    for a in axes:
        count *= log_values.shape[a]
    largest = jax.lax.stop_gradient(jnp.max(log_values, axis=axis, keepdims=True))
    extreme = jnp.isinf(largest)
    log_sum = jax.nn.logsumexp(jnp.where(extreme, 0.0, log_values), axis=axis)
    log_sum = jnp.where(jnp.squeeze(extreme, axis), jnp.squeeze(largest, axis), log_sum)
    return log_sum - jnp.log(jnp.asarray(count, log_values.dtype))


def bernoulli_log_prob(logits: Float[Array, "..."], x: ArrayLike) -> Float[Array, "..."]:
    """Returns log Bernoulli(x; sigmoid(logits)) elementwise, in nats, for x in [0, 1].

    Written with a single exponential, x·l - max(l, 0) - log(1 + exp(-|l|)): exact and with a finite
    gradient at any finite logit, and about half the cost of two log-sigmoids. `x` is cast to the
    type of `logits`.

    Raises:
      ValueError: a number of x that is known, not traced, is outside of [0, 1].
    Example:
      >>> float(bernoulli_log_prob(jnp.array(100.0), 0))  # where log(1 - sigmoid) is -inf
      -100.0
    """
    from_0_to_1("x", x)
    logits, x = jnp.broadcast_arrays(logits, jnp.asarray(x, logits.dtype))
    shape = logits.shape
    # Along one flat axis: XLA's CPU does not vectorize a loop over 28x28x1 pixels as they lie.
    logits, x = logits.reshape(-1), x.reshape(-1)
    return (x * logits - _softplus(logits)).reshape(shape)


@jax.custom_jvp
def _softplus(x: Array) -> Array:
    return jnp.maximum(x, 0.0) + jnp.log1p(jnp.exp(-jnp.abs(x)))


@_softplus.defjvp
def _softplus_jvp(primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    # The sigmoid anew from x, not the exponential kept: faster, and right at a logit of zero too.
    return _softplus(*primals), jax.nn.sigmoid(primals[0]) * tangents[0]


def expm1(x: Float[Array, "..."]) -> Float[Array, "..."]:
    """Returns exp(x) - 1 elementwise, exact near zero, and compiled apart from its neighbors.

    XLA's CPU compiler (seen in jaxlib 0.10.2, 0.11.1 and 0.12.0.1, float32, from 4,096 elements on)
    takes two of them within one sum for one and the same if both are of one array: the mean of
    expm1(2 v) - expm1(v) comes out as zero. Divergences are such means.

    Example:
      >>> v = jnp.array([0.0, 1.0])
      >>> float(jnp.mean(expm1(2 * v) - expm1(v)))  # (e² - e) / 2
      2.3354
    """
    x = jnp.asarray(x)
    kind = jnp.finfo(x.dtype)
    # To the precision that it has: changes nothing but what the compiler may merge.
    return jax.lax.reduce_precision(jnp.expm1(x), kind.nexp, kind.nmant)


def all_finite(tree: object) -> Array:
    """Returns one boolean: whether every floating leaf of `tree` is free of NaN and infinity.

    Example:
      >>> bool(all_finite({"params": jnp.ones(3), "step": 3})), bool(all_finite([jnp.inf]))
      (True, False)
    """
    leaves = [x for x in jax.tree.leaves(tree) if jnp.issubdtype(jnp.result_type(x), jnp.inexact)]
    return jnp.all(jnp.array([jnp.all(jnp.isfinite(x)) for x in leaves], dtype=bool))


def at_least_float32(name: str, x: ArrayLike | Sequence[Any]) -> Float[Array, "..."]:
    """Returns x as an array, float32 or wider.

    Half precision cannot hold counts above 2,048 (bfloat16: 256), and squares overflow it.

    Raises:
      ValueError: x is no array, number or nested list, or is not of floating point; differences of
        uint8 pixels would wrap around.
    Example:
      >>> at_least_float32("features", jnp.ones(3, jnp.bfloat16)).dtype
      dtype('float32')
      >>> at_least_float32("pixels", jnp.ones(3, jnp.uint8))
      Traceback (most recent call last):
      ValueError: pixels: got uint8, expected floating-point numbers
    """
    try:
        array = jnp.asarray(x)
    except (TypeError, ValueError):
        raise ValueError(f"{name}: got {type(x).__name__}, expected an array") from None
    if not jnp.issubdtype(array.dtype, jnp.floating):
        raise ValueError(f"{name}: got {array.dtype}, expected floating-point numbers")
    return array.astype(jnp.promote_types(array.dtype, jnp.float32))


def one_per_sample(name: str, numbers: ArrayLike | Sequence[Any]) -> Float[Array, "n"]:
    """Returns one number for each sample, such as a critic's outputs, in float32 at least.

    Raises:
      ValueError: it is no vector ([n, 1] is refused, not broadcast), empty, or not of floats.
    Example:
      >>> one_per_sample("v_real", jnp.zeros((5, 1)))
      Traceback (most recent call last):
      ValueError: v_real: got shape (5, 1), expected one number per sample, (n >= 1,)
    """
    numbers = at_least_float32(name, numbers)
    if numbers.ndim != 1 or not len(numbers):
        raise ValueError(
            f"{name}: got shape {numbers.shape}, expected one number per sample, (n >= 1,)"
        )
    return numbers


def highest_precision(f: Callable[P, T]) -> Callable[P, T]:
    """Returns f with its matrix products at the highest precision that the device has.

    For numbers that are reported: an accelerator's default products are off by nats in a likelihood
    of many dimensions. On a CPU nothing changes.

    Example:
      >>> product = highest_precision(jnp.matmul)
      >>> product(jnp.ones((2, 3)), jnp.ones((3, 1))).tolist()
      [[3.0], [3.0]]
    """

    @functools.wraps(f)
    def precise(*args: P.args, **kwargs: P.kwargs) -> T:
        with jax.default_matmul_precision("highest"):
            return f(*args, **kwargs)

    return precise


def normalized(log_weights: Float[Array, "..."]) -> Float[Array, "samples"]:
    """Returns the weights divided by their sum; zeros, not NaN, where the sum is zero or infinite.

    Args:
      log_weights: [samples], of one datapoint.
    Raises:
      ValueError: log_weights has not one axis, or no entry.
    Example:
      >>> normalized(jnp.log(jnp.array([1.0, 3.0]))).tolist()
      [0.25, 0.75]
    """
    axis_of_samples("log_weights", log_weights)
    log_weights = at_least_float32("log_weights", log_weights)
    log_sum = jax.nn.logsumexp(log_weights)
    defined = jnp.isfinite(log_sum)
    return jnp.where(defined, jnp.exp(log_weights - jnp.where(defined, log_sum, 0.0)), 0.0)


def log_of_the_others(log_weights: Float[Array, "..."]) -> Float[Array, "samples"]:
    """Returns log(1 - v_k), v_k the normalized weights, exact for the smallest and the largest.

    Args:
      log_weights: [samples], of one datapoint.
    Raises:
      ValueError: log_weights has not one axis, or no entry.
    Example:
      >>> jnp.exp(log_of_the_others(jnp.log(jnp.array([1.0, 3.0])))).tolist()
      [0.75, 0.25]
    """
    v = normalized(log_weights)
    log_weights = at_least_float32("log_weights", log_weights)
    is_own = jnp.eye(len(log_weights), dtype=bool)
    others = jnp.where(is_own, -jnp.inf, log_weights - jax.nn.logsumexp(log_weights))
    few = jax.nn.logsumexp(others, axis=1)
    return jnp.where(v < 0.5, jnp.log1p(-v), few)


def effective_sample_size(log_weights: Float[Array, "..."]) -> Scalar:
    """Returns (sum_k w_k)² / sum_k w_k², between 1 and the number of particles.

    The weights need not be normalized. Zero if all of them are zero.

    Args:
      log_weights: [particles], of one datapoint or one step.
    Raises:
      ValueError: log_weights has not one axis, or no entry.
    Example:
      >>> float(effective_sample_size(jnp.log(jnp.array([0.5, 0.5, 0.0]))))
      2.0
    Source: Kong et al. (1994).
    """
    axis_of_samples("log_weights", log_weights)
    log_weights = at_least_float32("log_weights", log_weights)
    largest = jnp.max(log_weights)
    weights = jnp.exp(log_weights - jnp.where(largest == -jnp.inf, 0.0, largest))
    squares = jnp.sum(weights**2)
    return jnp.sum(weights) ** 2 / jnp.where(squares == 0.0, 1.0, squares)


def wilson_interval(
    share: ArrayLike, count: int, *, confidence: float = 0.95
) -> tuple[Float[Array, "..."], Float[Array, "..."]]:
    """Returns the ends of Wilson's interval of a probability, from a share among `count` trials.

    Raises:
      ValueError: count is below one, or confidence is not between 0 and 1.
    Example:
      >>> low, high = wilson_interval(0.4, 50)
      >>> float(low), float(high)
      (0.276, 0.538)
    Source: Wilson (1927), "Probable inference, the law of succession, and statistical inference".
    """
    share, count = jnp.asarray(share, float), at_least("count", count, 1)
    z = ndtri(0.5 + between_0_and_1("confidence", confidence) / 2)
    middle = (share + z**2 / (2 * count)) / (1 + z**2 / count)
    spread = jnp.sqrt(share * (1 - share) / count + (z / (2 * count)) ** 2) * z / (1 + z**2 / count)
    low, high = (jnp.clip(x, 0.0, 1.0) for x in (middle - spread, middle + spread))
    # It begins at zero if nothing happened and ends at one if all did, but for rounding.
    return jnp.where(share > 0, low, 0.0), jnp.where(share < 1, high, 1.0)
