"""A second eager call with the same shapes compiles nothing: all that compares samples."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from compilations import compilations

from jaxgen import divergences as dv
from jaxgen import metrics, two_sample

RNG = np.random.default_rng(0)
DIMS = 3


def samples(n=12):
    return jnp.asarray(RNG.normal(size=(n, DIMS)), jnp.float32)


def key():
    return jax.random.key(RNG.integers(2**31))


def init(key):
    return jnp.zeros(DIMS)


def linear(params, x):
    return x @ params


def gap(xs, ys):
    return jnp.sum(jnp.mean(xs, axis=0) - jnp.mean(ys, axis=0))


def own_kernel(xs, ys):
    return xs @ ys.T


def a_kernel():
    """Made anew at each call, with a bandwidth of the data."""
    median = dv.median_heuristic(samples(), samples())
    return dv.kernel_mixture(dv.rbf(median), dv.laplace(0.5), dv.negative_distance)


SMALL = {"num_steps": 2, "batch_size": 3}
CALLS = {
    "discrete_divergence": lambda: dv.discrete_divergence(
        *jax.nn.softmax(samples(2)), dv.DIVERGENCES["kl"]
    ),
    "gaussian_alpha_divergence": lambda: dv.gaussian_alpha_divergence(
        *jnp.exp(samples(4)), alpha=0.5
    ),
    "variational_bound": lambda: dv.variational_bound(*samples().T[:2], dv.DIVERGENCES["kl"]).value,
    "activated_bound": lambda: dv.activated_bound(*samples().T[:2], dv.alpha_divergence(0.5)).value,
    "divergence_of_log_ratios": lambda: (
        dv.divergence_of_log_ratios(*samples().T[:2], dv.DIVERGENCES["kl"]).value
    ),
    "estimate": lambda: dv.estimate(
        key(), samples(), samples(), dv.alpha_divergence(0.5), init, linear, **SMALL
    ),
    "median_heuristic": lambda: dv.median_heuristic(samples(), samples(), max_points=9),
    "gram_product": lambda: dv.gram_product(
        dv.rbf(RNG.uniform(1, 2)), samples(), samples(), samples(), block_size=5
    ),
    "mmd_biased": lambda: dv.mmd_biased(samples(), samples(), dv.polynomial(), block_size=5).value,
    "mmd_unbiased": lambda: dv.mmd_unbiased(samples(), samples(), a_kernel(), block_size=5).value,
    "mmd_linear": lambda: dv.mmd_linear(samples(), samples(), own_kernel).stderr,
    "witness": lambda: dv.witness(samples(), samples(), samples(), dv.inverse_multiquadric(2.0)),
    "energy_distance": lambda: dv.energy_distance(samples(), samples(), block_size=5).value,
    "wasserstein_distance": lambda: dv.wasserstein_distance(samples(), samples()),
    "tail_orders": lambda: dv.tail_orders(dv.DIVERGENCES["kl"]),
    "sliced_wasserstein": lambda: dv.sliced_wasserstein(key(), samples(9), samples(), 20).stderr,
    "accuracy_test": lambda: two_sample.accuracy_test(*samples().T[:2]),
    "classifier_test": lambda: two_sample.classifier_test(
        key(), samples(), samples(), init, linear, **SMALL
    ),
    "mean_test": lambda: two_sample.mean_test(samples(), samples()),
    "variance_test": lambda: two_sample.variance_test(samples(), samples()),
    "memorization_test": lambda: two_sample.memorization_test(samples(), samples(), samples()),
    "mmd_linear_test": lambda: two_sample.mmd_linear_test(samples(), samples(), a_kernel()),
    "mmd_permutation_test": lambda: two_sample.mmd_permutation_test(
        key(), samples(), samples(), a_kernel(), 9
    ),
    "permutation_test": lambda: two_sample.permutation_test(key(), gap, samples(), samples(), 9),
    "nearest_neighbor_test": lambda: two_sample.nearest_neighbor_test(samples(), samples()),
    "neighbor_accuracy": lambda: two_sample.neighbor_accuracy(samples(), samples()),
    "frechet_distance": lambda: metrics.frechet_distance(samples(), samples()),
    "kernel_distance": lambda: (
        metrics.kernel_distance(key(), samples(), samples(), subset_size=4).stderr
    ),
    "precision_recall": lambda: metrics.precision_recall(samples(), samples(), 2),
    "mode_coverage": lambda: metrics.mode_coverage(samples(), samples(2), 1.0),
    "duplicate_share": lambda: metrics.duplicate_share(samples(), RNG.uniform()),
    "parzen_log_likelihood": lambda: metrics.parzen_log_likelihood(
        samples(), samples(), RNG.uniform()
    ),
    "parzen_bandwidth": lambda: metrics.parzen_bandwidth(
        samples(), samples(), jnp.geomspace(0.1, 1.0, 4)
    ),
    "support_size": lambda: metrics.support_size(samples()[:, 0] > 0, 5),
}
# Made of others that are called here, or called once to make a value.
NOT_CALLED = {
    *("check_divergence", "f_divergence", "alpha_divergence", "weighted_jensen_shannon"),
    *("rbf", "laplace", "inverse_multiquadric", "rational_quadratic", "polynomial", "as_kernel"),
    *("kernel_mixture", "negative_distance", "sharded_gram_product"),
    *("split_held_out", "train_critic"),
}


@pytest.mark.parametrize("name", CALLS)
def test_a_second_call_compiles_nothing(name):
    jax.block_until_ready(CALLS[name]())
    with compilations() as found:
        jax.block_until_ready(CALLS[name]())
    assert not found


def test_every_public_function_of_samples_is_called():
    public = {name for room in (dv, two_sample) for name in room.__all__ if name.islower()}
    assert public - NOT_CALLED <= CALLS.keys()


def test_compilations_are_seen():
    with compilations() as found:
        jax.jit(lambda x: x + len(found))(jnp.ones(3))
    assert found
