"""`check_density` on every family, and the twins that it must refuse, each for its fault."""

from functools import partial

import distrax
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn
from flax import struct
from scipy import stats

from jaxgen.certify import (
    bijector_errors,
    check_density,
    check_dequantizer,
    density_report,
    dependence,
    goodness_of_fit,
)
from jaxgen.data import dequantizer
from jaxgen.distributions import Bernoulli, FunctionDistribution, Independent, line, ring
from jaxgen.models import (
    LIKELIHOODS,
    Density,
    decoder,
    diagonal_gaussian,
    factor_density,
    flow_posterior,
    full_gaussian,
    gaussian_mixture,
    gaussian_posterior,
    mixture_density,
    standard_normal,
)
from jaxgen.nets import MLP

BINARY = (0.0, 1.0)
BITS = {"values": BINARY}
LEVELS_256 = np.arange(256) / 255


def fixed(distribution):
    """The density with nothing to learn."""
    return Density(lambda key, context: {}, lambda params, context: distribution)


def random_params(density, context):
    """Params at which the density says something: each off its start by N(0, .2²)."""

    @jax.jit
    def moved(key, key_move):
        leaves, tree = jax.tree.flatten(density.init(key, context))
        keys = jax.random.split(key_move, len(leaves) + 1)
        return tree.unflatten(
            [a + 0.2 * jax.random.normal(k, a.shape) for a, k in zip(leaves, keys, strict=False)]
        )

    return moved(jax.random.key(0), jax.random.key(3))


def flow(size):
    """Near the identity: an affine coupling of any slope has draws beyond float32."""
    conditioner = partial(MLP, (8,), output_kernel_init=nn.initializers.zeros)
    return flow_posterior(MLP((8,), (3, size)), conditioner, size, 3)


def images(likelihood, shape):
    outputs = LIKELIHOODS[likelihood].outputs
    return decoder(MLP((8,), (*shape, outputs)), LIKELIHOODS[likelihood].distribution)


z = jnp.ones(4)
FAMILIES = {
    "standard_normal, 1": (standard_normal(1), (), {}),
    "standard_normal, 5": (standard_normal(5), (), {}),
    "gaussian_mixture": (gaussian_mixture(2, 3), (), {}),
    "diagonal mixture": (mixture_density(diagonal_gaussian(), 2, 3), (), {"at_start": True}),
    "full mixture, 3": (mixture_density(full_gaussian(), 3, 2), (), {"at_start": True}),
    "factor_density": (factor_density(2, 1), (), {"at_start": True}),
    "gaussian_posterior": (gaussian_posterior(MLP((8,), (2, 2)), 2), z, {}),
    "flow_posterior, 2": (flow(2), z, {}),
    "flow_posterior, 5": (flow(5), z, {}),
    "bernoulli": (images("bernoulli", (3, 3, 1)), z, BITS),
    "bernoulli, many": (images("bernoulli", (6, 6, 1)), z, BITS),
    "gaussian": (images("gaussian", (1, 2, 1)), z, {}),
    "discretized_logistic": (images("discretized_logistic", (1, 2, 1)), z, {"values": LEVELS_256}),
    "narrow modes": (fixed(ring()), (), {}),
    "a needle": (fixed(line([-3, 1], [1e-3, 2])), (), {}),
}


@pytest.mark.parametrize("name", FAMILIES)
def test_every_family_is_a_density(name):
    density, context, settings = FAMILIES[name]
    settings = dict(settings)
    at_start = settings.pop("at_start", False)
    params = (
        jax.jit(density.init)(jax.random.key(0), context)
        if at_start
        else random_params(density, context)
    )
    print(check_density(density, params, jax.random.key(1), context=context, **settings))


class Rescaled(FunctionDistribution):
    """Draws of p, and its log prob changed."""

    def __init__(self, p, change):
        super().__init__({}, p.event_shape, lambda key, _: p.sample(seed=key), change(p))


def rescaled(p, change):
    return fixed(Rescaled(p, lambda p: lambda params, x: change(p, x)))


normal = Independent(distrax.Normal(jnp.zeros(2), 1.0), 1)
wide = Independent(distrax.Normal(jnp.zeros(6), 1.1), 1)
unit = Independent(distrax.Normal(jnp.zeros(6), 1.0), 1)
coins = Independent(Bernoulli(jnp.linspace(-1, 1, 9).reshape(3, 3)), 2)
other_coins = Independent(Bernoulli(jnp.linspace(-1, 1.2, 9).reshape(3, 3)), 2)


class Forgetful(distrax.ScalarAffine):
    """An affine map whose log determinant was forgotten."""

    def forward_and_log_det(self, x):
        return self.forward(x), jnp.zeros_like(x)

    def inverse_and_log_det(self, y):
        return self.inverse(y), jnp.zeros_like(y)


