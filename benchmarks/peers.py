"""How fast are the main jobs beside the best peer?

Each job is done by this package and by others that do the same, with the same sizes and, where
there are any, the same params and data. The answers stand beside the times and must agree, those of
trainings as far as their random starts let them; equal answers alone do not prove equal work. In
float32 where no precision is named; PyTorch is eager. Rounds are interleaved, and compilation is
apart. The jobs of training are those of the benchmarks of their own, in fewer steps.

  pip install -e '.[bench]'
  python -m benchmarks.peers --out benchmarks/results

Measure on a machine that does nothing else: PyTorch's threads wait for each other in every
operation, so that a second busy program slows it many times more than it slows XLA.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib.util
import json
import statistics
from collections.abc import Callable
from typing import Annotated, Any

from benchmarks import dcgan_step, gan_training, rloo_speed, vae_contestants
from benchmarks.peer_inference import INFERENCE_JOBS
from benchmarks.peer_job import Call, Job
from benchmarks.peer_samples import SAMPLE_JOBS
from benchmarks.peers_page import peers_page
from benchmarks.record import TimingConfig, directory, print_caveats
from benchmarks.timing import environment, interleaved, ratio
from benchmarks.training_speed import synthetic_images
from jaxgen.certify import Problem
from jaxgen.workbench import SEVERAL, Among, Count, main, progress

PACKAGES = (
    *("jax", "jaxlib", "flax", "distrax", "numpy", "scipy", "scikit-learn", "torch", "numpyro"),
    *("particles", "prdc"),
)
EPOCH, GRADIENTS, STEPS = 12_800, 500, {"ring": 200, "dcgan": 10}


def _epoch(make: Callable[..., Call], **options: bool) -> Callable[[], Call]:
    return lambda: make(synthetic_images(EPOCH), **options)


def _gradients(make: Callable[[Problem], Callable[[int], rloo_speed.Answer]]) -> Call:
    draws = make(rloo_speed.make_problem())
    return lambda index: draws(index)["trace"]


def _by_jaxgen(problem: Problem) -> Callable[[int], rloo_speed.Answer]:
    return rloo_speed.jaxgen_draws(problem, rloo_speed.ESTIMATORS["rloo"], GRADIENTS)


def _by_vmap(problem: Problem) -> Callable[[int], rloo_speed.Answer]:
    return rloo_speed.torch_draws(problem, GRADIENTS, vmapped=True)


TRAINING_JOBS = {
    "VAE's epoch": Job(
        f"784-400-20, {EPOCH:,} images by {vae_contestants.BATCH}",
        "-ELBO, nats",
        5.0,
        _epoch(vae_contestants.jaxgen_epoch),
        {
            "numpyro": (("numpyro",), _epoch(vae_contestants.numpyro_epoch)),
            "torch": (("torch",), _epoch(vae_contestants.torch_epoch)),
            "torch, fused Adam": (("torch",), _epoch(vae_contestants.torch_epoch, fused=True)),
        },
    ),
    "independent gradients": Job(
        f"RLOO, a belief network of 200 bits, {GRADIENTS} gradients of a batch of 50",
        "variance",
        200.0,
        functools.partial(_gradients, _by_jaxgen),
        {"torch.func.vmap": (("torch",), functools.partial(_gradients, _by_vmap))},
    ),
    "GAN's step": Job(
        f"the ring, {STEPS['ring']} alternating steps by 512",
        "critic's loss, nats",
        0.2,
        functools.partial(gan_training.jaxgen_steps, STEPS["ring"]),
        {
            name: (("torch",), functools.partial(make, STEPS["ring"]))
            for name, make in gan_training.PEERS.items()
        },
    ),
    "DCGAN's step": Job(
        f"28x28, {STEPS['dcgan']} alternating steps by 64",
        "critic's loss, nats",
        1.0,
        functools.partial(dcgan_step.jaxgen_steps, STEPS["dcgan"]),
        {"torch": (("torch",), functools.partial(dcgan_step.torch_steps, STEPS["dcgan"]))},
    ),
}
JOBS: dict[str, Job] = {**TRAINING_JOBS, **SAMPLE_JOBS, **INFERENCE_JOBS}
"""By name."""


def measure(job: Job, rounds: int) -> dict[str, Any]:
    """Returns the times of a job, their ratios and the answers; peers not installed are absent.

    Raises:
      ValueError: there is no round; a peer's answers are further off than the job allows.
    """
    found = {
        name: make()
        for name, (packages, make) in job.peers.items()
        if all(importlib.util.find_spec(package) for package in packages)
    }
    timings = interleaved({"jaxgen": job.ours(), **found}, rounds)
    answers = {name: statistics.fmean(timing.answers) for name, timing in timings.items()}
    for name, answer in answers.items():
        if not abs(answer - answers["jaxgen"]) <= job.tolerance:
            raise ValueError(
                f"{name}: got {job.answer} {answer:.6g}, expected {answers['jaxgen']:.6g} within "
                f"{job.tolerance}: it does not do the same job"
            )
    return {
        "work": job.work,
        "answer": job.answer,
        "answers": answers,
        "seconds": {name: timing.summary() for name, timing in timings.items()},
        "ratios": {name: ratio(timings["jaxgen"], timings[name]) for name in found},
        "absent": [name for name in job.peers if name not in found],
    }


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(TimingConfig):
    """Which jobs are timed."""

    jobs: Annotated[tuple[str, ...], Among(JOBS), SEVERAL] = tuple(JOBS)
    """Jobs, by name."""
    rounds: Count = 7


def run(config: Config) -> dict[str, Any]:
    """Measures and prints; returns what peers.json holds."""
    record: dict[str, Any] = {"environment": environment(PACKAGES), "rounds": config.rounds}
    record["jobs"] = jobs = {}
    with progress(len(config.jobs), unit="job") as advance:
        for name in config.jobs:
            jobs[name] = measure(JOBS[name], config.rounds)
            advance(1, name)
    page = peers_page(record)
    print(page)
    print_caveats(record)
    if config.out is not None:
        out = directory(config.out)
        (out / "peers.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
        (out / "peers.md").write_text(page, encoding="utf-8")
    return record


if __name__ == "__main__":
    main(Config, run)
