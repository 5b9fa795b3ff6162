"""Do the orders and slopes that papers report of gradient estimators hold here?

Each claim of `benchmarks/paper_claims.py` is measured anew for three seeds. An order holds where
the whole 95% interval of the ratio is below one for every seed, and does not where it is above one
for every seed; a slope holds where it is within .15 of the paper's for every seed. Estimators that
are not in `jaxgen.estimators` are left out. Into DIR go papers.json and the page papers.md.

  python -m benchmarks.paper_cards --dataset fashion_mnist --out benchmarks/results
"""

from __future__ import annotations

import dataclasses
import itertools
import json
import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import distrax
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array
from scipy import stats

from benchmarks.estimator_variance import ESTIMATORS, Draws
from benchmarks.networks import NETWORKS
from benchmarks.paper_claims import ORDERS, SLOPES, Order
from benchmarks.papers_page import papers_page
from benchmarks.record import directory
from benchmarks.timing import environment
from jaxgen.bounds import IWAE, jackknife
from jaxgen.certify import TOYS, Row, measure, relative_variance, signal_to_noise
from jaxgen.data import ImageSet, load
from jaxgen.estimators import doubly_reparameterized, ovis, pathwise, vimco
from jaxgen.types import Distribution, Params
from jaxgen.workbench import RISING, SEVERAL, Count, Directory, Whole, check_fields, main

COUNTS = (8, 32, 128)
"""K of the signal-to-noise ratios."""
SNR = {
    "pathwise": lambda n: pathwise(n, bound=IWAE),
    "doubly_reparameterized": doubly_reparameterized,
    "vimco": vimco,
    "ovis": ovis,
}


def measure_orders(
    orders: Sequence[Order], images: ImageSet, config: Config, seed: int
) -> list[tuple[float, float, float] | None]:
    """Returns of each order the ratio of the lower to the higher with its interval; None if absent.

    Orders of one problem and budget share a measurement.
    """
    found: dict[Order, tuple[float, float, float]] = {}
    there = [order for order in orders if {order.lower, order.higher} <= set(ESTIMATORS)]

    def same(order: Order) -> tuple[str, int]:
        return order.problem, order.evaluations

    for (name, evaluations), group in itertools.groupby(sorted(there, key=same), same):
        mine = list(group)
        toy = name in TOYS
        problem = TOYS[name]() if toy else NETWORKS[name](images, (config.steps,))
        names = dict.fromkeys(n for order in mine for n in (order.lower, order.higher))
        rows = measure(
            problem,
            {n: ESTIMATORS[n] for n in names},
            evaluations=(evaluations,),
            num_draws=config.draws if toy else config.network_draws,
            seed=seed,
        )
        last = {(r.estimator, r.subtree): r for r in rows if r.step == rows[-1].step}
        for order in mine:
            one, other = (last[n, order.part] for n in (order.lower, order.higher))
            ratio = relative_variance if order.quantity == "variance" else relative_bias
            found[order] = ratio(one, other)
    return [found.get(order) for order in orders]


def relative_bias(row: Row, other: Row) -> tuple[float, float, float]:
    """Returns the ratio of the lengths of two biases: low end of the 95% interval, it, high end.

    The interval is wide: each length may be off by twice its largest coordinate's error, in each.
    """
    ends = []
    for of in (row, other):
        error = 2 * of.bias_error * math.sqrt(of.coordinates)
        ends.append((max(of.bias - error, 0.0), of.bias, of.bias + error))
    one, two = ends
    return (
        one[0] / two[2],
        one[1] / max(two[1], 1e-30),
        one[2] / two[0] if two[0] > 0 else math.inf,
    )


def gaussian_target(params: Params, x: Array) -> tuple[Any, Distribution]:
    """IWAE's model of Rainforth et al. (2018): z standard normal, x normal about z."""
    mean = params["weight"] @ x + params["bias"]
    q = distrax.Independent(distrax.Normal(mean, jnp.full_like(mean, math.sqrt(2 / 3))), 1)

    def log_weight(z: Array, q: Any = q) -> Array:
        return -0.5 * jnp.sum(z**2) - 0.5 * jnp.sum((x - z) ** 2) - q.log_prob(z)

    return log_weight, q


