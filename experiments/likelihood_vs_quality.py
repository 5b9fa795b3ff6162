"""Likelihood against the quality of samples: every family, and the models that fool every number.

A model's likelihood, tests of its samples and their distances to data need not agree (Theis et al.
2016). Here all of them are measured of all families, trained alike on one set of gray levels, and
of adversaries: a hundredth of a model in noise, a memorizer, centroids of k-means, noisy copies. A
table says which number takes which for a good model; a picture shows the frontier, the NLL against
a classifier that tells samples from data, along what spoils a model.

  python -m experiments likelihood_vs_quality

Measured, one seed: NLL 79.6 ± 1.3 nats (PixelCNN), 86.3 (flow, a bound), 90.1 (VAE, by AIS to .19),
91.1 (MADE), 116.8 (ten Gaussians), 130.4 (one). A hundredth of the PixelCNN in noise loses 4.6, at
most log 100; a classifier tells it from data in .99. The memorizer passes the MMD test (p .84), the
classifier (.49), precision and recall, not the memorization test (p 0). Centroids have 26.7 ± 1.6
nats by Parzen, as many images 16.5 ± 1.5. 220 CPU seconds. `--dataset mnist --epochs 2 --batch-size
128`, one seed, 28 CPU minutes: 283.8 ± 5.7 (PixelCNN), 384, 393 and 414 (MADE, VAE, flow), all else
alike: 4.6 nats and .99; p .075, .52 and 0; Parzen 250.9 ± 13.2, of images 74.7 ± 15.1.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import partial
from typing import Annotated, Any, ClassVar, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from jaxgen import workbench as wb
from jaxgen.data import ImageSet
from jaxgen.distributions import Squeeze, logit, rational_quadratic_spline
from jaxgen.metrics import Interval
from jaxgen.models import (
    Density,
    autoregressive,
    categorical,
    coupling_flow,
    sample_by_pixels,
    subsampled_log_prob,
    tempered,
)
from jaxgen.nets import MADE, MLP, PixelCNN
from jaxgen.pictures import Place, frontier, side_by_side
from jaxgen.types import Key, Params

BASE, FRESH, VAE = "PixelCNN", "fresh data", "VAE"
MEMORIZER, CENTROIDS, NOISE = "memorizer", "centroids", "noise"
SHARES, COLD, HOT = (0.5, 0.2, 0.05, 0.01), (0.6, 0.8), (1.25, 1.6)
"""Of the base, in noise and among copies; temperatures of it."""
TRAINED_ON, SHOWN = 64, 12
"""Pixels of each image that train the PixelCNN in a step, at most; samples in a row."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(wb.ImageConfig):
    """How the families are trained, and how many of their samples are looked at."""

    epochs: wb.Count = 50
    batch_size: wb.Count = 64
    learning_rate: wb.Positive = 3e-3
    """Of Adam at first, down to a hundredth along half a cosine; the GAN's is 5e-4."""
    levels: Annotated[int, wb.AtLeast(2)] = 17
    """Gray levels that pixels are rounded to; the digits have 17."""
    judged: Annotated[int, wb.AtLeast(20)] = 500
    """Samples of each model, and test images, at most."""
    components: wb.Count = 10
    """Gaussians of the mixture."""
    latent_size: wb.Count = 16
    """Dimensions of z, of the VAE and the GAN."""
    temperatures: wb.Count = 30
    """Of annealed importance sampling."""
    chains: wb.Count = 4
    """The same, for each image."""
    features: wb.Directory = None
    """Run directory of the classifier whose features are compared; pixels if not given."""
    schedule: ClassVar[str] = "cosine"


class Family(NamedTuple):
    """A model of images, and how it comes by its params."""

    model: wb.ImageModel
    fit: Callable[[wb.Run], Params]


