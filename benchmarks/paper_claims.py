"""What papers say of gradient estimators, in a form that a measurement can refute.

The title and the link of each paper stand in `jaxgen/bibliography.toml`.
"""

from __future__ import annotations

from typing import NamedTuple


class Order(NamedTuple):
    """One estimator has less of something than another, at equal evaluations of f.

    Attributes:
      paper: as it is cited.
      lower, higher: names of estimators.
      quantity: "variance" or "bias" of the gradient.
      problem, part: where it is measured here.
      evaluations: of f per datapoint and gradient.
      settings: what differs from the paper's, in words.
    """

    paper: str
    lower: str
    higher: str
    quantity: str
    problem: str
    part: str
    evaluations: int
    settings: str


class Slope(NamedTuple):
    """The exponent with which something grows in the number of samples K.

    Attributes:
      paper: as it is cited.
      what: of what, by which estimator or bound.
      expected: the exponent.
      settings: what is measured here, in words.
    """

    paper: str
    what: str
    expected: float
    settings: str


_BITS = "1,000 steps at ten times the rate, by DisARM for all; the set is named below"
_TOY = "the paper's toy, at logit 3"
_TABLE = "two latents of four states, a table of values"
ORDERS = (
    Order("Tucker et al. (2017)", "rebar", "muprop", "variance", "toy_0.45", "phi", 2, _TOY),
    Order("Grathwohl et al. (2018)", "relax", "rebar", "variance", "toy_0.499", "phi", 2, _TOY),
    Order("Mohamed et al. (2020)", "pathwise", "score_function", "variance", "quadratic", "mean", 2,
          "E[(z - k)²] at k = 4"),
    Order("Dong et al. (2020)", "disarm", "arm", "variance", "sbn_linear", "encoder", 2, _BITS),
    Order("Dong et al. (2020)", "disarm", "rloo", "variance", "sbn_linear", "encoder", 2, _BITS),
    Order("Dimitriev & Zhou (2021a)", "arms", "disarm", "variance", "sbn_linear", "encoder", 4,
          _BITS),
    Order("Dimitriev & Zhou (2021a)", "arms", "rloo", "variance", "sbn_linear", "encoder", 4,
          _BITS),
    Order("Dimitriev & Zhou (2021b)", "carms", "rloo", "variance", "categorical", "params", 4,
          _TABLE),
    Order("Titsias & Shi (2022)", "double_control_variates", "rloo", "variance", "sbn_linear",
          "encoder", 4, _BITS),
    Order("Titsias & Shi (2022)", "double_control_variates", "disarm", "variance", "sbn_linear",
          "encoder", 4, _BITS),
    Order("Shi et al. (2022)", "rodeo", "disarm", "variance", "sbn_linear", "encoder", 4, _BITS),
    Order("Kool et al. (2020)", "unordered_set", "rloo", "variance", "categorical", "params", 4,
          _TABLE),
    Order("Paulus et al. (2021)", "gumbel_rao", "gumbel_straight_through", "variance",
          "categorical", "params", 2, _TABLE),
    Order("Liu et al. (2023)", "reinmax", "straight_through", "bias", "categorical", "params", 2,
          _TABLE),
)  # fmt: skip
_GAUSSIAN = "z of eight numbers, x normal about z, q off its optimum by .1; K = 8, 32, 128"
SLOPES = (
    Slope("Rainforth et al. (2018)", "signal-to-noise, pathwise", -0.5, _GAUSSIAN),
    Slope("Tucker et al. (2019)", "signal-to-noise, doubly_reparameterized", 0.5, _GAUSSIAN),
    Slope("Mnih & Rezende (2016)", "signal-to-noise, vimco", -0.5, _GAUSSIAN),
    Slope("Liévin et al. (2020)", "signal-to-noise, ovis", 0.5, _GAUSSIAN),
    Slope("Nowozin (2018)", "bias of the jackknife, order 0", -1.0,
          "weights 1/4 and 7/4, enumerated; K = 32, 64, 128"),
    Slope("Nowozin (2018)", "bias of the jackknife, order 1", -2.0,
          "weights 1/4 and 7/4, enumerated; K = 32, 64, 128"),
)  # fmt: skip
