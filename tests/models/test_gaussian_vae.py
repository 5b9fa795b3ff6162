import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from jaxgen.models import LIKELIHOODS, gaussian_vae, observe
from jaxgen.nets import MLP

SHAPE = (4, 4, 1)


def small_vae(latent_size=3, encoder_outputs=(2, 3)):
    return gaussian_vae(
        MLP((8,), encoder_outputs),
        MLP((8,), (*SHAPE, 1)),
        LIKELIHOODS["bernoulli"].distribution,
        latent_size=latent_size,
        x_shape=SHAPE,
    )


def test_functions_have_one_datapoint_shapes():
    model = small_vae()
    params = model.init(jax.random.key(0))
    x = jnp.ones(SHAPE)
    z = model.encode(params, x).sample(seed=jax.random.key(1))
    assert z.shape == (3,)
    assert model.decode(params, z).log_prob(x).shape == ()
    np.testing.assert_allclose(
        model.prior(params).log_prob(jnp.zeros(3)), -1.5 * np.log(2 * np.pi), rtol=1e-6
    )


def test_posterior_is_the_encoders_mean_and_log_scale():
    model, net = small_vae(), MLP((8,), (2, 3))
    params = model.init(jax.random.key(0))
    mean, log_scale = net.apply(params["encoder"], jnp.ones(SHAPE))
    q = model.encode(params, jnp.ones(SHAPE))
    np.testing.assert_allclose(q.mean(), mean)
    np.testing.assert_allclose(q.stddev(), jnp.exp(log_scale), rtol=1e-6)


@pytest.mark.parametrize("family", LIKELIHOODS)
@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16])
def test_nets_in_half_precision_are_scored_in_float32(family, dtype):
    """784 pixels: the log likelihood is the one of the outputs as they are rounded."""
    shape, likelihood = (28, 28, 1), LIKELIHOODS[family]
    outputs = (*shape, likelihood.outputs)

    class Half(nn.Module):
        shape: tuple[int, ...]

        @nn.compact
        def __call__(self, x):
            x = nn.Dense(int(np.prod(self.shape)), dtype=dtype)(x.reshape(-1))
            return x.reshape(self.shape)

    def model(net):
        sizes = {"latent_size": 3, "x_shape": shape}
        return gaussian_vae(MLP((), (2, 3)), net, likelihood.distribution, **sizes)

    half, z = model(Half(outputs)), jnp.array([0.4, -1.0, 2.0])
    params = half.init(jax.random.key(0))
    x = (jax.random.uniform(jax.random.key(1), shape) < 0.5).astype(jnp.float32)
    log_p = observe(half, params, x).log_likelihood(z)
    assert log_p.dtype == jnp.float32

    said = Half(outputs).apply(params["decoder"], z)
    assert said.dtype == dtype
    exact = likelihood.distribution(said.astype(jnp.float32)).log_prob(x)
    np.testing.assert_allclose(log_p, exact, rtol=1e-6)
    assert observe(half, params, x).q.sample(seed=jax.random.key(2)).dtype == jnp.float32


def test_bad_sizes_are_named():
    with pytest.raises(ValueError, match="latent_size: got 0, expected an integer >= 1"):
        small_vae(latent_size=0)
    with pytest.raises(ValueError, match=r"encoder: got an output of shape \(2, 4\)"):
        small_vae(encoder_outputs=(2, 4)).init(jax.random.key(0))


def test_the_joint_is_the_likelihood_times_the_prior():
    model = small_vae()
    params = model.init(jax.random.key(0))
    x, z = jnp.ones(SHAPE), jnp.array([0.3, -1.0, 2.0])
    at = observe(model, params, x)
    likelihood = np.log(np.asarray(model.decode(params, z).mean())).sum()  # every pixel is one
    log_joint = likelihood + stats.norm.logpdf(z).sum()
    np.testing.assert_allclose(at.log_likelihood(z), likelihood, rtol=1e-5)
    np.testing.assert_allclose(at.log_joint(z), log_joint, rtol=1e-5)
    np.testing.assert_array_equal(at.q.mean(), model.encode(params, x).mean())
    log_q = stats.norm(at.q.mean(), at.q.stddev()).logpdf(z).sum()
    np.testing.assert_allclose(at.log_weight(z), log_joint - log_q, rtol=1e-5)
    other = at.prior
    np.testing.assert_allclose(at.log_weight(z, q=other), likelihood, rtol=1e-5)
