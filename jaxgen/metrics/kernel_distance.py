"""The kernel distance of two sets of features: unbiased, and with a standard error."""

from __future__ import annotations

from functools import partial

import jax
from jaxtyping import Array, Float

from jaxgen.checks import at_least
from jaxgen.divergences import IndependentTerms, mmd_unbiased, polynomial
from jaxgen.pairwise import Samples, sample_vectors
from jaxgen.types import Key, Scalar


def kernel_distance(
    key: Key, real_features: Samples, fake_features: Samples, *, subset_size: int = 1000
) -> IndependentTerms:
    """Returns the unbiased squared MMD of as many disjoint subsets as there are: the KID.

    `.value`, their mean, is unbiased and so negative about half of the time where the two
    distributions are equal. The kernel is (x·y / dims + 1)³; with the features of Inception-v3 it
    is the KID. Unlike the Fréchet distance it does not move with the number of samples. The subsets
    are disjoint, so that their spread gives the error of their mean, `.stderr`: those of the source
    overlap, and their mean is no more certain for being taken over more of them.

    Args:
      real_features: of the data, [n, dims].
      fake_features: of the samples, [m, dims].
      subset_size: features of each kind in a subset; min(n, m) // subset_size subsets are drawn.
        Memory grows with its square.
    Raises:
      ValueError: the features differ in dimension, or subset_size is below two or leaves fewer than
        two subsets.
    Example:
      >>> real = jax.random.normal(jax.random.key(0), (200, 4))
      >>> terms = kernel_distance(jax.random.key(1), real, real + 2, subset_size=20)
      >>> len(terms.values), bool(terms.value > 5 * terms.stderr)
      (10, True)
    Source: Bińkowski et al. (2018), "Demystifying MMD GANs", section 4.
    """
    reals, fakes = sample_vectors(2, real_features=real_features, fake_features=fake_features)
    subset_size = at_least("subset_size", subset_size, 2)
    smaller = min(len(reals), len(fakes))
    if smaller // subset_size < 2:
        raise ValueError(
            f"subset_size: got {subset_size}, expected at most half of the smaller set, "
            f"{smaller // 2}"
        )
    return IndependentTerms(_of_subsets(key, reals, fakes, subset_size=subset_size))


@partial(jax.jit, static_argnames="subset_size", inline=True)
def _of_subsets(
    key: Key, reals: Float[Array, "n dims"], fakes: Float[Array, "m dims"], *, subset_size: int
) -> Float[Array, "subsets"]:
    num_subsets = min(len(reals), len(fakes)) // subset_size

    def subsets(key: Key, count: int) -> Array:
        chosen = jax.random.permutation(key, count)[: num_subsets * subset_size]
        return chosen.reshape(num_subsets, subset_size)

    def distance(chosen: tuple[Array, Array]) -> Scalar:
        real, fake = chosen
        return mmd_unbiased(reals[real], fakes[fake], polynomial()).value

    key_real, key_fake = jax.random.split(key)
    return jax.lax.map(distance, (subsets(key_real, len(reals)), subsets(key_fake, len(fakes))))
