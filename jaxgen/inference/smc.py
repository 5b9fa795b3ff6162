"""Sequential Monte Carlo: weighted particles through time, and an unbiased likelihood."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from jaxgen.array_checks import arrays
from jaxgen.checks import at_least
from jaxgen.inference.made_once import made_once
from jaxgen.inference.resampling import Resampling, systematic
from jaxgen.inference.schedules import Schedule, ess_below
from jaxgen.numerics import effective_sample_size
from jaxgen.types import Key, Scalar

Step: TypeAlias = Callable[[Key, Any, Any], tuple[Any, Any, Scalar]]
"""`(key, state, x) -> (state, sample, log_weight)`, for one particle at one time.

Draws from the proposal and returns what the next step needs, what to record (the latent, say), and
log p(z_t, x_t | past) - log q(z_t | past, x_t), in nats.
"""

UnobservedStep: TypeAlias = Callable[[Key, Any], tuple[Any, Any]]
"""`(key, state) -> (state, sample)`, for one particle at a time whose x nobody saw.

Draws from the model itself, so that its weight is one.
"""

_HALF = ess_below(0.5)


class SMCResult(NamedTuple):
    """One sequence's particles and what became of them. A masked step changes nothing.

    One that was not observed moves the particles and leaves their weights as they are.

    Attributes:
      log_likelihood: log Z-hat, in nats; E[Z-hat] is p(x_1, ..., x_T).
      log_increments: its terms, estimates of log p(x_t | x_1, ..., x_{t-1}) in nats; zero where
        masked or not observed.
      states: of the particles after the last step.
      samples: what each particle's step recorded, with axes [time, particles, ...]; zero where
        masked.
      log_weights: after each step, normalized: exp of them sums to one over the particles.
      ess: effective sample size after each step; zero where all weights are.
      ancestors: the particle at the step before that each particle continues.
      resampled: whether they were drawn, or each particle is its own ancestor.
      log_ancestor_probs: log probability of the ancestors given the weights, in nats, with its
        gradient; zero where they were not drawn, None if the scheme has no such score.
      alive: whether any weight was above zero. After a step without, log_likelihood is -inf and the
        particles go on with equal weights.
      all_finite: whether log_likelihood is finite. If it is not and every step was alive, some
        weight was NaN or infinite.
    Example:
      >>> step = lambda key, state, x: (state, state, -(x**2))  # nothing moves, all weigh alike
      >>> result = smc(jax.random.key(0), step, jnp.zeros(()), jnp.array([1.0, 2.0]), 4)
      >>> result.log_likelihood, result.ess
      (Array(-5., dtype=float32), Array([4., 4.], dtype=float32))
    """

    log_likelihood: Scalar
    log_increments: Float[Array, "time"]
    states: Any
    samples: Any
    log_weights: Float[Array, "time particles"]
    ess: Float[Array, "time"]
    ancestors: Int[Array, "time particles"]
    resampled: Bool[Array, "time"]
    log_ancestor_probs: Float[Array, "time"] | None
    alive: Bool[Array, "time"]
    all_finite: Bool[Array, ""]


def smc(
    key: Key,
    step: Step,
    start: Any,
    xs: Any,
    num_particles: int,
    *,
    resampling: Resampling = systematic,
    when: Schedule = _HALF,
    mask: Array | None = None,
    observed: Array | None = None,
    unobserved_step: UnobservedStep | None = None,
) -> SMCResult:
    """Returns the particles' estimate of one sequence's likelihood and of its latents.

    E[Z-hat] = p(xs) for any proposal that covers the posterior, any of the resampling schemes and
    any schedule; so E[log Z-hat] is a lower bound of log p(xs). Differentiable along the samples if
    the proposals are reparameterized; the choice of ancestors has no gradient here (see
    `log_ancestor_probs`). Batch it with `vmap` over keys, sequences and masks.

    Args:
      step: moves one particle and weighs the move.
      start: the state before the first step, common to all particles.
      xs: a pytree of arrays with a common leading axis of time.
      num_particles: K.
      resampling: how ancestors are drawn, before a step.
      when: whether they are, given the weights; `never` makes it importance sampling.
      mask: one boolean per step, which steps exist, for sequences of different length in one batch.
        Time stands still at the others: for what was missed in mid-sequence see `observed`.
      observed: one boolean per step, which x_t were seen. Time goes on at the others.
      unobserved_step: moves one particle there, in the place of `step`. What stands in `xs` at a
        step that is masked or not observed has no effect, on the gradient either, be it NaN.
    Raises:
      ValueError: num_particles is below one; xs has no steps, or no common time axis; mask or
        observed is not one boolean per step; one of observed and unobserved_step comes without the
        other; step does not return one number as its log weight.
    Example:
      >>> def step(key, z, x):  # bootstrap proposal of a random walk seen in noise
      ...     z = z + jax.random.normal(key)
      ...     return z, z, jax.scipy.stats.norm.logpdf(x, z)
      >>> xs = jnp.array([1.0, 2.0, 3.0])
      >>> result = smc(jax.random.key(0), step, jnp.zeros(()), xs, 100)
      >>> filtered_mean = jnp.sum(jnp.exp(result.log_weights) * result.samples, axis=1)
    Source: Doucet & Johansen (2011), section 3.5.
    """
    num_particles = at_least("num_particles", num_particles, 1)
    arrays("xs", xs)
    time, xs = _length(xs), jax.tree.map(jnp.asarray, xs)
    arrays("start", start)
    if (observed is None) != (unobserved_step is None):
        raise ValueError(
            f"unobserved_step: got {unobserved_step!r} with observed {observed!r}, expected both "
            "or neither: it moves the particles where observed is False"
        )
    mask, seen = _per_step("mask", mask, time), _per_step("observed", observed, time)
    seen = mask & seen
    key_ancestors, key_moves = jax.random.split(key)
    known = jax.tree.map(
        lambda leaf: jnp.where(jnp.any(seen), leaf[jnp.argmax(seen)], jnp.zeros_like(leaf[0])), xs
    )
    log_uniform = -jnp.log(float(num_particles))

    states = jax.tree.map(
        lambda leaf: jnp.broadcast_to(leaf, (num_particles, *jnp.shape(leaf))), start
    )
    body = made_once(_one_time_step, step, resampling, when, unobserved_step)
    fixed = (key_ancestors, key_moves, known, log_uniform)
    carry = (fixed, states, jnp.full(num_particles, log_uniform, float))
    (_, states, _), history = jax.lax.scan(body, carry, (jnp.arange(time), xs, mask, seen))
    log_likelihood = jnp.sum(history["log_increments"])
    return SMCResult(
        log_likelihood=log_likelihood,
        states=states,
        all_finite=jnp.isfinite(log_likelihood),
        **history,
    )


def _one_time_step(
    step: Step, resampling: Resampling, when: Schedule, unobserved_step: UnobservedStep | None
) -> Callable[[tuple, tuple[Array, Any, Array, Array]], tuple[tuple, dict[str, Any]]]:
    def body(carry: tuple, inputs: tuple[Array, Any, Array, Array]) -> tuple[tuple, dict]:
        fixed, states, log_weights = carry
        key_ancestors, key_moves, known, log_uniform = fixed
        t, x, exists, is_seen = inputs
        num_particles = len(log_weights)
        # A gradient must not meet what the padding holds: zero times NaN is NaN.
        x = _where(is_seen, x, known)

        resampled = exists & (t > 0) & when(log_weights)
        drawn = resampling.sample(jax.random.fold_in(key_ancestors, t), log_weights)
        ancestors = jnp.where(resampled, drawn, jnp.arange(num_particles))
        log_ancestor_prob = None
        if resampling.log_prob is not None:
            log_ancestor_prob = jnp.where(resampled, resampling.log_prob(log_weights, drawn), 0.0)
        parents = jax.tree.map(lambda leaf: leaf[ancestors], states)
        log_weights = jnp.where(resampled, log_uniform, log_weights)

        # Keys by the number of the step: padding leaves the draws before it as they are.
        keys = jax.random.split(jax.random.fold_in(key_moves, t), num_particles)
        moved, samples, log_ratios = jax.vmap(step, (0, 0, None))(keys, parents, x)
        if log_ratios.shape != (num_particles,):
            raise ValueError(
                f"step: got a log weight of shape {log_ratios.shape[1:]}, expected one number "
                "(shape ()); is a distribution over vectors lacking distrax.Independent?"
            )
        if unobserved_step is not None:
            unseen = jax.vmap(unobserved_step)(jax.random.clone(keys), parents)
            moved, samples = _where(is_seen, (moved, samples), unseen)
            log_ratios = jnp.where(is_seen, log_ratios, 0.0)
        unnormalized = log_weights + log_ratios
        normalized, log_increment, alive = _normalize(unnormalized)
        ess = effective_sample_size(jnp.where(exists, unnormalized, log_weights))
        log_weights = jnp.where(exists, normalized, log_weights)
        history = {
            "log_increments": jnp.where(is_seen, log_increment, 0.0),
            "samples": _where(exists, samples, jax.tree.map(jnp.zeros_like, samples)),
            "log_weights": log_weights,
            "ess": jax.lax.stop_gradient(ess),
            "ancestors": ancestors,
            "resampled": resampled,
            "log_ancestor_probs": log_ancestor_prob,
            "alive": alive | ~exists,
        }
        return (fixed, _where(exists, moved, parents), log_weights), history

    return body


def _per_step(name: str, flags: Array | None, time: int) -> Bool[Array, "time"]:
    flags = jnp.ones(time, bool) if flags is None else jnp.asarray(flags)
    if flags.shape != (time,) or flags.dtype != jnp.bool_:
        raise ValueError(
            f"{name}: got {flags.dtype} of shape {flags.shape}, expected bool of shape {(time,)}, "
            "one per step of xs"
        )
    return flags


def _normalize(log_weights: Array) -> tuple[Array, Array, Array]:
    """The normalized log weights (equal ones if all are -inf), log of their sum, and if not all."""
    alive = ~jnp.all(log_weights == -jnp.inf)
    safe = jnp.where(alive, log_weights, 0.0)
    total = jax.nn.logsumexp(safe)
    return safe - total, jnp.where(alive, total, -jnp.inf), alive


def _where(condition: Array, yes: Any, no: Any) -> Any:
    return jax.tree.map(lambda a, b: jnp.where(condition, a, b), yes, no)


def _length(xs: Any) -> int:
    """The number of steps, from the leading axis that all arrays of `xs` share."""
    shapes = [jnp.shape(leaf) for leaf in jax.tree.leaves(xs)]
    lengths = {shape[:1] for shape in shapes}
    if len(lengths) != 1 or () in lengths or (0,) in lengths:
        raise ValueError(
            f"xs: got shapes {shapes}, expected arrays with a common time axis of one step or more"
        )
    return shapes[0][0]
