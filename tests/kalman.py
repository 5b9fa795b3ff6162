"""The Kalman filter in NumPy, float64: the exact likelihood and filtered latents."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np


class LinearGaussian(NamedTuple):
    """z_1 ~ N(mean, cov), z_t = A z_{t-1} + N(0, Q), x_t = C z_t + N(0, R)."""

    mean: np.ndarray
    cov: np.ndarray
    transition: np.ndarray
    transition_cov: np.ndarray
    emission: np.ndarray
    emission_cov: np.ndarray

    def sample(self, rng, time):
        z = rng.multivariate_normal(self.mean, self.cov)
        xs = []
        for _ in range(time):
            xs.append(rng.multivariate_normal(self.emission @ z, self.emission_cov))
            z = rng.multivariate_normal(self.transition @ z, self.transition_cov)
        return np.stack(xs)

    def filter(self, xs):
        """Terms log p(x_t | past), filtered means and filtered covariances."""
        mean, cov = self.mean, self.cov
        terms, means, covs = [], [], []
        for x in np.asarray(xs, np.float64):
            innovation = x - self.emission @ mean
            spread = self.emission @ cov @ self.emission.T + self.emission_cov
            _, log_det = np.linalg.slogdet(2 * np.pi * spread)
            terms.append(-0.5 * (log_det + innovation @ np.linalg.solve(spread, innovation)))
            gain = cov @ self.emission.T @ np.linalg.inv(spread)
            mean = mean + gain @ innovation
            cov = cov - gain @ self.emission @ cov
            means.append(mean)
            covs.append(cov)
            mean = self.transition @ mean
            cov = self.transition @ cov @ self.transition.T + self.transition_cov
        return np.array(terms), np.array(means), np.array(covs)

    def joint(self, time):
        """Mean and covariance of all observations at once, for checking the recursion."""
        latent_covs = [[np.zeros_like(self.cov)] * time for _ in range(time)]
        means, cov, mean = [], self.cov, self.mean
        for s in range(time):
            means.append(self.emission @ mean)
            across = cov
            for t in range(s, time):
                latent_covs[s][t] = across.T
                latent_covs[t][s] = across
                across = self.transition @ across
            mean = self.transition @ mean
            cov = self.transition @ cov @ self.transition.T + self.transition_cov
        blocks = [[self.emission @ c @ self.emission.T for c in row] for row in latent_covs]
        noise = np.kron(np.eye(time), self.emission_cov)
        return np.concatenate(means), np.block(blocks) + noise


def example():
    """Two slow latents seen through two noisy mixtures."""
    return LinearGaussian(
        mean=np.array([0.5, -0.2]),
        cov=np.diag([1.0, 0.6]),
        transition=np.array([[0.95, 0.1], [-0.1, 0.9]]),
        transition_cov=np.diag([0.1, 0.15]),
        emission=np.array([[1.0, 0.3], [0.0, 0.8]]),
        emission_cov=np.diag([1.2, 1.6]),
    )


def log_normal(x, mean, variances):
    return -0.5 * jnp.sum((x - mean) ** 2 / variances + jnp.log(2 * jnp.pi * variances))


def bootstrap(model):
    """`(step, start)` of the bootstrap filter of a model with diagonal noises, in JAX alone."""
    a, c = jnp.asarray(model.transition), jnp.asarray(model.emission)
    q, r = jnp.diag(jnp.asarray(model.transition_cov)), jnp.diag(jnp.asarray(model.emission_cov))
    start = jnp.asarray(model.mean), jnp.diag(jnp.asarray(model.cov))

    def step(key, state, x):
        mean, variances = state
        z = mean + jnp.sqrt(variances) * jax.random.normal(key, mean.shape)
        # Sums, which no accelerator rounds.
        ahead, seen = (jnp.sum(matrix * z, axis=1) for matrix in (a, c))
        return (ahead, q), z, log_normal(x, seen, r)

    return step, start
