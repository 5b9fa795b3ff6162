"""The players' nets, and what lets a critic see several samples, against NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.nets import MLPCritic, MLPGenerator, append_minibatch_stddev, pack

X = jax.random.normal(jax.random.key(0), (6, 3))


def test_packs_are_samples_in_a_row_side_by_side():
    np.testing.assert_array_equal(pack(X, 2), np.asarray(X).reshape(3, 6))
    np.testing.assert_array_equal(pack(X, 1), X)
    images = jax.random.normal(jax.random.key(1), (4, 5, 2, 3))
    pairs = pack(images, 2)
    assert pairs.shape == (2, 5, 2, 6)
    np.testing.assert_array_equal(pairs[1, ..., :3], images[2])
    np.testing.assert_array_equal(pairs[1, ..., 3:], images[3])
    for x, size in ((X, 4), (X[:, 0], 2)):
        with pytest.raises(ValueError, match=r"x: got shape .* divisible by size="):
            pack(x, size)
    with pytest.raises(ValueError, match="size: got 0, expected an integer >= 1"):
        pack(X, 0)


def test_the_appended_channel_is_the_mean_standard_deviation():
    images = jax.random.normal(jax.random.key(1), (4, 5, 2, 3))
    for x in (X, images):
        longer = append_minibatch_stddev(x)
        np.testing.assert_array_equal(longer[..., :-1], x)
        np.testing.assert_allclose(longer[..., -1], np.std(x, axis=0).mean(), rtol=1e-5)
    # A collapsed batch, whose spread has a slope all the same.
    slope = jax.grad(lambda x: append_minibatch_stddev(x)[0, -1])(jnp.ones((4, 2)))
    assert np.isfinite(slope).all()
    with pytest.raises(ValueError, match=r"x: got shape \(6,\)"):
        append_minibatch_stddev(X[:, 0])


def test_a_generator_normalizes_by_the_batch_in_training_and_by_the_past_outside():
    net = MLPGenerator((8,), (2, 1), batch_norm=True)
    variables = net.init(jax.random.key(1), X, train=True)
    dense, normed = variables["params"]["Dense_0"], variables["params"]["Dense_1"]
    hidden = np.asarray(X @ dense["kernel"])
    for train in (True, False):
        mean, var = (hidden.mean(0), hidden.var(0)) if train else (0.0, 1.0)
        expected = np.maximum((hidden - mean) / np.sqrt(var + 1e-5), 0) @ normed["kernel"]
        samples, changed = net.apply(variables, X, train=train, mutable=["batch_stats"])
        np.testing.assert_allclose(samples, expected.reshape(6, 2, 1), atol=1e-5)
    assert set(changed) == {"batch_stats"}
    plain = MLPGenerator((8,), (2,))
    assert set(plain.init(jax.random.key(1), X, train=True)) == {"params"}


def test_a_critics_kernels_have_norm_one_once_the_iteration_has_settled():
    net = MLPCritic((16, 16), spectral_norm=True, activation=lambda x: x)
    variables = net.init(jax.random.key(1), X, train=True)
    apply = jax.jit(lambda v: net.apply(v, X, train=True, mutable=["batch_stats"])[1])
    for _ in range(60):
        variables = {**variables, **apply(variables)}
    params = [variables["params"][f"Dense_{i}"] for i in range(3)]
    expected = np.asarray(X, np.float64)
    for layer in params:
        expected = expected @ (layer["kernel"] / np.linalg.norm(layer["kernel"], 2))
    np.testing.assert_allclose(net.apply(variables, X, train=False), expected[:, 0], rtol=2e-3)


def test_a_critic_sees_the_features_that_it_is_given():
    net = MLPCritic((4,), features=lambda x: x[:, :2] ** 2, input_scale=0.5)
    params = net.init(jax.random.key(1), X, train=True)
    assert params["params"]["Dense_0"]["kernel"].shape == (2, 4)
    np.testing.assert_allclose(
        net.apply(params, X, train=True),
        MLPCritic((4,)).apply(params, X[:, :2] ** 2 / 2, train=True),
        rtol=1e-5,
    )


def test_a_critic_scales_its_input_and_sees_the_spread_if_asked():
    plain = MLPCritic((4,), input_scale=0.25)
    params = plain.init(jax.random.key(1), X, train=True)
    np.testing.assert_allclose(
        plain.apply(params, X, train=True),
        MLPCritic((4,)).apply(params, X / 4, train=True),
        rtol=1e-5,
    )
    assert plain.apply(params, X, train=True).shape == (6,)
    seeing = MLPCritic((4,), minibatch_stddev=True)
    params = seeing.init(jax.random.key(1), X, train=True)
    assert params["params"]["Dense_0"]["kernel"].shape == (4, 4)
    alone = seeing.apply(params, X[:1], train=True)
    assert abs(alone[0] - seeing.apply(params, X, train=True)[0]) > 1e-3
