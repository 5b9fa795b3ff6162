"""The programs that are compiled for devices that are not there: the recipes' own, at their sizes.

A training is an epoch of a few steps, its state donated, its batches split over the mesh, as
`jaxgen.workbench.train` runs it, or a chunk of one whose data stay on the host. The nets and
updates are the recipes'; no image is needed, for only shapes are compiled.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from experiments import belief_network, dcgan, flow, ring, vae
from jaxgen import workbench as wb
from jaxgen.data import ImageSet, from_arrays
from jaxgen.distributions import Squeeze, logit
from jaxgen.models import dequantized, kalman_filter, linear_gaussian
from jaxgen.objectives import game_losses, non_saturating
from jaxgen.train import (
    Update,
    estimator_step,
    game_update,
    gradient_step,
    init_estimator_state,
    init_game,
    init_state,
    mean_over_batch,
    scan_draws,
    scan_epoch,
    shard,
)

STEPS = 10
"""Updates in one epoch: few, for what is drawn outside the loop takes long to compile."""


class Program(NamedTuple):
    """A function to be compiled, and the shapes of its arguments.

    Attributes:
      function: of `arguments`.
      arguments: pytrees of shapes: of a training, its state, the key and the data.
      steps: passes through its outermost loop.
      batch_size: datapoints of one pass, over all devices together.
      update: of a training, one step alone, `(state, key, batch) -> (state, info)`.
      batch: shapes of that batch.
    """

    function: Callable[..., Any]
    arguments: tuple[Any, ...]
    steps: int
    batch_size: int
    update: Update | None = None
    batch: Any = None


def lower(program: Program, mesh: Mesh) -> jax.stages.Lowered:
    """Returns the program for the devices of `mesh`.

    Its arguments are whole on each but where their shapes say otherwise. A training's state is
    donated.

    Example:
      lower(vae_epoch(mesh), mesh).compile().as_text()
    """
    whole = NamedSharding(mesh, PartitionSpec())
    arguments = jax.tree.map(
        lambda of: jax.ShapeDtypeStruct(of.shape, of.dtype, sharding=of.sharding or whole),
        program.arguments,
    )
    donated = () if program.update is None else (0,)
    return jax.jit(program.function, donate_argnums=donated).lower(*arguments)


def vae_epoch(
    mesh: Mesh, batch_size: int = 128, architecture: Literal["mlp", "conv"] = "mlp"
) -> Program:
    """An epoch of the VAE, 784-400-20 each way or convolutions, dynamically binarized."""
    update, state, images = _vae(batch_size, architecture)
    return _epoch(update, state, images, batch_size, mesh)


def vae_stream(mesh: Mesh, batch_size: int = 128) -> Program:
    """A chunk of that epoch as `stream_epoch` scans it: the batches come from the host, split."""
    update, state, images = _vae(batch_size)
    sharded, split = shard(update, mesh), NamedSharding(mesh, PartitionSpec(None, "data"))

    def chunk(state: Any, rows: jax.Array, batches: jax.Array) -> Any:
        def body(state: Any, at: tuple[jax.Array, jax.Array]) -> Any:
            return sharded(state, jax.random.wrap_key_data(at[0]), at[1])

        return jax.lax.scan(body, state, (rows, batches))

    rows = jax.eval_shape(lambda key: jax.random.key_data(jax.random.split(key, STEPS)), KEY)
    batch = jax.ShapeDtypeStruct((batch_size, *images.shape[1:]), images.dtype)
    batches = jax.ShapeDtypeStruct((STEPS, *batch.shape), batch.dtype, sharding=split)
    return Program(chunk, (state, rows, batches), STEPS, batch_size, update, batch)


def belief_network_epoch(name: str, mesh: Mesh, batch_size: int = 64) -> Program:
    """An epoch of the belief network of 200 Bernoulli latents, by an estimator of that name."""
    config, images = belief_network.Config(), _images(batch_size)
    x_mean = wb.mean_image(images.images)
    model = wb.image_belief_network(images.images, config.hidden, config.latent_size)
    params = jax.eval_shape(model.init, KEY)
    q = model.encode(jax.tree.map(lambda of: jnp.zeros(of.shape, of.dtype), params), x_mean)
    estimator = belief_network.make_estimator(name, config.evaluations, q, x_mean)
    adam = optax.adam(config.learning_rate)
    loss = wb.estimator_loss(model, images.prepare, estimator, lambda x: x - x_mean)

    def start(key: jax.Array) -> Any:
        learns = estimator.init(jax.random.clone(key), q, jnp.zeros_like(x_mean))
        return init_estimator_state(model.init(key), adam, learns, control_optimizer=adam)

    update = estimator_step(loss, estimator, adam, control_optimizer=adam)
    return _epoch(update, jax.eval_shape(start, KEY), images.images, batch_size, mesh)


def dcgan_epoch(mesh: Mesh, batch_size: int = 128, shape: tuple[int, ...] = (28, 28, 1)) -> Program:
    """An epoch of the DCGAN's alternating update: batch normalization, the generator's average."""
    config = dcgan.Config()
    model, optimizer = dcgan.make_model(config, shape), optax.adam(config.learning_rate, b1=0.5)
    images = _images(batch_size, shape)
    of_pixels = game_update(
        game_losses(model, non_saturating()), optimizer, optimizer, ema_decay=config.ema_decay
    )

    def update(game: Any, key: jax.Array, batch: jax.Array) -> Any:
        key_x, key_update = jax.random.split(key)
        return of_pixels(game, key_update, images.prepare(key_x, batch))

    state = jax.eval_shape(lambda key: init_game(key, model, optimizer, optimizer, ema=True), KEY)
    return _epoch(update, state, images.images, batch_size, mesh)


def ring_epoch(mesh: Mesh, batch_size: int = 512, seeds: int = 3) -> Program:
    """An epoch of the ring's game, unrolled by five steps of the critic, several seeds at once."""
    config, method = ring.Config(batch_size=batch_size), ring.METHODS["unrolled"]
    model, target = ring.make_model(config, method), wb.TARGETS["ring"]()
    adam = optax.adam(config.learning_rate, b1=0.5, eps_root=1e-16)
    update = wb.side_by_side(ring.make_update(config, method, model, adam, adam))
    start = jax.vmap(lambda key: init_game(key, model, adam, adam))
    state = jax.eval_shape(lambda key: start(jax.random.split(key, seeds)), KEY)
    draw = lambda key: target.sample(seed=key, sample_shape=batch_size)  # noqa: E731
    epoch = scan_draws(shard(update, mesh), draw, STEPS)
    return Program(epoch, (state, KEY), STEPS, batch_size, update, jax.eval_shape(draw, KEY))


