"""Maximum mean discrepancy: how far apart the mean embeddings of two sets of samples are."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxgen.divergences.gram import GramProduct, gram_product
from jaxgen.divergences.kernels import Kernel, gram_matrix, negative_distance
from jaxgen.divergences.sample_terms import IndependentTerms, SampleTerms
from jaxgen.pairwise import Samples, sample_vectors


def mmd_biased(
    p_samples: Samples,
    q_samples: Samples,
    kernel: Kernel,
    *,
    block_size: int = 1024,
    product: GramProduct = gram_product,
) -> SampleTerms:
    """Returns the witness at each sample; `.value` is the V-statistic of the squared MMD.

    The witness is w(t) = mean_i k(x_i, t) - mean_j k(y_j, t), and MMD² = mean_i w(x_i) -
    mean_j w(y_j), never negative for a positive definite kernel. Too large by about
    (E k(x, x) - E k(x, x')) (1/n + 1/m) on average. A NaN among the samples makes the value NaN.

    Args:
      p_samples: the data; the samples may have any one shape.
      q_samples: of the model; as many or not.
      kernel: such as `rbf(median_heuristic(p_samples, q_samples))`.
      block_size: memory grows with its square and with n + m; time with (n + m)².
      product: `sharded_gram_product(mesh)` spreads the work over devices.
    Raises:
      ValueError: fewer than two samples, samples of unlike shape or not of floating point, a
        kernel that returns no Gram matrix, or block_size below one.
    Example:
      >>> xs, ys = jnp.zeros((3, 2)), jnp.ones((4, 2))
      >>> float(mmd_biased(xs, ys, rbf(1.0)).value)  # 2 - 2 exp(-1)
      1.2642
    Source: Gretton et al. (2012), "A kernel two-sample test", equations 5 and 11.
    """
    xs, ys = sample_vectors(2, p_samples=p_samples, q_samples=q_samples)
    values = witness(
        jnp.concatenate([xs, ys]), xs, ys, kernel, block_size=block_size, product=product
    )
    return SampleTerms(values[: len(xs)], values[len(xs) :])


def mmd_unbiased(
    p_samples: Samples,
    q_samples: Samples,
    kernel: Kernel,
    *,
    block_size: int = 1024,
    product: GramProduct = gram_product,
) -> SampleTerms:
    """Returns the witness at each sample, of all other samples; `.value` is the U-statistic.

    As `mmd_biased`, but no sample is compared with itself: unbiased for the squared MMD, so that it
    is negative about half of the time where p is q. The kernel's diagonal does not matter.

    Args:
      p_samples: the data; the samples may have any one shape.
      q_samples: of the model; as many or not.
      kernel: such as `rbf(median_heuristic(p_samples, q_samples))`.
      block_size: memory grows with its square and with n + m; time with (n + m)².
      product: `sharded_gram_product(mesh)` spreads the work over devices.
    Raises:
      ValueError: fewer than two samples, samples of unlike shape or not of floating point, a
        kernel that returns no Gram matrix, or block_size below one.
    Example:
      >>> xs, ys = jnp.array([[0.0], [2.0]]), jnp.array([[1.0], [1.0]])
      >>> terms = mmd_unbiased(xs, ys, negative_distance)
      >>> float(terms.value)  # 2·1 - 2 - 0
      0.0
      >>> of_each = (
      ...     jnp.mean(terms.p) - terms.q
      ... )  # one number for each sample of a generator, to lower
    Source: Gretton et al. (2012), "A kernel two-sample test", equation 3.
    """
    xs, ys = sample_vectors(2, p_samples=p_samples, q_samples=q_samples)
    pooled, everyone = jnp.concatenate([xs, ys]), jnp.arange(len(xs) + len(ys))
    of_p = (everyone < len(xs)).astype(pooled.dtype)
    sums = product(
        kernel,
        pooled,
        pooled,
        jnp.stack([of_p, 1 - of_p], axis=1),
        own=everyone,
        block_size=block_size,
    )
    n, m = len(xs), len(ys)
    return SampleTerms(
        sums[:n, 0] / (n - 1) - sums[:n, 1] / m,
        sums[n:, 0] / n - sums[n:, 1] / (m - 1),
    )


def mmd_linear(p_samples: Samples, q_samples: Samples, kernel: Kernel) -> IndependentTerms:
    """Returns independent unbiased values of the squared MMD, `.value` their mean, with `.stderr`.

    One value for every two samples of each set, k(x, x') + k(y, y') - k(x, y') - k(x', y), in time
    linear in n; an odd last sample is left out. The mean is asymptotically normal, under p = q too.
    Samples that come one after another are compared: shuffle those that are sorted.

    Raises:
      ValueError: the sets differ in number, or as in `mmd_unbiased`.
    Example:
      >>> xs = jax.random.normal(jax.random.key(0), (1000, 2))
      >>> terms = mmd_linear(xs + 1, xs, rbf(1.0))
      >>> bool(terms.value > 5 * terms.stderr)
      True
    Source: Gretton et al. (2012), "A kernel two-sample test", section 6.
    """
    xs, ys = sample_vectors(2, p_samples=p_samples, q_samples=q_samples)
    if len(xs) != len(ys):
        raise ValueError(f"q_samples: got {len(ys)} samples, expected {len(xs)}, as p_samples has")
    pairs = len(xs) // 2
    x0, x1, y0, y1 = (a[i : 2 * pairs : 2] for a in (xs, ys) for i in (0, 1))
    k = jax.vmap(lambda a, b: gram_matrix(kernel, a[None], b[None])[0, 0])
    return IndependentTerms(k(x0, x1) + k(y0, y1) - k(x0, y1) - k(x1, y0))


def witness(
    points: Samples,
    p_samples: Samples,
    q_samples: Samples,
    kernel: Kernel,
    *,
    block_size: int = 1024,
    product: GramProduct = gram_product,
) -> Float[Array, "k"]:
    """Returns mean_i k(x_i, t) - mean_j k(y_j, t) at each point t: positive where p has more mass.

    Raises:
      ValueError: as `mmd_biased`, or the points are not shaped as the samples.
    Example:
      >>> xs, ys = jnp.array([0.0, 0.0]), jnp.array([2.0, 2.0])
      >>> at = witness(jnp.array([0.0, 1.0, 2.0]), xs, ys, rbf(1.0))
      >>> jnp.sign(at).tolist()  # positive where p has more
      [1.0, 0.0, -1.0]
    Source: Gretton et al. (2012), "A kernel two-sample test", section 2.3.
    """
    xs, ys, ts = sample_vectors(p_samples=p_samples, q_samples=q_samples, points=points)
    weights = jnp.concatenate([jnp.full(len(xs), 1 / len(xs)), jnp.full(len(ys), -1 / len(ys))])
    weights = weights.astype(xs.dtype)[:, None]
    pooled = jnp.concatenate([xs, ys])
    return product(kernel, ts, pooled, weights, block_size=block_size)[:, 0]


def energy_distance(
    p_samples: Samples, q_samples: Samples, *, block_size: int = 1024
) -> SampleTerms:
    """Returns the terms of 2 E|x - y| - E|x - x'| - E|y - y'|, both distributions empirical.

    `.value` is not negative, zero only where they are equal, and free of a bandwidth. It is the
    squared MMD of `negative_distance`, which in `mmd_unbiased` gives the unbiased form.

    Raises:
      ValueError: as `mmd_biased`.
    Example:
      >>> xs, ys = jnp.array([[0.0], [0.0]]), jnp.array([[3.0], [3.0]])
      >>> float(energy_distance(xs, ys).value)  # 2·3 - 0 - 0
      6.0
    Source: Székely & Rizzo (2013), "Energy statistics", equation 5; Sejdinovic et al. (2013),
      "Equivalence of distance-based and RKHS-based statistics in hypothesis testing", theorem 22.
    """
    return mmd_biased(p_samples, q_samples, negative_distance, block_size=block_size)
