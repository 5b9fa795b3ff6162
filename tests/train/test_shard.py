"""Eight (pretended) devices against one."""

import contextlib

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.sharding import PartitionSpec

from jaxgen.train import data_mesh, gradient_step, init_state, replicate, scan_epoch, shard

STEPS, BATCH = 20, 32


def loss(params, key, batch):
    """A one-layer VAE in miniature: the noise is drawn inside, statistics run over the batch."""
    x = batch["x"].astype(jnp.float32) / 255
    hidden = jnp.tanh(x @ params["encode"])
    hidden = hidden - jnp.mean(hidden, axis=0)  # global, as batch normalization is
    z = hidden + 0.5 * jax.random.normal(key, hidden.shape)
    error = jnp.sum((z @ params["decode"] - x) ** 2, axis=1)
    return jnp.mean(error + 0.01 * jnp.sum(z**2, axis=1)), {"error": jnp.mean(error)}


@pytest.fixture(scope="module")
def optimizer():
    return optax.adam(1e-2)


@pytest.fixture
def params():
    keys = jax.random.split(jax.random.key(1))
    return {
        "encode": jax.random.normal(keys[0], (16, 4)) / 4,
        "decode": jax.random.normal(keys[1], (4, 16)) / 4,
    }


@pytest.fixture
def data():
    pixels = np.random.default_rng(0).integers(0, 256, (STEPS * BATCH, 16), np.uint8)
    return {"x": jnp.asarray(pixels)}


def trained(update, optimizer, params, data):
    """Twenty steps of `update` alone under jit."""
    step = jax.jit(update)
    state = init_state(params, optimizer)
    for i in range(STEPS):
        batch = jax.tree.map(lambda a, i=i: a[i * BATCH : (i + 1) * BATCH], data)
        state, _ = step(state, jax.random.fold_in(jax.random.key(2), i), batch)
    return state


def distance(a, b):
    return max(
        float(np.abs(np.asarray(x) - np.asarray(y)).max())
        for x, y in zip(jax.tree.leaves(a.params), jax.tree.leaves(b.params), strict=True)
    )


def devices(tree):
    return {len(leaf.sharding.device_set) for leaf in jax.tree.leaves(tree)}


def test_alone_equals_one_device(optimizer, params, data):
    update = gradient_step(loss, optimizer)
    one = trained(update, optimizer, params, data)
    eight = trained(shard(update, data_mesh(8)), optimizer, params, data)
    assert devices(one) == {1}
    assert devices(eight) == {8}
    assert all(leaf.sharding.is_fully_replicated for leaf in jax.tree.leaves(eight))
    assert distance(one, eight) < 1e-5
    assert distance(one, init_state(params, optimizer)) > 1e-2, "nothing was learned"


def test_in_a_donated_epoch_equals_one_device(optimizer, params, data):
    update = gradient_step(loss, optimizer, ema_decay=0.9)
    mesh = data_mesh(8)

    def after(update, state, images):
        epoch = jax.jit(scan_epoch(update, BATCH), donate_argnums=0)
        state, infos = epoch(state, jax.random.key(3), images)
        assert infos["all_finite"].shape == (STEPS,)
        assert bool(infos["all_finite"].all())
        return state

    start = [init_state(params, optimizer, ema=True) for _ in range(3)]
    one = after(update, start[0], data)
    placed = after(shard(update, mesh), replicate(start[1], mesh), replicate(data, mesh))
    moved = after(shard(update, mesh), start[2], data)
    for eight in (placed, moved):
        assert devices(eight) == {8}
        assert distance(one, eight) < 1e-5
        np.testing.assert_allclose(one.ema["encode"], eight.ema["encode"], atol=1e-5)


