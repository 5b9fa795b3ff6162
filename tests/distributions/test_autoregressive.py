"""The chain rule against enumeration, and the fixed point against one entry after another."""

from itertools import product

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import struct
from scipy import special, stats

from jaxgen.distributions import Autoregressive, Bernoulli, Independent, diagonal_normal

SHAPE = (2, 3)
SIZE = 6
ALL = jnp.asarray(list(product([0.0, 1.0], repeat=SIZE))).reshape(-1, *SHAPE)
WEIGHTS = jax.random.normal(jax.random.key(7), (SIZE, SIZE))


@struct.dataclass
class Logistic:
    """Logistic regressions of each entry on those before it."""

    weights: jax.Array

    def __call__(self, x):
        logits = self.weights @ x.reshape(-1) - 0.5
        return Independent(Bernoulli(logits.reshape(SHAPE)), 2)


CAUSAL = Autoregressive(Logistic(jnp.tril(WEIGHTS, -1)), SHAPE)
BACKWARD = Autoregressive(Logistic(jnp.triu(WEIGHTS, 1)), SHAPE)


@pytest.mark.parametrize("p", [CAUSAL, BACKWARD])
def test_all_probabilities_sum_to_one_and_draws_follow_them(p):
    log_probs = np.asarray(p.log_prob(ALL), np.float64)
    np.testing.assert_allclose(np.exp(log_probs).sum(), 1.0, rtol=1e-5)
    np.testing.assert_allclose(p.log_prob(ALL[9]), log_probs[9], rtol=1e-5)
    draws = jax.jit(lambda key: p.sample(seed=key, sample_shape=(20_000,)))(jax.random.key(1))
    which = np.asarray(draws).reshape(-1, SIZE) @ 2 ** np.arange(SIZE)[::-1]
    counts = np.bincount(which.astype(int), minlength=64)
    # The chance of a false alarm is 1e-6.
    assert stats.chisquare(counts, 20_000 * special.softmax(log_probs)).pvalue > 1e-6


@pytest.mark.parametrize("leak", [0, 2])
def test_conditionals_that_see_their_own_entry_or_one_after_it_sum_to_another_number(leak):
    p = Autoregressive(Logistic(jnp.tril(WEIGHTS, leak)), SHAPE)
    assert abs(np.exp(p.log_prob(ALL)).sum() - 1) > 0.05


def test_a_draw_is_that_of_one_entry_after_another_and_its_own_resample():
    keys = jax.random.split(jax.random.key(2), 50)

    def one_after_another(key):
        x = jnp.zeros(SHAPE)
        for at in np.ndindex(SHAPE):
            x = x.at[at].set(CAUSAL.conditionals(x).sample(seed=jax.random.clone(key))[at])
        return x

    # The draws' own keys: `sample_with_passes` splits what it is given.
    draw = jax.jit(lambda key: CAUSAL.sample_with_passes(seed=key, sample_shape=(50,)))
    xs, passes = draw(jax.random.key(2))
    np.testing.assert_array_equal(xs, jax.jit(jax.vmap(one_after_another))(keys))
    again = jax.vmap(lambda x, key: CAUSAL.conditionals(x).sample(seed=jax.random.clone(key)))
    np.testing.assert_array_equal(xs, again(xs, keys))
    assert passes.shape == (50,)
    assert passes.min() >= 1
    assert passes.max() <= SIZE
    nothing = Autoregressive(Logistic(jnp.zeros((SIZE, SIZE))), SHAPE)
    assert nothing.sample_with_passes(seed=jax.random.key(3))[1] <= 2


@pytest.mark.exact_products
def test_continuous_draws_are_reparameterized():
    """Entry i is N(mean_i(x before i), 1): x = (I - A)⁻¹ noise of a triangular A."""

    @struct.dataclass
    class Linear:
        matrix: jax.Array

        def __call__(self, x):
            return diagonal_normal(jnp.tril(self.matrix, -1) @ x, jnp.zeros(4))

    matrix = jax.random.normal(jax.random.key(0), (4, 4))

    @jax.jit
    def draw(a):
        return Autoregressive(Linear(a), (4,)).sample(seed=jax.random.key(1))

    noise = draw(jnp.zeros((4, 4)))
    exact = lambda a: jnp.linalg.solve(jnp.eye(4) - jnp.tril(a, -1), noise)  # noqa: E731
    np.testing.assert_allclose(draw(matrix), exact(matrix), rtol=1e-5)
    slopes, expected = (jax.jit(jax.jacrev(f))(matrix) for f in (draw, exact))
    np.testing.assert_allclose(slopes, expected, rtol=1e-4, atol=1e-5)


def test_it_is_a_pytree_of_what_it_depends_on():
    leaves = jax.tree.leaves(CAUSAL)
    assert len(leaves) == 1
    doubled = jax.tree.map(lambda leaf: 2 * leaf, CAUSAL)
    expected = Autoregressive(Logistic(2 * jnp.tril(WEIGHTS, -1)), SHAPE).log_prob(ALL)
    np.testing.assert_allclose(doubled.log_prob(ALL), expected, rtol=1e-6)


def test_what_would_broadcast_is_refused():
    with pytest.raises(ValueError, match=r"value: got shape \(6,\), expected \(2, 3\)"):
        CAUSAL.log_prob(jnp.zeros(6))
    rows = Autoregressive(lambda x: Independent(Bernoulli(jnp.zeros((4, 3))), 1), (3,))
    with pytest.raises(ValueError, match=r"conditionals: got a Independent of batch shape \(4,\)"):
        rows.sample(seed=jax.random.key(0))
