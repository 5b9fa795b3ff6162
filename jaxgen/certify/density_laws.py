"""The laws that a density is checked for, each with its numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from jaxgen.certify.bijector_laws import bijector_errors
from jaxgen.certify.dependence import dependence
from jaxgen.certify.finding import Finding
from jaxgen.certify.quadrature import Cells, Chart, count_within, integrate
from jaxgen.certify.sampling_law import goodness_of_fit, stationarity
from jaxgen.certify.scored import Scored
from jaxgen.models import Density
from jaxgen.types import Key, Params

Values: TypeAlias = Sequence[float | int] | np.ndarray
Bounds: TypeAlias = tuple[float | int, float | int]

TOLERANCE = 2e-3
"""Of a sum or integral that should be one, and of the same number computed in two ways."""
MAX_EVENTS = 2**16
MAX_CELLS = 2**15
HINTS = 2000
"""Draws that only tell the quadrature where the modes are."""


def scores(p: Scored, xs: np.ndarray, told: np.ndarray) -> Iterator[Finding]:
    """Yields what is asked of every log probability."""
    scores = p.log_prob(xs)
    wide = jnp.finfo(p.dtype).bits >= 32
    yield Finding("float32 at least", wide, f"got {p.dtype}")
    lowest, wrong = scores.min(), int(np.sum(~np.isfinite(scores)))
    yield Finding(
        "finite log prob", not wrong, f"{wrong} of {len(xs)} draws are not ({lowest:.6g})"
    )
    wrong, far_wrong = p.wrong_gradients(xs[:16])
    yield Finding("finite gradients", not wrong, f"{wrong} of 16 draws' are not")
    yield Finding("no NaN far out", not far_wrong, f"{far_wrong} of 16 points far from the draws")
    gap = np.max(np.abs(told - scores) / np.maximum(1, np.abs(scores)))
    agreed = f"differ by {gap:.2g} relative, expected at most {TOLERANCE:g}"
    yield Finding("log prob while drawing and afterwards", bool(gap <= TOLERANCE), agreed)


def support(xs: np.ndarray, values: Values | None, bounds: Bounds | None) -> Finding:
    """Returns whether the draws are where they may be."""
    if values is not None:
        inside = np.min([np.abs(xs - value) for value in values], axis=0) <= 1e-5
    elif bounds is not None:
        inside = (xs >= bounds[0]) & (xs <= bounds[1])
    else:
        inside = np.isfinite(xs)
    where = f"{values[:4]}..." if values is not None else bounds or "the reals"
    return Finding(
        "support", bool(inside.all()), f"{1 - inside.mean():.2g} of entries not in {where}"
    )


def sampling(
    p: Scored,
    xs: np.ndarray,
    key: Key,
    values: Values | None,
    bounds: Bounds | None,
    false_alarm: float,
) -> Iterator[Finding]:
    """Yields whether the mass is one, where it can be found, and whether the draws follow it."""
    size = xs[0].size
    tested = xs[HINTS:]
    if values is not None and len(values) ** size <= MAX_EVENTS:
        levels = np.asarray(values)
        indices = np.indices((len(values),) * size).reshape(size, -1).T
        events = levels[indices].reshape(-1, *xs.shape[1:])
        masses, error = np.exp(p.log_prob(events)), 0.0
        nearest = np.abs(tested.reshape(len(tested), size, 1) - levels).argmin(axis=-1)
        which = np.ravel_multi_index(tuple(nearest.T), (len(values),) * size) if size else []
        counts = np.bincount(which, minlength=len(events))
        law = f"the sum over {len(events)} events"
    elif values is None and 1 <= size <= 2:
        cells, chart = _cells(p, xs[:HINTS].reshape(HINTS, size), bounds)
        masses, error = cells.masses, cells.errors.sum()
        counts = count_within(cells, chart, tested.reshape(-1, size))
        law = f"the integral over {len(masses)} cells"
    else:
        p_value = stationarity(p.log_prob, *_move(key, tested, values, bounds))
        law = "draws stay so under a Metropolis move"
        taken = len(np.unique(tested))
        if values is None and taken < len(tested):  # ties, which draws of a density do not have
            law += f" (entries take {taken} values alone: pass them as values=... if p is a mass)"
        yield _follows(law, p_value, false_alarm)
        return
    total = masses.sum()
    whole = bool(abs(total - 1) <= TOLERANCE and error <= 5 * TOLERANCE)
    expected = f"expected 1 within {TOLERANCE:g}"
    yield Finding("normalization", whole, f"{law} is {total:.5g} (error {error:.1g}), {expected}")
    if total > 0:
        yield _follows("draws follow it", goodness_of_fit(counts, masses), false_alarm)


def _follows(law: str, p_value: float, false_alarm: float) -> Finding:
    found = f"p-value {p_value:.3g}, expected at least {false_alarm:g}"
    return Finding(f"sampling, {law}", p_value >= false_alarm, found)


def _cells(p: Scored, hints: np.ndarray, bounds: Bounds | None) -> tuple[Cells, Chart]:
    if bounds is None:
        low, middle, high = np.quantile(hints, [0.1, 0.5, 0.9], axis=0)
        chart = Chart(middle, np.maximum(high - low, 1e-6) / 2, bounded=False)
    else:
        ends = np.broadcast_to(np.asarray(bounds, np.float64)[:, None], (2, hints.shape[1]))
        chart = Chart(ends[0], ends[1] - ends[0], bounded=True)
    cells = integrate(p.log_prob, chart, hints, tolerance=TOLERANCE, max_cells=MAX_CELLS)
    return cells, chart


def _move(
    key: Key,
    xs: np.ndarray,
    values: Values | None,
    bounds: Bounds | None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns the draws, a symmetric proposal at each, and what it is accepted by."""
    rng = np.random.default_rng(np.asarray(jax.random.bits(key, (4,), np.uint32)))
    flat = xs.reshape(len(xs), -1)
    if values is not None:
        proposed = flat.copy()
        entries = rng.integers(flat.shape[1], size=len(flat))
        proposed[np.arange(len(flat)), entries] = rng.choice(values, size=len(flat))
    else:
        # Half of the steps of the best length for a normal law, half shorter, for narrow modes.
        exponents = np.where(rng.uniform(size=len(flat)) < 0.5, 0.3, rng.uniform(-3, 0, len(flat)))
        steps = 10 ** exponents[:, None] / np.sqrt(flat.shape[1])
        proposed = flat + steps * flat.std(axis=0) * rng.normal(size=flat.shape)
        if bounds is not None:
            proposed = np.where(_inside(proposed, bounds), proposed, flat)  # a refused move
    return xs, proposed.reshape(xs.shape), rng.uniform(size=len(xs))


