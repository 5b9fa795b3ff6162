"""Gaussians and rates as they are drawn."""

import numpy as np
import pytest

from jaxgen.numerics import wilson_interval
from jaxgen.pictures import ellipses, plot, rates


def test_an_ellipse_lies_where_the_density_is_a_given_part_of_its_peak():
    _, axes = plot()
    mean, covariance = np.array([1.0, -2.0]), np.array([[2.0, 0.7], [0.7, 1.0]])
    ellipses(axes, [1.0], [mean], [covariance])
    names = [line.get_label() for line in axes.lines]
    assert names == ["one standard deviation", "two standard deviations"]
    for line, radius in zip(axes.lines, (1, 2), strict=True):
        gaps = np.stack(line.get_data(), axis=1) - mean
        squares = np.einsum("ni,ij,nj->n", gaps, np.linalg.inv(covariance), gaps)
        np.testing.assert_allclose(squares, radius**2)


def test_means_that_are_no_points_of_the_plane_are_refused():
    with pytest.raises(ValueError, match="means: got shapes"):
        ellipses(plot()[1], [1.0], [[0.0, 0.0, 0.0]], [[1.0, 1.0, 1.0]])


def test_rates_carry_wilsons_interval():
    _, axes = plot()
    rates(axes, (16, 40), {"MMD": np.array([0.25, 0.5])}, 200, level=0.05)
    (container,) = axes.containers
    low, high = wilson_interval(np.array([0.25, 0.5]), 200)
    segments = np.array([segment[:, 1] for segment in container.lines[2][0].get_segments()])
    np.testing.assert_allclose(segments, np.stack([low, high], axis=1))
    assert axes.lines[-1].get_ydata()[0] == 0.05
