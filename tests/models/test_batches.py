"""What `jax.vmap` makes of a function that returns a distribution is a batch of distributions."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.distributions import affine
from jaxgen.models import (
    LIKELIHOODS,
    autoregressive,
    coupling_flow,
    dequantized,
    flow_posterior,
    gaussian_mixture,
    gaussian_posterior,
    hierarchical_vae,
    inverse_autoregressive_posterior,
    parzen_window,
    standard_normal,
    uniform_mixture,
)
from jaxgen.nets import MADE, MLP, random_orders

COUNT, SIZE = 4, 2
XS = jax.random.uniform(jax.random.key(0), (COUNT, SIZE))
GRAY = jnp.rint(XS)


def mlp(shape):
    return MLP((4,), shape, nn.tanh)


def made(outputs):
    return MADE((4,), outputs)


def hierarchical():
    model = hierarchical_vae(
        (mlp((2, 1)), mlp((2, 1))),
        mlp((2, 1)),
        mlp((SIZE, 1)),
        LIKELIHOODS["bernoulli"].distribution,
        latent_sizes=(1, 1),
        x_shape=(SIZE,),
    )
    return model.init, model.encode, XS


def of_density(density, contexts=XS):
    return lambda: (lambda key: density.init(key, contexts[0]), density.distribution, contexts)


def of_dequantized():
    model = dequantized(standard_normal(SIZE), 2, (SIZE,))
    return model.init, model.encode, GRAY


BERNOULLI = LIKELIHOODS["bernoulli"]
CASES = {
    "gaussian": of_density(gaussian_posterior(mlp((2, SIZE)), SIZE)),
    "mixture": of_density(gaussian_mixture(SIZE, 3)),
    "couplings": of_density(flow_posterior(mlp((3, SIZE)), mlp, SIZE, 2)),
    "inverse autoregressive": of_density(
        inverse_autoregressive_posterior(mlp((3, SIZE)), made, SIZE, 1)
    ),
    "hierarchical": hierarchical,
    "flow in a context": of_density(coupling_flow(mlp, affine(), (SIZE,), 2)),
    "autoregressive": of_density(autoregressive(made(1), BERNOULLI, (SIZE,))),
    "orders": of_density(
        uniform_mixture(
            autoregressive(MADE((4,), orders=random_orders(2)), BERNOULLI, (SIZE,)), 2, (SIZE,)
        )
    ),
    "windows": of_density(parzen_window(XS, 0.1)),
    "dequantized": of_dequantized,
}


@pytest.mark.parametrize("name", CASES)
def test_a_batch_draws_and_scores_as_its_members(name):
    init, make, contexts = CASES[name]()

    @jax.jit
    def both(key):
        key_init, key_draw = jax.random.split(key)
        params = init(key_init)
        ps = jax.vmap(lambda context: make(params, context))(contexts)
        assert ps.batch_shape == (COUNT,)
        assert ps.event_shape == (SIZE,)
        xs, told = ps.sample_and_log_prob(seed=key_draw, sample_shape=3)
        of_each = jax.vmap(lambda c, x: make(params, c).log_prob(x), (0, 1), 1)(contexts, xs)
        only = ps.sample(seed=jax.random.clone(key_draw))
        return xs, told, ps.log_prob(xs), of_each, ps.log_prob(xs[0]), only

    xs, told, scored, of_each, first, only = both(jax.random.key(1))
    assert xs.shape == (3, COUNT, SIZE)
    assert only.shape == (COUNT, SIZE)
    assert len(np.unique(np.asarray(xs).ravel())) > 1  # a key for each draw of each
    np.testing.assert_allclose(scored, of_each, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(told, scored, rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(first, scored[0], rtol=1e-5, atol=1e-5)


def test_a_batch_of_batches_and_one_of_them():
    density = coupling_flow(mlp, affine(), (SIZE,), 2)
    params = density.init(jax.random.key(0), XS[0])
    pairs = XS.reshape(2, 2, SIZE)

    @jax.jit
    def scores(x):
        of_pairs = jax.vmap(jax.vmap(lambda c: density.distribution(params, c)))(pairs)
        last = jax.tree.map(lambda leaf: leaf[1, 0], of_pairs)
        draws = of_pairs.sample(seed=jax.random.key(1), sample_shape=3)
        assert draws.shape == (3, 2, 2, SIZE)
        each = of_pairs.log_prob(jnp.broadcast_to(x, (2, 2, SIZE)))
        alone = density.distribution(params, pairs[1, 0]).log_prob(x)
        return each[1, 0], last.log_prob(x), alone

    of_batch, taken, alone = scores(jnp.ones(SIZE))
    np.testing.assert_allclose([of_batch, taken], alone, rtol=1e-6)


def test_a_batch_takes_an_event_for_each_member():
    posterior = flow_posterior(mlp((3, SIZE)), mlp, SIZE, 2)
    params = posterior.init(jax.random.key(0), XS[0])
    qs = jax.vmap(lambda x: posterior.distribution(params, x))(XS)
    with pytest.raises(ValueError, match=r"value: got shape \(2,\), expected \(4, 2\)"):
        qs.log_prob(jnp.zeros(SIZE))


def test_a_flow_has_no_mass_at_infinity_and_takes_events_of_its_shape_alone():
    density = coupling_flow(mlp, affine(), (SIZE,), 2)
    p = density.distribution(density.init(jax.random.key(0), ()), ())
    far = jnp.array([[jnp.inf, 0.0], [0.0, -jnp.inf], [jnp.nan, jnp.inf], [0.0, 1.0]])
    scores = jax.jit(p.log_prob)(far)
    np.testing.assert_array_equal(scores[:2], -jnp.inf)
    assert np.isnan(scores[2])
    assert np.isfinite(scores[3])
    for wrong in ((3,), (SIZE, 1), ()):
        with pytest.raises(ValueError, match=r"value: got shape .*, expected \(2,\)"):
            p.log_prob(jnp.zeros(wrong))