@pytest.mark.parametrize("num_devices", [1, 8])
@pytest.mark.parametrize("placed", [True, False])
def test_a_placed_state_compiles_once(num_devices, placed, optimizer, params, data):
    """One that is not placed moves in the first step, so that the second compiles again."""
    mesh = data_mesh(num_devices)
    sharded = shard(gradient_step(loss, optimizer), mesh)
    step = jax.jit(chex.assert_max_traces(lambda *arguments: sharded(*arguments), n=1))
    state = init_state(params, optimizer)
    if placed:
        state, data = replicate((state, data), mesh)

    batch = jax.tree.map(lambda a: a[:BATCH], data)
    first, second = jax.random.split(jax.random.key(0))
    state, _ = step(state, first, batch)
    with contextlib.nullcontext() if placed else pytest.raises(AssertionError, match="traced"):
        step(state, second, batch)


def test_the_batch_is_split(optimizer, params, data):
    """The noise and the activations really lie on eight devices, an eighth on each."""
    compiled = (
        jax.jit(shard(gradient_step(loss, optimizer), data_mesh(8)))
        .lower(
            init_state(params, optimizer),
            jax.random.key(0),
            jax.tree.map(lambda a: a[:BATCH], data),
        )
        .compile()
        .as_text()
    )
    assert "all-reduce" in compiled
    assert f"f32[{BATCH // 8},4]" in compiled
    assert f"f32[{BATCH},4]" not in compiled


def test_the_comparison_sees_a_wrong_reduction(params, data):
    """Gradients of one device's share only, or summed where a mean is meant, are told apart."""
    mesh = data_mesh(8)

    def wrong(reduce):
        def local(params, key, batch):
            return loss(params, key, batch)[0][None]

        whole, split = PartitionSpec(), PartitionSpec("data")
        shares = jax.shard_map(
            local, mesh=mesh, in_specs=(whole, whole, split), out_specs=split, check_vma=False
        )
        return lambda params, key, batch: (reduce(shares(params, key, batch)), {})

    # Plain descent, for Adam forgives a gradient that is eight times too large.
    sgd = optax.sgd(1e-2)
    one = trained(gradient_step(loss, sgd), sgd, params, data)
    for reduce in (jnp.sum, lambda shares: shares[0]):
        other = trained(gradient_step(wrong(reduce), sgd), sgd, params, data)
        assert distance(one, other) > 1e-3


def test_the_mesh():
    assert data_mesh().shape == {"data": 8}
    assert data_mesh(3).shape == {"data": 3}
    with pytest.raises(ValueError, match="num_devices: got 9, expected at most 8"):
        data_mesh(9)
    with pytest.raises(ValueError, match="num_devices: got 0, expected an integer >= 1"):
        data_mesh(0)


def test_the_mesh_of_given_devices():
    last = jax.devices()[5:]
    mesh = data_mesh(devices=last)
    assert mesh.shape == {"data": 3}
    assert list(mesh.devices.flat) == last
    assert list(data_mesh(2, devices=last).devices.flat) == last[:2]
    assert data_mesh(devices=jax.devices()) == data_mesh()
    with pytest.raises(ValueError, match="num_devices: got 4, expected at most 3"):
        data_mesh(4, devices=last)
    for wrong in ([], [last[0], last[0]]):
        with pytest.raises(ValueError, match=r"devices: got \[.*expected different devices of one"):
            data_mesh(devices=wrong)
    for wrong in (8, "cpu", ["cpu"], jax.devices()[0]):
        with pytest.raises(ValueError, match=r"devices: got .*expected"):
            data_mesh(devices=wrong)


def test_misuse_is_named(optimizer, params, data):
    update = gradient_step(loss, optimizer)
    with pytest.raises(ValueError, match=r"mesh: got the axes \('model',\)"):
        shard(update, jax.make_mesh((8,), ("model",)))
    state = init_state(params, optimizer)
    key = jax.random.key(0)
    with pytest.raises(ValueError, match=r"batch: got an array of shape \(12, 16\).*8 devices"):
        shard(update, data_mesh(8))(state, key, {"x": data["x"][:12]})
    with pytest.raises(ValueError, match=r"batch: got an array of shape \(30, 16\).*8 devices"):
        jax.jit(scan_epoch(shard(update, data_mesh(8)), 30))(state, key, data)
