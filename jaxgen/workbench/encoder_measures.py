"""What an encoder is worth beside its generator: round trips and tests of the joint."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxgen.divergences import median_heuristic, rbf
from jaxgen.models import BiGan
from jaxgen.nets import vectors
from jaxgen.pairwise import sample_vectors
from jaxgen.two_sample import mmd_permutation_test
from jaxgen.types import Key, Variables
from jaxgen.workbench.sample_scores import told_apart

PERMUTATIONS = 199


def round_trips(
    model: BiGan, player: Variables, x: Float[Array, "n ..."], z: Float[Array, "n latent"]
) -> dict[str, Float[Array, ""]]:
    """Returns the mean Euclidean distances |x - G(E(x))| and |z - E(G(z))|, and shuffled ones.

    A shuffled one is that of another datapoint's round trip, which is what a pair of nets reaches
    that keeps nothing of its input: to be read beside it, always. A Gaussian encoder is its mean.

    Args:
      model: whose nets they are.
      player: both nets' variables.
      x: datapoints.
      z: draws from the prior, as many.
    Example:
      >>> flat = nn.Sequential([lambda x: x.reshape(len(x), -1), nn.Dense(2)])
      >>> pair = bigan(
      ...     MLPGenerator((8,), (8, 8, 1)),
      ...     flat,
      ...     concatenated(MLPCritic((8,))),
      ...     prior=standard_normal(2),
      ...     x_shape=(8, 8, 1),
      ... )
      >>> player, _ = jax.eval_shape(pair.init, key)  # shapes alone
      >>> list(jax.eval_shape(partial(round_trips, pair), player, x, jnp.zeros((5, 2))))
      ['inversion', 'inversion_shuffled', 'reconstruction', 'reconstruction_shuffled']
    """
    there = model.generate(player, model.encode(player, x)[0])[0]
    back = model.encode(player, model.generate(player, z)[0])[0]
    found = {"reconstruction": (x, there), "inversion": (z, back)}
    return {name: _mean_distance(*pair) for name, pair in found.items()} | {
        f"{name}_shuffled": _mean_distance(of, jnp.roll(trip, 1, axis=0))
        for name, (of, trip) in found.items()
    }


def _mean_distance(a: Array, b: Array) -> Float[Array, ""]:
    return jnp.mean(jnp.linalg.norm(vectors(a) - vectors(b), axis=1))


def joint_tests(
    key: Key, real: tuple[Array, Array], fake: tuple[Array, Array]
) -> dict[str, Float[Array, ""]]:
    """Returns whether pairs (x, E(x)) and (G(z), z) are told apart, in two ways.

    `mmd_p` is the p-value of the permutation test by the MMD, an RBF kernel of the median distance;
    `told_apart` the accuracy of a classifier on held-out pairs, one half at best.
    Args:
      key: of permutations and of the classifier.
      real: (x, z), a draw of z for each x where the encoder is a distribution.
      fake: (x, z), as many.
    Example:
      >>> real, fake, _ = model.sides(player, key_sides, model.draw(key_z, x), train=False)
      >>> joint_tests(key, real, fake)["mmd_p"]
    Source: Gretton et al. (2012), "A kernel two-sample test"; Lopez-Paz & Oquab (2017), "Revisiting
      classifier two-sample tests".
    """
    key_mmd, key_classifier = jax.random.split(key)
    xs, ys = sample_vectors(20, real=vectors(real), fake=vectors(fake))
    kernel = rbf(median_heuristic(xs, ys))
    p_value = mmd_permutation_test(key_mmd, xs, ys, kernel, PERMUTATIONS).p_value
    return {"mmd_p": p_value, "told_apart": told_apart(key_classifier, xs, ys)[0]}
