"""The bijectors of flows: inverses, determinants, float32, and what they refuse."""

import math

import distrax
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special

from jaxgen.certify import bijector_errors
from jaxgen.distributions import (
    Conditioner,
    MaskedAutoregressive,
    Permutation,
    SoftmaxPlusPlus,
    Squeeze,
    Transformed,
    affine,
    coupling,
    diagonal_normal,
    logit,
    rational_quadratic_spline,
)

SPLINE = rational_quadratic_spline(5)
AFFINE = affine()


def numbers_of(size, transform):
    """A conditioner from [4 - size] to [size, outputs]."""
    weights = jax.random.normal(jax.random.key(size), (4 - size, size, transform.outputs))
    return Conditioner(weights, (), None, lambda w, x, key: jnp.tensordot(x, w, 1))


def causal(transform):
    """One that says of each of four entries what those before it tell."""
    before = jnp.tril(jnp.ones((4, 4)), -1)[:, :, None]
    weights = jax.random.normal(jax.random.key(4), (4, 4, transform.outputs)) * before
    return Conditioner(weights, (), None, lambda w, x, key: jnp.tanh(jnp.einsum("j,ijo->io", x, w)))


def elementwise(transform):
    return distrax.Block(
        transform.bijector(jax.random.normal(jax.random.key(0), (4, transform.outputs))), 1
    )


BIJECTORS = {
    "affine": (lambda: elementwise(AFFINE), (4,)),
    "spline": (lambda: elementwise(SPLINE), (4,)),
    "affine coupling": (lambda: coupling(numbers_of(2, AFFINE), 2, AFFINE), (4,)),
    "spline coupling": (
        lambda: coupling(numbers_of(1, SPLINE), 1, SPLINE, first_moves=True),
        (4,),
    ),
    "affine autoregressive": (lambda: MaskedAutoregressive(causal(AFFINE), AFFINE), (4,)),
    "spline autoregressive": (lambda: MaskedAutoregressive(causal(SPLINE), SPLINE), (4,)),
    "permutation": (lambda: Permutation([2, 0, 3, 1]), (4,)),
    "squeeze": (lambda: Squeeze(2), (4, 2, 3)),
    "logit": (lambda: logit(0.05, 1), (4,)),
    "softmax++": (lambda: SoftmaxPlusPlus(0.7, 2.0), (4,)),
}


def errors_of(bijector, shape, dtype):
    xs = jax.random.uniform(jax.random.key(1), (8, *shape), dtype, 0.01, 0.99)
    return jax.jit(lambda xs: bijector_errors(bijector, xs))(xs)


@pytest.mark.parametrize("name", BIJECTORS)
def test_inverse_and_determinants_are_those_of_the_jacobian(name, x64):
    make, shape = BIJECTORS[name]
    errors = errors_of(make(), shape, jnp.float64)
    assert max(errors) < 1e-9
    single = jax.tree.map(lambda x: x.astype(jnp.float32), make())
    assert max(errors_of(single, shape, jnp.float32)) < 2e-4


def test_a_forgotten_log_determinant_is_seen():
    class Forgetful(MaskedAutoregressive):
        def inverse_and_log_det(self, y):
            return self.inverse_with_passes(y)[0], jnp.zeros(())

    errors = errors_of(Forgetful(causal(AFFINE), AFFINE), (4,), jnp.float32)
    assert errors.inverse < 1e-4
    assert errors.inverse_log_det > 0.01


@pytest.mark.exact_products
def test_the_way_back_takes_at_most_as_many_passes_as_entries_and_has_the_right_slopes():
    bijector = MaskedAutoregressive(causal(SPLINE), SPLINE)
    ys = jax.random.normal(jax.random.key(2), (3, 4))
    xs, passes = jax.jit(bijector.inverse_with_passes)(ys)
    assert passes <= 4
    np.testing.assert_allclose(jax.jit(bijector.forward)(xs), ys, atol=1e-5)
    back, forth = jax.jit(
        lambda x, y: (jax.jacrev(bijector.inverse)(y), jax.jacfwd(bijector.forward)(x))
    )(xs[0], ys[0])
    np.testing.assert_allclose(back @ forth, np.eye(4), atol=1e-4)


def test_a_batch_is_one_after_another():
    for name, (make, shape) in BIJECTORS.items():
        forward = make().forward_and_log_det
        xs = jax.random.uniform(jax.random.key(3), (2, 3, *shape))
        together, alone = jax.jit(lambda xs, f=forward: (f(xs), jax.vmap(jax.vmap(f))(xs)))(xs)
        for a, b in zip(together, alone, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6, err_msg=name)


def test_float32_keeps_splines_of_far_logits_apart():
    """Of logits of standard deviation 3, distrax's own settings lose a fifth of the points."""
    numbers = 3 * jax.random.normal(jax.random.key(0), (5000, 25))
    xs = jax.random.uniform(jax.random.key(1), (5000,), minval=-3, maxval=3)

    def errors(bijector_of):
        bijector = bijector_of(numbers)
        ys, log_det = bijector.forward_and_log_det(xs)
        back, inverse_log_det = bijector.inverse_and_log_det(ys)
        return jnp.abs(back - xs), jnp.abs(log_det + inverse_log_det)

    off, log_det = jax.jit(lambda: errors(rational_quadratic_spline(8).bijector))()
    assert np.mean(off > 1e-3) < 0.04
    assert off.max() < 0.1
    assert log_det.max() < 0.2
    plain = lambda numbers: distrax.RationalQuadraticSpline(numbers, -3.0, 3.0)  # noqa: E731
    off, log_det = jax.jit(lambda: errors(plain))()
    assert np.mean(off > 1e-3) > 0.1
    assert log_det.max() > 1


