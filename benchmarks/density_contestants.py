"""Flows in jaxgen, zuko and flowjax, and a MADE in jaxgen and PyTorch: the same work for each.

All of a flow: `LAYERS` transforms, conditioners of two hidden ReLU layers of `WIDTH`, a standard
normal base, float32, Adam at 1e-3, whole batches, the same data in memory. A masked autoregressive
flow shifts and scales 64 numbers; a coupling flow bends 8 by splines of eight bins. All of a MADE:
784 bits, one hidden layer of 500, one order. A training contestant is `index of the call -> mean
loss of its STEPS updates, in nats`; a sampling one is `index of the call -> draws`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float

from benchmarks.timing import torch_on_the_same_device
from jaxgen.distributions import affine, rational_quadratic_spline
from jaxgen.models import (
    LIKELIHOODS,
    Density,
    autoregressive,
    autoregressive_flow,
    coupling_flow,
)
from jaxgen.nets import MADE, MLP
from jaxgen.train import gradient_step, init_state
from jaxgen.types import Info, Key, Params

Data: TypeAlias = Float[np.ndarray, "n size"]
Train: TypeAlias = Callable[[int], float]
Draw: TypeAlias = Callable[[int], Any]

LAYERS, WIDTH, BINS = 5, 128, 8
MADE_WIDTH = 500
BATCH, STEPS = 256, 20
LEARNING_RATE = 1e-3
AUTOREGRESSIVE, COUPLING = "masked autoregressive", "spline coupling"


def batches(data: Data, index: int) -> Iterator[Any]:
    """Yields the STEPS batches of one call, the same for all contestants."""
    rows = np.random.default_rng(index).integers(len(data), size=(STEPS, BATCH))
    yield from data[rows]


def jaxgen_flow(kind: str, data: Data) -> tuple[Train, Draw]:
    """This package's parts, as the recipe `experiments/flow.py` puts them together."""
    size, hidden = data.shape[1:], (WIDTH, WIDTH)
    if kind == AUTOREGRESSIVE:
        net = lambda outputs: MADE(hidden, outputs, direct=False)  # noqa: E731
        density = autoregressive_flow(net, affine(), size, LAYERS)
    else:
        spline = rational_quadratic_spline(BINS, bound=5.0)
        density = coupling_flow(lambda shape: MLP(hidden, shape, nn.relu), spline, size, LAYERS)
    train, params = _jaxgen_training(density, data)

    @jax.jit
    def sample(params: Params, key: Key) -> Array:
        return density.distribution(params, ()).sample(seed=key, sample_shape=(BATCH,))

    return train, lambda index: sample(params(), jax.random.key(index))


def jaxgen_made(data: Data) -> Train:
    """This package's MADE, without the direct connections that the other lacks."""
    net = MADE((MADE_WIDTH,), direct=False)
    return _jaxgen_training(autoregressive(net, LIKELIHOODS["bernoulli"], data.shape[1:]), data)[0]


def _jaxgen_training(density: Density, data: Data) -> tuple[Train, Callable[[], Params]]:
    def loss(params: Params, key: Key, batch: Array) -> tuple[Array, Info]:
        p = density.distribution(params, ())
        return -jnp.mean(jax.vmap(p.log_prob)(batch)), {}

    optimizer = optax.adam(LEARNING_RATE)
    update = gradient_step(loss, optimizer)

    @jax.jit
    def updates(state: Any, key: Key, xs: Array) -> Any:
        def body(state: Any, x: Array) -> Any:
            return update(state, jax.random.clone(key), x)

        return jax.lax.scan(body, state, xs)

    state = init_state(density.init(jax.random.key(0), ()), optimizer)

    def train(index: int) -> float:
        nonlocal state
        state, infos = updates(state, jax.random.key(0), np.stack([*batches(data, index)]))
        return float(infos["loss"].mean())

    return train, lambda: state.params


