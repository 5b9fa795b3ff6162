"""How long do 1,000 independent gradients of a belief network's encoder take, beside PyTorch?

200 Bernoulli latents, 784 binary pixels, affine both ways, a batch of 50, RLOO with two samples,
float32; the moments of all 1,000 gradients are accumulated. On both sides the encoder runs once
for the draws of a chunk, f is never differentiated, and chunks hold equally many draws. PyTorch is
tried as a loop of autograd calls and as torch.func's vmap of grad. The answers must agree: the
trace of the gradient's covariance and the square of its mean stand beside the times.

Then every estimator at two evaluations of f, by its time over the plain score function's.

  python -m benchmarks.rloo_speed --out DIR
"""

from __future__ import annotations

import dataclasses
import importlib.util
from collections.abc import Callable
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array

from benchmarks.estimator_variance import ESTIMATORS
from benchmarks.networks import sbn_linear
from benchmarks.record import TimingConfig, print_caveats, write_record
from benchmarks.timing import environment, interleaved, ratio, torch_on_the_same_device
from benchmarks.training_speed import synthetic_images
from jaxgen.certify import Moments, Problem, accepted, at_budget, estimated_gradient, grad_moments
from jaxgen.checks import at_least
from jaxgen.data import from_arrays
from jaxgen.estimators import MakeEstimator
from jaxgen.types import Key, Params
from jaxgen.workbench import Count, main, print_table

Answer: TypeAlias = dict[str, float]
"""`trace` of the covariance of one gradient and `signal`, the square of the mean's norm."""

CHUNK = 50
PACKAGES = ("jax", "jaxlib", "flax", "distrax", "torch", "numpy")


def make_problem() -> Problem:
    """Returns the network at its initial params, on synthetic images; the encoder's gradient."""
    images = from_arrays(synthetic_images(1000), binarization="dynamic")
    return sbn_linear(images, (1,))._replace(parts=("encoder",))


