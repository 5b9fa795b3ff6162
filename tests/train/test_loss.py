"""The loss of a batch from one datapoint's, and losses that see the step."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxgen.train import data_mesh, gradient_step, init_state, mean_over_batch, per_device

X = jax.random.normal(jax.random.key(0), (8, 3))
LABELS = jnp.arange(8)


def noisy(params, key, datapoint):
    x, label = datapoint
    noise = jax.random.normal(key)
    return jnp.sum(params * x) + noise, {"noise": noise, "label": label, "x": x}


def test_the_loss_of_a_batch_is_the_mean_of_its_datapoints_each_with_its_own_key():
    value, info = jax.jit(mean_over_batch(noisy))(jnp.ones(3), jax.random.key(1), (X, LABELS))
    noise = [jax.random.normal(key) for key in jax.random.split(jax.random.key(1), 8)]
    np.testing.assert_allclose(info["noise"], np.mean(noise), rtol=1e-6)
    np.testing.assert_allclose(value, np.mean(noise) + np.asarray(X).sum(axis=1).mean(), rtol=1e-5)
    assert info["label"] == 3.5
    np.testing.assert_allclose(info["x"], np.asarray(X).mean(axis=0), atol=1e-6)


def test_means_of_half_precision_are_taken_in_float32():
    def one(params, key, x):
        return x, {"x": x}

    batch = jnp.ones(4097, jnp.bfloat16).at[0].set(3.0)
    value, info = mean_over_batch(one)(None, jax.random.key(0), batch)
    assert value.dtype == info["x"].dtype == jnp.float32
    np.testing.assert_allclose(value, 1 + 2 / 4097, rtol=1e-6)  # bfloat16 would say 1


def test_misuse_of_a_batch_is_named():
    loss = mean_over_batch(lambda params, key, x: (x, {}))
    with pytest.raises(ValueError, match=r"one: got a value of shape \(3,\) for one datapoint"):
        loss(None, jax.random.key(0), X)
    with pytest.raises(ValueError, match=r"batch: got shapes .* one common leading axis"):
        loss(None, jax.random.key(0), (X, LABELS[:4]))
    with pytest.raises(ValueError, match="batch: got 0 datapoints, expected at least one"):
        loss(None, jax.random.key(0), X[:0])


def warming(params, key, x, *, step):
    return step * jnp.sum(params * x), {"step": step}


@pytest.mark.parametrize(
    "loss",
    [
        lambda params, key, batch, *, step: warming(params, key, batch.mean(axis=0), step=step),
        mean_over_batch(warming),
        per_device(mean_over_batch(warming), data_mesh(8)),
    ],
    ids=["plain", "mean over the batch", "per device"],
)
def test_a_loss_that_declares_the_step_is_given_the_number_of_updates_made(loss):
    optimizer = optax.sgd(1.0)
    state, seen = init_state(jnp.zeros(3), optimizer), []
    update = jax.jit(gradient_step(loss, optimizer))
    for i in range(3):
        state, info = update(state, jax.random.key(i), X)
        seen.append(float(info["step"]))
    assert seen == [0, 1, 2]
    # 0 + 1 + 2 times the slope, which does not move
    np.testing.assert_allclose(state.params, -3 * np.asarray(X).mean(axis=0), rtol=1e-5)


def test_a_loss_with_a_parameter_step_by_position_is_given_its_own_arguments_alone():
    def loss(params, key, batch, step=7.0):
        return step * jnp.sum(params), {}

    optimizer = optax.sgd(1.0)
    state = init_state(jnp.ones(1), optimizer)
    _, info = gradient_step(loss, optimizer)(state, jax.random.key(0), X)
    assert info["loss"] == 7


@pytest.mark.parametrize(
    "one", [lambda params, key, x: x, lambda params, key, x: (x, {}, {}), lambda *_: [1.0, {}]]
)
def test_a_loss_without_its_info_is_refused_by_name(one, key):
    with pytest.raises(ValueError, match=r"one: got .*expected \(scalar to lower, info\)"):
        mean_over_batch(one)((), key, jnp.ones(3))