class OneWay(distrax.ScalarAffine):
    """An affine map whose inverse is another's."""

    def inverse_and_log_det(self, y):
        return self.inverse(y) + 0.1, self.inverse_log_det_jacobian(y)


def transformed(bijector):
    return fixed(distrax.Transformed(unit, distrax.Block(bijector, 1)))


@struct.dataclass
class Conditionals:
    """Logits of each bit, linear in the others through a mask."""

    weights: jax.Array
    mask: jax.Array

    def __call__(self, x):
        return Independent(Bernoulli((self.weights * self.mask @ x.reshape(-1)).reshape(3, 3)), 2)


class Chain(FunctionDistribution):
    """A chain rule over nine bits, drawn one after another."""

    def __init__(self, conditionals, order):
        self.conditionals = conditionals

        def sample(key, of):
            steps = jnp.argsort(order)

            def draw(t, x):
                own = jax.random.fold_in(key, t)
                drawn = of(x.reshape(3, 3)).sample(seed=own).reshape(-1)
                return x.at[steps[t]].set(drawn[steps[t]])

            return jax.lax.fori_loop(0, 9, draw, jnp.zeros(9)).reshape(3, 3)

        super().__init__(conditionals, (3, 3), sample, lambda of, x: of(x).log_prob(x))


def chain(order, leak=False):
    mask = jnp.asarray(order[None] < order[:, None], float)
    mask = mask.at[4, 4].set(1.0) if leak else mask
    return Density(
        lambda key, context: jax.random.normal(key, (9, 9)),
        lambda params, context: Chain(Conditionals(params, mask), order),
    )


raster = np.arange(9)
shuffled = np.random.default_rng(0).permutation(9)


def averaged_logits(weights, context):
    """Nine bits with the logits of ten orders averaged: no likelihood (karpathy/pytorch-made#1)."""
    orders = np.stack([np.random.default_rng(i).permutation(9) for i in range(10)])
    masks = jnp.asarray(orders[:, None] < orders[:, :, None], float)
    mean = Conditionals(weights, masks.mean(axis=0))
    first = chain(orders[0]).distribution(weights, context)
    return Rescaled(first, lambda p: lambda params, x: mean(x).log_prob(x))


AVERAGED = Density(lambda key, context: 2 * jax.random.normal(key, (9, 9)), averaged_logits)


def wide_of(p, x):
    return wide.log_prob(x)


def plane_of(p, x):
    return normal.log_prob(x / 1.1) - 2 * jnp.log(1.1)


def nan_of(p, x):
    return jnp.where(x[0] > 3, jnp.nan, p.log_prob(x))


TWINS = {
    "scale factor": (rescaled(normal, lambda p, x: p.log_prob(x) + 0.01), "normalization", {}),
    "no normalizer": (rescaled(normal, lambda p, x: -0.5 * x @ x), "normalization", {}),
    "sampler, plane": (rescaled(normal, plane_of), "sampling", {}),
    "sampler, many": (rescaled(unit, wide_of), "sampling", {}),
    "sampler, bits": (rescaled(coins, lambda p, x: other_coins.log_prob(x)), "sampling", BITS),
    "averaged logits": (AVERAGED, "normalization", BITS),
    "leak": (chain(raster, leak=True), "causality: 1 leaks, entry 4 sees 4", BITS),
    "wrong order": (chain(raster), "causality", {**BITS, "order": shuffled}),
    "forgotten log det": (transformed(Forgetful(1.0, 2.0)), "forward log det", {}),
    "wrong inverse": (transformed(OneWay(1.0, 2.0)), "inverse", {}),
    "half": (rescaled(normal, lambda p, x: jnp.bfloat16(p.log_prob(x))), "float32", {}),
    "values": (fixed(coins), "support", {"values": (0.0, 0.5)}),
    "NaN": (rescaled(normal, nan_of), "finite log prob", {}),
    "slope": (rescaled(normal, lambda p, x: p.log_prob(x) + jnp.sqrt(0 * x[0])), "finite grad", {}),
    "outside": (fixed(normal), "support", {"bounds": (0.0, 1.0)}),
}


@pytest.mark.parametrize("name", TWINS)
def test_a_broken_twin_is_refused_for_its_fault(name):
    density, fault, settings = TWINS[name]
    with pytest.raises(ValueError, match=rf"density: got one that breaks (.*; )?{fault}"):
        check_density(density, density.init(jax.random.key(0), ()), jax.random.key(1), **settings)


