"""Causal nets with heads as densities: enumerated, drawn, and in every place of a model."""

from itertools import product

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from scipy import special, stats

from jaxgen.models import (
    LIKELIHOODS,
    autoregressive,
    categorical,
    discretized_logistic,
    logistic_mixture,
    observe,
    uniform_mixture,
    vae,
)
from jaxgen.nets import (
    MADE,
    CausalTransformer,
    GatedPixelCNN,
    PixelCNN,
    random_orders,
)
from jaxgen.train import gradient_step, init_state

SHAPE, SIZE = (2, 3, 1), 6
ORDERS = random_orders(3)
BERNOULLI = LIKELIHOODS["bernoulli"]
BINARY = jnp.asarray(list(product([0.0, 1.0], repeat=SIZE))).reshape(-1, *SHAPE)
TERNARY = jnp.asarray(list(product([0.0, 0.5, 1.0], repeat=4))).reshape(-1, 2, 2, 1)
MODELS = {  # a net, a head, and all there is
    "made": (lambda o: MADE((9,), o), BERNOULLI, BINARY),
    "made of levels": (lambda o: MADE((9,), o), categorical(3), TERNARY),
    "transformer": (
        lambda o: CausalTransformer(o, features=4, layers=1, heads=2),
        logistic_mixture(3, 2),
        TERNARY,
    ),
    "pixel_cnn": (lambda o: PixelCNN(o, 4, 1, 1, 1), discretized_logistic(3), TERNARY),
    "gated": (lambda o: GatedPixelCNN(o, 3, 1, 1), BERNOULLI, BINARY),
}


def started(density, context=()):
    """Params of N(0, 1): far from the start, where all is independent."""
    leaves, tree = jax.tree.flatten(jax.eval_shape(density.init, jax.random.key(0), context))
    numbers = np.random.default_rng(0)
    drawn = [jnp.asarray(numbers.normal(size=leaf.shape), jnp.float32) for leaf in leaves]
    return jax.tree.unflatten(tree, drawn)


@pytest.mark.parametrize("name", MODELS)
def test_all_there_is_has_probability_one_and_a_draw_is_one_entry_after_another(name):
    net, head, everything = MODELS[name]
    shape = everything.shape[1:]
    density = autoregressive(net(head.outputs), head, shape)
    context = jax.nn.one_hot(1, 3)  # of a class
    params = started(density, context)
    p = density.distribution(params, context)
    log_probs = jax.jit(p.log_prob)(everything)
    np.testing.assert_allclose(np.exp(log_probs).sum(), 1.0, rtol=1e-4)
    other = density.distribution(params, jax.nn.one_hot(2, 3))
    assert np.any(np.abs(jax.jit(other.log_prob)(everything) - log_probs) > 0.01)
    keys = jax.random.split(jax.random.key(2), 20)
    resample = lambda x, key: p.conditionals(x).sample(seed=jax.random.clone(key))  # noqa: E731

    def one_after_another(key):
        x, order = jnp.zeros(shape), jnp.asarray(list(np.ndindex(shape)))
        put = lambda x, at: (x.at[tuple(at)].set(resample(x, key)[tuple(at)]), None)  # noqa: E731
        return jax.lax.scan(put, x, order)[0]

    draw = jax.jit(lambda key: p.sample_with_passes(seed=key, sample_shape=(20,)))
    xs, passes = draw(jax.random.key(2))
    np.testing.assert_array_equal(xs, jax.jit(jax.vmap(one_after_another))(keys))
    assert passes.max() <= everything[0].size


NET = MADE((64,), 1, ORDERS)
COMPONENT = autoregressive(NET, BERNOULLI, SHAPE)
MIXTURE = uniform_mixture(COMPONENT, 3, SHAPE)


@pytest.fixture(scope="module")
def trained():
    """Params of the net trained on six copies of one bit, another order each step."""

    def loss(params, key, xs, *, step):
        p = COMPONENT.distribution(params, ((), step % 3))
        return -jnp.mean(p.log_prob(xs)), {}

    optimizer = optax.adam(0.02)
    update = gradient_step(loss, optimizer)
    copies = BINARY[jnp.array([0, 63])]
    once = lambda state, key: (update(state, key, copies)[0], None)  # noqa: E731
    keys = jax.random.split(jax.random.key(1), 600)
    state = init_state(MIXTURE.init(jax.random.key(0), ()), optimizer)
    return jax.jit(lambda state: jax.lax.scan(once, state, keys)[0])(state).params


def averaged_logits(params, x):
    """What is no likelihood."""
    logits = jax.vmap(lambda k: NET.apply(params, (x, ((), k))))(jnp.arange(3))
    return BERNOULLI.distribution(logits.mean(axis=0)).log_prob(x)


