"""InfoVAE beside the VAE: the same rate bought for information, not for a mismatch.

A VAE's rate, E_x KL(q(z|x) || p(z)), is the information I_q(x; z) and the mismatch KL(q(z) || p(z))
of what encoder and prior sample; the ELBO charges both alike. InfoVAE frees a part alpha of the
information and charges the mismatch, by MMD, lambda in all (Zhao et al. 2019).

  python -m experiments infovae

Expect on the embedded digits, in nats per image: information 6.6 for the VAE's 4.1 at a test
distortion of 17.1 for 19.3, paid for by a mismatch of .87 for .32 and an NLL of 23.62 for 23.46. A
larger lambda buys the mismatch back, and the NLL pays (--weight 1000: .30 and 23.85). The squared
MMD, .0008 and .0004, is near what 1,297 samples can tell. About 45 seconds on two CPU cores.
"""

from __future__ import annotations

import dataclasses
import math
import time
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from experiments import _old_vae as vae
from jaxgen.checks import at_least
from jaxgen.data import ImageSet
from jaxgen.distributions import diagonal_normal
from jaxgen.divergences import Kernel, mmd_unbiased, rbf
from jaxgen.metrics import active_units, latent_information, log_marginal
from jaxgen.models import LatentVariableModel, observe
from jaxgen.objectives import ElboTerms, aggregate_mmd, elbo, info_elbo
from jaxgen.pictures import image_grid
from jaxgen.types import Info, Key, Loss, Params
from jaxgen.workbench import (
    ImageConfig,
    RunDirectory,
    main,
    map_in_blocks,
    new_path,
    open_run,
    print_table,
    require_devices,
)

DRAWS = 8
MOST_IMAGES = 4000
"""Binarizations of each image, and training images, by which aggregate posteriors are known."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(ImageConfig):
    """A VAE and an InfoVAE with the same networks, data and draws."""

    epochs: int = 150
    batch_size: int = 128
    alpha: float = 0.5
    """Part of the mutual information that InfoVAE frees; 1 for the MMD-VAE."""
    weight: float = 100.0
    """Lambda: InfoVAE's weight of the mismatch, in nats per unit of squared MMD."""
    hidden: tuple[int, ...] = (200, 200)
    """Widths of the hidden layers of each MLP."""
    latent_size: int = 8
    """Dimensions of z."""
    nll_samples: int = 1000
    """Importance samples per test image."""

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least("nll_samples", self.nll_samples, 1)
        if not -math.inf < self.alpha <= 1:
            raise ValueError(f"alpha: got {self.alpha}, expected a finite number <= 1")
        if not 1 - self.alpha <= self.weight < math.inf:
            raise ValueError(
                f"weight: got {self.weight}, expected a finite number >= 1 - alpha = "
                f"{1 - self.alpha:g}"
            )
        self.vae_config()

    def vae_config(self) -> vae.Config:
        """Returns the VAE recipe's configuration of networks and training."""
        shared = {f.name: getattr(self, f.name) for f in dataclasses.fields(ImageConfig)}
        return vae.Config(**shared, hidden=self.hidden, latent_size=self.latent_size)


def run(config: Config) -> dict[str, Any]:
    """Trains both and measures them; returns what result.json holds, by their names."""
    begun = time.monotonic()
    require_devices(config.devices)
    train, validation, test = (
        vae.load_split(config.vae_config(), split) for split in ("train", "validation", "test")
    )
    model = vae.make_model(config.vae_config(), train.images)
    key_init, *keys = jax.random.split(jax.random.key(config.seed), 6)
    params = jax.jit(model.init)(key_init)
    out = open_run(config.run_dir or new_path("infovae"), config, resume=config.resume)
    print(f"run directory: {out.path}")

    # Two draws of the prior are 2 d apart in the mean of their squared distance.
    kernel = rbf(math.sqrt(config.latent_size))
    terms = vae.datapoint_terms(model, train.prepare, vae.KLS["analytic"])
    training = vae.make_training(
        config.vae_config(),
        partial(make_loss, model, train, kernel),
        lambda params, key, images: vae.batch_terms(terms, params, key, images),
        train.images,
        validation.images,
    )
    measure = jax.jit(partial(numbers, model, test, config.nll_samples))
    decode = jax.jit(jax.vmap(lambda params, z: model.decode(params, z).mean(), (None, 0)))
    aggregate = jax.jit(partial(geometry, model, train, kernel))
    weights = {"vae": (0.0, 1.0), "infovae": (config.alpha, config.weight)}
    results: dict[str, Any] = {}
    pictures = []
    for name, pair in weights.items():
        of_epoch = partial(lambda pair, _: pair, jnp.array(pair))
        # The same draws for both.
        key, fresh, key_nll, key_z, key_prior = map(jax.random.clone, keys)
        with out.part(name) as part:
            trained = training(part, params, key, fresh, of_epoch)
        of_each = map_in_blocks(
            partial(measure, trained), key_nll, test.images, f"{name}: test NLL"
        )
        results[name] = summary(of_each, aggregate(trained, key_z))
        z = model.prior(trained).sample(seed=key_prior, sample_shape=(100,))
        figure = image_grid(decode(trained, z), title=f"{name}: E[x|z] for z from the prior")
        pictures.append(str(out.save_picture(f"samples_{name}", figure)))
    results["seconds"] = time.monotonic() - begun
    out.write_result(results)
    report(config, results, out, pictures)
    return results


