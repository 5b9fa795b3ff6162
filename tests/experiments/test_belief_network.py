"""The belief network's recipe: its loss under every estimator, and what estimators learn."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.flatten_util import ravel_pytree
from laws import assert_unbiased, rejected

from experiments import belief_network as recipe
from jaxgen.estimators import count_evaluations
from jaxgen.models import LIKELIHOODS, belief_network, observe
from jaxgen.nets import MLP
from jaxgen.train import estimator_step, init_estimator_state, scan_epoch
from jaxgen.workbench import estimator_loss

SHAPE = (2, 2, 1)
X_MEAN = jnp.array([0.2, 0.4, 0.6, 0.8]).reshape(SHAPE)
X = jnp.array([1.0, 0.0, 1.0, 1.0]).reshape(SHAPE)
STATES = jnp.array([[i >> 2 & 1, i >> 1 & 1, i & 1] for i in range(8)], jnp.float32)
MODEL = belief_network(
    MLP((), (3,)),
    MLP((), (*SHAPE, 1)),
    LIKELIHOODS["bernoulli"].distribution,
    latent_size=3,
    x_mean=X_MEAN,
)
BIASED = {"relaxed", "straight_through", "gumbel_straight_through"}
BOUNDS = {"vimco": 2}
DRAWS = 20_000


def log_weights(params):
    """log p(x, z) - log q(z|x) and log q(z|x) at each of the eight states."""
    at = observe(MODEL, params, X)
    return jax.vmap(at.log_weight)(STATES), at.q.log_prob(STATES)


@partial(jax.jit, static_argnums=1)
def exact_bound(params, num_samples):
    """The importance-weighted bound, summed over what its samples may be; one of them: the ELBO."""
    weights, log_q = log_weights(params)
    drawn = np.indices((8,) * num_samples).reshape(num_samples, -1)
    bounds = jax.nn.logsumexp(weights[drawn], axis=0) - np.log(num_samples)
    return jnp.sum(jnp.exp(jnp.sum(log_q[drawn], axis=0)) * bounds)


exact_grad = jax.jit(jax.grad(exact_bound), static_argnums=1)


@pytest.fixture(scope="module")
def model_params():
    params, unravel = ravel_pytree(jax.jit(MODEL.init)(jax.random.key(0)))
    return unravel(params + jax.random.normal(jax.random.key(1), params.shape))


def start(name, model_params):
    """The estimator, its loss and its state before the first step."""
    q = MODEL.encode(model_params, X)
    estimator = recipe.make_estimator(name, 2, q, X_MEAN)
    loss = estimator_loss(MODEL, lambda key, image: image, estimator, lambda x: x - X_MEAN)
    return estimator, loss, jax.jit(estimator.init)(jax.random.key(2), q, X - X_MEAN)


def draws_of(loss):
    """Compiled: (params, state, seed) to draws of the info, the Estimate and the gradient."""

    def one(params, held, key):
        def value(params):
            value, estimate, info = loss(params, held, key, X)
            return value, (estimate, info)

        grads, (estimate, info) = jax.grad(value, has_aux=True)(params)
        return info, estimate, grads

    def draw(params, held, seed):
        keys = jax.random.split(jax.random.key(seed), DRAWS)
        return jax.vmap(one, (None, None, 0))(params, held, keys)

    return jax.jit(draw)


def flat(tree):
    """The leaves side by side, with a leading axis of draws."""
    leaves = [np.asarray(leaf) for leaf in jax.tree.leaves(tree)]
    return np.concatenate([leaf.reshape(DRAWS, -1) for leaf in leaves], axis=1)


@pytest.mark.parametrize("name", recipe.NAMES)
def test_the_loss_descends_the_negative_bound(name, model_params):
    """20,000 draws at a false-alarm rate of 1e-6, the state having seen a batch already."""
    estimator, loss, held = start(name, model_params)
    draw = draws_of(loss)
    info, estimates, grads = draw(model_params, held, 3)
    moved = estimator.update(held, estimates)
    if moved is not held:
        info, estimates, grads = draw(model_params, moved, 4)
    assert estimates.all_finite.all()
    assert_unbiased(info["elbo"], exact_bound(model_params, 1))
    truth, _ = ravel_pytree(exact_grad(model_params, BOUNDS.get(name, 1)))
    climb = -flat(grads)
    if name in BIASED:
        assert climb.mean(axis=0) @ truth > 0  # uphill all the same
    else:
        assert_unbiased(climb, truth)


def test_a_loss_with_a_forgotten_path_is_seen(model_params):
    """The broken twin: the prior's logits, which only the objective holds, get no gradient."""
    _, loss, held = start("disarm", model_params)

    def without_prior(params, held, key, image):
        stopped = {**params, "prior": jax.lax.stop_gradient(params["prior"])}
        return loss(stopped, held, key, image)

    truth, _ = ravel_pytree(exact_grad(model_params, 1))
    with rejected():
        assert_unbiased(-flat(draws_of(without_prior)(model_params, held, 3)[2]), truth)


@pytest.mark.parametrize("name", ["nvil", "relax"])
def test_what_an_estimator_learns_lowers_the_variance(name, model_params):
    estimator, loss, held = start(name, model_params)
    held = jax.tree.map(lambda x: x + 0.3, held)  # much to learn
    draw = draws_of(loss)
    still, control = optax.set_to_zero(), optax.adam(0.02)
    update = estimator_step(loss, estimator, still, control_optimizer=control)
    state = init_estimator_state(model_params, still, held, control_optimizer=control)
    images = jnp.broadcast_to(X, (2000, *SHAPE))

    def variance(held):
        """Of the gradient in the logits of q, which is that in the encoder's bias, summed."""
        _, _, grads = draw(model_params, held, 3)
        return np.asarray(grads["encoder"]["params"]["output_bias"]).var(axis=0).sum()

    before = variance(held)
    state, infos = jax.jit(scan_epoch(update, 10))(state, jax.random.key(5), images)
    assert infos["all_finite"].all()
    assert set(infos) == {"elbo", "loss", "control_loss", "grad_norm", "all_finite"}
    assert variance(state.estimator) < 0.5 * before


def test_the_run_compares_estimators_at_equal_evaluations(tiny):
    run = tiny("belief_network")
    for name in ("moving_average", "relax"):
        numbers = run.result[name]
        assert numbers["evaluations"] == 2
        assert numbers["test_nll"] < -numbers["test_elbo"]
        assert 0 < numbers["train_elbo_interval"] < 1
        last = run.records(name)[-1]["train_elbo"]
        assert abs(numbers["train_elbo"] - last) < 3  # of one pass, learning


def test_every_name_is_that_of_an_estimator():
    with pytest.raises(ValueError, match="estimator: got 'disram', expected one of score_func"):
        recipe.Config(estimator=("disram",))
    q = MODEL.encode(MODEL.init(jax.random.key(0)), X)
    assert count_evaluations(recipe.make_estimator("local_expectation", 8, q, X_MEAN), q) == 8
    assert count_evaluations(recipe.make_estimator("rebar", 8, q, X_MEAN), q) == 8
