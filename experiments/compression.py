"""Alice and Bob: what a VAE's rate and distortion are in bits, and a message that is really sent.

The rate KL(q(z|x) || p(z)) is what Alice's z costs, the distortion -E_q[log p(x|z)] what Bob then
still lacks of x; beta trades one for the other (Higgins et al. 2017; Alemi et al. 2018). At
beta = 1 their sum is -ELBO, and bits-back coding with an ANS coder (Townsend et al. 2019) sends
images without loss in that many bits.

  python -m experiments compression

Expect (one seed) on the embedded digits, binarized once: 1,000 images sent and read without loss in
33.89 bits each (.530 bits/dim), net of the 512 bits that the first image's latents are read off;
that is .15% less than -ELBO (33.94 bits: rate 7.5, distortion 26.4), as the draws of z have it;
-log p(x) is 33.6, and LZMA needs 42.7. About 45 seconds on two CPU cores, 4 of them for the coding.
The digits' own test split has but 300 images, so here 697 train, 100 validate, and the other 1,000
are sent. Needs the extra `compression` (constriction). Any TFDS set goes too, with its gray levels
if wanted:

  python -m experiments compression --dataset mnist --likelihood discretized_logistic
"""

from __future__ import annotations

import dataclasses
import lzma
import math
from functools import partial
from typing import Annotated, Any, ClassVar, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from jaxgen import workbench as wb
from jaxgen.metrics import bits_per_dim, image_code, send_losslessly
from jaxgen.models import LatentVariableModel
from jaxgen.pictures import rate_distortion_curve, side_by_side
from jaxgen.train import Update, gradient_step, init_state, mean_over_batch
from jaxgen.types import Key, Params

