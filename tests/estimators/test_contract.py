"""What every estimator owes its caller: see test_discrete_contract for the discrete ones."""

import functools
import inspect

import chex
import distrax
import jax
import jax.numpy as jnp
import numpy as np
import problems
import pytest
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from jaxgen.bounds import IWAE, renyi
from jaxgen.estimators import (
    arm,
    arms,
    carms,
    count_evaluations,
    disarm,
    double_control_variates,
    doubly_reparameterized,
    enumeration,
    evaluate,
    gapped_straight_through,
    generalized_doubly_reparameterized,
    gumbel_rao,
    gumbel_straight_through,
    joint,
    learned,
    learned_quadratic,
    leave_one_out,
    local_expectation,
    measure_valued,
    moving_average,
    muprop,
    optimal_coefficient,
    over_sets,
    ovis,
    pathwise,
    rebar,
    reinmax,
    relax,
    relax_black_box,
    relaxed,
    reweighted_wake_sleep,
    rodeo,
    score_function,
    sticking_the_landing,
    straight_through,
    sum_and_sample,
    taylor,
    unordered_set,
    vimco,
)
from jaxgen.estimators.evaluation import with_gradient

NETWORK = learned(lambda key, x: jax.random.normal(key, x.shape), lambda w, x: jnp.sum(w * x))
GAUSSIAN = [
    pathwise(3),
    sticking_the_landing(3),
    score_function(3, baseline=leave_one_out()),
    score_function(3, baseline=NETWORK),
    score_function(3, baseline=optimal_coefficient(muprop())),
    measure_valued(3),
]
CASES = [
    *((estimator, problems.gaussian_inside) for estimator in GAUSSIAN),
    (enumeration(), problems.bernoulli_inside),
    (local_expectation(3), problems.bernoulli_inside),
    (double_control_variates(3), problems.bernoulli_inside),
    (rodeo(3, hidden=5), problems.bernoulli_inside),
    (rebar(3), problems.bernoulli_inside),
    (
        relax(
            3,
            network_init=lambda key, z, x: jnp.ones_like(z),
            network_apply=lambda w, z, x: jnp.sum(x) * w @ jnp.tanh(z),
        ),
        problems.bernoulli_inside,
    ),
]
IDS = [f"{i}-{estimator.name}" for i, (estimator, _) in enumerate(CASES)]
CONTEXT = jnp.array([0.3, -0.2])


def loss(estimator, problem):
    """(params, state, key, x) -> surrogate, Estimate of one datapoint x that shifts f."""

    def one(params, state, key, x):
        q = problem.q(params)
        f = lambda z, q=q: problem.f(params, z) * (1 + x[0])  # noqa: E731
        return estimator.apply(state, key, f, q, x)

    return one


@pytest.mark.parametrize(("estimator", "problem"), CASES, ids=IDS)
def test_eager_jit_vmap_and_scan_agree(estimator, problem, key):
    key_init, key_batch = jax.random.split(key)
    keys = jax.random.split(key_batch, 3)
    state = estimator.init(key_init, problem.q(problem.params), CONTEXT)
    grad = jax.value_and_grad(loss(estimator, problem), has_aux=True)
    one = lambda key: grad(problem.params, state, key, CONTEXT)  # noqa: E731

    eager = one(jax.random.clone(keys)[0])
    (value, estimate), _ = eager
    assert value.shape == ()
    assert estimate.all_finite
    if estimator.name != "enumeration":
        assert estimate.values.shape == (3,)
        np.testing.assert_allclose(value, estimate.values.mean(), rtol=1e-5)
    batched = jax.jit(jax.vmap(one))(jax.random.clone(keys))
    scan = lambda keys: jax.lax.scan(lambda _, key: (None, one(key)), None, keys)[1]  # noqa: E731
    scanned = jax.jit(scan)(jax.random.clone(keys))
    jitted = jax.jit(one)(jax.random.clone(keys)[0])
    close = functools.partial(chex.assert_trees_all_close, rtol=2e-4, atol=1e-4)
    close(eager, jitted)
    close(batched, scanned)
    close(eager, jax.tree.map(lambda x: x[0], batched))
    new_state = estimator.update(state, batched[0][1])
    chex.assert_trees_all_equal_structs(new_state, state)


@pytest.mark.parametrize(("estimator", "problem"), CASES, ids=IDS)
def test_the_estimate_has_no_gradient_in_the_params(estimator, problem, key):
    key_init, key_apply = jax.random.split(key)
    state = estimator.init(key_init, problem.q(problem.params), CONTEXT)

    def told(params):
        _, estimate = loss(estimator, problem)(params, state, key_apply, CONTEXT)
        told = (estimate.values, estimate.statistics, estimate.control_loss)
        return jnp.sum(jnp.stack([jnp.sum(x) for x in jax.tree.leaves(told)]))

    for leaf in jax.tree.leaves(jax.jit(jax.grad(told))(problem.params)):
        np.testing.assert_array_equal(leaf, 0.0)


