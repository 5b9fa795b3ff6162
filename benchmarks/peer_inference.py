"""Jobs of inference: a particle filter, EM, and an importance-sampled likelihood."""

from __future__ import annotations

import warnings
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from benchmarks.peer_job import Call, Job
from benchmarks.timing import torch_on_the_same_device
from jaxgen.inference import em, smc
from jaxgen.metrics import log_marginal
from jaxgen.models import (
    LIKELIHOODS,
    FullGaussian,
    Mixture,
    full_gaussian,
    gaussian_vae,
    mixture_steps,
    observe,
)
from jaxgen.nets import MLP
from jaxgen.types import Key, Scalar

STEPS, PARTICLES = 500, 10_000
LEVEL, PERSISTENCE, SPREAD = -1.0, 0.95, 0.3
POINTS, DIMS, COMPONENTS, ROUNDS = 20_000, 16, 8, 20
IMAGES, SAMPLES, CHUNK = 50, 1000, 100
PIXELS, HIDDEN, LATENTS = 784, 200, 20


def returns() -> np.ndarray:
    """Returns observations of the stochastic volatility model."""
    rng = np.random.default_rng(0)
    h, ys = LEVEL, []
    for _ in range(STEPS):
        h = LEVEL + PERSISTENCE * (h - LEVEL) + SPREAD * rng.normal()
        ys.append(np.exp(h / 2) * rng.normal())
    return np.array(ys, np.float32)


def jaxgen_filter() -> Call:
    """The library's bootstrap filter, systematic resampling below half the particles."""
    stationary = SPREAD / np.sqrt(1 - PERSISTENCE**2)
    scales = jnp.full(STEPS, SPREAD).at[0].set(stationary)

    def step(key: Key, h: Array, x: Any) -> tuple[Array, tuple, Scalar]:
        scale, y = x
        h = LEVEL + PERSISTENCE * (h - LEVEL) + scale * jax.random.normal(key)
        return h, (), jax.scipy.stats.norm.logpdf(y, 0.0, jnp.exp(h / 2))

    @jax.jit
    def log_likelihood(key: Key, ys: Array) -> Scalar:
        return smc(key, step, jnp.float32(LEVEL), (scales, ys), PARTICLES).log_likelihood

    ys = jnp.asarray(returns())
    return lambda index: float(log_likelihood(jax.random.key(index), ys))


def particles_filter() -> Call:
    """That of Chopin & Papaspiliopoulos's package, which computes in float64."""
    import particles
    from particles import state_space_models

    ys = returns().astype(np.float64)
    model = state_space_models.StochVol(mu=LEVEL, rho=PERSISTENCE, sigma=SPREAD)

    def call(index: int) -> float:
        np.random.seed(index)  # noqa: NPY002, the only source that the package draws from
        bootstrap = state_space_models.Bootstrap(ssm=model, data=ys)
        options = {"resampling": "systematic", "ESSrmin": 0.5}
        filtered = particles.SMC(fk=bootstrap, N=PARTICLES, collect="off", **options)
        filtered.run()
        return float(filtered.logLt)

    return call


def clusters() -> tuple[np.ndarray, np.ndarray]:
    """Returns datapoints of overlapping clusters, and means to start from."""
    rng = np.random.default_rng(0)
    means = 1.5 * rng.normal(size=(COMPONENTS, DIMS))
    mixing = rng.normal(size=(COMPONENTS, DIMS, DIMS)) / np.sqrt(DIMS)
    labels = rng.integers(COMPONENTS, size=POINTS)
    noise = rng.normal(size=(POINTS, DIMS))
    xs = means[labels] + np.einsum("nij,nj->ni", mixing[labels], noise)
    return xs.astype(np.float32), xs[:COMPONENTS].astype(np.float32)


def jaxgen_em() -> Call:
    """The library's EM, with the bound after every half of a step."""
    xs, means = map(jnp.asarray, clusters())
    identities = jnp.tile(jnp.eye(DIMS), (COMPONENTS, 1, 1))
    start = Mixture(jnp.full(COMPONENTS, -jnp.log(COMPONENTS)), FullGaussian(means, identities))

    @jax.jit
    def bounds(xs: Array, start: Mixture) -> tuple[Array, Array]:
        result = em(mixture_steps(full_gaussian(), xs), start, ROUNDS)
        return result.after_e_step, result.after_m_step

    return lambda index: float(jax.device_get(bounds(xs, start))[0][-1])


