"""The variance benchmark: its networks, its table of estimators, its files."""

import csv
import json
import math

import pytest

from benchmarks import estimator_variance
from benchmarks.estimator_variance import ESTIMATORS
from benchmarks.networks import sbn_linear
from jaxgen.certify import GROUPS, accepted, measure, toy
from jaxgen.data import load


def test_only_what_accepts_q_is_tried():
    names = set(accepted(toy(0.45), ESTIMATORS))
    assert {"disarm", "relax", "score_function"} <= names
    assert not names & {"pathwise", "sticking_the_landing"}


def test_a_network_trains_on_its_own_and_estimators_learn_beside_it():
    problem = sbn_linear(load("digits", "train", binarization="dynamic"), (3,))
    makes = {n: ESTIMATORS[n] for n in ("score_function", "moving_average")}
    rows = measure(problem, makes, num_draws=2 * GROUPS)
    assert {row.subtree for row in rows} == {"encoder", "decoder", "prior"}
    assert all(math.isfinite(row.bias_z) for row in rows)
    plain, baseline = (r.variance for r in rows if r.subtree == "encoder")
    assert baseline < plain / 5  # three batches have taught it the mean of f


def test_the_command_leaves_rows_pictures_and_a_record(tmp_path, capsys):
    config = estimator_variance.Config(
        problems=("toy_0.45",),
        estimators=("rloo", "straight_through", "pathwise"),
        evaluations=(2,),
        draws=40,
        out=str(tmp_path),
    )
    estimator_variance.run(config)
    with open(tmp_path / "rows.csv", encoding="utf-8") as file:
        table = list(csv.DictReader(file))
    lines = [json.loads(line) for line in (tmp_path / "rows.jsonl").read_text().splitlines()]
    required = "problem estimator samples evaluations mean bias_z variance variance_low"
    required += " variance_high snr seconds_per_gradient"
    assert set(required.split()) <= set(table[0])
    assert len(table) == len(lines) == 2 * 4  # estimators that accept q, points
    assert {row["estimator"] for row in table} == {"rloo", "straight_through"}
    about = json.loads((tmp_path / "about.json").read_text())
    assert about["config"]["draws"] == 40
    assert about["versions"]["jax"]
    assert len(list((tmp_path / "pictures").glob("*.png"))) == 2
    assert "straight_through" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("problems", ("cubic",)),
        ("estimators", ("reinforce",)),
        ("evaluations", (0,)),
        ("steps", (3, 2)),
        ("draws", 50),
        ("network_draws", 20),
    ],
)
def test_bad_arguments_are_named(field, value):
    with pytest.raises(ValueError, match=field):
        estimator_variance.Config(**{field: value})
