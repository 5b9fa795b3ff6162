"""Bits-back coding: the ELBO as the length of a message that is written and read again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Num, UInt32
from numpy.typing import ArrayLike

from jaxgen.checks import at_least
from jaxgen.numerics import at_least_float32


class LatentCode(NamedTuple):
    """A model of discrete data with discrete latents, as the tables that a coder reads.

    The prior is uniform over the buckets: `normal_buckets` cuts a normal one so. Sender and
    receiver must compute the same tables to the bit: one compiled program on one kind of machine,
    called on one datapoint at a time. Another batch size, device or version may round differently,
    and then the message cannot be read.

    Attributes:
      posterior: x [dims] to the probabilities of each latent's buckets, [latents, buckets].
      likelihood: buckets [latents] to the probabilities of each dimension's values, [dims, values].
      num_latents: how many latents.
      num_buckets: of each latent.
    Example:
      >>> half = np.full(
      ...     (1, 2), 0.5
      ... )  # a latent of two buckets and a pixel of two values, all alike
      >>> code = LatentCode(lambda x: half, lambda z: half, num_latents=1, num_buckets=2)
      >>> code.posterior(np.array([0])).shape
      (1, 2)
    """

    posterior: Callable[[Int[np.ndarray, "dims"]], ArrayLike]
    likelihood: Callable[[Int[np.ndarray, "latents"]], ArrayLike]
    num_latents: int
    num_buckets: int


def bits_back_encode(
    code: LatentCode, xs: Num[np.ndarray, "n dims"], initial: UInt32[np.ndarray, "initial"]
) -> UInt32[np.ndarray, "message"]:
    """Returns the message that `bits_back_decode` turns back into xs and `initial`.

    For each datapoint z is read off the message with q(z|x), which shortens it, then x is written
    with p(x|z) and z with p(z). The message so grows by log q(z|x) - log p(x|z) - log p(z) bits,
    -ELBO on average if what is read is random: for the first datapoint that is `initial`, after
    that the z just written. Buckets of posteriors that are not the prior on average are no random
    bits; so each is written as its sum with a fixed pseudorandom number, modulo the buckets, which
    takes as many bits. The net length is 32 (len(message) - len(initial)) bits.

    Probabilities are rounded to multiples of 2^-24, none to zero.

    Args:
      code: what sender and receiver share.
      xs: from zero.
      initial: random words, or words that are to be sent anyhow; one for each latent at least.
    Raises:
      ValueError: an argument or a table has the wrong shape, the xs are no integers, an x is
        outside its table, or a row of a table holds no probabilities.
      ModuleNotFoundError: constriction is missing: pip install 'jaxgen[compression]'.
    Example:
      >>> half = np.full((1, 2), 0.5)  # the posterior is the prior: no bits but those of x
      >>> code = LatentCode(lambda x: half, lambda z: half, num_latents=1, num_buckets=2)
      >>> initial = np.random.default_rng(0).integers(2**32, size=4, dtype=np.uint32)
      >>> message = bits_back_encode(code, np.zeros((320, 1), int), initial)
      >>> 320 <= 32 * (len(message) - len(initial)) <= 352  # one bit for each x, in words of 32
      True
    Source: Townsend et al. (2019), section 2; Duda (2009) for the coder, constriction's.
    """
    if not np.issubdtype(np.asarray(xs).dtype, np.integer):
        raise ValueError(f"xs: got {np.asarray(xs).dtype}, expected integers")
    if np.ndim(xs) != 2:
        raise ValueError(f"xs: got shape {np.shape(xs)}, expected (n, dims): one vector per image")
    if np.asarray(initial).dtype != np.uint32:
        raise ValueError(f"initial: got {np.asarray(initial).dtype}, expected uint32")
    xs = np.asarray(xs)
    if not xs.size or xs.min() < 0:
        raise ValueError(f"xs: got shape {xs.shape} from {xs.min(initial=0)}, expected some, >= 0")
    if xs.max() > np.iinfo(np.int32).max:  # before the cast, which would wrap around
        raise ValueError(f"xs: got {xs.max()}, expected values below 2**31")
    xs = np.ascontiguousarray(xs, np.int32)
    if len(initial) < code.num_latents:  # a latent takes 24 bits at most
        raise ValueError(
            f"initial: got {len(initial)} words, expected at least {code.num_latents}, one for "
            "each latent of the first datapoint"
        )
    stream = _entropy_coding()
    coder = stream.stack.AnsCoder(initial, seal=True)
    tables = stream.model.Categorical(perfect=False)
    prior = stream.model.Uniform(code.num_buckets)
    shifts = _shifts(code, len(xs))
    # The message is a stack: what is written last is read first.
    for x, shift in zip(xs[::-1], shifts[::-1], strict=True):
        z = coder.decode(tables, _posterior(code, x))
        likelihood = _likelihood(code, z, len(x))
        if x.max() >= likelihood.shape[1]:
            raise ValueError(f"xs: got {x.max()}, expected values below {likelihood.shape[1]}")
        coder.encode_reverse(x, tables, likelihood)
        coder.encode_reverse((z + shift) % code.num_buckets, prior)
    return coder.get_compressed()


def bits_back_decode(
    code: LatentCode, message: UInt32[np.ndarray, "message"], shape: tuple[int, int]
) -> tuple[Int[np.ndarray, "n dims"], UInt32[np.ndarray, "initial"]]:
    """Returns the xs and the initial words of which `bits_back_encode` made the message.

    Args:
      code: what sender and receiver share.
      message: unchanged.
      shape: of xs.
    Raises:
      ValueError: the message does not end as one of this code and shape does, which shows damage
        as a rule, but is no checksum; or a table has the wrong shape, or a row of it holds no
        probabilities.
      ModuleNotFoundError: constriction is missing: pip install 'jaxgen[compression]'.
    Example:
      >>> half = np.full((1, 2), 0.5)
      >>> code = LatentCode(lambda x: half, lambda z: half, num_latents=1, num_buckets=2)
      >>> initial = np.random.default_rng(0).integers(2**32, size=4, dtype=np.uint32)
      >>> message = bits_back_encode(code, np.array([[1], [0], [1]]), initial)
      >>> xs, returned = bits_back_decode(code, message, (3, 1))
      >>> xs.tolist(), bool(np.all(returned == initial))
      ([[1], [0], [1]], True)
    Source: Townsend et al. (2019), section 2.
    """
    stream = _entropy_coding()
    coder = stream.stack.AnsCoder(message)
    tables = stream.model.Categorical(perfect=False)
    prior = stream.model.Uniform(code.num_buckets)
    xs = np.empty(shape, np.int32)
    for x, shift in zip(xs, _shifts(code, len(xs)), strict=True):
        z = (coder.decode(prior, code.num_latents) - shift) % code.num_buckets
        x[:] = coder.decode(tables, _likelihood(code, z, len(x)))
        coder.encode_reverse(z, tables, _posterior(code, x))
    try:
        return xs, coder.get_compressed(unseal=True)
    except AssertionError:
        raise ValueError(
            f"message: got one that does not end after {shape[0]} datapoints: it is damaged, or "
            "was written with another code"
        ) from None


def normal_buckets(num_buckets: int) -> Float[Array, "buckets"]:
    """Returns the medians of the intervals that cut N(0, 1) into `num_buckets` of equal mass.

    Raises:
      ValueError: num_buckets is below two, or above 2^16, where float32 cannot tell them apart.
    Example:
      >>> normal_buckets(2).tolist()  # the medians of both halves
      [-0.6745, 0.6745]
    Source: Townsend et al. (2019), section 2.5.1.
    """
    return _quantiles(num_buckets, jnp.arange(num_buckets) + 0.5)


def normal_bucket_probs(
    mean: Float[Array, "latents"], scale: Float[Array, "latents"], num_buckets: int
) -> Float[Array, "latents buckets"]:
    """Returns the mass of N(mean, scale²) in each interval of `normal_buckets`.

    Raises:
      ValueError: as `normal_buckets`, or mean and scale are no vectors of one length.
    Example:
      >>> normal_bucket_probs(jnp.zeros(1), jnp.ones(1), 4).tolist()
      [[0.25, 0.25, 0.25, 0.25]]
    Source: Townsend et al. (2019), section 2.5.1.
    """
    mean, scale = at_least_float32("mean", mean), at_least_float32("scale", scale)
    if mean.ndim != 1 or scale.shape != mean.shape:
        raise ValueError(
            f"scale: got shape {scale.shape} for a mean of {mean.shape}, expected (latents,) both"
        )
    edges = _quantiles(num_buckets, jnp.arange(num_buckets + 1))
    places = (edges - mean[:, None]) / scale[:, None]
    below, above = jax.scipy.special.ndtr(places), jax.scipy.special.ndtr(-places)
    # Beyond the mean a difference of upper tails: that of two numbers near one has no digits.
    probs = jnp.where(places[:, :-1] < 0, jnp.diff(below, axis=1), -jnp.diff(above, axis=1))
    return jnp.maximum(probs, 0.0)  # rounding of equal tails


def _quantiles(num_buckets: int, ranks: Array) -> Array:
    if at_least("num_buckets", num_buckets, 2) > 2**16:
        raise ValueError(f"num_buckets: got {num_buckets}, expected at most {2**16}")
    return jax.scipy.special.ndtri(ranks / num_buckets)


def _shifts(code: LatentCode, count: int) -> Int[np.ndarray, "n latents"]:
    """Returns numbers below `num_buckets` that sender and receiver draw alike, on any machine."""
    raw = np.random.PCG64(0).random_raw(count * code.num_latents) >> np.uint64(32)
    return (raw % code.num_buckets).astype(np.int32).reshape(count, code.num_latents)


def _entropy_coding() -> Any:
    from constriction import stream  # type: ignore[attr-defined]

    return stream


def _posterior(code: LatentCode, x: Int[np.ndarray, "dims"]) -> Float[np.ndarray, "..."]:
    table = np.asarray(code.posterior(x), np.float32)
    expected = (code.num_latents, code.num_buckets)
    if table.shape != expected:
        raise ValueError(f"posterior: got a table of shape {table.shape}, expected {expected}")
    return probabilities("posterior", table)


def _likelihood(
    code: LatentCode, z: Int[np.ndarray, "latents"], dims: int
) -> Float[np.ndarray, "..."]:
    table = np.asarray(code.likelihood(z), np.float32)
    if table.ndim != 2 or len(table) != dims:
        raise ValueError(
            f"likelihood: got a table of shape {table.shape}, expected ({dims}, values)"
        )
    return probabilities("likelihood", table)


def probabilities(
    name: str, table: Float[np.ndarray, "..."], where: str = ""
) -> Float[np.ndarray, "..."]:
    """Returns a table whose rows are probabilities up to a factor, all that a coder can read.

    Raises:
      ValueError: one is not.
    """
    if not (np.isfinite(table).all() and (table >= 0).all() and (table.sum(axis=-1) > 0).all()):
        raise ValueError(
            f"{name}: got NaN, infinity, a number below zero or zeros alone{where}, expected "
            "probabilities"
        )
    return table
