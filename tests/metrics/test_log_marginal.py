import distrax
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from laws import assert_unbiased

from jaxgen.metrics import log_marginal

# x | z ~ Bernoulli(.8 if z else .3), z ~ Bernoulli(.4): p(x = 1) = .4 * .8 + .6 * .3 = .5.
PRIOR = distrax.Bernoulli(probs=0.4)


def log_joint(z):
    return PRIOR.log_prob(z) + jnp.log(jnp.where(z == 1, 0.8, 0.3))


def test_log_marginal_is_the_enumerated_one_in_expectation_however_it_is_chunked():
    q = distrax.Bernoulli(probs=0.7)
    for chunk_size in (1, 3, 4, 100):  # 3 leaves a part of a chunk over
        keys = jax.random.split(jax.random.key(chunk_size), 10_000)
        estimate = jax.jit(
            jax.vmap(lambda key, c=chunk_size: log_marginal(key, log_joint, q, 8, chunk_size=c))
        )
        draws = np.exp(np.asarray(estimate(keys), np.float64))
        assert_unbiased(draws, 0.5)
        # The variance of the mean of eight independent weights: no chunk draws as another did.
        np.testing.assert_allclose(draws.var(), 0.21 * (0.6 - 0.32 / 0.7) ** 2 / 8, rtol=0.1)


def test_the_posterior_as_proposal_gives_the_answer_with_one_sample():
    q = distrax.Bernoulli(probs=0.4 * 0.8 / 0.5)
    np.testing.assert_allclose(
        log_marginal(jax.random.key(0), log_joint, q, 1), np.log(0.5), rtol=1e-6
    )


def test_counts_that_do_not_fit():
    q = distrax.Bernoulli(probs=0.7)
    with pytest.raises(ValueError, match="num_samples: got 0, expected an integer >= 1"):
        log_marginal(jax.random.key(0), log_joint, q, 0)
    with pytest.raises(ValueError, match="chunk_size: got 0"):
        log_marginal(jax.random.key(0), log_joint, q, 100, chunk_size=0)