def sklearn_em() -> Call:
    """Scikit-learn's, as many steps from the same start, in float32 as ours."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import GaussianMixture

    xs, means = clusters()
    start = {
        "weights_init": np.full(COMPONENTS, 1 / COMPONENTS, np.float32),
        "means_init": means,
        "precisions_init": np.tile(np.eye(DIMS, dtype=np.float32), (COMPONENTS, 1, 1)),
    }

    def call(index: int) -> float:
        mixture = GaussianMixture(COMPONENTS, tol=0, reg_covar=0, max_iter=ROUNDS, **start)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            return float(mixture.fit(xs).lower_bound_)

    return call


_MODEL = gaussian_vae(
    MLP((HIDDEN,), (2, LATENTS), nn.relu),
    MLP((HIDDEN,), (PIXELS, 1), nn.relu),
    LIKELIHOODS["bernoulli"].distribution,
    latent_size=LATENTS,
    x_shape=(PIXELS,),
)


def _images() -> np.ndarray:
    return (np.random.default_rng(0).random((IMAGES, PIXELS)) < 0.2).astype(np.float32)


def jaxgen_likelihood() -> Call:
    """The library's estimate, image by image under `vmap`."""
    params = _MODEL.init(jax.random.key(0))

    @jax.jit
    def mean(params: Any, key: Key, images: Array) -> Scalar:
        def one(key: Key, x: Array) -> Scalar:
            at = observe(_MODEL, params, x)
            return log_marginal(key, at.log_joint, at.q, SAMPLES, chunk_size=CHUNK)

        return jnp.mean(jax.vmap(one)(jax.random.split(key, len(images)), images))

    images = jnp.asarray(_images())
    return lambda index: float(mean(params, jax.random.key(index), images))


def torch_likelihood() -> Call:
    """PyTorch, without a graph, the same chunks of samples of all images."""
    import torch
    from torch.nn.functional import binary_cross_entropy_with_logits, linear

    torch_on_the_same_device()
    params = jax.tree.map(lambda leaf: torch.tensor(np.array(leaf)), _MODEL.init(jax.random.key(0)))
    x = torch.tensor(_images())

    def net(side: Any, inputs: Any) -> Any:
        of = side["params"]
        hidden = torch.relu(linear(inputs, of["Dense_0"]["kernel"].T, of["Dense_0"]["bias"]))
        return linear(hidden, of["Dense_1"]["kernel"].T, of["output_bias"].flatten())

    @torch.inference_mode()
    def call(index: int) -> float:
        torch.manual_seed(index)
        mean, log_scale = net(params["encoder"], x).chunk(2, dim=-1)
        weights = []
        for _ in range(SAMPLES // CHUNK):
            noise = torch.randn(CHUNK, IMAGES, LATENTS)
            z = mean + log_scale.exp() * noise
            logits = net(params["decoder"], z)
            pixels = binary_cross_entropy_with_logits(
                logits, x.expand_as(logits), reduction="none"
            ).sum(-1)
            # log p(z) - log q(z|x); the constants cancel
            weights.append(((noise**2 - z**2) / 2 + log_scale).sum(-1) - pixels)
        return float(torch.logsumexp(torch.cat(weights), 0).mean() - np.log(SAMPLES))

    return call


INFERENCE_JOBS = {
    "particle filter": Job(
        f"stochastic volatility, {STEPS} steps of {PARTICLES:,} particles",
        "log likelihood, nats",
        0.2,
        jaxgen_filter,
        {"particles, float64": (("particles",), particles_filter)},
    ),
    "EM": Job(
        f"{COMPONENTS} full Gaussians on {POINTS:,} points in {DIMS} dimensions, {ROUNDS} steps",
        "bound, nats",
        1e-4,
        jaxgen_em,
        {"scikit-learn": (("sklearn",), sklearn_em)},
    ),
    "importance-sampled NLL": Job(
        f"a VAE of {HIDDEN} hidden units, {IMAGES} images of {PIXELS} bits, {SAMPLES:,} samples",
        "log p(x), nats",
        0.1,
        jaxgen_likelihood,
        {"torch": (("torch",), torch_likelihood)},
    ),
}
"""By name."""