@pytest.mark.parametrize(("estimator", "problem"), CASES, ids=IDS)
def test_the_surrogate_has_no_gradient_in_the_state(estimator, problem, key):
    """So that `-surrogate` cannot turn round what the estimator learns."""
    key_init, key_apply = jax.random.split(key)
    state = estimator.init(key_init, problem.q(problem.params), CONTEXT)

    def surrogate(state):
        return loss(estimator, problem)(problem.params, state, key_apply, CONTEXT)[0]

    for leaf in jax.tree.leaves(jax.jit(jax.grad(surrogate))(state)):
        np.testing.assert_array_equal(leaf, 0.0)


@pytest.mark.parametrize(("estimator", "problem"), CASES, ids=IDS)
def test_a_bad_param_is_told_under_jit(estimator, problem, key):
    key_init, key_apply = jax.random.split(key)
    state = estimator.init(key_init, problem.q(problem.params), CONTEXT)
    bad = jax.tree.map(lambda x: x.at[0].set(jnp.nan), problem.params)
    _, estimate = jax.jit(loss(estimator, problem))(bad, state, key_apply, CONTEXT)
    assert not estimate.all_finite


@pytest.mark.parametrize(
    "estimator",
    [
        arm(2),
        arms(2),
        carms(2),
        disarm(2),
        rebar(),
        relaxed(),
        straight_through(2),
        score_function(2),
        vimco(2),
    ],
    ids=lambda estimator: estimator.name,
)
def test_probabilities_without_logits_are_told(estimator, key):
    """Zero and one are what a sigmoid in float32 saturates to."""
    q = distrax.Independent(distrax.Bernoulli(probs=jnp.array([0.0, 0.5, 1.0])), 1)
    key_init, key_apply = jax.random.split(key)
    state = estimator.init(key_init, q, None)
    apply = jax.jit(lambda key: estimator.apply(state, key, lambda b: jnp.sum(b * 1.0), q))
    _, estimate = apply(key_apply)
    assert not estimate.all_finite


@pytest.mark.parametrize(
    "make",
    [
        *(relaxed, straight_through, gumbel_straight_through, gumbel_rao),
        *(gapped_straight_through, reinmax, rebar),
    ],
)
@pytest.mark.parametrize("temperature", [0.0, -1.0, float("inf")])
def test_a_temperature_that_is_not_positive_is_refused(make, temperature):
    with pytest.raises(ValueError, match=r"temperature: got .*, expected a positive number"):
        make(temperature=temperature)


@pytest.mark.parametrize(
    "estimator",
    [
        score_function(2, baseline=moving_average()),
        score_function(2, baseline=optimal_coefficient()),
        score_function(2, baseline=NETWORK),
        double_control_variates(),
        rodeo(),
        rebar(),
        relax(
            network_init=lambda key, z, x: jnp.zeros_like(z),
            network_apply=lambda w, z, x: w @ z,
        ),
    ],
    ids=["moving average", "optimal coefficient", "learned", "double", "rodeo", "rebar", "relax"],
)
def test_estimators_with_a_state_refuse_the_empty_one(estimator, key):
    q = distrax.Independent(distrax.Bernoulli(jnp.zeros(2)), 1)
    with pytest.raises(ValueError, match=r"state: got \(\), expected what init"):
        estimator.apply((), key, lambda b: jnp.sum(b * 1.0), q, CONTEXT)


FACTORIES = [
    reweighted_wake_sleep,
    *(
        arm,
        arms,
        carms,
        disarm,
        double_control_variates,
        doubly_reparameterized,
        gapped_straight_through,
        generalized_doubly_reparameterized,
        gumbel_rao,
    ),
    *(gumbel_straight_through, local_expectation, reinmax),
    *(
        measure_valued,
        over_sets,
        ovis,
        pathwise,
        rebar,
        relax,
        relax_black_box,
        relaxed,
        score_function,
    ),
    *(sticking_the_landing, straight_through, rodeo, sum_and_sample, unordered_set, vimco),
    taylor,
    joint,
    learned_quadratic,
]


@pytest.mark.parametrize("make", FACTORIES)
def test_num_samples_stands_first_and_is_alone_positional(make):
    first, *others = inspect.signature(make).parameters.values()
    assert (first.name, first.kind) == ("num_samples", first.POSITIONAL_OR_KEYWORD)
    assert {parameter.kind for parameter in others} <= {first.KEYWORD_ONLY}


@pytest.mark.parametrize("make", [relaxed, gumbel_straight_through, rebar])
def test_one_number_is_the_number_of_samples(make, key):
    """With 64 as the temperature, `relaxed` says .0039 where E_q[f] is .260; its own bias is .1."""
    estimator, q = make(64), distrax.Bernoulli(0.3)
    assert count_evaluations(estimator, q) >= 64
    key_init, key_apply = jax.random.split(key)
    state = estimator.init(key_init, q)
    value, estimate = estimator.apply(state, key_apply, lambda b: (b - 0.45) ** 2, q)
    assert len(estimate.values) == 64
    np.testing.assert_allclose(value, 0.260, atol=0.15)


NETWORK_OF_Z = {
    "network_init": lambda key, z, x: jnp.ones_like(z),
    "network_apply": lambda w, z, x: w @ jnp.tanh(z),
}


