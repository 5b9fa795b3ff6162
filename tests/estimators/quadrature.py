"""Exact moments of an estimator on one latent: its noise is set to the nodes of a quadrature."""

from unittest import mock

import distrax
import jax
import jax.numpy as jnp
import numpy as np
import problems


class Replay(distrax.Normal):
    """A normal whose noise is given; a sample without a shape takes the first of it."""

    def __init__(self, noise, loc, scale):
        super().__init__(loc, scale)
        self.noise = noise

    def sample(self, *, seed, sample_shape=()):
        noise = self.noise.reshape(sample_shape) if sample_shape else self.noise.reshape(-1)[0]
        return self.loc + self.scale * noise


def nodes(*breaks, count=64):
    """(u, weights): Gauss-Legendre on (0, 1), piece by piece between where the integrand jumps."""
    points, weights = np.polynomial.legendre.leggauss(count)
    edges = np.unique([0.0, *breaks, 1.0])
    starts, widths = edges[:-1, None], np.diff(edges)[:, None]
    return (starts + widths * (points + 1) / 2).ravel(), (widths * weights / 2).ravel()


def with_uniform(u, run):
    """What `run()` gives when every uniform drawn is u, and all other noise is made of it."""

    def uniform(key, shape=(), dtype=float):
        return jnp.broadcast_to(jnp.asarray(u, dtype), shape)

    def logistic(key, shape=(), dtype=float):
        return jax.scipy.special.logit(uniform(key, shape, dtype))

    def gumbel(key, shape=(), dtype=float):
        return -jnp.log(-jnp.log(uniform(key, shape, dtype)))

    with mock.patch.multiple(jax.random, uniform=uniform, logistic=logistic, gumbel=gumbel):
        return run()


def gradients_at(u, estimator, problem, state=()):
    """[nodes, params]: the gradient at each u: a number, or an array of the shape of the logits."""
    key = jax.random.key(0)
    one = problems.gradient(estimator, problem, state)
    return jax.jit(jax.vmap(lambda u: with_uniform(u, lambda: one(key))))(jnp.asarray(u))


def moments(estimator, problem, state=(), breaks=(), count=64):
    """(mean, variance) of the gradient of a problem of one latent, by quadrature in its uniform."""
    u, weights = nodes(*breaks, count=count)
    grads = np.asarray(gradients_at(u, estimator, problem, state), np.float64)
    mean = weights @ grads
    return mean, weights @ (grads - mean) ** 2
