"""One step, against the optimizers written out and the closed form of the average."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxgen.train import gradient_step, init_state, scan_draws

ROWS, FEATURES = 6, 3


def squared_error(params, key, batch):
    residual = batch["x"] @ params["w"] + params["b"] - batch["y"]
    return jnp.mean(residual**2), {"largest": jnp.max(jnp.abs(residual))}


@pytest.fixture
def problem():
    rng = np.random.default_rng(0)
    params = {"w": rng.normal(size=FEATURES).astype(np.float32), "b": np.float32(0.3)}
    batches = [
        {
            "x": rng.normal(size=(ROWS, FEATURES)).astype(np.float32),
            "y": rng.normal(size=ROWS).astype(np.float32),
        }
        for _ in range(5)
    ]
    return jax.tree.map(jnp.asarray, params), jax.tree.map(jnp.asarray, batches)


def run(update, state, batches):
    infos = []
    step = jax.jit(update, donate_argnums=0)
    for i, batch in enumerate(batches):
        state, info = step(state, jax.random.key(i), batch)
        infos.append(info)
    return state, infos


def descent(gradient, t, moments):
    return 0.05 * gradient, moments


def adam(gradient, t, moments):
    """Kingma & Ba (2015), algorithm 1."""
    first = 0.9 * moments[0] + 0.1 * gradient
    second = 0.999 * moments[1] + 0.001 * gradient**2
    step = 0.05 * (first / (1 - 0.9**t)) / (np.sqrt(second / (1 - 0.999**t)) + 1e-8)
    return step, (first, second)


@pytest.mark.parametrize(("optimizer", "rule"), [(optax.sgd, descent), (optax.adam, adam)])
def test_steps_are_those_written_by_hand(problem, optimizer, rule):
    params, batches = problem
    optimizer = optimizer(0.05)
    state, infos = run(
        gradient_step(squared_error, optimizer), init_state(params, optimizer), batches
    )
    theta = np.append(np.asarray(params["w"], np.float64), params["b"])
    moments = (np.zeros_like(theta), np.zeros_like(theta))
    for t, (batch, info) in enumerate(zip(batches, infos, strict=True), start=1):
        x = np.column_stack([batch["x"], np.ones(ROWS)]).astype(np.float64)
        residual = x @ theta - np.asarray(batch["y"], np.float64)
        gradient = 2 * x.T @ residual / ROWS
        np.testing.assert_allclose(info["loss"], np.mean(residual**2), rtol=1e-5)
        np.testing.assert_allclose(info["grad_norm"], np.linalg.norm(gradient), rtol=1e-5)
        np.testing.assert_allclose(info["largest"], np.abs(residual).max(), rtol=1e-5)
        step, moments = rule(gradient, t, moments)
        theta = theta - step
    np.testing.assert_allclose(np.append(state.params["w"], state.params["b"]), theta, atol=3e-6)
    assert int(state.step) == len(batches)
    assert state.step.dtype == jnp.int32


@pytest.mark.parametrize("decay", [0.5, 0.999, 0.99999])
def test_the_average_weighs_the_params_seen(problem, decay):
    params, batches = problem
    optimizer = optax.sgd(0.1)
    update = jax.jit(gradient_step(squared_error, optimizer, ema_decay=decay))
    seen, state = [], init_state(params, optimizer, ema=True)
    for i, batch in enumerate(batches):
        state, _ = update(state, jax.random.key(i), batch)
        seen.append(np.asarray(state.params["w"], np.float64))
    weights = decay ** np.arange(len(seen) - 1, -1, -1.0)
    expected = np.average(seen, axis=0, weights=weights)
    np.testing.assert_allclose(state.ema["w"], expected, rtol=2e-6)
    # Without the correction for the start the initial params would stay in it.
    start = np.asarray(params["w"], np.float64)
    uncorrected = decay ** len(seen) * start + (1 - decay) * np.dot(weights, np.array(seen))
    assert np.abs(uncorrected - expected).max() > 1e-3


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16])
def test_the_average_of_half_precision_params_is_kept_in_float32(dtype):
    """A param at 0 for 20 steps and at 1 for 4,980: its average is (1 - d^4980) / (1 - d^5000)."""
    decay = 0.999

    def loss(params, key, batch, *, step):  # at a rate of 1 the param moves to its target
        target = (step >= 20).astype(dtype)
        return 0.5 * jnp.sum((params - target) ** 2), {}

    optimizer = optax.sgd(1.0)
    update = gradient_step(loss, optimizer, ema_decay=decay)
    state, _ = jax.jit(scan_draws(update, jax.random.uniform, 5000))(
        init_state(jnp.zeros(2, dtype), optimizer, ema=True), jax.random.key(0)
    )
    assert state.params.dtype == dtype
    assert state.ema.dtype == jnp.float32
    np.testing.assert_allclose(state.params, 1.0)
    # An average in bfloat16 would end at .836.
    np.testing.assert_allclose(state.ema, (1 - decay**4980) / (1 - decay**5000), atol=5e-5)


def test_the_norm_of_a_half_precision_gradient_is_taken_in_float32():
    def loss(params, key, batch):
        return 300 * jnp.sum(params.astype(jnp.float32)), {}

    optimizer = optax.sgd(0.1)
    state = init_state(jnp.zeros(4, jnp.float16), optimizer)
    _, info = gradient_step(loss, optimizer)(state, jax.random.key(0), jnp.ones(()))
    assert info["grad_norm"].dtype == jnp.float32
    np.testing.assert_allclose(info["grad_norm"], 600.0)  # 4 * 300² is above float16's largest
    assert bool(info["all_finite"])


def test_a_donated_state_takes_nothing_else_with_it(problem):
    params, batches = problem
    # Schedule-free keeps the params themselves as part of its state.
    optimizer = optax.contrib.schedule_free_sgd(0.1)
    state = init_state(params, optimizer, ema=True)
    update = jax.jit(gradient_step(squared_error, optimizer, ema_decay=0.9), donate_argnums=0)
    after, _ = update(state, jax.random.key(0), batches[0])
    assert all(leaf.is_deleted() for leaf in jax.tree.leaves((state.params, state.ema)))
    assert not any(leaf.is_deleted() for leaf in jax.tree.leaves((params, after)))


def test_params_of_a_weak_type_compile_once():
    params = {"w": jnp.zeros(FEATURES), "b": jnp.asarray(0.3), "scale": 1.0}
    state = init_state(params, optax.adam(0.1), ema=True)
    batch = {"x": jnp.ones((ROWS, FEATURES)), "y": jnp.ones(ROWS)}
    update = gradient_step(squared_error, optax.adam(0.1), ema_decay=0.9)
    update = jax.jit(chex.assert_max_traces(update, n=1))
    for i in range(3):
        state, _ = update(state, jax.random.key(i), batch)


@pytest.mark.parametrize("poison", [jnp.nan, jnp.inf])
def test_a_step_that_is_not_finite_is_told(problem, poison):
    params, batches = problem
    batches[2]["y"] = batches[2]["y"].at[1].set(poison)
    optimizer = optax.sgd(0.1)
    _, infos = run(gradient_step(squared_error, optimizer), init_state(params, optimizer), batches)
    assert [bool(info["all_finite"]) for info in infos] == [True, True, False, False, False]


def test_a_gradient_that_is_not_finite_is_told():
    def loss(params, key, batch):  # finite at 0, with an infinite slope
        return jnp.sqrt(params) + batch, {}

    optimizer = optax.sgd(0.1)
    state = init_state(jnp.zeros(()), optimizer)
    _, info = gradient_step(loss, optimizer)(state, jax.random.key(0), jnp.ones(()))
    assert bool(jnp.isfinite(info["loss"]))
    assert not bool(info["all_finite"])


def test_skipped_steps_are_optaxs_and_still_told(problem):
    params, batches = problem
    batches[1]["y"] = batches[1]["y"].at[0].set(jnp.nan)
    optimizer = optax.apply_if_finite(optax.sgd(0.1), max_consecutive_errors=3)
    state, infos = run(
        gradient_step(squared_error, optimizer), init_state(params, optimizer), batches
    )
    assert [bool(info["all_finite"]) for info in infos] == [True, False, True, True, True]
    assert bool(jnp.isfinite(optax.tree.norm(state.params)))


def test_misuse_is_named(problem):
    params, batches = problem
    optimizer = optax.sgd(0.1)
    key = jax.random.key(0)
    for decay in (0.0, 1.0, -0.1):
        with pytest.raises(ValueError, match=r"ema_decay: got .* expected a number in \(0, 1\)"):
            gradient_step(squared_error, optimizer, ema_decay=decay)
    for kept, decay in ((True, None), (False, 0.9)):
        state = init_state(params, optimizer, ema=kept)
        with pytest.raises(ValueError, match="ema_decay: got"):
            gradient_step(squared_error, optimizer, ema_decay=decay)(state, key, batches[0])

    def per_datapoint(params, key, batch):
        return batch["x"] @ params["w"], {}

    with pytest.raises(ValueError, match=r"loss: got shape \(6,\), expected one number"):
        gradient_step(per_datapoint, optimizer)(init_state(params, optimizer), key, batches[0])


def test_collections_beside_params_are_refused_since_the_optimizer_would_move_them():
    linen = {"params": {"w": jnp.ones(2)}, "batch_stats": {"mean": jnp.zeros(2)}}
    for variables in (linen, {"encoder": linen, "decoder": {"params": jnp.ones(2)}}):
        with pytest.raises(ValueError, match="params: got the collections batch_stats beside par"):
            init_state(variables, optax.adam(0.1))
    init_state({"encoder": {"params": {"w": jnp.ones(2)}}, "scale": jnp.ones(())}, optax.adam(0.1))


def test_the_norm_is_made_without_a_product_that_an_accelerator_would_round(key):
    sgd = optax.sgd(0.1)
    update = gradient_step(lambda params, key, batch: (jnp.sum(params * batch), {}), sgd)
    program = jax.make_jaxpr(update)(init_state(jnp.ones(3), sgd), key, jnp.ones(3))
    assert "dot_general" not in str(program)
