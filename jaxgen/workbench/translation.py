"""Judging translations whose true pairing is known, of several trainings side by side."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Int, UInt8

from jaxgen.data import ImageSet, Translation, UnpairedDomains
from jaxgen.divergences import median_heuristic, rbf
from jaxgen.metrics import (
    TranslationTerms,
    UnpairedScores,
    disagreement,
    translation_terms,
    unpaired_scores,
)
from jaxgen.models import CycleGan
from jaxgen.numerics import highest_precision
from jaxgen.train import gradient_step, init_state, scan_epoch
from jaxgen.types import Info, Key, Params, Variables
from jaxgen.workbench.features import Classifier

EPOCHS, BATCH, RATE = 30, 64, 2e-3
"""Of a judge's training; the rate is Adam's."""
COMPARED = 300
"""Images of each domain that are compared without pairs."""


class JudgedBy(NamedTuple):
    """What translations are judged by.

    Attributes:
      x, y: images of both domains, no pairs.
      test_x, test_y: true pairs.
      classifier_x, classifier_y: params of a `Classifier` of each domain.
    Example:
      >>> by = JudgedBy(*[images.test.images] * 4, classifier.params, classifier.params)
      >>> by.test_x.shape
      (100, 8, 8, 1)
    """

    x: UInt8[np.ndarray, "n height width channels"]
    y: UInt8[np.ndarray, "m height width channels"]
    test_x: UInt8[np.ndarray, "test height width channels"]
    test_y: UInt8[np.ndarray, "test height width channels"]
    classifier_x: Params
    classifier_y: Params


class Judged(NamedTuple):
    """What is measured of several translations, with a leading axis of them.

    Attributes:
      there: of each test image of X on its way to Y.
      back: of each of Y on its way to X.
      unpaired: scores that see no pairs.
      disagreement: distance to the other translations of the same images; zero of one alone.
    Example:
      >>> terms = TranslationTerms(
      ...     np.zeros((2, 3)), np.array([[0, 1, 1], [0, 1, 2]]), *np.zeros((3, 2, 3))
      ... )
      >>> judged = Judged(terms, terms, UnpairedScores(*np.zeros((3, 2))), np.zeros(2))
      >>> judged.there.predicted.shape  # [trainings, images]
      (2, 3)
    """

    there: TranslationTerms
    back: TranslationTerms
    unpaired: UnpairedScores
    disagreement: Float[Array, "seeds"]


def judged_by(
    key: Key, net: Classifier, train: ImageSet, task: UnpairedDomains, translation: Translation
) -> JudgedBy:
    """Returns the judges of a task: classifiers of all training images, in X and in Y.

    They have seen every class alike, whatever Y lacks.

    Args:
      train: what `task` was made of.
    Example:
      >>> judges = partial(judged_by, key, net)  # of (train, task, translation)
    """
    key_x, key_y = jax.random.split(key)
    fit = partial(fit_classifier, net=net)
    return JudgedBy(
        task.x[:COMPARED],
        task.y[:COMPARED],
        task.test_x,
        task.test_y,
        fit(key_x, images=train.images, labels=train.labels),
        fit(key_y, images=translation.forward(train.images), labels=train.labels),
    )


@partial(jax.jit, static_argnames="net")
def fit_classifier(key: Key, *, net: Classifier, images: Array, labels: Array) -> Params:
    """Returns the params of a classifier of small images, within a second or two.

    Example:
      >>> fitted = partial(fit_classifier, net=net)
      >>> x, labels = images.train.images, images.train.labels
      >>> list(jax.eval_shape(partial(fitted, images=x, labels=labels), key))
      ['params']
    """
    key_init, key_fit = jax.random.split(key)
    steps = EPOCHS * (len(images) // BATCH)
    optimizer = optax.adam(optax.cosine_decay_schedule(RATE, steps, 0.01))

    def loss(params: Params, key: Key, batch: tuple[Array, Array]) -> tuple[Array, Info]:
        pixels, labels = batch
        logits = jnp.asarray(net.apply(params, pixels / 255.0))
        each = optax.softmax_cross_entropy_with_integer_labels(logits, labels)
        return jnp.mean(each), {}

    epoch = scan_epoch(gradient_step(loss, optimizer), BATCH)

    def one(state: Any, key: Key) -> tuple[Any, None]:
        return epoch(state, key, (images, labels))[0], None

    params = net.init(key_init, jnp.zeros((1, *images.shape[1:])))
    state, _ = jax.lax.scan(one, init_state(params, optimizer), jax.random.split(key_fit, EPOCHS))
    return state.params


def judge_translations(
    model: CycleGan, net: Classifier
) -> Callable[[Variables, Key, JudgedBy], Judged]:
    """Returns `(generators' variables, key, judges) -> Judged`, compiled.

    The variables have a leading axis of trainings, each judged alone, one after another.

    Args:
      net: of the judges.
    Example:
      >>> same = Net(lambda key, x: {}, lambda variables, x, **mode: (x, {}))
      >>> critic = MLPCritic((8,))
      >>> model = cyclegan(same, same, critic, critic, x_shape=(8, 8, 1), y_shape=(8, 8, 1))
      >>> judge = judge_translations(model, net)  # (generators, key, judges) -> Judged
    """

    def classify(params: Params) -> Callable[[Array], Int[Array, "n"]]:
        return lambda images: jnp.argmax(jnp.asarray(net.apply(params, images)), axis=1)

    @jax.jit
    @highest_precision
    def judge(generators: Variables, key: Key, by: JudgedBy) -> Judged:
        x, y, test_x, test_y = (jnp.asarray(images) / jnp.float32(255) for images in by[:4])
        kernel = rbf(median_heuristic(_vectors(y), _vectors(x)))
        key_there, key_back = jax.random.split(key)

        def one(variables: Variables) -> tuple[Any, ...]:
            def forward(images: Array) -> Array:
                return model.forward(variables, images)[0]

            def backward(images: Array) -> Array:
                return model.backward(variables, images)[0]

            of_y, of_x = classify(by.classifier_y), classify(by.classifier_x)
            return (
                translation_terms(key_there, forward, backward, of_y, test_x, test_y),
                translation_terms(key_back, backward, forward, of_x, test_y, test_x),
                unpaired_scores(forward, backward, x, y, kernel),
                forward(x),
            )

        there, back, without_pairs, translated = jax.lax.map(one, generators)
        alone = len(translated) < 2
        apart = jnp.zeros(len(translated)) if alone else disagreement(translated)
        return Judged(there, back, without_pairs, apart)

    return judge


def _vectors(images: Array) -> Float[Array, "n dims"]:
    return images.reshape(len(images), -1)
