"""Samples made of given uniforms, and the path of a sample that its distribution did not draw."""

import chex
import distrax
import jax
import jax.numpy as jnp
import numpy as np
from scipy import stats

from jaxgen.distributions import diagonal_normal
from jaxgen.estimators.fixed_noise import at_fixed_noise, of_uniforms

LOC, SCALE = jnp.array([0.3, -0.5]), jnp.array([0.7, 1.2])
WITH_A_PATH = {
    "normal": lambda m, s: distrax.Independent(distrax.Normal(m, s), 1),
    "jaxgen's": lambda m, s: diagonal_normal(m, jnp.log(s)),
    "diag": distrax.MultivariateNormalDiag,
    "tri": lambda m, s: distrax.MultivariateNormalTri(m, jnp.diag(s).at[1, 0].set(m[0])),
    "laplace": lambda m, s: distrax.Independent(distrax.Laplace(m, s), 1),
    "logistic": lambda m, s: distrax.Independent(distrax.Logistic(m, s), 1),
    "gumbel": lambda m, s: distrax.Independent(distrax.Gumbel(m, s), 1),
    "tanh": lambda m, s: distrax.Transformed(
        distrax.MultivariateNormalDiag(m, s), distrax.Block(distrax.Tanh(), 1)
    ),
}


def test_a_sample_moves_with_the_parameters_as_when_it_is_drawn():
    @jax.jit
    def found(*at):
        def drawn(*at):
            return {k: p(*at).sample(seed=jax.random.key(0)) for k, p in WITH_A_PATH.items()}

        def moved(*at):
            return {k: at_fixed_noise(p(*at), z[k]) for k, p in WITH_A_PATH.items()}

        z = drawn(*at)
        return [(g(*at), jax.jacfwd(g, (0, 1))(*at)) for g in (moved, drawn)]

    chex.assert_trees_all_close(*found(LOC, SCALE), rtol=1e-4, atol=1e-5)


def test_samples_are_quantiles_of_uniforms():
    u = jnp.array([0.2, 0.7])
    tails = {"laplace": stats.laplace, "logistic": stats.logistic, "gumbel": stats.gumbel_r}
    for name, of in {**tails, "normal": stats.norm, "diag": stats.norm}.items():
        found = of_uniforms(WITH_A_PATH[name](LOC, SCALE), u)
        np.testing.assert_allclose(found, of(LOC, SCALE).ppf(u), rtol=1e-5, err_msg=name)