def flow_epoch(mesh: Mesh, batch_size: int = 256, name: str = "affine_coupling") -> Program:
    """An epoch of a flow on dequantized images of 28x28."""
    config, images = flow.Config(), _images(batch_size, binarization="none")
    x_shape = images.images.shape[1:]
    density = flow.make_flow(config, name, x_shape, data=[logit(), Squeeze()])
    model = dequantized(density, images.levels, x_shape)
    bound, optimizer = wb.sampled_bound(model, images.prepare), optax.adam(config.learning_rate)
    loss = mean_over_batch(lambda *at: (-bound(*at), {}))
    state = jax.eval_shape(lambda key: init_state(model.init(key), optimizer), KEY)
    return _epoch(gradient_step(loss, optimizer), state, images.images, batch_size, mesh)


def vae_nll(mesh: Mesh, num_images: int = 100, num_samples: int = 5000) -> Program:
    """The test NLL of the VAE by importance samples, image by image; `mesh` is not split over."""
    images = _images(num_images // STEPS, binarization="threshold")
    model = vae.make_model(vae.Config(hidden=(400,), latent_size=20), images)
    measure = wb.image_by_image(wb.negative_log_px(model, num_samples))
    x = jax.ShapeDtypeStruct(images.images.shape, jnp.float32)
    return Program(measure, (jax.eval_shape(model.init, KEY), KEY, x), STEPS, 10)


def kalman_log_likelihood(mesh: Mesh, length: int = 200, latent_size: int = 32) -> Program:
    """The exact likelihood of a sequence of Gaussians; `mesh` is not split over."""
    params = jax.eval_shape(linear_gaussian(latent_size, latent_size).init, KEY)
    xs = jax.ShapeDtypeStruct((length, latent_size), jnp.float32)
    return Program(kalman_filter, (params, xs), length, 1)


TRAININGS: dict[str, Callable[..., Program]] = {
    "vae": vae_epoch,
    "vae_stream": vae_stream,
    "vae_conv": partial(vae_epoch, architecture="conv"),
    "disarm": partial(belief_network_epoch, "disarm"),
    "rloo": partial(belief_network_epoch, "rloo"),
    "dcgan": dcgan_epoch,
    "ring": ring_epoch,
    "flow": flow_epoch,
}
"""`mesh -> Program` by name; further arguments set the sizes."""

MEASURES: dict[str, Callable[..., Program]] = {
    "vae_nll": vae_nll,
    "kalman": kalman_log_likelihood,
}
"""The same, of numbers that are reported."""

KEY = jax.eval_shape(lambda: jax.random.key(0))


def _vae(
    batch_size: int, architecture: Literal["mlp", "conv"] = "mlp"
) -> tuple[Update, Any, np.ndarray]:
    config = vae.Config(hidden=(400,), latent_size=20, architecture=architecture)
    images = _images(batch_size)
    model, optimizer = vae.make_model(config, images), optax.adam(config.learning_rate)
    update = gradient_step(mean_over_batch(wb.negative_elbo(model, images.prepare)), optimizer)
    state = jax.eval_shape(lambda key: init_state(model.init(key), optimizer), KEY)
    return update, state, images.images


def _epoch(update: Update, state: Any, images: Any, batch_size: int, mesh: Mesh) -> Program:
    shapes = jax.ShapeDtypeStruct(images.shape, images.dtype)
    batch = jax.ShapeDtypeStruct((batch_size, *images.shape[1:]), images.dtype)
    epoch = scan_epoch(shard(update, mesh), batch_size)
    return Program(epoch, (state, KEY, shapes), STEPS, batch_size, update, batch)


def _images(
    batch_size: int, shape: tuple[int, ...] = (28, 28, 1), binarization: str = "dynamic"
) -> ImageSet:
    """As many images as an epoch passes through."""
    gray = np.random.default_rng(0).integers(0, 256, (STEPS * batch_size, *shape), np.uint8)
    return from_arrays(gray, binarization=binarization)
