"""How right a translation is where the true pairs are known, and what its cycle hides."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float, Int

from jaxgen.array_checks import floats
from jaxgen.checks import at_least
from jaxgen.metrics.confusion import best_permutation, confusion_matrix
from jaxgen.metrics.interval import Interval, mean_interval, share_interval
from jaxgen.numerics import highest_precision
from jaxgen.pairwise import Samples, sample_sets
from jaxgen.types import Key

Translate: TypeAlias = Callable[[Array], Array]
"""Images of a domain, [n, ...] in [0, 1], to images of the other."""

RESAMPLES = 200
"""Of the images, for the interval of the best permutation; and of the labels, for its chance."""


class TranslationTerms(NamedTuple):
    """One number of each image; distances are mean absolute differences of pixels in [0, 1].

    Attributes:
      pair_l1: of the translation to the true partner.
      predicted: class of the translation, as the judge sees it.
      cycle_l1: of the image to its translation there and back.
      rounded_cycle_l1: the same, the translation rounded to 8 bits on the way.
      noisy_cycle_l1: the same, with normal noise of 1/255 on the translation.
    Example:
      >>> terms = TranslationTerms(np.zeros(3), np.array([0, 1, 1]), *np.zeros((3, 3)))
      >>> terms.predicted.tolist(), terms.pair_l1.tolist()
      ([0, 1, 1], [0.0, 0.0, 0.0])
    """

    pair_l1: Float[Array | np.ndarray, "n"]
    predicted: Int[Array | np.ndarray, "n"]
    cycle_l1: Float[Array | np.ndarray, "n"]
    rounded_cycle_l1: Float[Array | np.ndarray, "n"]
    noisy_cycle_l1: Float[Array | np.ndarray, "n"]


@highest_precision
def translation_terms(
    key: Key,
    forward: Translate,
    backward: Translate,
    classify: Callable[[Array], Int[Array, "n"]],
    x: Float[Array, "n ..."],
    partners: Float[Array, "n ..."],
) -> TranslationTerms:
    """Returns what is measured of each image's translation; pure, to be jitted and vmapped.

    Args:
      key: of the noise.
      forward: the translation, X to Y.
      backward: the translation back.
      classify: images of Y to the class of each; a judge trained on labels of Y.
      x: test images, in [0, 1].
      partners: their true partners in Y.
    Raises:
      ValueError: images are not in [0, 1], where they are not traced, or not of floating point; a
        translation has another shape than it should; classes are not one integer for each image.
    Example:
      >>> invert, classify = lambda x: 1 - x, lambda y: (y.mean((1, 2, 3)) > 0.5).astype(int)
      >>> x = jnp.linspace(0.0, 1.0, 3)[:, None, None, None] * jnp.ones((3, 4, 4, 1))
      >>> terms = translation_terms(jax.random.key(0), invert, invert, classify, x, partners=1 - x)
      >>> float(terms.pair_l1.max()), float(terms.cycle_l1.max())
      (0.0, 0.0)
    Source: Chu et al. (2017), "CycleGAN, a master of steganography", for what hides in the cycle.
    """
    x, partners = unit_images("x", x), unit_images("partners", partners)
    translated = by("forward", forward, x)
    noise = jax.random.normal(key, translated.shape) / 255
    ways = {
        "cycle_l1": translated,
        "rounded_cycle_l1": jnp.rint(255 * translated) / 255,
        "noisy_cycle_l1": translated + noise,
    }
    predicted = classify(translated)
    kind, found = getattr(predicted, "dtype", type(predicted).__name__), np.shape(predicted)
    if found != (len(x),) or not jnp.issubdtype(kind, np.integer):
        raise ValueError(
            f"classify: got {kind} of shape {found}, expected integers of shape {(len(x),)}, the "
            "class of each image"
        )
    return TranslationTerms(
        pair_l1=distances("translation", translated, partners),
        predicted=predicted,
        **{
            name: distances("cycle", by("backward", backward, way), x) for name, way in ways.items()
        },
    )


def unit_images(name: str, images: Samples, minimum: int = 1) -> Float[Array, "n ..."]:
    """Returns images in [0, 1]: of others neither 8 bits nor distances are what they are called.

    Raises:
      ValueError: they are not of floating point, fewer than `minimum`, or, where they are not
        traced, outside [0, 1].
    """
    (floats,) = sample_sets(minimum, **{name: images})
    if not isinstance(floats, Tracer):
        known = np.asarray(floats)  # under jit, what is known outside stays known to NumPy alone
        low, high = float(known.min()), float(known.max())
        if not (low >= 0 and high <= 1):
            raise ValueError(f"{name}: got values from {low:g} to {high:g}, expected 0 to 1")
    return floats


def by(name: str, translate: Translate, images: Array) -> Float[Array, "n ..."]:
    """Returns the translations.

    Raises:
      ValueError: they are no array of floating point.
    """
    translations = translate(images)
    if not hasattr(translations, "dtype"):
        raise ValueError(
            f"{name}: got a function to {type(translations).__name__}, expected one to images "
            "alone, such as lambda x: model.forward(variables, x)[0]"
        )
    floats(name, translations)
    return translations


class TranslationScore(NamedTuple):
    """A translation on test images, each number with its 95% interval over them.

    Another training moves these numbers more than other test images do.

    Attributes:
      pair_l1: mean distance to the true partner.
      class_kept: share whose class is the image's own.
      class_kept_permuted: share under the best map of classes to classes, one to one: near one if
        classes were exchanged whole. Its interval is of the bootstrap.
      chance: what a translation would keep whose class says nothing of the image's.
      permuted_chance: the same under the best map, which is found after the fact and so is higher.
      cycle_l1: mean distance of the image to what comes back.
      hidden_by_rounding: how much more the cycle loses if the translation is rounded to 8 bits.
      hidden_by_noise: how much more with normal noise of 1/255.
    Example:
      >>> terms = TranslationTerms(np.zeros(3), np.array([0, 1, 1]), *np.zeros((3, 3)))
      >>> score = translation_score(jax.random.key(0), terms, labels=np.array([0, 1, 0]))
      >>> score.class_kept.value, score.pair_l1.value
      (0.6667, 0.0)
    """

    pair_l1: Interval
    class_kept: Interval
    class_kept_permuted: Interval
    chance: float
    permuted_chance: float
    cycle_l1: Interval
    hidden_by_rounding: Interval
    hidden_by_noise: Interval


def translation_score(
    key: Key, terms: TranslationTerms, labels: Int[np.ndarray, "n"]
) -> TranslationScore:
    """Returns the means of the terms over test images, with intervals.

    Args:
      key: of the resampling.
      terms: of each image.
      labels: class of each image, 0, 1, ...
    Raises:
      ValueError: there are fewer than two images, or not as many labels.
    Example:
      >>> exchanged = TranslationTerms(np.zeros(4), np.array([1, 1, 0, 0]), *np.zeros((3, 4)))
      >>> score = translation_score(jax.random.key(0), exchanged, labels=np.array([0, 0, 1, 1]))
      >>> score.class_kept.value, score.class_kept_permuted.value
      (0.0, 1.0)
    """
    labels, predicted = np.asarray(labels), np.asarray(terms.predicted)
    if labels.shape != predicted.shape:
        raise ValueError(f"labels: got {labels.shape}, expected {predicted.shape}: one each")
    n = at_least("images", len(labels), 2)
    confusion = confusion_matrix(labels, predicted)
    kept_permuted = best_permutation(confusion).share
    rng = np.random.default_rng(np.asarray(jax.random.key_data(key)))
    resampled, shuffled = [], []
    for _ in range(RESAMPLES):
        of = rng.integers(n, size=n)
        resampled.append(best_permutation(confusion_matrix(labels[of], predicted[of])).share)
        of = rng.permutation(n)
        shuffled.append(best_permutation(confusion_matrix(labels[of], predicted)).share)
    # Reflected: the best map of resampled images overstates the share as that of the images does.
    high, low = 2 * kept_permuted - np.quantile(resampled, [0.025, 0.975])
    chance = float(confusion.sum(axis=1) @ confusion.sum(axis=0)) / n**2
    cycle_l1 = np.asarray(terms.cycle_l1)
    return TranslationScore(
        pair_l1=mean_interval(np.asarray(terms.pair_l1)),
        class_kept=share_interval(predicted == labels),
        class_kept_permuted=Interval(kept_permuted, max(float(low), 0.0), min(float(high), 1.0)),
        chance=chance,
        permuted_chance=float(np.mean(shuffled)),
        cycle_l1=mean_interval(cycle_l1),
        hidden_by_rounding=mean_interval(np.asarray(terms.rounded_cycle_l1) - cycle_l1),
        hidden_by_noise=mean_interval(np.asarray(terms.noisy_cycle_l1) - cycle_l1),
    )


def distances(name: str, images: Array, targets: Array) -> Float[Array, "n"]:
    """Returns the mean absolute difference of each image to its target, in float32.

    Raises:
      ValueError: they are not of one shape.
    Example:
      >>> distances("cycle", backward(forward(x)), x)
    """
    if images.shape != targets.shape:
        raise ValueError(f"{name}: got shape {images.shape}, expected {targets.shape}")
    gaps = jnp.abs(images.astype(jnp.float32) - targets)
    return jnp.mean(gaps.reshape(len(gaps), -1), axis=1)
