"""An epoch visits the data once, in a new order each time, and compiles once."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxgen.train import gradient_step, init_state, scan_draws, scan_epoch, scan_sets


def seen(state, key, batch):
    """An update that counts its calls and reports what it was given."""
    return state + 1, {"batch": batch, "noise": jax.random.uniform(key)}


@pytest.mark.parametrize(("size", "batch_size"), [(12, 4), (13, 4), (5, 5), (7, 1)])
def test_every_datapoint_once(size, batch_size):
    data = {"index": jnp.arange(size), "square": jnp.arange(size, dtype=jnp.uint8) ** 2}
    epoch = jax.jit(scan_epoch(seen, batch_size))
    orders = []
    for i in range(3):
        steps, infos = epoch(jnp.int32(0), jax.random.key(i), data)
        index, square = np.asarray(infos["batch"]["index"]), infos["batch"]["square"]
        assert int(steps) == size // batch_size == len(index)
        assert index.shape == (size // batch_size, batch_size)
        assert len(np.unique(index)) == index.size, "a datapoint came twice"
        assert index.size > size - batch_size, "more than the remainder was left out"
        np.testing.assert_array_equal(square, index.astype(np.uint8) ** 2)
        assert len(np.unique(infos["noise"])) == len(index), "two updates shared a key"
        orders.append(index.ravel().tolist())
    assert orders[0] != orders[1] != orders[2]


def test_no_datapoint_is_left_out_for_ever():
    epoch = jax.jit(scan_epoch(seen, 4))
    data = {"index": jnp.arange(7), "square": jnp.arange(7, dtype=jnp.uint8) ** 2}
    taken = [epoch(jnp.int32(0), jax.random.key(i), data)[1]["batch"]["index"] for i in range(30)]
    # Each is left out of 30 epochs in a row with probability (3/7)**30 = 9e-12.
    np.testing.assert_array_equal(np.unique(np.asarray(taken)), np.arange(7))


def drawn(state, key, data):
    return scan_draws(seen, jax.random.uniform, 3)(state, key)


@pytest.mark.parametrize("epoch", [scan_epoch(seen, 2), scan_sets(seen, 2), drawn])
def test_epochs_of_many_seeds_in_one_program_use_no_key_twice(epoch):
    """As every test, under `jax.debug_key_reuse`."""
    data, keys = (jnp.arange(6), jnp.arange(6)), jax.random.split(jax.random.key(3), 2)
    _, infos = jax.vmap(epoch, (0, 0, None))(jnp.zeros(2, int), jax.random.clone(keys), data)
    for key, noise in zip(keys, infos["noise"], strict=True):
        alone, info = epoch(jnp.int32(0), jax.random.clone(key), data)
        np.testing.assert_array_equal(noise, info["noise"])
    assert len(np.unique(infos["noise"])) == infos["noise"].size == 2 * int(alone)


def test_the_epoch_is_the_loop():
    """The scan equals the same updates called one by one on the batches that it reports."""
    x = jax.random.normal(jax.random.key(1), (20, 3))

    def loss(params, key, batch):
        value = jnp.mean((batch @ params - 1) ** 2)
        return value, {"batch": batch}

    optimizer = optax.adam(0.1)
    update = gradient_step(loss, optimizer)
    one_by_one = jax.jit(update)
    state, infos = jax.jit(scan_epoch(update, 4))(
        init_state(jnp.zeros(3), optimizer), jax.random.key(2), x
    )
    slow, losses = init_state(jnp.zeros(3), optimizer), []
    for i, batch in enumerate(infos["batch"]):
        slow, info = one_by_one(slow, jax.random.key(i), batch)
        losses.append(info["loss"])
    np.testing.assert_allclose(state.params, slow.params, rtol=1e-5)
    np.testing.assert_allclose(infos["loss"], losses, rtol=1e-5)
    assert infos["all_finite"].shape == (5,)


def test_compiled_once_and_donated():
    def loss(params, key, batch):
        return jnp.mean((batch - params) ** 2), {}

    optimizer = optax.adam(0.1)
    update = gradient_step(loss, optimizer, ema_decay=0.9)
    epoch = chex.assert_max_traces(scan_epoch(update, 8), n=1)
    epoch = jax.jit(epoch, donate_argnums=0)
    state = first = init_state(jnp.zeros(2), optimizer, ema=True)
    data = jax.random.normal(jax.random.key(0), (64, 2))
    state, _ = epoch(state, jax.random.key(1), data)
    assert all(leaf.is_deleted() for leaf in jax.tree.leaves(first))
    for i in range(3):
        state, _ = epoch(state, jax.random.fold_in(jax.random.key(2), i), data)
    assert int(state.step) == 32


def test_misuse_is_named():
    key = jax.random.key(0)
    with pytest.raises(ValueError, match="batch_size: got 0, expected an integer >= 1"):
        scan_epoch(seen, 0)
    with pytest.raises(ValueError, match="batch_size: got 11, expected at most 10"):
        scan_epoch(seen, 11)(0, key, jnp.zeros((10, 2)))
    for data in ((jnp.zeros(4), jnp.zeros(5)), (), jnp.zeros(()), (jnp.zeros(()), jnp.zeros(3))):
        with pytest.raises(ValueError, match=r"data: got shapes .* common leading axis"):
            scan_epoch(seen, 2)(0, key, data)
