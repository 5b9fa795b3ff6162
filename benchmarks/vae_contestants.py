"""One epoch of the same VAE in jaxgen, numpyro and PyTorch, and of its matrix products alone.

All of them: 784-400-20-400-784, one hidden ReLU layer each way, Glorot-uniform kernels and zero
biases, Bernoulli pixels (an image's bytes cut at one half), one sample of z, the KL in closed form,
Adam at 1e-3, float32, a fresh permutation per epoch, whole batches only, images in memory on the
device. Each function returns `index of the epoch -> mean negative ELBO of that epoch, in nats`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, UInt8

from benchmarks.timing import torch_on_the_same_device
from jaxgen.data import threshold
from jaxgen.models import LIKELIHOODS, gaussian_vae, observe
from jaxgen.nets import MLP
from jaxgen.objectives import elbo
from jaxgen.train import gradient_step, init_state, scan_epoch
from jaxgen.types import Info, Key, Params

Images: TypeAlias = UInt8[np.ndarray, "n 28 28 1"]
Epoch: TypeAlias = Callable[[int], float]

PIXELS, HIDDEN, LATENTS = 784, 400, 20
BATCH = 128
LEARNING_RATE = 1e-3


def jaxgen_epoch(images: Images) -> Epoch:
    """The library's parts put together as the recipe `experiments/vae.py` does it."""
    x_shape = images.shape[1:]
    model = gaussian_vae(
        MLP((HIDDEN,), (2, LATENTS), nn.relu),
        MLP((HIDDEN,), (*x_shape, 1), nn.relu),
        LIKELIHOODS["bernoulli"].distribution,
        latent_size=LATENTS,
        x_shape=x_shape,
    )
    optimizer = optax.adam(LEARNING_RATE)

    def negative_elbo(params: Params, key: Key, image: Array) -> Array:
        key_x, key_z = jax.random.split(key)
        at = observe(model, params, threshold(key_x, image))
        return -elbo(key_z, at.log_likelihood, at.q, at.prior).elbo

    def loss(params: Params, key: Key, batch: Array) -> tuple[Array, Info]:
        keys = jax.random.split(key, len(batch))
        return jnp.mean(jax.vmap(negative_elbo, (None, 0, 0))(params, keys, batch)), {}

    compiled = jax.jit(scan_epoch(gradient_step(loss, optimizer), BATCH), donate_argnums=0)
    key_init, key_epochs = jax.random.split(jax.random.key(0))
    state = init_state(model.init(key_init), optimizer)
    data = jnp.asarray(images)

    def epoch(index: int) -> float:
        nonlocal state
        state, infos = compiled(state, jax.random.fold_in(key_epochs, index), data)
        return float(infos["loss"].mean())

    return epoch


