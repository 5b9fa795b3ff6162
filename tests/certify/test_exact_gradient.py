"""Gradients without noise against closed forms."""

import distrax
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.certify import (
    TOYS,
    Problem,
    cosine,
    coupled,
    exact_gradient,
    exponential,
    quadratic,
    quadrature_gradient,
    toy,
)

ONE = jnp.ones((1, 1))


@pytest.mark.parametrize("make", [quadratic, exponential, cosine])
def test_quadrature_finds_the_closed_form(make):
    problem = make()
    params = {"mean": jnp.array(0.3), "scale": jnp.array(0.8), "k": jnp.array(1.5)}
    ours = quadrature_gradient(problem.target)(params)
    exact = problem.exact(params)
    for part in problem.parts:
        np.testing.assert_allclose(ours[part], exact[part], rtol=2e-4)


def test_a_vector_of_normals_and_params_of_f_have_a_gradient():
    """E[w (z1 - z2)^2] = w ((m1 - m2)^2 + s^2 + 1), m = (1, -1), s = .5."""

    def target(params, x):
        q = distrax.MultivariateNormalDiag(params["mean"], jnp.array([0.5, 1.0]))
        return lambda z: params["w"] * (z[0] - z[1]) ** 2, distrax.Independent(q, 0)

    params = {"mean": jnp.array([1.0, -1.0]), "w": jnp.array(3.0)}
    ours = quadrature_gradient(target, order=3)(params)
    np.testing.assert_allclose(ours["mean"], [12.0, -12.0], rtol=1e-5)
    np.testing.assert_allclose(ours["w"], 5.25, rtol=1e-5)


def test_a_sum_over_states_finds_the_closed_form():
    problem = toy(0.45)
    params = {"phi": jnp.array(0.7)}
    summed = exact_gradient(problem._replace(exact=None), ONE)(params)
    np.testing.assert_allclose(summed["phi"], problem.exact(params)["phi"], rtol=1e-5)


def test_a_sum_over_states_is_the_mean_over_the_batch():
    def target(logit, x):
        return lambda b: x[0] * b, distrax.Bernoulli(logit)

    problem = Problem("line", jnp.array(0.0), target)
    gradient = exact_gradient(problem, jnp.array([[1.0], [5.0]]))(problem.params)
    np.testing.assert_allclose(gradient, 3.0 / 4, rtol=1e-6)


def test_too_many_states_and_a_continuous_q_have_none():
    def bits(logits, x):
        return jnp.sum, distrax.Independent(distrax.Bernoulli(logits), 1)

    def normal(mean, x):
        return jnp.sin, distrax.Normal(mean, 1.0)

    assert exact_gradient(Problem("bits", jnp.zeros(17), bits), ONE) is None
    assert exact_gradient(Problem("normal", jnp.zeros(()), normal), ONE) is None
    few = Problem("bits", jnp.zeros(10), bits)
    assert exact_gradient(few, jnp.ones((64, 1))) is not None
    assert exact_gradient(few, jnp.ones((65, 1))) is None  # 65 x 1,024 evaluations of f


def test_quadrature_is_for_normals():
    gradient = quadrature_gradient(lambda rate, x: (jnp.sin, distrax.Laplace(rate, 1.0)))
    with pytest.raises(ValueError, match=r"q: got Laplace, expected distrax\.Normal"):
        gradient(jnp.array(1.0))


@pytest.mark.parametrize("name", TOYS)
def test_every_toy_knows_a_gradient_of_the_shape_of_its_params(name):
    problem = TOYS[name]()
    exact = jax.eval_shape(exact_gradient(problem, ONE), problem.params)
    assert jax.tree.map(jnp.shape, exact) == jax.tree.map(jnp.shape, problem.params)


def test_coupled_bits_agree_with_a_sum_in_numpy():
    problem = coupled()
    bits = np.indices((2,) * 8).reshape(8, -1).T.astype(np.float64)
    matrix = np.random.default_rng(0).normal(size=(8, 8)) / 4
    values = np.tanh(np.einsum("ni,ij,nj->n", bits, matrix, bits)) + np.prod(
        1 - 0.5 * bits[:, :3], axis=1
    )
    p = 1 / (1 + np.exp(-np.linspace(-1.5, 1.5, 8)))
    weights = np.prod(np.where(bits == 1, p, 1 - p), axis=1)
    exact = ((bits - p) * (weights * values)[:, None]).sum(axis=0)  # the score of each bit
    np.testing.assert_allclose(exact_gradient(problem, ONE)(problem.params), exact, rtol=1e-4)
