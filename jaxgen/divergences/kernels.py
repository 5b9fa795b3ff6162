"""Kernels: functions of two sets of vectors that return their Gram matrix."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxgen.checks import at_least, positive
from jaxgen.numerics import at_least_float32
from jaxgen.pairwise import distances, squared_distances
from jaxgen.types import Scalar
from jaxgen.values import Value, known_by_call

Kernel: TypeAlias = Callable[[Float[Array, "n dims"], Float[Array, "m dims"]], Float[Array, "n m"]]
"""`(xs, ys) -> k(xs[i], ys[j])`, symmetric. All the kernels here are differentiable, at equal
points too. They are pytrees whose leaves are their numbers: `jax.jit` takes one as an argument,
another bandwidth compiles nothing anew, and a bandwidth may be an array, traced or not."""


class ParametricKernel(Value):
    """`gram(xs, ys, *fixed, *params)`: a pytree with the leaves `params`."""

    gram: Callable[..., Float[Array, "n m"]]
    params: tuple[Any, ...] = ()
    fixed: tuple[Any, ...] = ()

    def __call__(
        self, xs: Float[Array, "n dims"], ys: Float[Array, "m dims"]
    ) -> Float[Array, "n m"]:
        """Returns the Gram matrix."""
        xs, ys = at_least_float32("xs", xs), at_least_float32("ys", ys)
        return self.gram(xs, ys, *self.fixed, *self.params)


jax.tree_util.register_pytree_node(
    ParametricKernel,
    lambda kernel: (kernel.params, (kernel.gram, kernel.fixed)),
    lambda static, params: ParametricKernel(static[0], tuple(params), static[1]),
)


def as_kernel(kernel: Kernel) -> Kernel:
    """Returns the kernel as a pytree, an argument of `jax.jit`; one of your own has no leaves.

    Raises:
      ValueError: kernel is no function of two sets; one that makes kernels is none.
    Example:
      >>> gram = jax.jit(lambda kernel, xs: kernel(xs, xs))
      >>> float(gram(as_kernel(negative_distance), jnp.array([[0.0], [3.0]]))[0, 1])
      -3.0
    """
    try:
        inspect.signature(kernel).bind(None, None)
    except TypeError:
        raise ValueError(
            f"kernel: got {kernel!r}, expected a function of two sets of vectors, such as rbf(1.0)"
        ) from None
    except ValueError:  # compiled code that says nothing of its arguments
        pass
    return jax.tree_util.Partial(kernel) if jax.tree_util.all_leaves([kernel]) else kernel


def gram_matrix(
    kernel: Kernel, xs: Float[Array, "n dims"], ys: Float[Array, "m dims"]
) -> Float[Array, "n m"]:
    """Returns kernel(xs, ys).

    Raises:
      ValueError: it is no Gram matrix: the kernel is of another kind, or what makes kernels.
    """
    expected = len(xs), len(ys)
    try:
        gram = kernel(xs, ys)
        found = gram.shape
    except (TypeError, AttributeError) as error:
        raise ValueError(
            f"kernel: got {kernel!r}, which gives no Gram matrix ({error}), expected a function of "
            "two sets of vectors, such as rbf(1.0)"
        ) from error
    if found != expected:
        raise ValueError(
            f"kernel: got a result of shape {found} for {expected[0]} rows and {expected[1]} "
            f"columns, expected {expected}"
        )
    return gram


@known_by_call
def rbf(bandwidth: float | Scalar) -> Kernel:
    """Returns the Gaussian kernel exp(-|x - y|² / (2 bandwidth²)).

    Raises:
      ValueError: bandwidth is a number that is not positive.
    Example:
      >>> float(rbf(2.0)(jnp.zeros((1, 1)), jnp.full((1, 1), 2.0))[0, 0])  # exp(-1/2)
      0.6065
    Source: Gretton et al. (2012), "A kernel two-sample test", section 8.
    """
    return ParametricKernel(_rbf, (positive("bandwidth", bandwidth),))


@known_by_call
def laplace(bandwidth: float | Scalar) -> Kernel:
    """Returns exp(-sum_d |x_d - y_d| / bandwidth), with the distance of city blocks.

    Raises:
      ValueError: bandwidth is a number that is not positive.
    Example:
      >>> float(laplace(2.0)(jnp.zeros((1, 2)), jnp.ones((1, 2)))[0, 0])  # exp(-1)
      0.3679
    Source: Sriperumbudur et al. (2010), "Hilbert space embeddings and metrics on probability
      measures", section 3.
    """
    return ParametricKernel(_laplace, (positive("bandwidth", bandwidth),))


@known_by_call
def inverse_multiquadric(scale: float | Scalar, exponent: float = 0.5) -> Kernel:
    """Returns (1 + |x - y|² / scale²)^-exponent.

    An exponent of 1 with scale² = C is the kernel C / (C + |x - y|²) of Wasserstein autoencoders.

    Raises:
      ValueError: scale or exponent is a number that is not positive.
    Example:
      >>> float(inverse_multiquadric(1.0)(jnp.zeros((1, 3)), jnp.ones((1, 3)))[0, 0])  # (1 + 3)^-½
      0.5
    Source: Gorham & Mackey (2017), "Measuring sample quality with kernels", section 3.2; Tolstikhin
      et al. (2018), "Wasserstein auto-encoders", section 4.
    """
    params = positive("scale", scale), positive("exponent", exponent)
    return ParametricKernel(_inverse_multiquadric, params)


@known_by_call
def rational_quadratic(bandwidth: float | Scalar, alpha: float = 1.0) -> Kernel:
    """Returns (1 + |x - y|² / (2 alpha bandwidth²))^-alpha, which is `rbf` for alpha to infinity.

    Raises:
      ValueError: bandwidth or alpha is a number that is not positive.
    Example:
      >>> kernel = kernel_mixture(
      ...     *(rational_quadratic(1.0, alpha) for alpha in (0.2, 0.5, 1.0, 2.0))
      ... )
      >>> float(kernel(jnp.zeros((1, 2)), jnp.zeros((1, 2)))[0, 0])
      1.0
    Source: Rasmussen & Williams (2006), "Gaussian Processes for Machine Learning", equation 4.19;
      Bińkowski et al. (2018), "Demystifying MMD GANs", section 4.
    """
    positive("bandwidth", bandwidth)
    positive("alpha", alpha)
    return inverse_multiquadric(bandwidth * (2 * alpha) ** 0.5, alpha)


@known_by_call
def polynomial(
    degree: int = 3, *, scale: float | Scalar | None = None, offset: float | Scalar = 1.0
) -> Kernel:
    """Returns (scale x·y + offset)^degree; with its defaults, the kernel of the KID.

    Args:
      degree: 1 with offset 0 compares the means alone.
      scale: 1 / dims if not given.
    Raises:
      ValueError: degree is below one.
    Example:
      >>> features_x, features_y = jnp.ones((1, 4)), jnp.full((1, 4), 2.0)
      >>> float(polynomial()(features_x, features_y)[0, 0])  # (8/4 + 1)³
      27.0
    Source: Bińkowski et al. (2018), "Demystifying MMD GANs", section 4.
    """
    return ParametricKernel(_polynomial, (scale, offset), (at_least("degree", degree, 1),))


def negative_distance(
    xs: Float[Array, "n dims"], ys: Float[Array, "m dims"]
) -> Float[Array, "n m"]:
    """Returns -|x - y|, the kernel whose squared MMD is the energy distance.

    Conditionally positive definite: the weights of a squared MMD sum to zero, so it is no less.

    Example:
      >>> float(negative_distance(jnp.zeros((1, 2)), jnp.array([[3.0, 4.0]]))[0, 0])
      -5.0
    Source: Sejdinovic et al. (2013), "Equivalence of distance-based and RKHS-based statistics in
      hypothesis testing", section 4.
    """
    return -distances(xs, ys)


@known_by_call
def kernel_mixture(*kernels: Kernel) -> Kernel:
    """Returns the mean of `kernels`: no one bandwidth has to fit.

    Under `jit` the distances that they share are computed once.

    Raises:
      ValueError: there are none, or one is not callable.
    Example:
      >>> kernel = kernel_mixture(*(rbf(bandwidth) for bandwidth in (0.5, 1.0, 2.0)))
      >>> float(kernel(jnp.zeros((1, 2)), jnp.zeros((1, 2)))[0, 0])
      1.0
    Source: Li et al. (2015), "Generative moment matching networks", section 4.
    """
    at_least("the number of kernels", len(kernels), 1)
    return ParametricKernel(_mean, tuple(map(as_kernel, kernels)))


def _rbf(xs: Array, ys: Array, bandwidth: float | Scalar) -> Array:
    return jnp.exp(-0.5 * squared_distances(xs / bandwidth, ys / bandwidth))


def _laplace(xs: Array, ys: Array, bandwidth: float | Scalar) -> Array:
    return jnp.exp(-jnp.sum(jnp.abs(xs[:, None] / bandwidth - ys / bandwidth), axis=-1))


def _inverse_multiquadric(
    xs: Array, ys: Array, scale: float | Scalar, exponent: float | Scalar
) -> Array:
    return jnp.exp(-exponent * jnp.log1p(squared_distances(xs / scale, ys / scale)))


def _polynomial(
    xs: Array, ys: Array, degree: int, scale: float | Scalar | None, offset: float | Scalar
) -> Array:
    products = jnp.matmul(xs, ys.T, precision=jax.lax.Precision.HIGHEST)
    return ((1 / xs.shape[1] if scale is None else scale) * products + offset) ** degree


def _mean(xs: Array, ys: Array, *kernels: Kernel) -> Array:
    first, *others = (kernel(xs, ys) for kernel in kernels)
    return sum(others, start=first) / len(kernels)