@pytest.mark.parametrize("transform", [AFFINE, SPLINE, rational_quadratic_spline(500, 0.5)])
def test_zeros_are_the_identity(transform):
    x = jnp.linspace(-4, 4, 9)
    y, log_det = transform.bijector(jnp.zeros((9, transform.outputs))).forward_and_log_det(x)
    np.testing.assert_allclose(y, x, atol=1e-5)
    np.testing.assert_allclose(log_det, 0, atol=1e-4)


def test_a_log_scale_is_bounded_unless_that_is_not_wanted():
    numbers = jnp.array([[0.0, 50.0]])
    assert affine(2.0).bijector(numbers).forward(jnp.ones(1)) == pytest.approx(math.exp(2))
    assert affine(math.inf).bijector(numbers).forward(jnp.ones(1)) == pytest.approx(math.exp(50))


def test_a_logit_is_of_what_is_drawn_in_from_the_edges():
    x = np.array([0.0, 0.2, 0.5, 1.0], np.float32)
    expected = special.logit(0.1 + 0.8 * x)
    np.testing.assert_allclose(logit(0.1, 1).forward(jnp.asarray(x)), expected, atol=1e-5)
    for method in ("forward", "forward_and_log_det", "forward_log_det_jacobian"):
        with pytest.raises(ValueError, match=r"x: got values from 0\.0 to 255\.0, expected"):
            getattr(logit(0.1, 1), method)(jnp.array([0.0, 255.0]))
    assert np.isnan(jax.jit(logit(0.1, 1).forward)(jnp.array([2.0])))  # traced, it is trusted


def test_squeezing_puts_squares_of_pixels_into_channels():
    x = jnp.arange(16.0).reshape(4, 4, 1)
    np.testing.assert_array_equal(Squeeze(2).forward(x)[0, 1], [2, 3, 6, 7])
    assert Squeeze(4).forward(x).shape == (1, 1, 16)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Permutation([0, 2]), r"order: got \[0 2\], expected each of 0 to 1 once"),
        (
            lambda: Permutation(np.array([1.0, 0.0])),
            r"order: got \[1. 0.\], expected each of 0 to 1 once",
        ),
        (lambda: Squeeze(0), "side: got 0, expected an integer >= 1"),
        (lambda: Squeeze(2).forward(jnp.zeros((3, 4, 1))), "x: got an image of 3x4, expected mul"),
        (lambda: Squeeze(2).inverse(jnp.zeros((2, 2, 6))), "y: got 6 channels, expected a multi"),
        (lambda: logit(0.5), "alpha: got 0.5, expected a number above 0 and below 0.5"),
        (lambda: affine(0.0), "max_log_scale: got 0.0, expected a positive number"),
        (lambda: affine(-math.inf), "max_log_scale: got -inf, expected a positive number"),
        (lambda: rational_quadratic_spline(1), "num_bins: got 1, expected an integer >= 2"),
        (lambda: rational_quadratic_spline(501), "num_bins: got 501, expected at most 500"),
        (lambda: rational_quadratic_spline(8, smallest=0.0), "smallest: got 0.0, expected a numb"),
        (lambda: rational_quadratic_spline(8, 0.0), "bound: got 0.0, expected a positive number"),
    ],
)
def test_what_makes_no_bijector_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_transforms_made_alike_are_equal():
    assert affine() == affine(1.0)
    assert repr(rational_quadratic_spline(8, 3.0)) == "rational_quadratic_spline(8)"


def test_softmax_plus_plus_is_the_softmax_of_one_number_more():
    numbers, bijector = jnp.array([0.3, -1.0]), SoftmaxPlusPlus(0.5, 2.0)
    expected = np.exp([0.6, -2.0]) / (np.exp(0.6) + np.exp(-2.0) + 2.0)
    np.testing.assert_allclose(bijector.forward(numbers), expected, rtol=1e-5)
    # The KL of two is that of their Gaussians: the determinants cancel, draw by draw.
    normals = [diagonal_normal(jnp.zeros(2), s * jnp.ones(2)) for s in (0.0, 0.5)]
    q, p = (Transformed(normal, bijector) for normal in normals)
    x = bijector.forward(numbers)
    expected = normals[0].log_prob(numbers) - normals[1].log_prob(numbers)
    np.testing.assert_allclose(q.log_prob(x) - p.log_prob(x), expected, rtol=1e-4)


@pytest.mark.parametrize("wrong", [{"temperature": 0.0}, {"delta": -1.0}])
def test_softmax_plus_plus_takes_positive_numbers(wrong):
    with pytest.raises(ValueError, match=f"{next(iter(wrong))}: got .*, expected a positive"):
        SoftmaxPlusPlus(**wrong)