def test_averaged_probabilities_of_orders_are_a_likelihood():
    params = started(MIXTURE)
    of_order = jax.jit(lambda k: COMPONENT.distribution(params, ((), k)).log_prob(BINARY))
    each = np.stack([of_order(k) for k in range(3)])
    np.testing.assert_allclose(np.exp(each).sum(axis=1), 1.0, rtol=1e-4)
    log_probs = jax.jit(MIXTURE.distribution(params, ()).log_prob)(BINARY)
    np.testing.assert_allclose(log_probs, special.logsumexp(each, axis=0) - np.log(3), rtol=1e-4)
    np.testing.assert_allclose(np.exp(log_probs).sum(), 1.0, rtol=1e-4)
    assert np.all(log_probs >= each.mean(axis=0) - 1e-4)  # Jensen


def test_averaged_logits_of_orders_claim_to_know_what_is_a_coin_toss(trained):
    log_probs = jax.jit(MIXTURE.distribution(trained, ()).log_prob)(BINARY)
    np.testing.assert_allclose(np.exp(log_probs).sum(), 1.0, rtol=1e-4)
    np.testing.assert_allclose(log_probs[jnp.array([0, 63])], -np.log(2), atol=0.01)
    claimed = jax.jit(jax.vmap(lambda x: averaged_logits(trained, x)))(BINARY)
    assert np.exp(claimed).sum() > 1.5
    assert np.all(claimed[jnp.array([0, 63])] > -0.2)


def test_draws_of_a_mixture_of_orders_follow_it():
    p = MIXTURE.distribution(started(MIXTURE), ())
    draws = jax.jit(lambda key: p.sample(seed=key, sample_shape=(20_000,)))(jax.random.key(1))
    which = np.asarray(draws).reshape(-1, SIZE) @ 2 ** np.arange(SIZE)[::-1]
    counts = np.bincount(which.astype(int), minlength=64)
    expected = 20_000 * special.softmax(np.asarray(jax.jit(p.log_prob)(BINARY), np.float64))
    frequent = expected > 5  # the chance of a false alarm is 1e-6
    found, among = (np.append(of[frequent], of[~frequent].sum()) for of in (counts, expected))
    assert stats.chisquare(found, among).pvalue > 1e-6


def test_it_is_a_decoder_a_prior_and_a_posterior():
    """PixelVAE, whose z is drawn from an autoregressive prior and inferred by one."""
    head, gaussian = categorical(3), LIKELIHOODS["gaussian"]
    model = vae(
        autoregressive(MADE((5,), 2), gaussian, (2,)),
        autoregressive(MADE((5,), 2), gaussian, (2,)),
        autoregressive(PixelCNN(3, 4, 1, 1, 1), head, (2, 2, 1)),
        latent_size=2,
        x_shape=(2, 2, 1),
    )
    params, x = jax.jit(model.init)(jax.random.key(0)), TERNARY[5]

    @jax.jit
    @jax.value_and_grad
    def weight(params):
        at = observe(model, params, x)
        return at.log_weight(at.q.sample(seed=jax.random.key(1)))

    slopes = weight(params)[1]
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(slopes))
    slope = slopes["encoder"]["params"]["output"]
    eps = 1e-2 * jax.random.normal(jax.random.key(3), slope.shape)

    def moved(sign):
        encoder = params["encoder"]["params"]
        encoder = {**encoder, "output": encoder["output"] + sign * eps}
        return weight({**params, "encoder": {"params": encoder}})[0]

    # The draw of z moves, too: reparameterized, through its fixed point.
    np.testing.assert_allclose((moved(1) - moved(-1)) / 2, jnp.vdot(slope, eps), rtol=2e-2)

    @jax.jit
    def ancestral(key):
        key_z, key_x = jax.random.split(key)
        z = model.prior(params).sample(seed=key_z)
        return model.decode(params, z).sample(seed=key_x)

    assert np.isin(ancestral(jax.random.key(2)), [0, 0.5, 1]).all()


def test_dropout_and_shapes_are_seen_to(key):
    head = LIKELIHOODS["bernoulli"]
    density = autoregressive(MADE((9,), dropout=0.5), head, SHAPE)
    params = jax.jit(density.init)(key, ())
    told = jax.jit(lambda key: density.distribution(params, (), key=key).log_prob(BINARY[9]))
    assert told(None) != told(key)
    with pytest.raises(ValueError, match=r"value: got shape \(6,\), expected \(2, 3, 1\)"):
        density.distribution(params, ()).log_prob(jnp.zeros(6))
    with pytest.raises(ValueError, match=r"net: got an output of shape \(2, 3, 1, 1\), expected"):
        autoregressive(MADE((9,)), categorical(3), SHAPE).init(key, ())
    with pytest.raises(ValueError, match="count: got 0"):
        uniform_mixture(density, 0, SHAPE)
    with pytest.raises(ValueError, match="order: got 7, expected one of 0 to 2"):
        uniform_mixture(COMPONENT, 8, SHAPE).init(jax.random.key(0), ())