def zuko_flow(kind: str, data: Data) -> tuple[Train, Draw]:
    """Zuko: NSF with two passes is a coupling; its MAF is inverted by a pass for each number."""
    import torch
    import zuko

    torch_on_the_same_device()
    torch.manual_seed(0)
    shape: dict[str, Any] = {"transforms": LAYERS, "hidden_features": (WIDTH, WIDTH)}
    if kind == AUTOREGRESSIVE:
        flow = zuko.flows.MAF(data.shape[1], **shape)
    else:
        flow = zuko.flows.NSF(data.shape[1], bins=BINS, passes=2, **shape)
    train = _torch_training(flow, lambda x: -flow().log_prob(x).mean(), data)

    def draw(index: int) -> Any:
        with torch.no_grad():
            return flow().sample((BATCH,)).cpu().numpy()

    return train, draw


def torch_made(data: Data) -> Train:
    """PyTorch, eager: a masked kernel is multiplied by its mask in every pass, as MADEs are."""
    import torch
    from torch.nn import functional

    torch_on_the_same_device()
    torch.manual_seed(0)
    size = data.shape[1]
    degrees = torch.randint(1, size, (MADE_WIDTH,))
    order = torch.arange(1, size + 1)
    into, out_of = (degrees[:, None] >= order).float(), (order[:, None] > degrees).float()

    class Made(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.hidden = torch.nn.Linear(size, MADE_WIDTH)
            self.output = torch.nn.Linear(MADE_WIDTH, size)

        def forward(self, x: Any) -> Any:
            h = functional.relu(functional.linear(x, self.hidden.weight * into, self.hidden.bias))
            return functional.linear(h, self.output.weight * out_of, self.output.bias)

    net = Made()

    def loss(x: Any) -> Any:
        cross_entropy = functional.binary_cross_entropy_with_logits(net(x), x, reduction="sum")
        return cross_entropy / len(x)

    return _torch_training(net, loss, data)


def _torch_training(net: Any, loss: Callable[[Any], Any], data: Data) -> Train:
    import torch

    optimizer = torch.optim.Adam(net.parameters(), lr=LEARNING_RATE)

    def train(index: int) -> float:
        total = 0.0
        for x in batches(data, index):
            optimizer.zero_grad()
            value = loss(torch.tensor(x))
            value.backward()
            optimizer.step()
            total += float(value.detach())
        return total / STEPS

    return train


def flowjax_flow(kind: str, data: Data) -> tuple[Train, Draw]:
    """Flowjax, with the STEPS updates of a call in one compiled scan as ours are."""
    import equinox as eqx
    import paramax
    from flowjax.bijections import RationalQuadraticSpline
    from flowjax.distributions import Normal
    from flowjax.flows import coupling_flow, masked_autoregressive_flow

    shape: dict[str, Any] = {"flow_layers": LAYERS, "nn_width": WIDTH, "nn_depth": 2}
    base, key = Normal(jnp.zeros(data.shape[1])), jax.random.key(0)
    if kind == AUTOREGRESSIVE:
        flow = masked_autoregressive_flow(key, base_dist=base, **shape)
    else:
        spline = RationalQuadraticSpline(knots=BINS, interval=5)
        flow = coupling_flow(key, base_dist=base, transformer=spline, **shape)
    frozen = lambda leaf: isinstance(leaf, paramax.NonTrainable)  # noqa: E731  as flowjax's fit
    params, static = eqx.partition(flow, eqx.is_inexact_array, is_leaf=frozen)
    optimizer = optax.adam(LEARNING_RATE)

    def loss(params: Any, x: Any) -> Any:
        return -paramax.unwrap(eqx.combine(params, static)).log_prob(x).mean()

    @jax.jit
    def updates(params: Any, state: Any, xs: Any) -> Any:
        def update(carry: Any, x: Any) -> Any:
            params, state = carry
            value, slope = jax.value_and_grad(loss)(params, x)
            change, state = optimizer.update(slope, state)
            return (optax.apply_updates(params, change), state), value

        return jax.lax.scan(update, (params, state), xs)

    carry = params, optimizer.init(params)

    def train(index: int) -> float:
        nonlocal carry
        carry, losses = updates(*carry, np.stack([*batches(data, index)]))
        return float(losses.mean())

    @jax.jit
    def sample(params: Any, key: Any) -> Any:
        return paramax.unwrap(eqx.combine(params, static)).sample(key, (BATCH,))

    return train, lambda index: sample(carry[0], jax.random.key(index))
