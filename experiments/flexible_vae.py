"""A VAE whose prior, posterior and decoder are exchanged for flexible ones, one at a time and all.

The prior becomes a flow, the posterior an inverse autoregressive flow, the decoder an
autoregressive net that sees z too: one contract, so nothing else changes. A decoder that models x
by itself need not use z: the KL and the active units say how far the posterior has collapsed
(Kingma et al. 2016; Chen et al. 2017, "Variational lossy autoencoder"; Gulrajani et al. 2017a).

  python -m experiments flexible_vae

Expect (one seed) on the digits in two minutes on two cores a test NLL of 23.26 nats (standard error
.22) by the plain VAE, 22.88 with the flow as prior, 23.21 with the posterior, 23.17 with the
decoder and 22.91 with all. The decoder takes a fourth of the KL away, from 4.9 to 3.5 nats, though
every unit stays active. The images are the same for all, so differences are surer than .22.
"""

from __future__ import annotations

import dataclasses
from functools import partial
from typing import Annotated, Any, ClassVar

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array

from jaxgen import workbench as wb
from jaxgen.distributions import affine
from jaxgen.metrics import active_units
from jaxgen.models import (
    LIKELIHOODS,
    LatentVariableModel,
    autoregressive,
    coupling_flow,
    decoder,
    gaussian_posterior,
    inverse_autoregressive_posterior,
    observe,
    standard_normal,
    vae,
)
from jaxgen.nets import MADE, MLP
from jaxgen.pictures import image_grid, learning_curve
from jaxgen.train import gradient_step, init_state, mean_over_batch
from jaxgen.types import Info, Key, Params

PARTS = {
    "plain": (),
    "flow_prior": ("prior",),
    "iaf_posterior": ("posterior",),
    "autoregressive_decoder": ("decoder",),
    "all": ("prior", "posterior", "decoder"),
}
"""By name: which parts are flexible."""
DRAWS = 1000  # of z for every image, whose mean tells the active units


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(wb.LatentConfig):
    """One VAE for each choice of flexible parts."""

    models: Annotated[tuple[str, ...], wb.Among(PARTS), wb.SEVERAL] = tuple(PARTS)
    """Which parts are flexible, each choice trained by itself."""
    epochs: wb.Count = 150
    batch_size: wb.Count = 64
    latent_size: Annotated[int, wb.AtLeast(2)] = 16
    """Dimensions of z."""
    nll_samples: wb.Count = 500
    patience: wb.Count | None = 40
    """Stop after as many epochs without a better validation ELBO, and use the best epoch."""
    schedule: ClassVar[str] = "cosine"


def run(config: Config) -> dict[str, Any]:
    """Trains the models of `config`; returns what result.json holds, by their names."""
    out = wb.begin(config)
    images, validation, test = wb.load_pixels(config)
    models = {name: make_model(config, images, PARTS[name]) for name in config.models}
    key_init, key_fit, key_judge, key_test, key_draw = config.keys(5)
    optimizer = wb.make_optimizer(config.learning_rate, config.num_steps(len(images.images)))

    def one(part: wb.Run, model: LatentVariableModel) -> Params:
        bound = wb.sampled_bound(model, images.prepare)

        def negative(params: Params, key: Key, image: Array) -> tuple[Array, Info]:
            elbo = bound(params, key, image)
            return -elbo, {"elbo": elbo}

        loss = mean_over_batch(negative)
        params = jax.jit(model.init)(jax.random.clone(key_init))
        return wb.train(
            part, init_state(params, optimizer), gradient_step(loss, optimizer), images.images,
            wb.judge_by(loss), key=key_fit, judge_key=key_judge, held_out=validation.images,
            patience=config.patience,
        ).params  # fmt: skip

    swept = wb.sweep(out, models, one)
    result, figures = {}, {}
    for name, params in swept.results.items():
        model = models[name]
        measure = partial(wb.image_by_image(make_measure(config, model, test.prepare)), params)
        each = wb.map_in_blocks(measure, jax.random.clone(key_test), test.images, name)
        result[name] = {
            **wb.mean_over_images(each["nll"]).named("test_nll"),
            "test_elbo": float(each["elbo"].mean()),
            "test_kl": float(each["kl"].mean()),
            "active_units": int(active_units(jnp.asarray(each["means"])).sum()),
        }
        shown = jax.jit(partial(draw, model))(params, jax.random.clone(key_draw))
        figures[f"samples_{name}"] = image_grid(shown, title=f"Drawn from {name}")
    figures["learning_curves"] = learning_curve(
        swept.curves("validation_elbo"), {name: name for name in swept.results}
    )
    rows = [
        [name, of["test_nll"], of["test_elbo"], of["test_kl"], of["active_units"]]
        for name, of in result.items()
    ]
    title = f"Flexible parts of a VAE on {config.dataset}, {config.latent_size} latents, nats"
    columns = ["flexible", "NLL", "ELBO", "KL", "active units"]
    return out.finish(result, figures, [wb.Table(title, columns, rows)])


