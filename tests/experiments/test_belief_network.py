"""The belief network's recipe: its loss under every estimator, its run, killed and misused."""

import json
import shlex
import signal
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.flatten_util import ravel_pytree
from laws import assert_unbiased, rejected

from experiments import belief_network as recipe
from jaxgen.models import LIKELIHOODS, belief_network, observe
from jaxgen.nets import MLP
from jaxgen.train import estimator_step, init_estimator_state, scan_epoch
from jaxgen.workbench import fitting as fit_module
from jaxgen.workbench.cli import choose
from jaxgen.workbench.errors import Interrupted
from jaxgen.workbench.run_directory import RunDirectory

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
    estimator = recipe.make_estimator(name, 2, X_MEAN)
    begin = jax.jit(lambda key: estimator.init(key, MODEL.encode(model_params, X), X - X_MEAN))
    loss = recipe.make_loss(MODEL, estimator, lambda key, image: image, X_MEAN)
    return estimator, loss, begin(jax.random.key(2))


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


@pytest.mark.parametrize("name", recipe.ESTIMATORS)
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


STATEFUL = ("moving_average", "relax")
SMALL = f"--estimator {' '.join(STATEFUL)} --epochs 2 --latent-size 4 --nll-samples 20"


def belief_network_recipe(arguments, path, *more):
    """Runs the recipe in this process; returns its exit code."""
    try:
        choose(["belief_network", *shlex.split(arguments), "--run-dir", str(path), *more])
    except SystemExit as left:
        return left.code
    return 0


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run that nothing happened to."""
    path = tmp_path_factory.mktemp("whole")
    assert belief_network_recipe(SMALL, path) == 0
    return path


def result(path):
    return json.loads((path / "result.json").read_text())


def untimed(record):
    return {k: v for k, v in record.items() if "seconds" not in k}


def test_the_run_leaves_its_numbers_and_pictures(whole):
    assert set(result(whole)) == set(STATEFUL)
    for name, numbers in result(whole).items():
        assert numbers["evaluations"] == 2
        assert numbers["test_nll"] < -numbers["test_elbo"]
        assert 0 < numbers["train_elbo_interval"] < 1
        records = RunDirectory(whole / name).metrics()
        assert [r["epoch"] for r in records] == [1, 2]
        assert abs(numbers["train_elbo"] - records[-1]["train_elbo"]) < 3  # of one pass, learning
        pictures = {path.name for path in (whole / name / "pictures").iterdir()}
        assert pictures == {"samples.png", "reconstructions.png", "learning_curve.png"}
    assert (whole / "pictures" / "comparison.png").stat().st_size > 1000


def test_a_killed_run_resumes_to_the_bit(whole, tmp_path, monkeypatch):
    """Each estimator in turn is killed after its first epoch; its state is part of what resumes."""

    class Killed(BaseException):
        """Takes the place of a kill that this process would not survive."""

    monkeypatch.setattr(fit_module, "SECONDS_BETWEEN_CHECKPOINTS", 0.0)
    save = fit_module.save

    def save_and_die(directory, step, tree):
        save(directory, step, tree)
        if step == 1:
            raise Killed

    monkeypatch.setattr(fit_module, "save", save_and_die)
    for more in [(), ("--resume",)]:
        with pytest.raises(Killed):
            belief_network_recipe(SMALL, tmp_path, *more)
    assert belief_network_recipe(SMALL, tmp_path, "--resume") == 0
    for name in STATEFUL:
        assert untimed(result(tmp_path)[name]) == untimed(result(whole)[name])
        runs = [RunDirectory(path / name) for path in (tmp_path, whole)]
        resumed, uninterrupted = ([untimed(r) for r in run.metrics()] for run in runs)
        assert resumed == uninterrupted


def test_an_interrupted_comparison_is_resumed_as_one_run(tmp_path, monkeypatch, capsys):
    def interrupted(run, *_, **__):
        raise Interrupted(signal.SIGTERM, run.path, "epoch 1 of 2 is saved")

    monkeypatch.setattr(recipe, "fit", interrupted)
    assert belief_network_recipe(SMALL, tmp_path) == 128 + signal.SIGTERM
    said = capsys.readouterr().err
    assert f"the last epoch of moving_average is saved in {tmp_path}\n" in said
    assert f"--run-dir {tmp_path} --resume" in said


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("--estimator disram", "estimator: got 'disram', expected one of score_function, moving"),
        ("--estimator arm arm", "expected one or more, each once"),
        ("--evaluations 3", "evaluations: got 3, expected an even number"),
        ("--evaluations 0", "evaluations: got 0, expected an integer >= 2"),
        ("--prior-learning-rate 0", "prior_learning_rate: got 0.0, expected a positive"),
        ("--batch-size 5000", "batch_size: got 5000, expected at most 1297"),
    ],
)
def test_bad_arguments_are_named(arguments, message, tmp_path, capsys):
    assert belief_network_recipe(arguments, tmp_path / "run") == 2
    said = capsys.readouterr().err.replace("│", "").split()  # a box may be drawn around it
    assert message in " ".join(said)
    assert not (tmp_path / "run").exists()
