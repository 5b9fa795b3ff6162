"""How the classifier of `features` learns; a small one within a run that is given none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Int

from jaxgen.data import ImageSet
from jaxgen.train import gradient_step, init_state, scan_draws
from jaxgen.types import Info, Key, Params
from jaxgen.workbench.features import Classifier, TrainedClassifier
from jaxgen.workbench.optimizer import make_optimizer


def classifier_terms(
    logits: Float[Array, "n classes"], labels: Int[Array | np.ndarray, "n"]
) -> Info:
    """Returns the cross-entropy of every image, in nats, and whether its class is the likeliest.

    Example:
      >>> logits = jnp.array([[2.0, 0.0], [0.0, 1.0]])
      >>> classifier_terms(logits, jnp.array([0, 0]))["accuracy"]
      Array([1., 0.], dtype=float32)
    """
    return {
        "cross_entropy": optax.softmax_cross_entropy_with_integer_labels(logits, labels),
        "accuracy": (jnp.argmax(logits, axis=1) == labels).astype(jnp.float32),
    }


def classifier_loss(
    net: Classifier,
) -> Callable[[Params, Key, tuple[Array, Array]], tuple[Array, Info]]:
    """Returns the mean cross-entropy of a batch of (bytes of images, labels).

    Example:
      >>> update = gradient_step(classifier_loss(net), optax.adam(1e-3))
    """

    def loss(params: Params, key: Key, batch: tuple[Array, Array]) -> tuple[Array, Info]:
        pixels, labels = batch
        logits = jnp.asarray(net.apply(params, pixels / 255.0))
        info = jax.tree.map(jnp.mean, classifier_terms(logits, labels))
        return info["cross_entropy"], info

    return loss


def fit_classifier(
    key: Key, images: ImageSet, *, num_steps: int = 600, batch_size: int = 64
) -> TrainedClassifier:
    """Returns a small classifier trained on the images, in one compiled call that keeps no record.

    Raises:
      ValueError: the images have no labels.
    Example:
      >>> classifier = fit_classifier(key, load("digits", "train"))  # some 97% of the test images
    """
    if images.labels is None:
        raise ValueError(f"images: got {images.name}, which has no labels, expected some")
    x, labels = jnp.asarray(images.images), jnp.asarray(images.labels)
    net = Classifier(int(images.labels.max()) + 1)
    optimizer = make_optimizer(2e-3, num_steps, schedule="cosine")

    def draw(key: Key) -> tuple[Array, Array]:
        chosen = jax.random.randint(key, (batch_size,), 0, len(x))
        return x[chosen], labels[chosen]

    @jax.jit
    def fitted(key: Key) -> Any:
        key_init, key_steps = jax.random.split(key)
        start = init_state(net.init(key_init, jnp.zeros((1, *x.shape[1:]))), optimizer)
        epoch = scan_draws(gradient_step(classifier_loss(net), optimizer), draw, num_steps)
        return epoch(start, key_steps)[0].params

    return TrainedClassifier(net, fitted(key), x.shape[1:])
