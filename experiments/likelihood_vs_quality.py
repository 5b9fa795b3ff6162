"""Likelihood against the quality of samples: every family, and the models that fool every number.

A model's test likelihood, the tests of its samples and its distances to the data need not agree
(Theis et al. 2016). Here all of them are measured of all families, trained alike on one set of gray
levels, and of adversaries: a hundredth of a model in noise, a memorizer, centroids of k-means, noisy
copies, noise. A table says which number takes which of them for a good model; a picture shows the
frontier, likelihood against a classifier that tells samples from data, along what spoils one model.

  python -m experiments likelihood_vs_quality

EXPECT
"""

from __future__ import annotations

import dataclasses
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array

from jaxgen import workbench as wb
from jaxgen.data import ImageSet, dequantizer
from jaxgen.inference import em
from jaxgen.models import (
    autoregressive,
    categorical,
    fit_mixture,
    full_gaussian,
    gan,
    kmeans,
    memorizer,
    mixed,
    mixture_density,
    mixture_steps,
    parzen_window,
    reshaped,
    sample_by_pixels,
    tempered,
    uniform_levels,
)
from jaxgen.nets import DCGANCritic, DCGANGenerator, PixelCNN, dcgan_channels
from jaxgen.objectives import GAN_LOSSES, game_losses
from jaxgen.pictures import frontier, side_by_side
from jaxgen.train import game_update, init_game
from jaxgen.types import Key, Params

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BASE = "PixelCNN"
"""What is spoiled."""
SHARES = (1.0, 0.5, 0.2, 0.05, 0.01)
"""Of the base, in noise and among copies."""
TEMPERATURES = (0.6, 0.8, 1.0, 1.25, 1.6)
LEVEL = 0.01
"""P-values below it are differences seen."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(wb.ImageConfig):
    """How the families are trained, and how many of their samples are looked at."""

    epochs: wb.Count = 100
    batch_size: wb.Count = 64
    learning_rate: wb.Positive = 3e-3
    levels: wb.Count = 17
    """Gray levels that pixels are rounded to; the digits have 17."""
    judged: wb.Count = 500
    """Samples of each model, and test images, at most."""
    components: wb.Count = 10
    """Gaussians in the mixture."""
    latent_size: wb.Count = 16
    """Dimensions of the latent of VAE and GAN."""
    temperatures: wb.Count = 30
    """Of annealed importance sampling."""
    chains: wb.Count = 4
    """Of annealed importance sampling, per image."""
    features: wb.Directory = None
    """Run directory of the classifier whose features are compared; pixels if not given."""
    schedule: ClassVar[str] = "cosine"
