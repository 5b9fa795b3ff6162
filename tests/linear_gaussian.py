"""z ~ N(0, I), x|z ~ N(Wz + b, s²I): everything about it is known exactly."""

from typing import NamedTuple

import distrax
import jax
import jax.numpy as jnp
import numpy as np
from scipy import stats


class LinearGaussian(NamedTuple):
    weights: jax.Array
    bias: jax.Array
    scale: float

    @property
    def prior(self):
        return distrax.Independent(distrax.Normal(jnp.zeros(self.weights.shape[1]), 1.0), 1)

    def log_likelihood(self, x, z):
        # A sum, which no accelerator rounds: it is compared with what is exact.
        mean = jnp.sum(self.weights * z, axis=1) + self.bias
        p = distrax.Normal(mean, self.scale)
        return p.log_prob(x).sum()

    def log_joint(self, x, z):
        return self.log_likelihood(x, z) + self.prior.log_prob(z)

    def log_marginal(self, x):
        weights = np.asarray(self.weights, np.float64)
        cov = weights @ weights.T + self.scale**2 * np.eye(len(weights))
        return stats.multivariate_normal(np.asarray(self.bias, np.float64), cov).logpdf(
            np.asarray(x)
        )

    def posterior(self, x):
        """Mean and covariance of p(z|x)."""
        weights = np.asarray(self.weights, np.float64)
        precision = np.eye(weights.shape[1]) + weights.T @ weights / self.scale**2
        cov = np.linalg.inv(precision)
        return cov @ weights.T @ (np.asarray(x) - np.asarray(self.bias)) / self.scale**2, cov

    def elbo_terms(self, x, mean, scale):
        """E_q log p(x|z) and KL(q || prior) for q = N(mean, diag(scale²)), by hand."""
        weights = np.asarray(self.weights, np.float64)
        residual = np.asarray(x) - np.asarray(self.bias) - weights @ np.asarray(mean)
        spread = np.sum(weights**2 @ np.asarray(scale, np.float64) ** 2)
        dims = len(weights)
        reconstruction = -0.5 * (
            dims * np.log(2 * np.pi * self.scale**2)
            + (residual @ residual + spread) / self.scale**2
        )
        mean, variance = np.asarray(mean, np.float64), np.asarray(scale, np.float64) ** 2
        return reconstruction, 0.5 * np.sum(mean**2 + variance - 1 - np.log(variance))


def example(latents=2, dims=3):
    """One fixed model and one datapoint."""
    rng = np.random.default_rng(7)
    model = LinearGaussian(
        jnp.asarray(rng.normal(size=(dims, latents)), jnp.float32),
        jnp.asarray(rng.normal(size=dims), jnp.float32),
        0.8,
    )
    return model, jnp.asarray(rng.normal(size=dims), jnp.float32)
