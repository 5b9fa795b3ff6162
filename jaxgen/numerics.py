"""Stable forms of the few expressions that recur in every likelihood."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import jax
import jax.numpy as jnp
from jax.extend.core import ClosedJaxpr, jaxpr_as_fun
from jax.scipy.special import ndtri
from jax.typing import ArrayLike
from jaxtyping import Array, Float, Int, Num

from jaxgen.checks import at_least, axis_of_samples, between_0_and_1
from jaxgen.types import Scalar

P = ParamSpec("P")
T = TypeVar("T")


def log_mean_exp(log_values: Float[Array, "..."], axis: int | tuple[int, ...]) -> Array:
    """Returns log(mean(exp(log_values))) along `axis`, in nats, without overflow.

    `axis` has no default: the mean runs over samples, never over datapoints, and the caller says
    which axis that is. All entries -inf give -inf; where the mean is zero or infinite it has no
    slope, and the gradient is zero, not NaN. Half precision is widened, having no 70,000.

    Example:
      iwae = log_mean_exp(log_weights, axis=0)  # log_weights: [samples]
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

    Example:
      bernoulli_log_prob(jnp.array(100.0), 0)  # -100., where log(1 - sigmoid) is -inf
    """
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
      jnp.mean(expm1(2 * v) - expm1(v))
    """
    x = jnp.asarray(x)
    kind = jnp.finfo(x.dtype)
    # To the precision that it has: changes nothing but what the compiler may merge.
    return jax.lax.reduce_precision(jnp.expm1(x), kind.nexp, kind.nmant)


