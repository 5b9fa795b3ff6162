"""Independent gradients of one bound, by this package's estimators and by those of others.

Of log p(z) + score(z) - log q(z), where p is of fair coins or a standard normal.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import distrax
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array
from tensorflow_probability.substrates import jax as tfp

from jaxgen.estimators import Estimator
from jaxgen.types import Key, Scalar

Draws: TypeAlias = Callable[[int], np.ndarray]
"""`how many -> independent gradients`, one a row."""

BITS = np.array([0.2, -0.8, 1.1], np.float32)
"""Logits of q."""
REALS = np.array([[0.7, -0.4], [-0.2, 0.3]], np.float32)
"""Means of q and the logarithms of its scales."""
SAMPLES = 4


class Pair(NamedTuple):
    """An estimator and a peer's that should draw alike.

    Attributes:
      ours: the estimator here.
      params: of q: `BITS` or `REALS`.
      package: what the peer is imported from.
      theirs: the peer's draws.
      scored: whether the score of log q, whose mean is zero, is part of the gradient.
    Example:
      Pair(pathwise(1), REALS, "numpyro", by_numpyro(REALS, "Trace_ELBO"))
    """

    ours: Estimator
    params: np.ndarray
    package: str
    theirs: Draws
    scored: bool = True


def score(z: Any) -> Any:
    """Returns what z gains beside its prior, of arrays of any package."""
    return z[..., 0] * z[..., 1] - 0.3 * (z[..., 0] + z[..., -1] - 0.4) ** 2


def posterior(params: Array) -> distrax.Independent:
    """Returns q."""
    if params.ndim == 1:
        return distrax.Independent(distrax.Bernoulli(params), 1)
    return distrax.Independent(distrax.Normal(params[0], jnp.exp(params[1])), 1)


def log_joint(z: Array) -> Scalar:
    """Returns log p(z) + score(z): bits are integers or, of an antithetic pair, floats."""
    bits = z.shape[-1] == BITS.size
    prior = -BITS.size * np.log(2) if bits else jnp.sum(jax.scipy.stats.norm.logpdf(z), -1)
    return prior + score(z)


def by_jax(gradient: Callable[[Key], Array]) -> Draws:
    """Returns the draws of one gradient by its key."""

    @jax.jit
    def one(keys: Key) -> Array:
        return jax.lax.map(lambda key: gradient(key).reshape(-1), keys, batch_size=1000)

    return lambda count: np.asarray(one(jax.random.split(jax.random.key(0), count)))


def by_jaxgen(pair: Pair) -> Draws:
    """Returns the draws of this package, by other keys than those of the peers in JAX."""

    def value(params: Array, key: Key) -> Scalar:
        q = posterior(params)

        def log_weight(z: Array, q: Any = q) -> Scalar:
            return log_joint(z) - q.log_prob(z)

        f = (lambda z: log_weight(z)) if pair.scored else log_weight
        return pair.ours.apply((), jax.random.fold_in(key, 1), f, q)[0]

    return by_jax(lambda key: jax.grad(value)(jnp.asarray(pair.params), key))


def by_tfp(params: np.ndarray, gradients: str, *, joined: bool) -> Draws:
    """Returns the draws of TFP's variational losses; `joined` are the samples of one bound."""
    tfd = tfp.distributions

    def surrogate_posterior(params: Array) -> Any:
        if params.ndim == 1:
            return tfd.Independent(tfd.Bernoulli(params), 1)
        return tfd.Independent(tfd.Normal(params[0], jnp.exp(params[1])), 1)

    def loss(params: Array, key: Key) -> Scalar:
        stopped = surrogate_posterior(jax.lax.stop_gradient(params))
        return -tfp.vi.monte_carlo_variational_loss(
            log_joint,
            surrogate_posterior(params),
            sample_size=1 if joined else SAMPLES,
            importance_sample_size=SAMPLES if joined else 1,
            gradient_estimator=tfp.vi.GradientEstimators[gradients],
            stopped_surrogate_posterior=stopped,
            seed=key,
        )

    return by_jax(lambda key: jax.grad(loss)(jnp.asarray(params), key))


def by_numpyro(params: np.ndarray, bound: str, **options: Any) -> Draws:
    """Returns the draws of numpyro's bound of that name."""

    def made(count: int) -> np.ndarray:
        import numpyro
        import numpyro.distributions as dist
        from numpyro import infer

        def q(params: Array) -> Any:
            bits = params.ndim == 1
            q = (
                dist.Bernoulli(logits=params)
                if bits
                else dist.Normal(params[0], jnp.exp(params[1]))
            )
            return q.to_event(1)

        def model(params: Array) -> None:
            z = numpyro.sample("z", q(jnp.zeros_like(params)))
            numpyro.factor("score", score(z))

        def guide(params: Array) -> None:
            numpyro.sample("z", q(params))

        elbo = getattr(infer, bound)(**options)

        def loss(params: Array, key: Key) -> Scalar:
            return -elbo.loss(key, {}, model, guide, params)

        return by_jax(lambda key: jax.grad(loss)(jnp.asarray(params), key))(count)

    return made


def by_pyro(*, baseline: float | None = None) -> Draws:
    """Returns the draws of Pyro's `TraceGraph_ELBO`: of bits, each draw its own row of logits."""

    def made(count: int) -> np.ndarray:
        import pyro
        import torch
        from pyro.distributions import Bernoulli

        pyro.set_rng_seed(0)
        pyro.clear_param_store()
        logits = pyro.param("logits", torch.tensor(BITS).repeat(count, 1))
        options = {} if baseline is None else {"baseline_value": torch.full((count,), baseline)}

        def model() -> None:
            with pyro.plate("draws", count):
                z = pyro.sample("z", Bernoulli(logits=torch.zeros_like(logits)).to_event(1))
                pyro.factor("score", score(z))

        def guide() -> None:
            with pyro.plate("draws", count):
                pyro.sample("z", Bernoulli(logits=logits).to_event(1), infer={"baseline": options})

        pyro.infer.TraceGraph_ELBO().loss_and_grads(model, guide)
        return -logits.grad.numpy()

    return made


def by_storchastic(method: str, **options: Any) -> Draws:
    """Returns the draws of Storchastic's method of that name, of bits, as Pyro's."""

    def made(count: int) -> np.ndarray:
        import storch
        import torch
        from torch.distributions import Bernoulli

        torch.manual_seed(0)
        storch.reset()
        logits = torch.tensor(BITS).repeat(count, 1).requires_grad_()
        own = storch.denote_independent(logits, 0, "draws")
        z = getattr(storch.method, method)("z", **options)(Bernoulli(logits=own))
        log_q = storch.deterministic(lambda z, at: Bernoulli(logits=at).log_prob(z).sum(-1))
        gain = storch.deterministic(lambda z: score(z) - BITS.size * np.log(2))
        storch.add_cost(gain(z) - log_q(z, own.detach()), "gain")
        storch.backward()
        return count * logits.grad.numpy()

    return made