def make_loss(model: LatentVariableModel, data: ImageSet, kernel: Kernel, weights: Array) -> Loss:
    """Returns the mean over the batch of minus InfoVAE's objective at (alpha, lambda)."""
    alpha, weight = weights

    def loss(params: Params, key: Key, images: Array) -> tuple[Array, Info]:
        key_images, key_prior = jax.random.split(key)
        prior = model.prior(params)

        def one(key: Key, image: Array) -> tuple[ElboTerms, Array]:
            key_x, key_elbo, key_z = jax.random.split(key, 3)
            at = observe(model, params, data.prepare(key_x, image))
            return elbo(key_elbo, at.log_likelihood, at.q, prior), at.q.sample(seed=key_z)

        terms, zs = jax.vmap(one)(jax.random.split(key_images, len(images)), images)
        ys = prior.sample(seed=key_prior, sample_shape=(len(zs),))
        divergence = aggregate_mmd(zs, ys, kernel)
        objective = info_elbo(terms, divergence, alpha=alpha, weight=weight)
        info = {"elbo": terms.reconstruction - terms.kl, **terms._asdict(), "mmd": divergence}
        return -jnp.mean(objective), jax.tree.map(jnp.mean, info)

    return loss


def numbers(
    model: LatentVariableModel,
    data: ImageSet,
    nll_samples: int,
    params: Params,
    key: Key,
    images: Array,
) -> dict[str, Array]:
    """Returns the bound's terms, the NLL and E_q[z|x] of each image."""

    def one(of: tuple[Key, Array]) -> dict[str, Any]:
        key_x, key_elbo, key_nll = jax.random.split(of[0], 3)
        at = observe(model, params, data.prepare(key_x, of[1]))
        return {
            **elbo(key_elbo, at.log_likelihood, at.q, at.prior)._asdict(),
            "nll": -log_marginal(key_nll, at.log_joint, at.q, nll_samples),
            "mean": at.q.mean(),
        }

    return jax.lax.map(one, (jax.random.split(key, len(images)), images), batch_size=10)


def geometry(
    model: LatentVariableModel, data: ImageSet, kernel: Kernel, params: Params, key: Key
) -> dict[str, Array]:
    """Returns what the aggregate posterior of the training images is like.

    Each image is binarized `DRAWS` times, so that the information, which log of their number
    bounds, is not cut off.
    """
    images = jnp.asarray(data.images[:MOST_IMAGES])
    key_x, key_z, key_prior = jax.random.split(key, 3)

    def posteriors(key: Key) -> tuple[Array, Array]:
        x = data.prepare(key, images)
        qs = jax.vmap(lambda x: model.encode(params, x))(x)
        return qs.mean(), qs.stddev()

    mean, scale = jax.lax.map(posteriors, jax.random.split(key_x, DRAWS))
    n, dims = mean.shape[1:]
    mean, scale = mean.reshape(-1, dims), scale.reshape(-1, dims)
    qs, own = (diagonal_normal(mean[:m], scale=scale[:m]) for m in (None, n))
    zs = own.sample(seed=key_z)
    prior = model.prior(params)
    ys = prior.sample(seed=key_prior, sample_shape=(n,))
    rate = jnp.mean(own.kl_divergence(prior))
    information = jnp.mean(latent_information(zs, qs.log_prob))
    return {
        "rate": rate,
        "information": information,
        "mismatch": rate - information,
        "mmd": mmd_unbiased(jnp.asarray(zs), jnp.asarray(ys), kernel).value,
    }


def summary(of_each: dict[str, np.ndarray], latents: dict[str, Array]) -> dict[str, Any]:
    """Returns the means, in nats per image."""
    return {
        "test_elbo": of_each["reconstruction"].mean() - of_each["kl"].mean(),
        "test_reconstruction": of_each["reconstruction"].mean(),
        "test_kl": of_each["kl"].mean(),
        "test_nll": of_each["nll"].mean(),
        "test_nll_stderr": of_each["nll"].std(ddof=1) / math.sqrt(len(of_each["nll"])),
        "active_units": int(active_units(jnp.asarray(of_each["mean"], jnp.float32)).sum()),
        **{name: float(value) for name, value in latents.items()},
    }


def report(config: Config, results: dict[str, Any], out: RunDirectory, pictures: list[str]) -> None:
    """Prints both side by side and where everything is."""
    rows = {
        "test NLL": "test_nll",
        "test -ELBO": "test_elbo",
        "test distortion, -E_q\\[log p(x|z)]": "test_reconstruction",
        "test rate": "test_kl",
        "train rate": "rate",
        "  information I_q(x; z)": "information",
        "  mismatch KL(q(z) || p(z))": "mismatch",
        "squared MMD(q(z), p(z)), times 1,000": "mmd",
        f"active units of {config.latent_size}": "active_units",
    }
    factors = {"test_elbo": -1.0, "test_reconstruction": -1.0, "mmd": 1000.0}
    print_table(
        f"VAE and InfoVAE on {config.dataset}: nats per image",
        ["quantity", "VAE", f"InfoVAE, alpha {config.alpha:g}, lambda {config.weight:g}"],
        [
            [label, *(factors.get(key, 1.0) * results[name][key] for name in ("vae", "infovae"))]
            for label, key in rows.items()
        ],
    )
    print(f"{results['seconds']:.1f} seconds", "pictures:", *pictures, sep="\n  ")
    print(f"everything: {out.path}")


if __name__ == "__main__":
    main(Config, run)