def _inside(flat: np.ndarray, bounds: Bounds) -> np.ndarray:
    return np.all((flat > bounds[0]) & (flat < bounds[1]), axis=1, keepdims=True)


def causality(density: Density, params: Params, context: Any, x: np.ndarray, order: Any) -> Finding:
    """Returns whether what `conditionals` say of an entry leaves out it and what comes after."""

    def says(params: Params, x: Array) -> Any:
        p: Any = density.distribution(params, context)
        return p.conditionals(x)

    depends = dependence(says, params, jnp.asarray(x))
    rank = np.arange(x.size) if order is None else np.asarray(order).reshape(-1)
    earlier = rank[None, :] < rank[:, None]
    leaks = np.argwhere(depends & ~earlier)
    found = f"{len(leaks)} leaks" + "".join(f", entry {i} sees {j}" for i, j in leaks[:3])
    seen = np.sum(depends & earlier) / max(1, earlier.sum())
    return Finding("causality", not len(leaks), f"{found}; {seen:.0%} of the earlier entries seen")


def determinants(density: Density, params: Params, context: Any, key: Key) -> Iterator[Finding]:
    """Yields the laws of the bijector, at draws of the base."""

    def errors(params: Params, key: Key) -> Any:
        p: Any = density.distribution(params, context)
        return bijector_errors(p.bijector, p.distribution.sample(seed=key, sample_shape=(4,)))

    for law, error in jax.jit(errors)(params, jax.random.fold_in(key, 1))._asdict().items():
        found = f"off by {float(error):.2g}, expected at most {5 * TOLERANCE:g}"
        yield Finding(law.replace("_", " "), bool(error <= 5 * TOLERANCE), found)
