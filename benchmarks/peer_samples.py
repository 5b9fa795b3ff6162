"""Jobs of comparing two sets of samples: a permutation test, manifolds, Gaussian moments."""

from __future__ import annotations

import contextlib
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.peer_job import Call, Job
from benchmarks.timing import torch_on_the_same_device
from jaxgen.divergences import rbf
from jaxgen.metrics import frechet_distance, precision_recall
from jaxgen.two_sample import mmd_permutation_test

TESTED, PERMUTATIONS, BANDWIDTH = (1000, 10), 1000, 3.0
FEATURES = (5000, 512)
COUNTED, NEIGHBORS = (5000, 64), 5


def two_sets(shape: tuple[int, int], apart: float) -> tuple[np.ndarray, np.ndarray]:
    """Returns two sets of normal vectors in float32, the second shifted along the diagonal."""
    rng = np.random.default_rng(0)
    xs, ys = rng.normal(size=(2, *shape)).astype(np.float32)
    return xs, ys + np.float32(apart / np.sqrt(shape[1]))


def jaxgen_test() -> Call:
    """The library's test, its kernel of a fixed bandwidth."""
    xs, ys = map(jnp.asarray, two_sets(TESTED, 0.15))
    kernel = rbf(BANDWIDTH)

    def call(index: int) -> float:
        key = jax.random.key(index)
        return float(mmd_permutation_test(key, xs, ys, kernel, PERMUTATIONS).p_value)

    return call


def numpy_test() -> Call:
    """The same at NumPy's best: one Gram matrix, and all permutations in one product of BLAS."""
    xs, ys = two_sets(TESTED, 0.15)
    n = len(xs)
    labels = np.repeat(np.array([1, -1], np.float32), n)

    def call(index: int) -> float:
        pooled = np.concatenate([xs, ys])
        norms = np.sum(pooled**2, axis=1)
        squares = norms[:, None] + norms - 2 * pooled @ pooled.T
        gram = np.exp(squares / (-2 * BANDWIDTH**2))
        np.fill_diagonal(gram, 0)
        rng = np.random.default_rng(index)
        signs = rng.permuted(np.tile(labels, (PERMUTATIONS + 1, 1)), axis=1).T
        signs[:, 0] = labels
        products = gram @ signs
        both = np.sum(signs * products, axis=0)  # of equal labels, less of different ones
        pairs, total = n * (n - 1), gram.sum()
        statistics = (both + total) / 2 / pairs - (total - both) / 2 / n**2
        return (1 + np.sum(statistics[1:] >= statistics[0])) / (1 + PERMUTATIONS)

    return call


def jaxgen_manifolds() -> Call:
    """The library's precision, recall, density and coverage."""
    reals, fakes = map(jnp.asarray, two_sets(COUNTED, 1.0))
    return lambda index: float(sum(precision_recall(reals, fakes, NEIGHBORS)))


def prdc_manifolds() -> Call:
    """Those of the package of Naeem et al. (2020)."""
    from prdc import compute_prdc

    reals, fakes = two_sets(COUNTED, 1.0)

    def call(index: int) -> float:
        with contextlib.redirect_stdout(None):  # it prints how many there are
            return float(sum(compute_prdc(reals, fakes, NEIGHBORS).values()))

    return call


def jaxgen_frechet() -> Call:
    """The library's distance, by QR and the singular values of a product of factors."""
    reals, fakes = map(jnp.asarray, two_sets(FEATURES, 1.0))
    compiled = jax.jit(lambda reals, fakes: frechet_distance(reals, fakes).value)
    return lambda index: float(compiled(reals, fakes))


def root_frechet() -> Call:
    """As the packages of FID do it: covariances in float64, SciPy's root of their product."""
    from scipy.linalg import sqrtm

    reals, fakes = two_sets(FEATURES, 1.0)

    def call(index: int) -> float:
        (m, s), (n, t) = (
            (x.mean(axis=0), np.cov(x.astype(np.float64), rowvar=False)) for x in (reals, fakes)
        )
        root = np.real(np.asarray(sqrtm(s @ t)))
        return float(np.sum((m - n) ** 2) + np.trace(s) + np.trace(t) - 2 * np.trace(root))

    return call


def eigenvalue_frechet(dtype: str) -> Call:
    """As torchmetrics does it, in float64: PyTorch's eigenvalues of the covariances' product."""
    import torch

    torch_on_the_same_device()
    reals, fakes = (torch.tensor(x, dtype=getattr(torch, dtype)) for x in two_sets(FEATURES, 1.0))

    def call(index: int) -> float:
        (m, s), (n, t) = ((x.mean(0), torch.cov(x.T)) for x in (reals, fakes))
        overlap = torch.linalg.eigvals(s @ t).sqrt().real.sum()
        return float((m - n).square().sum() + s.trace() + t.trace() - 2 * overlap)

    return call


SAMPLE_JOBS = {
    "MMD test": Job(
        f"two sets of {TESTED[0]:,} in {TESTED[1]} dimensions, {PERMUTATIONS:,} permutations",
        "p-value",
        0.02,
        jaxgen_test,
        {
            "NumPy, one product": (("numpy",), numpy_test),
        },
    ),
    "precision to coverage": Job(
        f"two sets of {COUNTED[0]:,} in {COUNTED[1]} dimensions, {NEIGHBORS} neighbors",
        "sum of the four",
        1e-2,
        jaxgen_manifolds,
        {"prdc": (("prdc", "sklearn"), prdc_manifolds)},
    ),
    "Fréchet distance": Job(
        f"two sets of {FEATURES[0]:,} in {FEATURES[1]} dimensions",
        "the distance",
        1e-2,
        jaxgen_frechet,
        {
            "SciPy's sqrtm, float64": (("scipy",), root_frechet),
            "PyTorch's eigvals, float64": (("torch",), partial(eigenvalue_frechet, "float64")),
            "PyTorch's eigvals, float32": (("torch",), partial(eigenvalue_frechet, "float32")),
        },
    ),
}
"""By name."""