SPLITS = {"digits": ("train[:697]", "train[697:797]", "train[797:]+validation+test")}
DRAWS = 20  # of z for every image, in rate and distortion
ONE_AMONG = wb.Rule(
    lambda betas: 1.0 in betas and len(set(betas)) == len(betas), "1 among them and each once", True
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(wb.LatentConfig):
    """One VAE per beta, and the images that the one of beta = 1 sends."""

    epochs: wb.Count = 200
    batch_size: wb.Count = 64
    betas: Annotated[tuple[wb.NonNegative, ...], ONE_AMONG] = (0.1, 0.3, 0.6, 1.0, 1.8, 3.0)
    """Weights of the KL in training, 1 among them: that VAE sends the images."""
    likelihood: Literal["bernoulli", "discretized_logistic"] = "bernoulli"
    """p(x|z): binary pixels, drawn once from gray ones; or the set's gray levels."""
    images: wb.Count = 1000
    """How many are sent."""
    buckets: Annotated[int, wb.Rule(lambda n: 2 <= n <= 2**16, f"2 to {2**16}")] = 4096
    """Intervals of equal mass that each latent is cut into."""
    schedule: ClassVar[str] = "cosine"

    def __post_init__(self) -> None:
        super().__post_init__()
        wb.require_extra("buckets", "constriction", "compression")


def run(config: Config) -> dict[str, Any]:
    """Trains the VAEs, measures them and sends the images; returns what result.json holds."""
    out = wb.begin(config)
    splits = SPLITS.get(config.dataset, ("train", "validation", f"test[:{config.images}]"))
    images, validation, sent = wb.load_pixels(config, config.likelihood, splits=splits)
    if len(sent.images) < config.images:
        raise ValueError(
            f"images: got {config.images}, expected at most {len(sent.images)}, those of "
            f"{config.dataset} that are kept from training"
        )
    family = config.likelihood
    model = wb.image_vae(images, config.hidden, config.latent_size, likelihood=family)
    key_init, key_fit, key_judge, key_pixels, key_measure, key_nll, key_initial = config.keys(7)
    params = jax.jit(model.init)(key_init)
    optimizer = wb.make_optimizer(config.learning_rate, config.num_steps(len(images.images)))

    loss = wb.negative_elbo(model, images.prepare)
    judge = wb.judge_by(mean_over_batch(loss))

    def step(beta: Array) -> Update:
        return gradient_step(mean_over_batch(partial(loss, beta=beta)), optimizer)

    def one(part: wb.Run, beta: float) -> Params:
        trained = wb.train(
            part,
            init_state(params, optimizer),
            step,
            images.images,
            judge,
            key=key_fit,  # the same draws for every beta
            judge_key=key_judge,
            held_out=validation.images,
            weights=lambda epoch: beta,
        )
        return trained.params

    swept = wb.sweep(out, {f"beta_{beta:g}": beta for beta in config.betas}, one)
    trained = [swept[f"beta_{beta:g}"] for beta in config.betas]
    best = swept["beta_1"]
    # Gray pixels are drawn once: what is sent must be what is read.
    x = jax.jit(sent.prepare)(key_pixels, jnp.asarray(sent.images[: config.images]))
    measure = wb.image_by_image(wb.rate_distortion(model, DRAWS), batch_size=50)
    in_bits = jax.jit(lambda nats: jnp.mean(nats) / math.log(2))
    nats = [measure(params, jax.random.clone(key_measure), x) for params in trained]
    rates, distortions = ([float(in_bits(of[side])) for of in nats] for side in (0, 1))
    nll = wb.image_by_image(wb.negative_log_px(model, config.nll_samples))(best, key_nll, x)
    message = send(config, model, sent.levels, best, key_initial, x)
    at_one, dims = config.betas.index(1.0), x[0].size
    ideal = rates[at_one] + distortions[at_one]
    result = {
        "betas": config.betas,
        "rate_bits": rates,
        "distortion_bits": distortions,
        **message,
        "negative_elbo_bits": ideal,
        "nll_bits": float(jnp.mean(nll)) / math.log(2),
        "excess_over_negative_elbo": message["net_bits"] / ideal - 1,
        "bits_per_dim": message["net_bits"] / dims,
        "elbo_bits_per_dim": float(bits_per_dim(ideal * math.log(2), dims)),
        "lzma_bits": lzma_bits(config, x),
        "dims": dims,
        "levels": sent.levels,
        "images": config.images,
    }
    seen = [wb.reconstruct(model, params, x[:10]) for params in trained]
    rows = {"sent": x[:10]} | {f"{r:.1f} bits": of for r, of in zip(rates, seen, strict=True)}
    figures = {
        "rate_distortion": rate_distortion_curve(
            rates,
            distortions,
            [f"β = {beta:g}" for beta in config.betas],
            sums={f"-ELBO: {ideal:.2f} bits; bits-back: {message['net_bits']:.2f} bits": ideal},
            xlabel="rate (bits per image)",
            ylabel="distortion (bits per image)",
            title="Alice's rate and Bob's distortion",
        ),
        "what_bob_sees": side_by_side(rows, columns=10, title="Sent by Alice, and seen by Bob"),
    }
    return out.finish(result, figures, tables(config, result))


def send(
    config: Config, model: LatentVariableModel, levels: int, params: Params, key: Key, x: Array
) -> dict[str, Any]:
    """Sends the images; returns the length of the message and the time it takes."""
    symbols = np.rint(np.asarray(x) * (levels - 1)).astype(np.int32).reshape(len(x), -1)
    initial = np.asarray(jax.random.bits(key, (config.latent_size,), jnp.uint32))
    code = image_code(
        partial(model.encode, params),
        partial(model.decode, params),
        x_shape=x.shape[1:],
        levels=levels,
        latent_size=config.latent_size,
        buckets=config.buckets,
    )
    return {"lossless": True, **send_losslessly(code, symbols, initial)._asdict()}


def lzma_bits(config: Config, x: Array) -> float:
    """Returns what LZMA needs of all images in one file, in bits per image."""
    pixels = np.rint(np.asarray(x) * 255).astype(np.uint8)
    packed = np.packbits(pixels > 0) if config.likelihood == "bernoulli" else pixels
    return 8 * len(lzma.compress(packed.tobytes(), preset=9)) / len(x)


def tables(config: Config, result: dict[str, Any]) -> list[wb.Table]:
    """Returns rate and distortion by beta, and the lengths of codes."""
    pairs = list(zip(result["rate_bits"], result["distortion_bits"], strict=True))
    curve = [[beta, *pair, sum(pair)] for beta, pair in zip(config.betas, pairs, strict=True)]
    dims, count = result["dims"], config.images
    lengths = {
        "-log p(x), which no code undercuts": result["nll_bits"],
        "-ELBO": result["negative_elbo_bits"],
        "bits-back message, net of its initial bits": result["net_bits"],
        "bits-back message, whole": 8 * result["message_bytes"] / count,
        "LZMA": result["lzma_bits"],
        "as they are": dims * math.log2(result["levels"]),
    }
    codes = [[name, bits, bits / dims] for name, bits in lengths.items()]
    title = f"Rate and distortion on {config.dataset}: {count} images, bits per image"
    excess = 100 * result["excess_over_negative_elbo"]
    sent = f"{count} images sent and read without loss at beta = 1, {excess:+.2f}% of -ELBO"
    return [
        wb.Table(title, ["beta", "rate", "distortion", "sum"], curve),
        wb.Table(sent, ["code length", "bits per image", "bits/dim"], codes),
    ]


if __name__ == "__main__":
    wb.main(Config, run)