NEEDED = {relax: NETWORK_OF_Z, relax_black_box: NETWORK_OF_Z, joint: {"num_data": 3}}


def made(make, num_samples=4):
    return make(num_samples, **NEEDED.get(make, {}))


@pytest.mark.parametrize("make", FACTORIES)
def test_equal_calls_make_equal_estimators_shown_by_their_call(make):
    estimator = made(make)
    assert estimator == made(make)
    assert hash(estimator) == hash(made(make))
    assert estimator != made(make, 2)
    assert repr(estimator).startswith(f"{make.__name__}(4")


def test_an_equal_estimator_compiles_nothing_anew():
    """The README's spelling compiled for each fresh estimator, 8 of 8."""

    @functools.partial(jax.jit, static_argnums=1)
    @chex.assert_max_traces(n=1)
    def gradient(mean, estimator):
        return jax.grad(
            lambda m: estimator.apply((), jax.random.key(0), jnp.sin, distrax.Normal(m, 1.0))[0]
        )(mean)

    for _ in range(3):
        gradient(0.5, score_function(4, baseline=leave_one_out()))


@pytest.mark.parametrize(
    ("estimator", "shown"),
    [
        (pathwise(100), "pathwise(100)"),
        (
            score_function(64, baseline=leave_one_out()),
            "score_function(64, baseline=leave_one_out())",
        ),
        (pathwise(8, bound=IWAE), "pathwise(8, bound=IWAE)"),
        (vimco(8, bound=renyi(0.5)), "vimco(8, bound=renyi(0.5))"),
        (rebar(2, temperature=0.1), "rebar(2, temperature=0.1)"),
    ],
)
def test_an_estimator_is_shown_by_its_call(estimator, shown):
    assert repr(estimator) == shown


def test_sets_are_of_an_expectation():
    with pytest.raises(ValueError, match="estimator: got vimco of the bound iwae, expected"):
        over_sets(2, estimator=vimco(4))


@pytest.mark.parametrize(("estimator", "problem"), CASES, ids=IDS)
def test_the_metadata_is_true(estimator, problem):
    arguments = list(inspect.signature(estimator.apply).parameters)
    assert arguments == ["state", "key", "f", "q", "context"]
    assert estimator.unbiased
    assert estimator.accepts
    assert count_evaluations(estimator, problem.q(problem.params)) >= 3


@pytest.mark.parametrize("baseline", [leave_one_out(), moving_average(), NETWORK, muprop()])
def test_sharded_over_eight_devices_it_is_the_same_gradient(baseline, key):
    estimator, problem = score_function(4, baseline=baseline), problems.bernoulli_inside
    key_init, key_x, key_batch = jax.random.split(key, 3)
    state = estimator.init(key_init, problem.q(problem.params), CONTEXT)
    xs = jax.random.normal(key_x, (16, 2))

    def step(params, state, key, xs):
        keys = jax.random.split(key, len(xs))

        def total(params, state):
            values, estimates = jax.vmap(loss(estimator, problem), (None, None, 0, 0))(
                params, state, keys, xs
            )
            return jnp.mean(values), estimates

        grads, estimates = jax.grad(total, argnums=(0, 1), has_aux=True)(params, state)
        return grads, estimator.update(state, estimates)

    expected = jax.jit(step)(problem.params, state, jax.random.clone(key_batch), xs)
    mesh = jax.make_mesh((8,), ("data",), axis_types=(AxisType.Auto,))
    whole = NamedSharding(mesh, PartitionSpec())
    split = NamedSharding(mesh, PartitionSpec("data"))
    sharded = jax.jit(step, in_shardings=(whole, whole, whole, split), out_shardings=whole)
    got = sharded(problem.params, state, key_batch, xs)
    chex.assert_trees_all_close(got, expected, rtol=1e-5, atol=1e-6)


def test_f_may_return_integers_and_must_return_one_number():
    ones = jnp.ones((4, 3), int)
    values = evaluate(jnp.sum, ones)
    assert values.dtype == jnp.float32
    np.testing.assert_array_equal(values, 3.0)
    for f, came in ((lambda z: z, r"shape \(3,\)"), (lambda z: (z, z), "no array")):
        with pytest.raises(ValueError, match=f"f: got {came} for one sample"):
            evaluate(f, ones)


def test_with_gradient_adds_to_the_gradient_and_not_to_the_value():
    params = {"a": jnp.array([1.0, 2.0]), "b": jnp.array(3.0)}
    added = {"a": jnp.array([10.0, 20.0]), "b": jnp.array(30.0)}

    def surrogate(params):
        return with_gradient(jnp.sum(params["a"]) * params["b"], added, params)

    value, grad = jax.value_and_grad(surrogate)(params)
    np.testing.assert_allclose(value, 9.0)
    np.testing.assert_allclose(grad["a"], [13.0, 23.0])
    np.testing.assert_allclose(grad["b"], 33.0)


def test_a_batch_of_distributions_is_refused_by_every_score(key):
    q = distrax.Normal(jnp.zeros(3), 1.0)
    with pytest.raises(ValueError, match="make a vector of latents"):
        score_function(2).apply((), key, jnp.sum, q)