def run(config: Config) -> dict[str, Any]:
    """Trains the families, measures them and the adversaries; returns what result.json holds."""
    out = wb.begin(config)
    images = wb.on_levels(wb.load_images(config), config.levels)
    key_fit, key_judge, key_mix = config.keys(3)
    judge = wb.ImageJudge(images, config.judged, key_judge, config.features)
    with wb.renamed("x", "dataset"):
        trained = families(config, images, key_fit)
    swept = wb.sweep(out, trained, lambda part, family: family.fit(part))
    models = {name: (trained[name].model, params) for name, params in swept.results.items()}
    base = pixel_cnn(images.train)[0], swept[BASE]
    models |= wb.adversaries(images.train, *base, judge.count)
    samples = {name: judge.draw(*of) for name, of in models.items()}
    # As they lie, none twice: as many centroids stand beside as many images.
    samples |= {name: models[name][1]["points"][: judge.count] for name in (MEMORIZER, CENTROIDS)}
    scores = {FRESH: judge.score_fresh()} | {name: judge.score(x) for name, x in samples.items()}
    nats = {name: judge.log_prob(*of) for name, of in models.items()}

    def place(label: str, log_probs: np.ndarray, accuracy: Interval) -> Place:
        return Place(wb.nats_interval(-log_probs), accuracy.ends, label)

    def among(other: str, share: float) -> Place:
        which = jax.random.bernoulli(jax.random.clone(key_mix), share, (judge.count, 1, 1, 1))
        x = jnp.where(which, samples[BASE], samples[other])
        of = np.logaddexp(np.log(share) + nats[BASE], np.log1p(-share) + nats[other])
        return place(f"{share:g}", of, judge.accuracy(x))

    spoiled = of_any_temperature(images.train)

    def at(temperature: float) -> Place:
        of = spoiled, (swept[BASE], jnp.float32(temperature))
        return place(f"{temperature:g}", judge.log_prob(*of), judge.accuracy(judge.draw(*of)))

    own = place("", nats[BASE], scores[BASE].accuracy)
    paths = {
        f"a share of the {BASE}, in noise": [own, *(among(NOISE, share) for share in SHARES)],
        "a share of it, among copies": [own, *(among(MEMORIZER, share) for share in SHARES)],
        "its temperature": [*map(at, COLD), own, *map(at, HOT)],
    }
    nowhere = np.array([np.nan])
    points = [place(name, nats.get(name, nowhere), of.accuracy) for name, of in scores.items()]
    gap = judge.bracket(trained[VAE].model, swept[VAE])
    fooled = wb.verdicts([*swept.results], nats, scores)
    result = {
        "likelihoods": {name: wb.nats_interval(of) for name, of in nats.items()},
        "scores": {name: of._asdict() for name, of in scores.items()},
        "paths": {name: [place._asdict() for place in path] for name, path in paths.items()},
        "fooled": fooled,
        "bracket": gap._asdict(),
    }
    figures = {
        "frontier": frontier(
            points,
            paths,
            band=(own.x[0], own.x[0] + np.log(1 / SHARES[-1]), "lost at most: log 100"),
            level=0.5,
            xlabel=f"NLL of {config.set_name} (nats per image)",
            ylabel="accuracy of a classifier: samples or data?",
            margin="no likelihood",
            title=f"What becomes of the {BASE}; all models",
        ),
        "samples": side_by_side(
            {name: x[:SHOWN] for name, x in samples.items()}, columns=SHOWN, title="Samples"
        ),
    }
    tables = [wb.score_table(models, nats, scores), wb.verdict_table(fooled)]
    trusted = f"The VAE's bounds by AIS, of its own images: {gap.value:.2f} ± {gap.stderr:.2f} nats"
    return out.finish(result, figures, tables, [trusted, *swept.failed.values()])


def pixel_cnn(images: ImageSet, temperature: Any = 1.0) -> tuple[Density, wb.ImageModel]:
    """Returns what is spoiled, at a temperature, as a density and as a model."""
    net, shape = PixelCNN(images.levels, dropout=0.3), images.images.shape[1:]
    head = tempered(categorical(images.levels), temperature)
    density = autoregressive(net, head, shape)
    few = subsampled_log_prob(net, head, TRAINED_ON) if shape[0] * shape[1] > TRAINED_ON else None
    return density, wb.levels_model(density, images, sample_by_pixels(net, head, shape), few)


def of_any_temperature(images: ImageSet) -> wb.ImageModel:
    """Returns the same model whose params are (its own, the temperature): it compiles once."""
    at = partial(pixel_cnn, images)
    return wb.levels_model(
        Density(at()[0].init, lambda of, context: at(of[1])[0].distribution(of[0], context)),
        images,
        lambda of, key: at(of[1])[1].draw(of[0], key),
    )


def families(config: Config, images: wb.Images, key: Key) -> dict[str, Family]:
    """Returns every family, by its name."""
    train, keys = images.train, tuple(jax.random.split(key, 3))
    shape = train.images.shape[1:]
    made = autoregressive(MADE((500,), train.levels, dropout=0.3), categorical(train.levels), shape)
    vae = wb.image_vae(train, (200,), config.latent_size, likelihood="discretized_logistic")
    flow = coupling_flow(
        partial(MLP, (256, 256), output_kernel_init=nn.initializers.zeros),
        rational_quadratic_spline(16),
        shape,
        num_layers=6,
        data=[logit(), Squeeze()],
    )
    climbed = {
        "MADE": wb.levels_model(made, train),
        BASE: pixel_cnn(train)[1],
        "flow": wb.dequantized_model(flow, train),
        VAE: wb.latent_model(vae, train, config.temperatures, config.chains),
    }
    players = wb.image_gan(shape, config.latent_size)

    def climb(model: wb.ImageModel, part: wb.Run) -> Params:
        held_out = images.validation.images[: config.judged]
        return wb.fit_images(part, model, train.images, held_out, keys)

    def gaussians(count: int) -> Family:
        return Family(
            wb.gaussian_model(train, count), lambda part: wb.fit_gaussians(keys[0], train, count)
        )

    return {
        "Gaussian": gaussians(1),
        f"{config.components} Gaussians": gaussians(config.components),
        **{name: Family(model, partial(climb, model)) for name, model in climbed.items()},
        "GAN": Family(
            wb.implicit_model(players, train.levels),
            lambda part: wb.fit_gan(part, players, images, keys),
        ),
    }


if __name__ == "__main__":
    wb.main(Config, run)
