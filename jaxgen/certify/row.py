"""One row of a measurement: what it says of an estimator, and how it follows from the moments."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from jaxgen.certify.budget import Cell
from jaxgen.certify.moments import Moments
from jaxgen.certify.reference import Reference

GROUPS = 20
"""Groups that the draws are made in: from the spread between them come the intervals."""
T_95 = 2.093  # Student's t of 19 degrees of freedom, two-sided 95%


class Row(NamedTuple):
    """One estimator on one part of one problem's params, at one point and one budget.

    The numbers are of one gradient, the mean over the problem's batch of datapoints. Rows of one
    point share the reference: if that is an estimate, its error moves all their `bias_z` one way.

    Attributes:
      problem, estimator: names.
      step: updates of the params, and of what the estimator learns, before the measurement.
      point: the problem's own name for that step.
      subtree: the part of the params.
      samples: the estimator's num_samples.
      evaluations: evaluations of f per datapoint for one gradient.
      unbiased: whether the estimator says that it is.
      draws: independent gradients that were measured.
      mean: component of the mean gradient along the reference gradient; of a single param, its
        mean gradient.
      reference: length of the reference gradient: of the exact one, or of an estimate from
        other draws of the problem's guide.
      bias_z: (mean - reference) / standard error of that difference, the reference's included.
      coordinates: numbers of the mean gradient that are compared: all of the part's, where the
        exact gradient is known; else the component along the reference.
      worst_z: the largest |z| of those, each as `bias_z`.
      bias: length of the mean gradient less the reference, as far as they are compared, over the
        reference's length; less what noise adds, 0 if nothing is left.
      bias_error: the largest standard error among the compared numbers, over that length.
      variance: trace of the covariance of one gradient.
      variance_low, variance_high: 95% confidence interval of `variance`.
      snr: |E gradient| / sqrt(variance), less what noise adds to the mean; 0 if nothing is left.
      seconds_per_gradient: median over 20 groups, without compilation. The gradients of a group
        are computed in one call, and estimators take turns.
      variance_x_evaluations, variance_x_time: variance at equal cost.
    Example:
      >>> rows = measure(toy(0.45), {"DisARM": disarm}, num_draws=40)
      >>> rows[0].estimator, rows[0].point, rows[0].evaluations
      ('DisARM', 'phi = -3', 2)
    """

    problem: str
    estimator: str
    step: int
    point: str
    subtree: str
    samples: int
    evaluations: int
    unbiased: bool
    draws: int
    mean: float
    reference: float
    bias_z: float
    coordinates: int
    worst_z: float
    bias: float
    bias_error: float
    variance: float
    variance_low: float
    variance_high: float
    snr: float
    seconds_per_gradient: float
    variance_x_evaluations: float
    variance_x_time: float


def row_of(
    cell: Cell,
    reference: Reference,
    gradient: Moments,
    along: Moments,
    seconds: float,
    **names: Any,
) -> Row:
    """Returns the row of the moments of a gradient and of its component along the reference.

    Args:
      names: the row's problem, step, point and subtree.
    """
    draws = GROUPS * cell.draws
    mean, variance = float(along.mean), float(gradient.trace)
    # An interval of the logarithm: a variance is positive and its error is a part of it.
    error = T_95 * float(gradient.trace_stderr) / variance if variance else 0.0
    stderr = math.hypot(math.sqrt(float(along.variance) / draws), reference.stderr)
    rounding = 1e-6 * (abs(mean) + abs(reference.length)) + 1e-30
    signal = max(float(np.sum(np.square(gradient.mean))) - variance / draws, 0.0)
    return Row(
        **names,
        estimator=cell.name,
        samples=cell.samples,
        evaluations=cell.evaluations,
        unbiased=cell.estimator.unbiased,
        draws=draws,
        mean=mean,
        reference=reference.length,
        bias_z=(mean - reference.length) / (stderr + rounding),
        **_bias(reference, gradient, draws, mean, stderr),
        variance=variance,
        variance_low=variance * math.exp(-error),
        variance_high=variance * math.exp(error),
        snr=math.sqrt(signal / variance) if variance else math.inf,
        seconds_per_gradient=seconds,
        variance_x_evaluations=variance * cell.evaluations,
        variance_x_time=variance * seconds,
    )


def relative_variance(row: Row, other: Row) -> tuple[float, float, float]:
    """Returns variance x evaluations over the other's: low end of the 95% interval, it, high end.

    Example:
      >>> rows = measure(toy(0.45), {"plain": score_function, "DisARM": disarm}, num_draws=1000)
      >>> relative_variance(rows[1], rows[0])
    """
    if not (row.variance > 0 and other.variance > 0):
        none = 0.0 if other.variance > 0 else math.nan
        return none, none, none
    value = row.variance_x_evaluations / other.variance_x_evaluations
    # Of two independent errors of a logarithm.
    error = math.hypot(
        math.log(row.variance_high / row.variance), math.log(other.variance_high / other.variance)
    )
    return value * math.exp(-error), value, value * math.exp(error)


def _bias(
    reference: Reference, gradient: Moments, draws: int, along: float, stderr: float
) -> dict[str, Any]:
    """The fields of a row that say how far the mean gradient is from the reference."""
    if reference.gradient is None:
        mean, exact, errors = (np.array([x]) for x in (along, reference.length, stderr))
    else:
        mean, exact = (np.asarray(x, np.float64) for x in (gradient.mean, reference.gradient))
        errors = np.sqrt(np.asarray(gradient.variance, np.float64) / draws)
    size = np.abs(mean) + np.abs(exact)
    # A sum of zero variance is exact but for its rounding, that of the largest number in it.
    errors = errors + 1e-6 * (size + np.max(size)) + 1e-30
    length = max(abs(reference.length), 1e-30)
    squared = float(np.sum((mean - exact) ** 2) - np.sum(errors**2))
    return {
        "coordinates": mean.size,
        "worst_z": float(np.max(np.abs(mean - exact) / errors)),
        "bias": math.sqrt(max(squared, 0.0)) / length,
        "bias_error": float(np.max(errors)) / length,
    }