def make_model(config: Config, images: Any, flexible: tuple[str, ...]) -> LatentVariableModel:
    """Returns the VAE of which the parts named are flexible."""
    size, x_shape = config.latent_size, images.images.shape[1:]
    bernoulli, hidden = LIKELIHOODS["bernoulli"], config.hidden
    bias = wb.constant(wb.bias_of_mean(bernoulli, images.images))
    prior = standard_normal(size)
    posterior = gaussian_posterior(MLP(hidden, (2, size), nn.tanh), size)
    x_given_z = decoder(
        MLP(hidden[::-1], (*x_shape, 1), nn.tanh, output_bias_init=bias), bernoulli.distribution
    )
    if "prior" in flexible:
        prior = coupling_flow(partial(starts_at_zero, hidden[:1]), affine(), (size,), 4)
    if "posterior" in flexible:
        posterior = inverse_autoregressive_posterior(
            MLP(hidden, (3, size), nn.tanh), partial(MADE, hidden[:1]), size
        )
    if "decoder" in flexible:
        x_given_z = autoregressive(MADE(hidden[:1], output_bias_init=bias), bernoulli, x_shape)
    return vae(prior, posterior, x_given_z, latent_size=size, x_shape=x_shape)


def starts_at_zero(hidden: tuple[int, ...], shape: tuple[int, ...]) -> nn.Module:
    """Returns the net of a coupling that starts as the identity."""
    return MLP(hidden, shape, output_kernel_init=nn.initializers.zeros)


def make_measure(config: Config, model: LatentVariableModel, prepare: Any) -> Any:
    """Returns `(params, key, image) -> nll, elbo, kl and the posterior's mean` of one image."""
    nll = wb.sampled_bound(model, prepare, config.nll_samples)

    def measure(params: Params, key: Key, image: Array) -> dict[str, Array]:
        key_nll, key_x, key_z = jax.random.split(key, 3)
        at = observe(model, params, prepare(key_x, image))
        q: Any = at.q
        zs, log_q = q.sample_and_log_prob(seed=key_z, sample_shape=(DRAWS,))
        kl = jnp.mean(log_q - jax.vmap(at.prior.log_prob)(zs))
        reconstruction = jnp.mean(jax.lax.map(at.log_likelihood, zs[:100], batch_size=50))
        terms = {"elbo": reconstruction - kl, "kl": kl, "means": jnp.mean(zs, axis=0)}
        return {"nll": -nll(params, key_nll, image), **terms}

    return measure


def draw(model: LatentVariableModel, params: Params, key: Key) -> Array:
    """Returns fifty images drawn from the model."""
    key_z, key_x = jax.random.split(key)
    zs = model.prior(params).sample(seed=key_z, sample_shape=(50,))
    return jax.vmap(lambda z, key: model.decode(params, z).sample(seed=key))(
        zs, jax.random.split(key_x, 50)
    )


if __name__ == "__main__":
    wb.main(Config, run)
