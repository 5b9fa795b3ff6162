"""The frozen nets of `jaxgen.certify`: a PixelCNN and a VAE of two latents, and how to make them.

Whatever is drawn from them has a known log p(x), by the chain rule and by quadrature. They are
trained here, rounded to half precision, and are from then on the truth (recipes `known_entropy`,
`exact_divergences`). The PixelCNN learns from a few random pixels of each image: its loss is
unbiased for the NLL, and costs as little as they are.

  python -m experiments teachers

Expect (one seed) on statically binarized MNIST, from TFDS, a test NLL of 87.98 nats (standard
error .21) for the PixelCNN and of 153.0 (1.0, of 2,000 images) for the VAE, in 320 seconds of CPU
time: three minutes on two cores. This run made the file that the package holds.
"""

from __future__ import annotations

import dataclasses
import hashlib
from typing import Any, ClassVar, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from jaxgen import workbench as wb
from jaxgen.certify import TEACHER_NET, log_prob_by_quadrature, pack, two_latent_vae
from jaxgen.distributions import Bernoulli
from jaxgen.models import LIKELIHOODS, autoregressive
from jaxgen.pictures import image_grid, learning_curve
from jaxgen.train import gradient_step, init_state, mean_over_batch, on_first_process
from jaxgen.types import Info, Key, Params

JUDGED, MEASURED = 500, 2000
"""Validation images after every epoch; test images for the log p(x) of the VAE."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(wb.ImageConfig):
    """The images, and how long both nets are trained on them."""

    dataset: str = "binarized_mnist"
    binarization: Literal["none", "threshold"] = "none"
    """Of gray pixels: a cut at one half, or none for a set that is binary already."""
    epochs: wb.Count = 12
    batch_size: wb.Count = 256
    learning_rate: wb.Positive = 3e-3
    pixels: wb.Count = 64
    """Of each image of a batch, that the PixelCNN learns from."""
    schedule: ClassVar[str] = "cosine"


def run(config: Config) -> dict[str, Any]:
    """Trains both and writes the file; returns what result.json holds."""
    out = wb.begin(config)
    train, validation, test = wb.load_pixels(config, binarization=config.binarization)
    x_shape = train.images.shape[1:]
    density = autoregressive(TEACHER_NET, LIKELIHOODS["bernoulli"], x_shape)
    vae = two_latent_vae(x_shape)
    key_pixels, key_latents, key_fit, key_judge, key_test, key_x, key_draw = config.keys(7)
    starts = {"pixels": density.init(key_pixels, ()), "latents": vae.init(key_latents)}
    num_steps = config.num_steps(len(train.images))

    def of_some_pixels(params: Params, key: Key, image: Array) -> tuple[Array, Info]:
        key_x, key_places = jax.random.split(key)
        x = train.prepare(key_x, image)
        places = jax.random.randint(key_places, (config.pixels,), 0, x.size)
        logits = TEACHER_NET.apply(params, x, places, method="pixels")[:, 0, 0]  # type: ignore[index]
        nll = -jnp.mean(Bernoulli(logits).log_prob(x.reshape(-1)[places])) * x.size
        return nll, {"nll": nll}

    def of_the_image(params: Params, key: Key, image: Array) -> tuple[Array, Info]:
        x = test.prepare(key, image)
        nll = -density.distribution(params, ()).log_prob(x)
        return nll, {"nll": nll}

    def of_latents(params: Params, key: Key, image: Array) -> tuple[Array, Info]:
        value, terms = negative_elbo(params, key, image)
        return value, {"nll": value, **terms}

    negative_elbo = wb.negative_elbo(vae, train.prepare)
    losses = {
        "pixels": (of_some_pixels, of_the_image, config.learning_rate),
        "latents": (of_latents, of_latents, 3 * config.learning_rate),
    }

    def one(part: wb.Run, name: str) -> Params:
        loss, judge, rate = losses[name]
        optimizer = wb.make_optimizer(rate, num_steps)
        return wb.train(
            part,
            init_state(starts[name], optimizer),
            gradient_step(mean_over_batch(loss), optimizer),
            train.images,
            wb.judge_by(mean_over_batch(judge)),
            key=key_fit,
            judge_key=key_judge,
            held_out=validation.images[:JUDGED],
            monitor="nll",
            better="lower",
        ).params

    swept = wb.sweep(out, {name: name for name in losses}, one)
    file = pack({name: swept[name] for name in losses})
    place = out.directory.path / "teachers.npz"
    on_first_process(lambda: place.write_bytes(file))
    halves = jax.tree.map(lambda a: jnp.asarray(a, jnp.float16).astype(jnp.float32), swept.results)
    measure = wb.image_by_image(lambda params, key, image: of_the_image(params, key, image)[0])
    each = measure(halves["pixels"], key_test, test.images)
    x = jax.jit(test.prepare)(key_x, jnp.asarray(test.images[:MEASURED]))
    measured = {
        "nll_pixels": each,
        "nll_latents": -log_prob_by_quadrature(vae, halves["latents"], x),
    }
    means = {name: wb.mean_over_images(np.asarray(of, float)) for name, of in measured.items()}
    result = {name: number for of in means for name, number in means[of].named(of).items()}
    result |= {"bytes": len(file), "sha256": hashlib.sha256(file).hexdigest()}
    p = density.distribution(halves["pixels"], ())
    drawn = jax.jit(lambda key: p.sample(seed=key, sample_shape=50))(key_draw)
    figures = {
        "draws_of_pixels": image_grid(drawn),
        "learning_curves": learning_curve(
            swept.curves("validation_nll"),
            {"pixels": "PixelCNN", "latents": "VAE of two latents (its ELBO)"},
            ylabel="validation NLL (nats)",
            title="The teachers, while they learn",
        ),
    }
    rows = [["PixelCNN", *means["nll_pixels"]], ["VAE of two latents", *means["nll_latents"]]]
    title = f"Test NLL on {config.dataset}, rounded to half precision: nats per image"
    note = f"teachers.npz: {len(file)} bytes, sha256 {result['sha256']}"
    return out.finish(result, figures, [wb.Table(title, ["net", "NLL", "±"], rows)], [note])


if __name__ == "__main__":
    wb.main(Config, run)