def measure_slopes(num_draws: int, seed: int, size: int = 8) -> list[float]:
    """Returns the slope of each of `SLOPES`, in its order."""
    key_x, key_off, key_draws = jax.random.split(jax.random.key(seed), 3)
    keys = jax.random.split(key_off)
    params = {
        "weight": jnp.eye(size) / 2 + 0.1 * jax.random.normal(keys[0], (size, size)),
        "bias": 0.1 * jax.random.normal(keys[1], (size,)),
    }
    xs = math.sqrt(2) * jax.random.normal(key_x, (4, size))
    estimators = list(SNR.values())
    ratios = signal_to_noise(gaussian_target, estimators, COUNTS, num_draws, params, key_draws, xs)
    return [*(float(slope) for slope in ratios.slopes), *(jackknife_slope(m) for m in (0, 1))]


def jackknife_slope(order: int, counts: Sequence[int] = (32, 64, 128)) -> float:
    """Returns the exponent of |bias| in K of the jackknife, of two equally likely weights.

    Example:
      jackknife_slope(1)  # about -2
    """
    weights = np.array([0.25, 1.75])  # of mean one: log p(x) = 0
    biases = []
    with jax.enable_x64(True):
        for count in counts:
            many = np.arange(count + 1)
            sets = np.log(np.where(np.arange(count) < many[:, None], weights[1], weights[0]))
            bounds = np.asarray(jax.vmap(jackknife(order))(jnp.asarray(sets)))
            biases.append(abs(stats.binom.pmf(many, count, 0.5) @ bounds))
    return float(np.polyfit(np.log(counts), np.log(biases), 1)[0])


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config:
    """How well it is measured."""

    seeds: Annotated[tuple[Whole, ...], RISING, SEVERAL] = (0, 1, 2)
    """A measurement for each."""
    draws: Draws = 20_000
    """Gradients of each estimator on the toys; a multiple of 20."""
    network_draws: Draws = 400
    """The same on the belief network."""
    snr_draws: Count = 1000
    """Gradients for each signal-to-noise ratio."""
    steps: Count = 1000
    """Training steps of the belief network."""
    dataset: str = "digits"
    """Of the belief network: the embedded set (digits) or the TFDS name of a prepared image set."""
    data_dir: Directory = None
    """Where prepared TFDS sets lie; TFDS_DATA_DIR or ~/tensorflow_datasets if not given."""
    out: str = "runs/papers"
    """Directory for papers.json and papers.md."""

    def __post_init__(self) -> None:
        check_fields(self)


def run(config: Config) -> dict[str, Any]:
    """Measures everything and writes the page; returns what papers.json holds."""
    images = load(config.dataset, "train", data_dir=config.data_dir, binarization="dynamic")
    orders, slopes = [], []
    for seed in config.seeds:
        orders.append(measure_orders(ORDERS, images, config, seed))
        slopes.append(measure_slopes(config.snr_draws, seed))
        print(f"seed {seed} is measured")
    record: Mapping[str, Any] = {
        "config": {"dataset": config.dataset, "seeds": config.seeds, "steps": config.steps},
        "orders": [
            {**order._asdict(), "ratios": ratios}
            for order, *ratios in zip(ORDERS, *orders, strict=True)
            if None not in ratios
        ],
        "slopes": [
            {**slope._asdict(), "measured": measured}
            for slope, *measured in zip(SLOPES, *slopes, strict=True)
        ],
        "environment": environment(["jax", "jaxlib", "flax", "optax", "distrax"]),
    }
    out = directory(config.out)
    text = json.dumps(record, indent=1, ensure_ascii=False)
    (out / "papers.json").write_text(text + "\n", encoding="utf-8")
    page = papers_page(json.loads(text))
    (out / "papers.md").write_text(page, encoding="utf-8")
    print(page)
    return dict(record)


if __name__ == "__main__":
    main(Config, run)
