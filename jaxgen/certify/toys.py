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
    """Returns the optimizer that moves the named params at constant velocity, the others not."""

    def update(updates: Any, state: Any, params: Any = None) -> tuple[Any, Any]:
        move = {k: jnp.full_like(v, velocity.get(k, 0.0)) for k, v in updates.items()}
        return move, state

    return optax.GradientTransformation(lambda params: optax.EmptyState(), update)


_FOUR_POINTS = (200, 400, 600, 800)


def _gaussian(name: str, f: Callable[[Array, Array], Array], mean_of_f: Callable) -> Problem:
    """f(z, k) under N(1, 1) at k = 1, 2, 3, 4: Mohamed et al. (2020), figure 2."""

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
    """(z - k)² under a Gaussian."""
    return _gaussian(
        "quadratic",
        lambda z, k: (z - k) ** 2,
        lambda mean, scale, k: (mean - k) ** 2 + scale**2,
    )


def exponential() -> Problem:
    """exp(-k z²) under a Gaussian."""

    def mean_of_f(mean: Array, scale: Array, k: Array) -> Array:
        width = 1 + 2 * k * scale**2
        return jnp.exp(-k * mean**2 / width) / jnp.sqrt(width)

    return _gaussian("exponential", lambda z, k: jnp.exp(-k * z**2), mean_of_f)


def cosine() -> Problem:
    """cos(k z) under a Gaussian."""
    return _gaussian(
        "cosine",
        lambda z, k: jnp.cos(k * z),
        lambda mean, scale, k: jnp.cos(k * mean) * jnp.exp(-0.5 * (k * scale) ** 2),
    )


def toy(target: float) -> Problem:
    """(b - t)² of one Bernoulli at logits phi = -3, -1, 1, 3: Tucker et al. (2017)."""

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
    """Eight bits that make sense only together: tanh(b' C b) plus a product."""
    coupling = jnp.asarray(np.random.default_rng(0).normal(size=(8, 8)) / 4, jnp.float32)

    def f(b: Array) -> Array:
        return jnp.tanh(b @ coupling @ b) + jnp.prod(1.0 - 0.5 * b[:3])

    return Problem(
        "coupled",
        jnp.linspace(-1.5, 1.5, 8),
        lambda logits, x: (f, distrax.Independent(Bernoulli(logits), 1)),
    )


def categorical() -> Problem:
    """Two one-hot latents of four states and a table of their 16 values."""
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


TOYS: dict[str, Callable[[], Problem]] = {
    "quadratic": quadratic,
    "exponential": exponential,
    "cosine": cosine,
    "toy_0.45": lambda: toy(0.45),
    "toy_0.499": lambda: toy(0.499),
    "coupled": coupled,
    "categorical": categorical,
}
"""Problems whose gradient is known, by name."""