def numpyro_epoch(images: Images) -> Epoch:
    """Numpyro's SVI as in its VAE example, with logits, no host loader and one scan an epoch.

    `TraceMeanField_ELBO` takes the KL in closed form. Bytes on the device are no slower than
    floats, and numpyro's own Adam no slower than optax's.
    """
    import numpyro
    import numpyro.distributions as dist
    from numpyro.contrib.module import flax_module
    from numpyro.infer import SVI, TraceMeanField_ELBO

    def net(outputs: int) -> nn.Module:
        glorot = nn.initializers.glorot_uniform()
        hidden, output = (nn.Dense(n, kernel_init=glorot) for n in (HIDDEN, outputs))
        return nn.Sequential([hidden, nn.relu, output])

    def model(x: Array) -> None:
        decode: Any = flax_module("decoder", net(PIXELS), input_shape=(LATENTS,))
        with numpyro.plate("batch", len(x)):
            z = numpyro.sample("z", dist.Normal(0, 1).expand([LATENTS]).to_event(1))
            numpyro.sample("x", dist.Bernoulli(logits=decode(z)).to_event(1), obs=x)

    def guide(x: Array) -> None:
        encode: Any = flax_module("encoder", net(2 * LATENTS), input_shape=(PIXELS,))
        mean, log_scale = jnp.split(encode(x), 2, axis=-1)
        with numpyro.plate("batch", len(x)):
            numpyro.sample("z", dist.Normal(mean, jnp.exp(log_scale)).to_event(1))

    svi = SVI(model, guide, numpyro.optim.Adam(LEARNING_RATE), TraceMeanField_ELBO())

    def scanned(state: Any, key: Key, data: Array) -> tuple[Any, Array]:
        order = jax.random.permutation(key, len(data))[: len(data) // BATCH * BATCH]

        def body(state: Any, indices: Array) -> tuple[Any, Array]:
            return svi.update(state, (data[indices] >= 128).astype(jnp.float32))

        return jax.lax.scan(body, state, order.reshape(-1, BATCH))

    compiled = jax.jit(scanned, donate_argnums=0)
    key_init, key_epochs = jax.random.split(jax.random.key(0))
    state = svi.init(key_init, jnp.zeros((BATCH, PIXELS)))
    data = jnp.asarray(images.reshape(-1, PIXELS))

    def epoch(index: int) -> float:
        nonlocal state
        state, losses = compiled(state, jax.random.fold_in(key_epochs, index), data)
        return float(losses.mean()) / BATCH

    return epoch


def torch_epoch(images: Images, *, fused: bool = False) -> Epoch:
    """PyTorch, eager, on as many threads: floats in memory, batches by a permutation's indices.

    Args:
      fused: PyTorch's fused Adam in place of its default.
    """
    import torch
    from torch.nn import functional

    torch_on_the_same_device()
    torch.manual_seed(0)

    def net(inputs: int, outputs: int) -> torch.nn.Sequential:
        hidden, output = torch.nn.Linear(inputs, HIDDEN), torch.nn.Linear(HIDDEN, outputs)
        for layer in (hidden, output):
            torch.nn.init.xavier_uniform_(layer.weight)
            torch.nn.init.zeros_(layer.bias)
        return torch.nn.Sequential(hidden, torch.nn.ReLU(), output)

    encoder, decoder = net(PIXELS, 2 * LATENTS), net(LATENTS, PIXELS)
    params = [*encoder.parameters(), *decoder.parameters()]
    optimizer = torch.optim.Adam(params, lr=LEARNING_RATE, fused=fused)
    data = (torch.tensor(images.reshape(-1, PIXELS)) >= 128).float()
    num_batches = len(data) // BATCH

    def epoch(index: int) -> float:
        total = torch.zeros(())
        for indices in torch.randperm(len(data))[: num_batches * BATCH].view(-1, BATCH):
            x = data[indices]
            mean, log_scale = encoder(x).chunk(2, dim=-1)
            scale = log_scale.exp()
            logits = decoder(mean + scale * torch.randn_like(mean))
            cross_entropy = functional.binary_cross_entropy_with_logits(logits, x, reduction="sum")
            kl = 0.5 * (mean.square() + scale.square() - 1 - 2 * log_scale).sum()
            loss = (cross_entropy + kl) / BATCH
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.detach()
        return float(total) / num_batches

    return epoch


def matrix_products_epoch(images: Images) -> Callable[[int], Any]:
    """The eleven matrix products of a step and nothing else, in XLA: forward, and both gradients.

    No product can leave the loop: each depends on the step's own batch.
    """
    keys = jax.random.split(jax.random.key(0), 4)
    shapes = (PIXELS, HIDDEN), (HIDDEN, 2 * LATENTS), (LATENTS, HIDDEN), (HIDDEN, PIXELS)
    weights = [0.05 * jax.random.normal(key, s) for key, s in zip(keys, shapes, strict=True)]
    count = min(16, len(images) // BATCH)
    batches = jnp.asarray(images[: count * BATCH].reshape(count, BATCH, PIXELS)) / 255.0
    steps = jnp.arange(len(images) // BATCH) % count

    @jax.jit
    def products(weights: list[Array], batches: Array) -> list[Array]:
        def body(_: list[Array], step: Array) -> tuple[list[Array], None]:
            w1, w2, w3, w4 = weights
            x = batches[step]
            h1 = x @ w1
            q = h1 @ w2
            z = q[:, :LATENTS]
            h2 = z @ w3
            logits = h2 @ w4
            d_h2 = logits @ w4.T
            d_q = jnp.tile(d_h2 @ w3.T, 2)
            d_h1 = d_q @ w2.T
            return [x.T @ d_h1, h1.T @ d_q, z.T @ d_h2, h2.T @ logits], None

        return jax.lax.scan(body, weights, steps)[0]

    return lambda index: float(products(weights, batches)[0][0, 0])
