"""Toy problems of the field whose gradient is known: `TOYS`, by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import distrax
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array

from jaxgen.certify.problem import Problem
from jaxgen.distributions import Bernoulli
from jaxgen.estimators import pathwise
from jaxgen.types import Distribution, Params


def constant_velocity(**velocity: float) -> optax.GradientTransformation:
    """Returns the optimizer that adds `velocity` to the named params at each step, whatever came.

    Params without a velocity stay where they are.

    Example:
      >>> optimizer = constant_velocity(k=1 / 200)  # params["k"] grows by one in 200 steps
    """

    def update(updates: Any, state: Any, params: Any = None) -> tuple[Any, Any]:
        move = {k: jnp.full_like(v, velocity.get(k, 0.0)) for k, v in updates.items()}
        return move, state

    return optax.GradientTransformation(lambda params: optax.EmptyState(), update)


_FOUR_POINTS = (200, 400, 600, 800)


def _gaussian(name: str, f: Callable[[Array, Array], Array], mean_of_f: Callable) -> Problem:
    """E[f(z, k)], z normal of mean 1 and scale 1, as k moves from 0 past 1, 2, 3, 4."""

    def target(params: Params, x: Array) -> tuple[Callable[..., Array], Distribution]:
        return lambda z: f(z, params["k"]), distrax.Normal(params["mean"], params["scale"])

    return Problem(
        name,
        {"mean": jnp.ones(()), "scale": jnp.ones(()), "k": jnp.zeros(())},
        target,
        parts=("mean", "scale"),
        exact=jax.grad(lambda params: mean_of_f(**params)),
        label=lambda step, params: f"k = {params['k']:.3g}",
        optimizer=constant_velocity(k=1 / 200),
        guide=pathwise(),
        steps=_FOUR_POINTS,
    )


def quadratic() -> Problem:
    """E[(z - k)²], z normal of mean 1 and scale 1, at k = 1, 2, 3, 4.

    Example:
      >>> certify(quadratic(), pathwise(), jax.random.key(0)).gradient.variance["scale"]
    Source: Mohamed et al. (2020), figure 2.
    """
    return _gaussian(
        "quadratic",
        lambda z, k: (z - k) ** 2,
        lambda mean, scale, k: (mean - k) ** 2 + scale**2,
    )


def exponential() -> Problem:
    """E[exp(-k z²)], z normal of mean 1 and scale 1, at k = 1, 2, 3, 4.

    Example:
      >>> exponential().exact({"mean": 1.0, "scale": 1.0, "k": 2.0})["mean"]
    Source: Mohamed et al. (2020), figure 2.
    """

    def mean_of_f(mean: Array, scale: Array, k: Array) -> Array:
        width = 1 + 2 * k * scale**2
        return jnp.exp(-k * mean**2 / width) / jnp.sqrt(width)

    return _gaussian("exponential", lambda z, k: jnp.exp(-k * z**2), mean_of_f)


def cosine() -> Problem:
    """E[cos(k z)], z normal of mean 1 and scale 1, at k = 1, 2, 3, 4.

    Example:
      >>> cosine().exact({"mean": 1.0, "scale": 1.0, "k": 2.0})["mean"]
    Source: Mohamed et al. (2020), figure 2.
    """
    return _gaussian(
        "cosine",
        lambda z, k: jnp.cos(k * z),
        lambda mean, scale, k: jnp.cos(k * mean) * jnp.exp(-0.5 * (k * scale) ** 2),
    )


def linear_gaussian() -> Problem:
    """The ELBO of a linear-Gaussian model of three numbers by two latents, q of diagonal scale.

    z is standard normal and x, given z, normal about W z with scale 1/2. f holds log q.

    Example:
      >>> certify(linear_gaussian(), pathwise(), jax.random.key(0)).bias.worst_z
    """
    loading = jnp.array([[0.5, -0.3], [1.0, 0.2], [-0.4, 0.8]])
    observed = jnp.array([0.7, -0.2, 1.1])
    precision = jnp.full(3, 4.0)

    def target(params: Params, x: Array) -> tuple[Callable[..., Array], Distribution]:
        q = distrax.Independent(distrax.Normal(params["mean"], params["scale"]), 1)

        def log_weight(z: Array, q: Any = q) -> Array:
            error = observed - loading @ z
            return -0.5 * (jnp.sum(precision * error**2) + jnp.sum(z**2)) - q.log_prob(z)

        return log_weight, q

    def elbo(params: Params) -> Array:
        mean, scale = params["mean"], params["scale"]
        error = observed - loading @ mean
        spread = 1 + precision @ loading**2
        distance = jnp.sum(precision * error**2) + jnp.sum(mean**2) + spread @ scale**2
        return -0.5 * distance + jnp.sum(jnp.log(scale))

    return Problem(
        "linear_gaussian",
        {"mean": jnp.array([0.1, 0.4]), "scale": jnp.array([0.6, 0.9])},
        target,
        parts=("mean", "scale"),
        exact=jax.grad(elbo),
        guide=pathwise(),
    )


def toy(target: float) -> Problem:
    """E[(b - target)²] of one bit b, at the logits phi = -3, -1, 1, 3.

    The gradient in phi is (1 - 2 target) p (1 - p), p the probability of b = 1: the nearer the
    target is to one half, the fainter it is.

    Example:
      >>> measure(toy(0.45), {"DisARM": disarm}, num_draws=40)
    Source: Tucker et al. (2017).
    """

    def at(params: Params, x: Array) -> tuple[Callable[..., Array], Distribution]:
        return lambda b: (b - target) ** 2, Bernoulli(params["phi"])

    def exact(params: Params) -> Params:
        p = jax.nn.sigmoid(params["phi"])
        return {"phi": (1 - 2 * target) * p * (1 - p)}

    return Problem(
        f"toy_{target}",
        {"phi": jnp.asarray(-5.0)},
        at,
        parts=("phi",),
        exact=exact,
        label=lambda step, params: f"phi = {params['phi']:.2g}",
        optimizer=constant_velocity(phi=2 / 200),
        steps=_FOUR_POINTS,
    )


def coupled() -> Problem:
    """E[tanh(b' C b) + prod_i (1 - b_i / 2)] of eight bits b, the product over the first three.

    Example:
      >>> problem = coupled()
      >>> f, q = problem.target(problem.params, jnp.ones(1))
      >>> f(q.sample(seed=jax.random.key(0)))
    """
    coupling = jnp.asarray(np.random.default_rng(0).normal(size=(8, 8)) / 4, jnp.float32)

    def f(b: Array) -> Array:
        return jnp.tanh(b @ coupling @ b) + jnp.prod(1.0 - 0.5 * b[:3])

    return Problem(
        "coupled",
        jnp.linspace(-1.5, 1.5, 8),
        lambda logits, x: (f, distrax.Independent(Bernoulli(logits), 1)),
    )


def categorical() -> Problem:
    """E[z_1' T z_2] of two one-hot latents of four states each, T a table of values.

    Example:
      >>> problem = categorical()
      >>> exact_gradient(problem, jnp.ones((1, 1)))(problem.params)
    """
    rng = np.random.default_rng(1)
    table = jnp.asarray(rng.normal(size=(4, 4)), jnp.float32)
    return Problem(
        "categorical",
        jnp.asarray(rng.normal(size=(2, 4)), jnp.float32),
        lambda logits, x: (
            lambda z: z[0] @ table @ z[1],
            distrax.Independent(distrax.OneHotCategorical(logits), 1),
        ),
    )


def inside() -> Problem:
    """E[(w' b - .4)² + w' logits] of three bits b: f itself depends on the params.

    An estimator that leaves out the gradient of f in the params is biased here.

    Example:
      >>> assert certify(inside(), disarm(2), jax.random.key(0)).bias.worst_z < 5
    """

    def target(params: Params, x: Array) -> tuple[Callable[..., Array], Distribution]:
        w, logits = params["weights"], params["logits"]
        q = distrax.Independent(Bernoulli(logits), 1)
        return lambda b: (b @ w - 0.4) ** 2 + logits @ w, q

    logits, weights = jnp.array([0.2, -0.8, 1.1]), jnp.array([1.0, -0.5, 0.7])
    return Problem("inside", {"logits": logits, "weights": weights}, target)


TOYS: dict[str, Callable[[], Problem]] = {
    "quadratic": quadratic,
    "exponential": exponential,
    "cosine": cosine,
    "linear_gaussian": linear_gaussian,
    "toy_0.45": lambda: toy(0.45),
    "toy_0.499": lambda: toy(0.499),
    "coupled": coupled,
    "categorical": categorical,
    "inside": inside,
}
"""Problems whose gradient is known, by name: `TOYS["toy_0.45"]()`."""
