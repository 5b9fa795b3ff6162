"""A VAE of the digits: `python vae.py --run-dir DIR`, killed or not, and again with `--resume`."""

from typing import Any

import jax
import optax

from jaxgen.models import observe
from jaxgen.objectives import elbo
from jaxgen.pictures import image_grid
from jaxgen.train import gradient_step, init_state, mean_over_batch
from jaxgen.types import Info, Key, Params
from jaxgen.workbench import LatentConfig, begin, image_vae, load_images, main, train


def run(config: LatentConfig) -> dict[str, Any]:
    out = begin(config)
    images, validation, test = load_images(config, "dynamic")
    model = image_vae(images, config.hidden, config.latent_size)
    keys = jax.random.split(jax.random.key(config.seed), 5)

    def one(params: Params, key: Key, image: jax.Array) -> tuple[jax.Array, Info]:
        key_x, key_z = jax.random.split(key)
        at = observe(model, params, images.prepare(key_x, image))
        terms = elbo(key_z, at.log_likelihood, at.q, at.prior)
        return -terms.elbo, {"elbo": terms.elbo, **terms._asdict()}

    loss, adam = mean_over_batch(one), optax.adam(config.learning_rate)
    judge = jax.jit(lambda params, key, images: loss(params, key, images)[1])
    update, state = gradient_step(loss, adam), init_state(model.init(keys[0]), adam)
    params, _ = train(out, state, update, images.images, judge,
                      key=keys[1], judge_key=keys[2], held_out=validation.images)  # fmt: skip
    z = model.prior(params).sample(seed=keys[3], sample_shape=(100,))
    samples = jax.vmap(lambda z: model.decode(params, z).mean())(z)
    return out.finish(judge(params, keys[4], test.images), {"samples": image_grid(samples)}, [])


if __name__ == "__main__":
    main(LatentConfig, run)