def jaxgen_draws(problem: Problem, make: MakeEstimator, num_draws: int) -> Callable[[int], Answer]:
    """Returns `call -> moments of num_draws gradients`, by the estimator of the library."""
    batch = jax.jit(problem.batch)(jax.random.key(0))
    _, q = problem.target(problem.params, batch[0])
    _, estimator = at_budget(make, q, 2)
    state = estimator.init(jax.random.key(1), q, batch[0])
    one = estimated_gradient(problem, estimator)

    @jax.jit
    def moments(params: Params, state: Any, key: Key, batch: Array) -> Moments:
        def draw(key: Key) -> Params:
            """Kernels as PyTorch keeps them, and as the product of signals and inputs lies."""
            return jax.tree.map(jnp.transpose, one(params, state, key, batch))

        return grad_moments(draw, key, num_draws, min(CHUNK, num_draws // 2))

    def run(call: int) -> Answer:
        found = moments(problem.params, state, jax.random.key(call), batch)
        return _answer(
            float(optax.tree.norm(found.mean, squared=True)), float(found.trace), num_draws
        )

    return run


def torch_draws(problem: Problem, num_draws: int, *, vmapped: bool) -> Callable[[int], Answer]:
    """Returns the same with PyTorch, on as many threads as there are cores."""
    import torch
    from torch.nn.functional import binary_cross_entropy_with_logits, softplus

    torch_on_the_same_device()
    tensors = jax.tree.map(lambda x: torch.tensor(np.array(x)), problem.params)
    encoder, decoder = (tensors[side]["params"] for side in ("encoder", "decoder"))
    weight, bias = encoder["Dense_0"]["kernel"], encoder["output_bias"]
    out_weight, out_bias = decoder["Dense_0"]["kernel"], decoder["output_bias"].reshape(-1)
    batch = np.array(jax.jit(problem.batch)(jax.random.key(0))).reshape(50, 784)
    x = torch.tensor(batch)
    centered = x - x.new_tensor(np.asarray(_data_mean(problem)).reshape(-1))

    def log_bernoulli(logits: Any, z: Any) -> Any:
        return (z * logits - softplus(logits)).sum(-1)

    @torch.no_grad()
    def signals(logits: Any, z: Any) -> Any:
        """(f(z_s) - f(z_other)) for both samples [..., 2, 50]."""
        pixels = torch.nn.functional.linear(z, out_weight.T, out_bias)
        likelihood = -binary_cross_entropy_with_logits(
            pixels, x.expand_as(pixels), reduction="none"
        ).sum(-1)
        f = likelihood + log_bernoulli(tensors["prior"], z) - log_bernoulli(logits, z)
        return f - f.flip(-2)

    def surrogate(logits: Any, z: Any) -> Any:
        return (signals(logits.detach(), z) * log_bernoulli(logits, z)).mean()

    def sample(probs: Any, *shape: int) -> Any:
        return torch.bernoulli(probs.expand(*shape, *probs.shape))

    def accumulate(sums: Any, grads: Any) -> Any:
        if sums is None:
            sums = [(torch.zeros_like(g[0]), 0.0) for g in grads]
        return [(s + g.sum(0), q + (g * g).sum()) for (s, q), g in zip(sums, grads, strict=True)]

    def by_loop(count: int) -> Any:
        params = [p.detach().requires_grad_() for p in (weight, bias)]
        logits = centered @ params[0] + params[1]  # once for all draws of the chunk
        probs = torch.sigmoid(logits.detach())
        each = [
            torch.autograd.grad(surrogate(logits, sample(probs, 2)), params, retain_graph=True)
            for _ in range(count)
        ]
        return [torch.stack(g) for g in zip(*each, strict=True)]

    def by_vmap(count: int) -> Any:
        probs = torch.sigmoid(centered @ weight + bias)
        z = sample(probs, count, 2)

        def loss(params: Any, z: Any) -> Any:
            return surrogate(centered @ params[0] + params[1], z)

        return torch.func.vmap(torch.func.grad(loss), (None, 0))((weight, bias), z)

    def run(call: int) -> Answer:
        torch.manual_seed(call)
        sums = None
        for _ in range(num_draws // CHUNK):
            sums = accumulate(sums, (by_vmap if vmapped else by_loop)(CHUNK))
        signal = sum(float(((s / num_draws) ** 2).sum()) for s, _ in sums or ())
        second = sum(float(q) for _, q in sums or ()) / num_draws
        return _answer(signal, (second - signal) * num_draws / (num_draws - 1), num_draws)

    return run


def _data_mean(problem: Problem) -> np.ndarray:
    """What the network takes from its input."""
    return synthetic_images(1000).mean(axis=0) / 255


def _answer(mean_squared: float, trace: float, num_draws: int) -> Answer:
    """The noise of the mean taken out of its square."""
    return {"trace": trace, "signal": mean_squared - trace / num_draws}


def measure(num_draws: int, rounds: int) -> dict[str, Any]:
    """Returns times, ratios and answers; PyTorch is absent where it is not installed.

    Raises:
      ValueError: num_draws is no multiple of a chunk, or there is no round.
    """
    if at_least("draws", num_draws, CHUNK) % CHUNK:
        raise ValueError(f"draws: got {num_draws}, expected a multiple of {CHUNK}")
    problem = make_problem()
    contestants = {"jaxgen": jaxgen_draws(problem, ESTIMATORS["rloo"], num_draws)}
    if importlib.util.find_spec("torch"):
        contestants["torch loop"] = torch_draws(problem, num_draws, vmapped=False)
        contestants["torch.func.vmap"] = torch_draws(problem, num_draws, vmapped=True)
    before = environment(PACKAGES)
    timings = interleaved(contestants, rounds)
    # Twenty times as dear for those of 201 evaluations: a single chunk shows the ratio.
    each = {
        name: jaxgen_draws(problem, make, CHUNK)
        for name, make in accepted(problem, ESTIMATORS).items()
    }
    costs = interleaved(each, rounds)
    plain = costs["score_function"]
    return {
        "environment": before,
        "draws": num_draws,
        "seconds": {name: timing.summary() for name, timing in timings.items()},
        "ratios": {
            f"{name} / jaxgen": ratio(timing, timings["jaxgen"])
            for name, timing in timings.items()
            if name != "jaxgen"
        },
        "cost_over_score_function": {
            name: ratio(timing, plain)["median"] for name, timing in costs.items()
        },
    }


def report(result: dict[str, Any]) -> None:
    """Prints the times, the ratios and the cost of every estimator."""
    where = result["environment"]
    columns = ["median s", "min s", "max s", "compile s", "trace", "|mean|^2"]
    print_table(
        f"{result['draws']} gradients, {where['threads']} threads of {where['processor']}",
        ["", *columns],
        [
            [
                name,
                *(seconds[k] for k in ("median", "min", "max", "compile")),
                *(seconds["answers"][-1][k] for k in ("trace", "signal")),
            ]
            for name, seconds in result["seconds"].items()
        ],
    )
    print_caveats(result)
    costs = sorted(result["cost_over_score_function"].items(), key=lambda item: item[1])
    print_table("time over the plain score function's", ["estimator", "ratio"], costs)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(TimingConfig):
    """How much is timed."""

    draws: Count = 1000
    """Independent gradients per round, a multiple of 50."""
    rounds: Count = 7
    quick: bool = False
    """100 draws and two rounds, whatever else is asked."""


def run(config: Config) -> dict[str, Any]:
    """Measures and prints; returns what the file holds."""
    result = measure(100, 2) if config.quick else measure(config.draws, config.rounds)
    report(result)
    write_record("rloo_speed", result, config.out)
    return result


if __name__ == "__main__":
    main(Config, run)