def test_noise_of_another_number_of_levels_is_refused():
    assert not check_dequantizer(dequantizer(17), 17, jax.random.key(0)).failures
    with pytest.raises(ValueError, match=r"breaks uniform noise: that of level .*, p-value 0;"):
        check_dequantizer(dequantizer(256), 17, jax.random.key(0))
    with pytest.raises(ValueError, match=r"noise within its level: 0\.9"):
        check_dequantizer(dequantizer(17), 256, jax.random.key(0))


@pytest.mark.parametrize("order", [raster, shuffled], ids=["raster", "shuffled"])
def test_a_chain_rule_in_any_order_is_a_density(order):
    density = chain(order)
    params = density.init(jax.random.key(0), ())
    report = check_density(density, params, jax.random.key(1), values=BINARY, order=order)
    assert "0 leaks; 100% of the earlier entries seen" in str(report)
    assert "sum over 512 events is 1" in str(report)


def test_a_mass_that_is_taken_for_a_density_is_told_so():
    def bits(params, context):
        return distrax.Independent(distrax.Bernoulli(probs=jnp.full(3, 0.3), dtype=jnp.float32), 1)

    report = density_report(Density(lambda key, context: (), bits), (), jax.random.key(0))
    (found,) = [of for of in report.failures if of.law.startswith("sampling")]
    assert "take 2 values alone: pass them as values=" in found.law


def test_averaged_logits_sum_to_more_than_one():
    report = density_report(
        AVERAGED, AVERAGED.init(jax.random.key(0), ()), jax.random.key(0), values=BINARY
    )
    (found,) = [of for of in report.failures if of.law == "normalization"]
    assert float(found.measured.split(" is ")[1].split()[0]) > 1.1


def test_the_false_alarm_rate_of_the_test_of_draws_is_that_of_its_p_value():
    rng = np.random.default_rng(0)
    probabilities = rng.dirichlet(np.full(60, 0.3))  # most of them too rare to be their own pool
    draws = rng.multinomial(5000, probabilities, size=2000)
    p_values = [goodness_of_fit(counts, probabilities) for counts in draws]
    assert stats.kstest(p_values, "uniform").pvalue > 1e-4


def test_dependence_finds_paths_that_a_saturated_or_shut_unit_hides():
    w = -jnp.tril(jnp.ones((4, 4)), -1)
    found = dependence(lambda w, x: nn.sigmoid(100 * nn.relu(w @ x)), 0.1 * w, jnp.zeros(4))
    np.testing.assert_array_equal(found, np.tril(np.ones((4, 4)), -1) > 0)
    with pytest.raises(ValueError, match=r"function: got outputs of shapes \[\(3,\)\]"):
        dependence(lambda w, x: x[:3], w, jnp.zeros(4))


def test_bijector_errors_are_in_nats():
    errors = bijector_errors(distrax.Block(Forgetful(1.0, 2.0), 1), jnp.ones((2, 3)))
    np.testing.assert_allclose(errors.forward_log_det, 3 * np.log(2), rtol=1e-5)
    assert float(errors.inverse) < 1e-6


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"num_draws": 100}, "num_draws: got 100, expected an integer >= 4000"),
        ({"false_alarm": 0.0}, "false_alarm: got 0.0"),
        ({"values": (1.0, 1.0)}, "values: got"),
        ({"bounds": (1.0, 0.0)}, "bounds: got"),
        ({"bounds": (0.0, 1.0), "values": BINARY}, "bounds: got"),
    ],
)
def test_malformed_settings_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        density_report(fixed(normal), {}, jax.random.key(0), **settings)
    with pytest.raises(ValueError, match="batch shape"):
        density_report(fixed(distrax.Normal(jnp.zeros(3), 1.0)), {}, jax.random.key(0))


def test_an_order_of_another_shape_and_too_many_levels_are_refused():
    density = chain(np.arange(9))
    params = density.init(jax.random.key(0), ())
    with pytest.raises(ValueError, match="order: got 1 steps, expected 9, one an entry"):
        density_report(density, params, jax.random.key(0), values=BINARY, order=np.array([0]))
    with pytest.raises(ValueError, match="levels: got 300, expected at most 256"):
        check_dequantizer(dequantizer(256), 300, jax.random.key(0))


@pytest.mark.parametrize("settings", [BITS, {"bounds": (0.0, 1.0)}, {}])
def test_draws_that_are_no_numbers_are_refused(settings):
    p = FunctionDistribution((), (3,), lambda key, _: jnp.full(3, jnp.nan), lambda _, x: 0.0)
    report = density_report(fixed(p), {}, jax.random.key(0), **settings, num_draws=4000)
    assert "support" in [of.law for of in report.failures]


def test_noise_that_is_no_number_is_refused():
    with pytest.raises(ValueError, match="prepare: got one that breaks noise within its"):
        check_dequantizer(lambda key, x: jnp.nan * x, 17, jax.random.key(0))