def triangular_fixed_point(
    f: Callable[[Array], Array], x0: Float[Array, "*shape"], limit: int
) -> tuple[Float[Array, "*shape"], Int[Array, ""]]:
    """Returns the x with f(x) = x, and how many times f was asked, the last time in confirmation.

    For an f whose output i depends on inputs before i alone, in any one order: each pass settles at
    least the first entry that is not yet settled, so as many passes as entries always do, and few
    do where distant entries hardly matter. x is then, to the bit, what finding one entry after
    another gives. It is differentiable in all that f closes over, forward and backward, by the same
    iteration: the slopes of f form a triangle, too.

    Args:
      f: from an array to one of its shape and type.
      x0: where to start; it changes the number of passes alone.
      limit: passes at most: the number of entries is always enough.
    Raises:
      ValueError: limit is below one.
    Example:
      x, passes = triangular_fixed_point(lambda x: 0.5 * jnp.roll(x, 1).at[0].set(2.0), x0, 4)
    Source: Song et al. (2021), "Accelerating feedforward computation via parallel nonlinear
    equation solving", algorithm 1.
    """
    limit = at_least("limit", limit, 1)

    def repeated(g: Callable[[Array], Array], x: Array, limit: int = limit) -> tuple[Array, Array]:
        def unsettled(state: tuple[Array, Array, Array]) -> Array:
            _, changed, passes = state
            return changed & (passes < limit)

        def once(state: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
            x, _, passes = state
            new = g(x)
            return new, ~jnp.array_equal(new, x, equal_nan=True), passes + 1

        # Counted in floats, since a derivative passes by.
        x, _, passes = jax.lax.while_loop(unsettled, once, (x, jnp.array(True), jnp.zeros(())))
        return x, passes

    def solve_linear(less_identity: Callable[[Array], Array], b: Array) -> Array:
        # (J - I) t = b of a triangular J with zeros along its diagonal, or its transpose. Two more
        # passes, since (J t - t) + t is J t to the bit only once t is near it.
        return repeated(lambda t: less_identity(t) + t - b, jnp.zeros_like(b), limit + 2)[0]

    def solve_tangent(less_identity: Callable[[Array], Array], b: Array) -> Array:
        return jax.lax.custom_linear_solve(
            less_identity, b, solve_linear, transpose_solve=solve_linear
        )

    f = _without_keys(f, x0)
    x, passes = jax.lax.custom_root(
        lambda x: f(x) - x, x0, lambda _, x: repeated(f, x), solve_tangent, has_aux=True
    )
    return x, passes.astype(jnp.int32)


def _without_keys(f: Callable[[Array], Array], x: Array) -> Callable[[Array], Array]:
    """Returns f, traced, closing over the data of its keys: to what gives f a derivative of its
    own, a key that is passed is a key that is used up."""
    traced = jax.make_jaxpr(f)(x)
    data = [
        (jax.random.key_data(c), jax.random.key_impl(c))
        if jnp.issubdtype(c.dtype, jax.dtypes.prng_key)
        else (c, None)
        for c in map(jnp.asarray, traced.consts)
    ]

    def same(x: Array) -> Array:
        consts = [c if kind is None else jax.random.wrap_key_data(c, impl=kind) for c, kind in data]
        return jaxpr_as_fun(ClosedJaxpr(traced.jaxpr, consts))(x)[0]

    return same


def all_finite(tree: object) -> Array:
    """Returns one boolean: whether every floating leaf of `tree` is free of NaN and infinity."""
    leaves = [x for x in jax.tree.leaves(tree) if jnp.issubdtype(jnp.result_type(x), jnp.inexact)]
    return jnp.all(jnp.array([jnp.all(jnp.isfinite(x)) for x in leaves], dtype=bool))


def at_least_float32(name: str, x: Num[Array, "..."]) -> Float[Array, "..."]:
    """Returns x as float32 or wider.

    Half precision cannot hold counts above 2,048 (bfloat16: 256), and squares overflow it.

    Raises:
      ValueError: x is not of floating point; differences of uint8 pixels would wrap around.
    Example:
      at_least_float32("features", jnp.ones(3, jnp.bfloat16)).dtype  # float32
    """
    if not jnp.issubdtype(x.dtype, jnp.floating):
        raise ValueError(f"{name}: got {x.dtype}, expected floating-point numbers")
    return x.astype(jnp.promote_types(x.dtype, jnp.float32))


def highest_precision(f: Callable[P, T]) -> Callable[P, T]:
    """Returns f with its matrix products at the highest precision that the device has.

    For numbers that are reported: an accelerator's default products are off by nats in a likelihood
    of many dimensions. On a CPU nothing changes.

    Example:
      products = highest_precision(jnp.matmul)
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
      normalized(jnp.log(jnp.array([1.0, 3.0])))  # [0.25, 0.75]
    """
    axis_of_samples("log_weights", log_weights)
    log_weights = at_least_float32("log_weights", log_weights)
    log_sum = jax.nn.logsumexp(log_weights)
    defined = jnp.isfinite(log_sum)
    return jnp.where(defined, jnp.exp(log_weights - jnp.where(defined, log_sum, 0.0)), 0.0)


def effective_sample_size(log_weights: Float[Array, "..."]) -> Scalar:
    """Returns (sum_k w_k)² / sum_k w_k², between 1 and the number of particles.

    The weights need not be normalized. Zero if all of them are zero.

    Args:
      log_weights: [particles], of one datapoint or one step.
    Raises:
      ValueError: log_weights has not one axis, or no entry.
    Example:
      effective_sample_size(jnp.log(jnp.array([0.5, 0.5, 0.0])))  # 2.
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
      low, high = wilson_interval(0.4, 50)  # .276, .538
    Source: Wilson (1927), "Probable inference, the law of succession, and statistical inference".
    """
    share, count = jnp.asarray(share, float), at_least("count", count, 1)
    z = ndtri(0.5 + between_0_and_1("confidence", confidence) / 2)
    middle = (share + z**2 / (2 * count)) / (1 + z**2 / count)
    spread = jnp.sqrt(share * (1 - share) / count + (z / (2 * count)) ** 2) * z / (1 + z**2 / count)
    low, high = (jnp.clip(x, 0.0, 1.0) for x in (middle - spread, middle + spread))
    # It begins at zero if nothing happened and ends at one if all did, but for rounding.
    return jnp.where(share > 0, low, 0.0), jnp.where(share < 1, high, 1.0)
