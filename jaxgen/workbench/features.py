"""Features of images: what a small classifier, trained on their labels, tells them apart by.

Distances between sets of images are taken between features. Those of the field, Inception's, know
photographs of 299x299; for small images the classifier recipe trains its own, and other recipes
take its run directory.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxgen.nets import StridedConv
from jaxgen.train import latest_step, on_first_process, restore, save
from jaxgen.types import Params


class Classifier(nn.Module):
    """4x4 convolutions of stride 2, a dense layer of features, and a linear layer of logits.

    Attributes:
      num_classes: of the labels.
      num_features: of the last layer but one.
      channels: of the convolutions.
    Example:
      >>> params = jax.eval_shape(net.init, key, x)  # shapes alone
      >>> jax.eval_shape(net.apply, params, x).shape
      (5, 10)
      >>> jax.eval_shape(partial(net.apply, method="features"), params, x).shape
      (5, 8)
    """

    num_classes: int
    num_features: int = 64
    channels: tuple[int, ...] = (16, 32)

    def setup(self) -> None:
        """Names the layers."""
        self.convolutions = [StridedConv(channels) for channels in self.channels]
        self.dense = nn.Dense(self.num_features)
        self.head = nn.Dense(self.num_classes)

    def features(self, x: Float[Array, "n height width channels"]) -> Float[Array, "n features"]:
        """Maps images with pixels in [0, 1] to features in [-1, 1]."""
        for convolution in self.convolutions:
            x = nn.relu(convolution(x))
        # Bounded: distances have a scale, and no single feature sets it.
        return nn.tanh(self.dense(x.reshape(len(x), -1)))

    def __call__(self, x: Float[Array, "n height width channels"]) -> Float[Array, "n classes"]:
        """Maps images with pixels in [0, 1] to logits of the classes."""
        return self.head(self.features(x))


class TrainedClassifier(NamedTuple):
    """A classifier and what it has learned.

    Attributes:
      net: the network.
      params: of it.
      image_shape: of the images that it was trained on, (height, width, channels).
    Example:
      >>> TrainedClassifier(Classifier(10), {}, (8, 8, 1)).net.num_classes
      10
    """

    net: Classifier
    params: Params
    image_shape: tuple[int, ...]


def image_features(
    classifier: TrainedClassifier, images: Array | np.ndarray, *, batch_size: int = 500
) -> Float[Array, "n features"]:
    """Returns the features of images, `batch_size` at a time; jit it.

    Args:
      images: uint8 pixels, so that samples are rounded as the data are.
    Raises:
      ValueError: the images are not uint8, or not of the shape that the classifier knows.
    Example:
      >>> image_features(classifier, images.test.images[:5]).shape
      (5, 8)
    """
    if images.dtype != jnp.uint8 or images.shape[1:] != classifier.image_shape:
        raise ValueError(
            f"images: got {images.dtype} of shape {images.shape}, expected uint8 of shape "
            f"{('n', *classifier.image_shape)}"
        )

    def of_one(image: Array) -> Array:
        x = image.astype(jnp.float32)[None] / 255.0
        return jnp.asarray(classifier.net.apply(classifier.params, x, method="features"))[0]

    return jax.lax.map(of_one, jnp.asarray(images), batch_size=batch_size)


def load_features(
    run_directory: str | Path | None, image_shape: tuple[int, ...]
) -> Callable[[Array | np.ndarray], Float[Array, "n features"]]:
    """Returns the function from images in bytes to a classifier's features, or to their pixels.

    Args:
      run_directory: of the classifier; None for the pixels, in [0, 1].
      image_shape: (height, width, channels) of the images that it will be given.
    Raises:
      ValueError: there is no classifier, it is damaged, or it knows images of another shape.
    Example:
      >>> pixels = load_features(None, (8, 8, 1))  # a run directory: of its classifier
      >>> pixels(images.test.images).shape
      (100, 64)
    """
    if run_directory is None:
        return lambda images: jnp.reshape(images, (len(images), -1)).astype(jnp.float32) / 255.0
    classifier = load_classifier(run_directory)
    if classifier.image_shape != image_shape:
        raise ValueError(
            f"features: got a classifier of images of shape {classifier.image_shape}, expected "
            f"{image_shape}"
        )
    return partial(image_features, classifier)


def feature_logits(
    classifier: TrainedClassifier, features: Float[Array, "n features"]
) -> Float[Array, "n classes"]:
    """Returns the logits of the classes of images with these features.

    Example:
      >>> feature_logits(classifier, jnp.zeros((5, 8))).shape
      (5, 10)
    """
    return jnp.asarray(
        classifier.net.apply(classifier.params, features, method=lambda net, x: net.head(x))
    )


def save_classifier(run_directory: Path, classifier: TrainedClassifier) -> None:
    """Writes the classifier under `run_directory`, for `load_classifier`.

    Example:
      >>> save_classifier(folder.of_part("saved").path, classifier)
    """
    net = classifier.net
    sizes = {
        "image_shape": classifier.image_shape,
        "num_classes": net.num_classes,
        "num_features": net.num_features,
        "channels": net.channels,
    }
    folder = run_directory / "classifier"

    def write() -> None:
        folder.mkdir(exist_ok=True)
        (folder / "sizes.json").write_text(json.dumps(sizes) + "\n", encoding="utf-8")

    on_first_process(write)
    save(folder, 0, classifier.params)


def load_classifier(run_directory: str | Path) -> TrainedClassifier:
    """Returns the classifier of a finished run of the classifier recipe; nothing is unpickled.

    Raises:
      ValueError: there is none, or it is damaged.
    Example:
      >>> path = folder.of_part("loaded").path
      >>> save_classifier(path, classifier)
      >>> load_classifier(path).net == net
      True
    """
    folder = Path(run_directory).expanduser() / "classifier"
    if latest_step(folder) is None:
        raise ValueError(
            f"features: got {run_directory}, expected the run directory of a finished "
            "`python -m experiments classifier`"
        )
    sizes = json.loads((folder / "sizes.json").read_text(encoding="utf-8"))
    image_shape = tuple(sizes["image_shape"])
    net = Classifier(sizes["num_classes"], sizes["num_features"], tuple(sizes["channels"]))
    template = jax.eval_shape(net.init, jax.random.key(0), jnp.zeros((1, *image_shape)))
    _, params = restore(folder, template)
    return TrainedClassifier(net, params, image_shape)
