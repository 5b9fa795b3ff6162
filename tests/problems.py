"""Problems E_q[f(z)] whose value, and so whose gradient, is known exactly.

Closed forms for Gaussians and a Poisson, enumeration in numpy's order for Bernoullis and
categoricals, by sums, which no accelerator rounds; nothing here uses the library. A problem's `f`
takes params too: in `gaussian_inside` and `bernoulli_inside` it depends on them.
"""

import itertools
from collections.abc import Callable
from typing import Any, NamedTuple

import distrax
import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from tensorflow_probability.substrates import jax as tfp


class Problem(NamedTuple):
    name: str
    params: Any
    q: Callable[[Any], Any]  # params -> distribution
    f: Callable[[Any, Any], Any]  # (params, one sample) -> number
    exact: Callable[[Any], Any]  # params -> E_q[f]

    def gradient(self):
        """The exact gradient as one vector, in the order of ravel_pytree."""
        return ravel_pytree(jax.jit(jax.grad(self.exact))(self.params))[0]


def surrogate(estimator, problem, state=(), context=None):
    """(params, key) -> the estimator's surrogate and Estimate on `problem`."""

    def apply(params, key):
        f = lambda z: problem.f(params, z)  # noqa: E731
        return estimator.apply(state, key, f, problem.q(params), context)

    return apply


def gradient(estimator, problem, state=(), context=None):
    """key -> one draw of the estimated gradient, as one vector."""
    grad = jax.grad(surrogate(estimator, problem, state, context), has_aux=True)
    return lambda key: ravel_pytree(grad(problem.params, key)[0])[0]


def draws(estimator, problem, key, num_draws, state=(), context=None):
    """[num_draws, params] independent gradients, in one compiled call."""
    one = gradient(estimator, problem, state, context)
    return jax.jit(lambda key: jax.vmap(one)(jax.random.split(key, num_draws)))(key)


def _normal(params):
    return distrax.Independent(distrax.Normal(params["mean"], params["scale"]), 1)


GAUSSIAN_PARAMS = {"mean": jnp.array([0.7, -0.4]), "scale": jnp.array([0.8, 1.3])}
SHIFT = jnp.array([-0.5, 1.0])


def _weighted_quadratic(params, z):
    return jnp.sum(params["weight"] * (z - SHIFT) ** 2) + params["weight"][0] * params["mean"][1]


quadratic = Problem(
    "quadratic",
    GAUSSIAN_PARAMS,
    _normal,
    lambda params, z: jnp.sum((z - SHIFT) ** 2),
    lambda params: jnp.sum((params["mean"] - SHIFT) ** 2 + params["scale"] ** 2),
)
bump = Problem(  # exp(-k z^2), a product over the coordinates
    "bump",
    GAUSSIAN_PARAMS,
    _normal,
    lambda params, z: jnp.exp(-0.5 * jnp.sum(z**2)),
    lambda params: jnp.prod(
        jnp.exp(-0.5 * params["mean"] ** 2 / (1 + params["scale"] ** 2))
        / jnp.sqrt(1 + params["scale"] ** 2)
    ),
)
cosine = Problem(  # cos(k z)
    "cosine",
    GAUSSIAN_PARAMS,
    _normal,
    lambda params, z: jnp.sum(jnp.cos(1.5 * z)),
    lambda params: jnp.sum(
        jnp.cos(1.5 * params["mean"]) * jnp.exp(-0.5 * (1.5 * params["scale"]) ** 2)
    ),
)
gaussian_inside = Problem(
    "gaussian_inside",
    {**GAUSSIAN_PARAMS, "weight": jnp.array([0.5, -1.5])},
    _normal,
    _weighted_quadratic,
    lambda params: (
        jnp.sum(params["weight"] * ((params["mean"] - SHIFT) ** 2 + params["scale"] ** 2))
        + params["weight"][0] * params["mean"][1]
    ),
)
poisson = Problem(  # E[z^2] = rate + rate^2
    "poisson",
    jnp.array([0.7, 3.0]),
    lambda rate: tfp.distributions.Independent(tfp.distributions.Poisson(rate), 1),
    lambda params, z: jnp.sum(z**2) + z[0] * z[1],
    lambda rate: jnp.sum(rate + rate**2) + rate[0] * rate[1],
)


