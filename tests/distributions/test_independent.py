"""Independent dimensions: no broadcasting, and sums in float32 at least."""

import distrax
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from jaxgen.distributions import (
    Bernoulli,
    DiscretizedLogistic,
    FunctionDistribution,
    Independent,
    diagonal_normal,
    ring,
)

SHAPE = (28, 28, 1)
LOGITS = 3 * jax.random.normal(jax.random.key(0), SHAPE)
IMAGE = (jax.random.uniform(jax.random.key(1), SHAPE) < 0.5).astype(jnp.float32)


@pytest.mark.parametrize(
    ("p", "shape"),
    [
        (Independent(Bernoulli(LOGITS), 3), SHAPE),
        (diagonal_normal(jnp.zeros(3), jnp.zeros(3)), (3,)),
        (ring(), (2,)),
    ],
    ids=["image", "normal", "ring"],
)
def test_a_value_has_the_shape_of_the_event(p, shape):
    assert p.log_prob(jnp.ones(shape)).shape == ()
    assert p.log_prob(jnp.ones((5, 2, *shape))).shape == (5, 2)
    for wrong in (shape[:-1], (*shape[:-1], shape[-1] + 1), (*shape, 1), (784,)):
        with pytest.raises(ValueError, match=r"value: got shape .*, expected"):
            p.log_prob(jnp.ones(wrong))


def test_distraxs_own_would_broadcast():
    whole = distrax.Independent(Bernoulli(LOGITS), 3)
    assert whole.log_prob(IMAGE[..., 0]) < 10 * whole.log_prob(IMAGE)  # 28 times the image


def test_a_batch_of_distributions_scores_one_value_or_many():
    batch = diagonal_normal(jnp.zeros((4, 3)), jnp.zeros((4, 3)))
    assert batch.log_prob(jnp.ones(3)).shape == (4,)
    assert batch.log_prob(jnp.ones((4, 3))).shape == (4,)


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16])
def test_half_precision_says_what_its_rounded_parameters_say(dtype):
    """In bfloat16 the sum over 784 pixels was off by a third of a nat, up to 1.6."""
    rounded = LOGITS.astype(dtype)
    as_floats = np.asarray(rounded, np.float64)
    log_p = Independent(Bernoulli(rounded), 3).log_prob(IMAGE)
    assert log_p.dtype == jnp.float32
    expected = stats.bernoulli(1 / (1 + np.exp(-as_floats))).logpmf(np.asarray(IMAGE)).sum()
    np.testing.assert_allclose(log_p, expected, rtol=1e-5)

    scale = jnp.full(SHAPE, 0.25, dtype)
    ours = Independent(DiscretizedLogistic(rounded, scale), 3).log_prob(IMAGE)
    wide = DiscretizedLogistic(rounded.astype(jnp.float32), scale.astype(jnp.float32))
    np.testing.assert_allclose(ours, Independent(wide, 3).log_prob(IMAGE), rtol=1e-6)

    mean, log_scale = rounded.reshape(-1), jnp.full(784, -1.0, dtype)
    expected = stats.norm(as_floats.ravel(), np.exp(-1.0)).logpdf(np.asarray(IMAGE).ravel()).sum()
    log_p = diagonal_normal(mean, log_scale).log_prob(IMAGE.reshape(-1))
    np.testing.assert_allclose(log_p, expected, rtol=1e-5)


def test_a_normal_is_given_by_its_scale_or_the_log_of_it():
    mean, log_scale = jnp.array([0.3, -1.0]), jnp.array([0.2, -0.5])
    by_log, by_scale = (
        diagonal_normal(mean, log_scale),
        diagonal_normal(mean, scale=jnp.exp(log_scale)),
    )
    np.testing.assert_array_equal(by_log.stddev(), by_scale.stddev())
    for arguments in ({}, {"log_scale": log_scale, "scale": log_scale}):
        with pytest.raises(ValueError, match="scale: got both scale and log_scale or neither"):
            diagonal_normal(mean, **arguments)


def test_a_stopped_normal_is_sampled_without_a_gradient():
    def sample(mean):
        q = jax.lax.stop_gradient(diagonal_normal(mean, mean))
        return q.sample(seed=jax.random.key(0)).sum() + q.log_prob(jnp.zeros(2))

    np.testing.assert_array_equal(jax.grad(sample)(jnp.ones(2)), 0.0)


@pytest.mark.parametrize(
    ("p", "shape"),
    [
        (Independent(Bernoulli(LOGITS), 3), SHAPE),
        (diagonal_normal(jnp.zeros(3), jnp.zeros(3)), (3,)),
        (ring(), (2,)),
        (FunctionDistribution((), (), lambda key, _: key, lambda _, x: x), ()),
    ],
    ids=["image", "normal", "ring", "function"],
)
def test_bytes_are_in_the_unit_of_no_model(p, shape):
    with pytest.raises(ValueError, match=r"value: got uint8, expected the model's unit"):
        p.log_prob(np.zeros(shape, np.uint8))
