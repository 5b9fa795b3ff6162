"""Problems on which gradient estimators are compared: closed forms, toys, and real networks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import distrax
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array

from jaxgen.data import ImageSet
from jaxgen.distributions import Bernoulli
from jaxgen.estimators import (
    Estimator,
    disarm,
    enumeration,
    leave_one_out,
    pathwise,
    score_function,
)
from jaxgen.models import LIKELIHOODS, LatentVariableModel, belief_network, gaussian_vae
from jaxgen.nets import MLP
from jaxgen.types import Distribution, Key, Params

Target = Callable[[Params, Array], tuple[Callable[..., Array], Distribution]]
"""`(params, x) -> (f, q)` of one datapoint: the gradient of E_q[f] in params is wanted."""


class Problem(NamedTuple):
    """A gradient to estimate, at the points of one trajectory of params.

    The params move in the same way for every estimator: by `optimizer`, from the gradients of
    `guide` (or whatever they are), and stay where they are by default.

    Attributes:
      name: what tables call it.
      params: where the trajectory starts.
      target: `(params, x) -> (f, q)`; the estimated gradient is that of the mean of E_q[f] over the
        datapoints x of a batch.
      batch: `key -> datapoints` on a leading axis; by default one, the number 1.
      parts: keys of params whose gradients are reported apart; none for all of params as one.
      exact: `params -> gradient`, shaped as params, or None where nobody knows it.
      steps: updates after which the gradient is measured.
      label: `(step, params) -> str`, what tables and pictures call that point.
      optimizer: moves the params; f is climbed.
      guide: the unbiased estimator that the optimizer hears, and, with many draws, the reference
        where there is no exact gradient.
    """

    name: str
    params: Params
    target: Target
    batch: Callable[[Key], Array] = lambda key: jnp.ones((1, 1))
    parts: tuple[str, ...] = ()
    exact: Callable[[Params], Params] | None = None
    steps: tuple[int, ...] = (500,)
    label: Callable[[int, Params], str] = lambda step, params: f"step {step}"
    optimizer: optax.GradientTransformation = optax.set_to_zero()
    guide: Estimator = score_function(2, baseline=leave_one_out())


def sweep(**velocity: float) -> optax.GradientTransformation:
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
        optimizer=sweep(k=1 / 200),
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
        optimizer=sweep(phi=2 / 200),
        steps=_FOUR_POINTS,
    )


def _enumerated(name: str, params: Params, target: Target) -> Problem:
    """A problem of so few states that the exact gradient is a sum."""

    def exact(params: Params) -> Params:
        def expectation(params: Params) -> Array:
            return enumeration().apply((), jax.random.key(0), *target(params, jnp.ones(1)))[0]

        return jax.grad(expectation)(params)

    return Problem(name, params, target, exact=exact)


def coupled() -> Problem:
    """Eight bits that make sense only together: tanh(b' C b) plus a product."""
    coupling = jnp.asarray(np.random.default_rng(0).normal(size=(8, 8)) / 4, jnp.float32)

    def f(b: Array) -> Array:
        return jnp.tanh(b @ coupling @ b) + jnp.prod(1.0 - 0.5 * b[:3])

    return _enumerated(
        "coupled",
        jnp.linspace(-1.5, 1.5, 8),
        lambda logits, x: (f, distrax.Independent(Bernoulli(logits), 1)),
    )


def categorical() -> Problem:
    """Two one-hot latents of four states and a table of their 16 values."""
    rng = np.random.default_rng(1)
    table = jnp.asarray(rng.normal(size=(4, 4)), jnp.float32)
    return _enumerated(
        "categorical",
        jnp.asarray(rng.normal(size=(2, 4)), jnp.float32),
        lambda logits, x: (
            lambda z: z[0] @ table @ z[1],
            distrax.Independent(distrax.OneHotCategorical(logits), 1),
        ),
    )


def sbn_linear(images: ImageSet, steps: tuple[int, ...]) -> Problem:
    """The belief network of 200 Bernoulli latents, affine both ways."""
    return _belief_network("sbn_linear", (), images, steps)


def sbn_nonlinear(images: ImageSet, steps: tuple[int, ...]) -> Problem:
    """The belief network of 200 Bernoulli latents, two layers of 200 leaky ReLUs each way."""
    return _belief_network("sbn_nonlinear", (200, 200), images, steps)


def _belief_network(
    name: str, hidden: tuple[int, ...], images: ImageSet, steps: tuple[int, ...]
) -> Problem:
    """The ELBO along 200-latent training by DisARM: Dong et al. (2020), at ten times its rate."""
    mean = jnp.asarray(images.images.mean(axis=0) / 255, jnp.float32)
    bias = LIKELIHOODS["bernoulli"].initial_bias(mean)

    def leaky(x: Array) -> Array:
        return nn.leaky_relu(x, 0.3)

    model = belief_network(
        MLP(hidden, (200,), leaky),
        MLP(hidden, bias.shape, leaky, output_bias_init=lambda key, shape, dtype=None: bias),
        LIKELIHOODS["bernoulli"].distribution,
        latent_size=200,
        x_mean=mean,
    )

    def target(params: Params, x: Array) -> tuple[Callable[..., Array], Distribution]:
        q = model.encode(params, x)
        # E[grad log q] = 0, so the papers leave out the score of the q inside f, and its noise.
        return _log_weight(model, params, x, jax.lax.stop_gradient(q)), q

    rates = {"encoder": "adam", "decoder": "adam", "prior": "sgd"}
    optimizer = optax.partition({"adam": optax.adam(1e-3), "sgd": optax.sgd(1e-1)}, rates)
    return _network(name, model, target, tuple(rates), images, steps, optimizer, disarm(4))


def vae(images: ImageSet, steps: tuple[int, ...]) -> Problem:
    """A Gaussian VAE of 20 latents, one layer of 200 ReLUs each way; f holds log q."""
    mean = jnp.asarray(images.images.mean(axis=0) / 255, jnp.float32)
    bias = LIKELIHOODS["bernoulli"].initial_bias(mean)
    model = gaussian_vae(
        MLP((200,), (2, 20)),
        MLP((200,), bias.shape, output_bias_init=lambda key, shape, dtype=None: bias),
        LIKELIHOODS["bernoulli"].distribution,
        latent_size=20,
        x_shape=mean.shape,
    )

    def target(params: Params, x: Array) -> tuple[Callable[..., Array], Distribution]:
        q = model.encode(params, x)
        return _log_weight(model, params, x, q), q

    parts = ("encoder", "decoder")
    return _network("vae", model, target, parts, images, steps, optax.adam(1e-3), pathwise(4))


def _log_weight(
    model: LatentVariableModel, params: Params, x: Array, q: Distribution
) -> Callable[..., Array]:
    """log p(x, z) - log q(z), in nats, in the form that sticking the landing accepts."""

    def f(z: Array, q: Distribution = q) -> Array:
        joint = model.decode(params, z).log_prob(x) + model.prior(params).log_prob(z)
        return jnp.asarray(joint - q.log_prob(z))

    return f


def _network(
    name: str,
    model: LatentVariableModel,
    target: Target,
    parts: tuple[str, ...],
    images: ImageSet,
    steps: tuple[int, ...],
    optimizer: optax.GradientTransformation,
    guide: Estimator,
    batch_size: int = 50,
) -> Problem:
    pixels = jnp.asarray(images.images)

    def batch(key: Key) -> Array:
        key_indices, key_pixels = jax.random.split(key)
        indices = jax.random.randint(key_indices, (batch_size,), 0, len(pixels))
        return images.prepare(key_pixels, pixels[indices])

    params = jax.jit(model.init)(jax.random.key(0))
    return Problem(
        name,
        params,
        target,
        batch=batch,
        parts=parts,
        steps=steps,
        optimizer=optimizer,
        guide=guide,
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

NETWORKS: dict[str, Callable[[ImageSet, tuple[int, ...]], Problem]] = {
    "sbn_linear": sbn_linear,
    "sbn_nonlinear": sbn_nonlinear,
    "vae": vae,
}
"""Problems of `(images, steps)`, by name."""