def _enumerated(problem, states):
    """`problem` with its exact value summed over `states` (leading axis)."""
    states = jnp.asarray(states)

    def exact(params):
        values = jax.vmap(lambda z: problem.f(params, z))(states)
        return jnp.sum(jnp.exp(problem.q(params).log_prob(states)) * values)

    return problem._replace(exact=exact)


def _bits(count):
    return np.array(list(itertools.product([0, 1], repeat=count)))


def _bernoulli(logits):
    return distrax.Independent(distrax.Bernoulli(logits), 1)


def toy(target, logit=0.3):
    """Tucker et al. (2017): one Bernoulli, (b - t)^2; the gradient is (1 - 2t) p (1 - p)."""
    return Problem(
        f"toy_{target}",
        jnp.array(logit),
        distrax.Bernoulli,
        lambda params, b: (b - target) ** 2,
        lambda logit: target**2 + jax.nn.sigmoid(logit) * ((1 - target) ** 2 - target**2),
    )


_COUPLING = jnp.asarray(np.random.default_rng(0).normal(size=(8, 8)) / 4)
coupled = _enumerated(  # 8 bits that only make sense together
    Problem(
        "coupled",
        jnp.linspace(-1.5, 1.5, 8),
        _bernoulli,
        lambda params, b: (
            jnp.tanh(jnp.sum(b[:, None] * _COUPLING * b)) + jnp.prod(1.0 - 0.5 * b[:3])
        ),
        None,
    ),
    _bits(8),
)
bernoulli_inside = _enumerated(
    Problem(
        "bernoulli_inside",
        {"logits": jnp.array([0.2, -0.8, 1.1]), "weights": jnp.array([1.0, -0.5, 0.7])},
        lambda params: _bernoulli(params["logits"]),
        lambda params, b: (
            (jnp.sum(b * params["weights"]) - 0.4) ** 2
            + jnp.sum(params["logits"] * params["weights"])
        ),
        None,
    ),
    _bits(3),
)

_TABLE = jnp.asarray(np.random.default_rng(1).normal(size=(4, 4)))  # f of two latents of 4 states
_STATES = np.array(list(itertools.product(range(4), repeat=2)))
_LOGITS = jnp.asarray(np.random.default_rng(2).normal(size=(2, 4)), jnp.float32)

categorical = _enumerated(  # one latent, integer samples
    Problem(
        "categorical",
        _LOGITS[0],
        distrax.Categorical,
        lambda params, z: jnp.sum(jax.nn.one_hot(z, 4) * _TABLE[0]),
        None,
    ),
    np.arange(4),
)
one_hot = _enumerated(
    Problem(
        "one_hot",
        _LOGITS[0],
        distrax.OneHotCategorical,
        lambda params, z: jnp.sum(z * _TABLE[0]),
        None,
    ),
    np.eye(4, dtype=int),
)
categoricals = _enumerated(  # a vector of two latents of 4 states
    Problem(
        "categoricals",
        _LOGITS,
        lambda logits: distrax.Independent(distrax.Categorical(logits), 1),
        lambda params, z: jax.nn.one_hot(z[0], 4) @ _TABLE @ jax.nn.one_hot(z[1], 4),
        None,
    ),
    _STATES,
)
one_hots = _enumerated(
    Problem(
        "one_hots",
        _LOGITS,
        lambda logits: distrax.Independent(distrax.OneHotCategorical(logits), 1),
        lambda params, z: z[0] @ _TABLE @ z[1],
        None,
    ),
    np.eye(4, dtype=int)[_STATES],
)

GAUSSIAN = [quadratic, bump, cosine, gaussian_inside]
BERNOULLI = [toy(0.45), toy(0.499), coupled, bernoulli_inside]
CATEGORICAL = [categorical, categoricals]
ONE_HOT = [one_hot, one_hots]
by_name = lambda problem: getattr(problem, "name", None)  # noqa: E731  the ids of parametrize
