"""Alice and Bob: what a VAE's rate and distortion are in bits, and a message that is really sent.

The rate KL(q(z|x) || p(z)) is what Alice's z costs, the distortion -E_q[log p(x|z)] what Bob then
still lacks of x; beta trades one for the other (Higgins et al. 2017;
Alemi et al. 2018). At beta = 1 their sum is -ELBO, and bits-back coding with an ANS coder
(Townsend et al. 2019) sends images without loss in that many bits.

  python -m experiments compression

Expect on the embedded digits, binarized once: 1,000 images sent and read without loss in 33.95 bits
each (.530 bits/dim), net of the 512 bits that the first image's latents are read off; that is .04%
above -ELBO (33.94 bits: rate 7.5, distortion 26.4), where -log p(x) is 33.6 and LZMA needs 42.7.
About 45 seconds on two CPU cores, 4 of them for the coding. The digits' own test split has but 300
images, so here 697 train, 100 validate, and the other 1,000 are sent. Needs the extra `compression`
(constriction). Any TFDS set goes too, with 256 gray levels if wanted:

  python -m experiments compression --dataset mnist --likelihood discretized_logistic
"""

# This recipe is being moved onto the workbench by another author; leave it.
from __future__ import annotations

import dataclasses
import importlib.util
import lzma
import math
import time
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from experiments import _old_vae as vae
from jaxgen.checks import at_least, one_of
from jaxgen.metrics import (
    LatentCode,
    bits_back_decode,
    bits_back_encode,
    bits_per_dim,
    log_marginal,
    normal_bucket_probs,
    normal_buckets,
)
from jaxgen.models import LatentVariableModel, observe
from jaxgen.objectives import elbo
from jaxgen.pictures import side_by_side, trade_off
from jaxgen.types import Key, Params
from jaxgen.workbench import (
    ImageConfig,
    RunDirectory,
    main,
    new_path,
    open_run,
    print_table,
    require_devices,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LEVELS = {"bernoulli": 2, "discretized_logistic": 256}
SPLITS = {"digits": ("train[:697]", "train[697:797]", "train[797:]+validation+test")}
DRAWS = 20
"""Of z for every image, in the measured rate and distortion."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(ImageConfig):
    """One VAE per beta, and the images that the one of beta = 1 sends."""

    epochs: int = 200
    batch_size: int = 64
    betas: tuple[float, ...] = (0.1, 0.3, 0.6, 1.0, 1.8, 3.0)
    """Weights of the KL in training, 1 among them: that VAE sends the images."""
    likelihood: Literal["bernoulli", "discretized_logistic"] = "bernoulli"
    """p(x|z): binary pixels, drawn once from gray ones; or 256 gray levels."""
    hidden: tuple[int, ...] = (200, 200)
    """Widths of the hidden layers of each MLP."""
    latent_size: int = 16
    """Dimensions of z."""
    images: int = 1000
    """How many are sent."""
    buckets: int = 4096
    """Intervals of equal mass that each latent is cut into."""
    nll_samples: int = 1000
    """Importance samples per image."""

    def __post_init__(self) -> None:
        super().__post_init__()
        one_of("likelihood", self.likelihood, LEVELS)
        if 1.0 not in self.betas or len(set(self.betas)) < len(self.betas):
            raise ValueError(f"betas: got {self.betas}, expected 1 among them and each once")
        for name in ("images", "nll_samples"):
            at_least(name, getattr(self, name), 1)
        if not 2 <= self.buckets <= 2**16:
            raise ValueError(f"buckets: got {self.buckets}, expected 2 to {2**16}")
        if importlib.util.find_spec("constriction") is None:
            raise ValueError(
                "compression: got no constriction, expected pip install 'jaxgen[compression]' first"
            )
        for beta in self.betas:
            self.vae_config(beta)

    def vae_config(self, beta: float) -> vae.Config:
        """Returns the VAE recipe's configuration for one beta."""
        shared = {f.name: getattr(self, f.name) for f in dataclasses.fields(ImageConfig)}
        own = {name: getattr(self, name) for name in ("likelihood", "hidden", "latent_size")}
        return vae.Config(**shared, **own, beta=beta)


def run(config: Config) -> dict[str, Any]:
    """Trains the VAEs, measures them and sends the images; returns what result.json holds."""
    begun = time.monotonic()
    require_devices(config.devices)
    default = ("train", "validation", f"test[:{config.images}]")
    train, validation, sent = (
        vae.load_split(config.vae_config(1.0), split)
        for split in SPLITS.get(config.dataset, default)
    )
    if len(sent.images) < config.images:
        raise ValueError(
            f"images: got {config.images}, expected at most {len(sent.images)}, those of "
            f"{config.dataset} that are kept from training"
        )
    model = vae.make_model(config.vae_config(1.0), train.images)
    keys = jax.random.split(jax.random.key(config.seed), 7)
    key_init, key_fit, key_validation, key_pixels, key_measure, key_nll, key_initial = keys
    params = jax.jit(model.init)(key_init)
    out = open_run(config.run_dir or new_path("compression"), config, resume=config.resume)
    print(f"run directory: {out.path}")

    terms = vae.datapoint_terms(model, train.prepare, vae.KLS["analytic"])
    training = vae.make_training(
        config.vae_config(1.0),
        lambda beta: vae.make_loss(terms, beta),
        lambda params, key, images: vae.batch_terms(terms, params, key, images),
        train.images,
        validation.images,
    )
    trained = {}
    for beta in config.betas:
        weight = partial(vae.kl_weight, config.vae_config(beta))
        # The same draws for every beta.
        key, fresh = jax.random.clone(key_fit), jax.random.clone(key_validation)
        with out.part(f"beta_{beta:g}") as part:
            trained[beta] = training(part, params, key, fresh, weight)

    # Gray pixels are drawn once: what is sent must be what is read.
    x = jax.jit(sent.prepare)(key_pixels, jnp.asarray(sent.images[: config.images]))
    measure = jax.jit(partial(rate_distortion, model))
    curve = [
        [float(bits) for bits in measure(trained[beta], jax.random.clone(key_measure), x)]
        for beta in config.betas
    ]
    result = {
        "betas": config.betas,
        "rate_bits": [rate for rate, _ in curve],
        "distortion_bits": [distortion for _, distortion in curve],
        **send(config, model, trained[1.0], key_initial, x),
    }
    nll = jax.jit(partial(mean_nll, model, config.nll_samples))(trained[1.0], key_nll, x)
    dims = x[0].size
    ideal = sum(curve[config.betas.index(1.0)])
    result |= {
        "negative_elbo_bits": ideal,
        "nll_bits": float(nll) / math.log(2),
        "excess_over_negative_elbo": result["net_bits"] / ideal - 1,
        "bits_per_dim": result["net_bits"] / dims,
        "elbo_bits_per_dim": float(bits_per_dim(ideal * math.log(2), dims)),
        "lzma_bits": lzma_bits(config, x),
        "dims": dims,
        "images": config.images,
    }
    figures = {
        "rate_distortion": draw_curve(result),
        "what_bob_sees": draw_reconstructions(config, model, trained, result, x),
    }
    pictures = [str(out.save_picture(name, figure)) for name, figure in figures.items()]
    result["seconds"] = time.monotonic() - begun
    out.write_result(result)
    report(config, result, out, pictures)
    return result


def rate_distortion(
    model: LatentVariableModel, params: Params, key: Key, x: Float[Array, "n height width channels"]
) -> tuple[Array, Array]:
    """Returns the mean rate and distortion of the images, in bits per image."""

    def one(key: Key, x: Array) -> tuple[Array, Array]:
        at = observe(model, params, x)
        terms = jax.vmap(lambda key: elbo(key, at.log_likelihood, at.q, at.prior))(
            jax.random.split(key, DRAWS)
        )
        return jnp.mean(terms.kl), -jnp.mean(terms.reconstruction)

    nats = jax.lax.map(lambda of: one(*of), (jax.random.split(key, len(x)), x), batch_size=50)
    return jnp.mean(nats[0]) / math.log(2), jnp.mean(nats[1]) / math.log(2)


def mean_nll(
    model: LatentVariableModel, num_samples: int, params: Params, key: Key, x: Array
) -> Array:
    """Returns the mean of -log p(x), in nats per image: no code by this model can be shorter."""

    def one(key: Key, x: Array) -> Array:
        at = observe(model, params, x)
        return -log_marginal(key, at.log_joint, at.q, num_samples)

    of_each = jax.lax.map(lambda of: one(*of), (jax.random.split(key, len(x)), x), batch_size=10)
    return jnp.mean(of_each)


def make_code(config: Config, model: LatentVariableModel, params: Params, shape: Any) -> LatentCode:
    """Returns the VAE as tables of probabilities for the coder."""
    levels = jnp.arange(LEVELS[config.likelihood]) / (LEVELS[config.likelihood] - 1)
    points = jax.jit(normal_buckets, static_argnums=0)(config.buckets)

    @jax.jit
    def posterior(symbols: Int[Array, "dims"]) -> Array:
        q = model.encode(params, levels[symbols].reshape(shape))
        return normal_bucket_probs(q.mean(), q.stddev(), config.buckets)

    @jax.jit
    def likelihood(buckets: Int[Array, "latents"]) -> Array:
        image: Any = model.decode(params, points[buckets])
        pixels = image.distribution
        table = jax.vmap(lambda level: pixels.log_prob(jnp.full(shape, level)), out_axes=-1)(levels)
        return jnp.exp(table).reshape(-1, len(levels))

    return LatentCode(posterior, likelihood, config.latent_size, config.buckets)


def send(
    config: Config, model: LatentVariableModel, params: Params, key: Key, x: Array
) -> dict[str, Any]:
    """Encodes and decodes the images; returns the length of the message and the time it takes.

    Raises:
      RuntimeError: the images read are not those written.
    """
    levels = LEVELS[config.likelihood]
    symbols = np.rint(np.asarray(x) * (levels - 1)).astype(np.int32).reshape(len(x), -1)
    initial = np.asarray(jax.random.bits(key, (config.latent_size,), jnp.uint32))
    code = make_code(config, model, params, x.shape[1:])
    begun = time.monotonic()
    message = bits_back_encode(code, symbols, initial)
    encoded = time.monotonic()
    decoded, returned = bits_back_decode(code, message, symbols.shape)
    if not (np.array_equal(decoded, symbols) and np.array_equal(returned, initial)):
        raise RuntimeError("the message read is not the one written")
    return {
        "lossless": True,
        "message_bytes": 4 * len(message),
        "net_bits": 32 * (len(message) - len(initial)) / len(x),
        "initial_bits": 32 * len(initial),
        "encode_seconds": encoded - begun,
        "decode_seconds": time.monotonic() - encoded,
    }


def lzma_bits(config: Config, x: Array) -> float:
    """Returns what LZMA needs of all images in one file, in bits per image."""
    pixels = np.rint(np.asarray(x) * 255).astype(np.uint8)
    packed = np.packbits(pixels > 0) if config.likelihood == "bernoulli" else pixels
    return 8 * len(lzma.compress(packed.tobytes(), preset=9)) / len(x)


def draw_curve(result: dict[str, Any]) -> Figure:
    """Returns distortion against rate, one point per beta."""
    least, sent = result["negative_elbo_bits"], result["net_bits"]
    return trade_off(
        result["rate_bits"],
        result["distortion_bits"],
        [f"β = {beta:g}" for beta in result["betas"]],
        sums={f"-ELBO: {least:.2f} bits; bits-back message: {sent:.2f} bits": least},
        xlabel="rate (bits per image)",
        ylabel="distortion (bits per image)",
        title="Alice's rate and Bob's distortion",
    )


def draw_reconstructions(
    config: Config,
    model: LatentVariableModel,
    trained: dict[float, Params],
    result: dict[str, Any],
    x: Array,
) -> Figure:
    """Returns images above what Bob makes of Alice's z alone, a row per beta, rate falling."""

    @jax.jit
    def reconstruct(params: Params, x: Array) -> Array:
        q_mean = jax.vmap(lambda x: model.encode(params, x).mean())(x)
        return jax.vmap(lambda z: model.decode(params, z).mean())(q_mean)

    shown = x[:10]
    rows = {"sent": shown}
    for beta, rate in zip(config.betas, result["rate_bits"], strict=True):
        rows[f"{rate:.1f} bits"] = reconstruct(trained[beta], shown)
    return side_by_side(rows, columns=len(shown), title="Sent by Alice, and seen by Bob")


def report(config: Config, result: dict[str, Any], out: RunDirectory, pictures: list[str]) -> None:
    """Prints the tables of the result and where everything is."""
    curve = zip(config.betas, result["rate_bits"], result["distortion_bits"], strict=True)
    print_table(
        f"Rate and distortion on {config.dataset}: {config.images} images, bits per image",
        ["beta", "rate", "distortion", "sum"],
        [[beta, rate, distortion, rate + distortion] for beta, rate, distortion in curve],
    )
    dims = result["dims"]
    lengths = {
        "-log p(x), which no code undercuts": result["nll_bits"],
        "-ELBO": result["negative_elbo_bits"],
        "bits-back message, net of its initial bits": result["net_bits"],
        "bits-back message, whole": 8 * result["message_bytes"] / config.images,
        "LZMA": result["lzma_bits"],
        "as they are": dims * math.log2(LEVELS[config.likelihood]),
    }
    print_table(
        f"{config.images} images sent and read without loss at beta = 1",
        ["code length", "bits per image", "bits/dim"],
        [[name, bits, bits / dims] for name, bits in lengths.items()],
    )
    print(
        f"{100 * result['excess_over_negative_elbo']:+.2f}% of -ELBO; "
        f"{result['encode_seconds']:.1f} s to write, {result['decode_seconds']:.1f} s to read, "
        f"{result['seconds']:.1f} s in all"
    )
    print("pictures:", *pictures, sep="\n  ")
    print(f"everything: {out.path}")


if __name__ == "__main__":
    main(Config, run)
