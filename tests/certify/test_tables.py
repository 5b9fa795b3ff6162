"""Rows as tables: the last point alone, the least variance first, biased ones told."""

from jaxgen.certify import Row, tables

ROW = Row(
    problem="toy",
    estimator="plain",
    step=200,
    point="phi = -1",
    subtree="phi",
    samples=2,
    evaluations=2,
    unbiased=True,
    draws=40,
    mean=0.1,
    reference=0.2,
    bias_z=-1.234,
    coordinates=1,
    worst_z=1.234,
    bias=0.0,
    bias_error=0.1,
    variance=0.123456,
    variance_low=0.111111,
    variance_high=0.135802,
    snr=0.123456,
    seconds_per_gradient=1.26e-5,
    variance_x_evaluations=0.246912,
    variance_x_time=1.5555e-6,
)


def test_a_table_holds_the_last_point_sorted_by_variance():
    rows = [
        ROW._replace(step=100, point="phi = -3"),
        ROW,
        ROW._replace(estimator="relaxed", unbiased=False, variance=0.0, snr=float("inf")),
    ]
    ((title, columns, lines),) = tables(rows)
    assert title == "toy, phi = -1: gradient of phi"
    assert [line[0] for line in lines] == ["relaxed (biased)", "plain"]
    assert dict(zip(columns, lines[1], strict=True)) == {
        "estimator": "plain",
        "E": 2,
        "variance": 0.1235,
        "+-%": 10.0,
        "bias z": -1.2,
        "SNR": 0.123,
        "ms": 0.013,
        "var x E": 0.247,
        "var x s": 1.6e-6,
    }


def test_every_problem_and_part_has_a_table_of_its_own():
    rows = [ROW, ROW._replace(subtree="psi"), ROW._replace(problem="other", step=3)]
    assert [title.split(":")[0] for title, _, _ in tables(rows)] == [
        *("toy, phi = -1", "toy, phi = -1", "other, phi = -1")
    ]
