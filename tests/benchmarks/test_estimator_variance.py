"""The variance benchmark: its networks, its table of estimators, its record and page."""

import dataclasses
import json
import math

import jax
import pytest

from benchmarks import estimator_variance
from benchmarks.estimator_variance import ESTIMATORS
from benchmarks.networks import categorical_vae, sbn_linear
from benchmarks.variance_page import variance_page
from benchmarks.variance_record import at_budgets, rows_of
from jaxgen.certify import GROUPS, Row, accepted, measure, toy
from jaxgen.data import load


def test_only_what_accepts_q_is_tried():
    names = set(accepted(toy(0.45), ESTIMATORS))
    assert {"disarm", "relax", "score_function"} <= names
    assert not names & {"pathwise", "sticking_the_landing"}


def test_a_categorical_vae_takes_what_knows_categories():
    problem = categorical_vae(load("digits", "train", binarization="dynamic"), (1,))
    q = problem.target(problem.params, problem.batch(jax.random.key(0))[0])[1]
    assert q.event_shape == (20, 10)
    names = set(accepted(problem, ESTIMATORS))
    assert {"rloo", "carms", "reinmax", "local_expectation"} <= names
    assert not names & {"disarm", "pathwise", "taylor", "quasi_monte_carlo"}


def test_a_network_trains_on_its_own_and_estimators_learn_beside_it():
    problem = sbn_linear(load("digits", "train", binarization="dynamic"), (3,))
    makes = {n: ESTIMATORS[n] for n in ("score_function", "moving_average")}
    rows = measure(problem, makes, num_draws=2 * GROUPS)
    assert {row.subtree for row in rows} == {"encoder", "decoder", "prior"}
    assert all(math.isfinite(row.bias_z) for row in rows)
    plain, baseline = (r.variance for r in rows if r.subtree == "encoder")
    assert baseline < plain / 5  # three batches have taught it the mean of f


@pytest.fixture(scope="module")
def record(tmp_path_factory):
    out = tmp_path_factory.mktemp("out")
    config = estimator_variance.Config(
        problems=("toy_0.45",),
        estimators=("rloo", "straight_through", "pathwise"),
        evaluations=(2,),
        draws=40,
        out=str(out),
    )
    return estimator_variance.run(config), out


def test_the_command_leaves_a_record_its_page_and_a_picture(record):
    result, out = record
    assert json.loads((out / "estimators.json").read_text()) == result
    assert result["config"]["draws"] == 40
    assert result["environment"]["versions"]["jax"]
    assert result["kinds"] == {"toy_0.45": "bits"}
    rows = rows_of(result)
    assert len(rows) == 3 * 4  # estimators that accept q and the score function, points
    assert {row.estimator for row in rows} == {"score_function", "rloo", "straight_through"}
    (picture,) = (out / "pictures").glob("*.png")
    assert f"(pictures/{picture.name})" in (out / "estimators.md").read_text()


def test_the_page_compares_variance_at_equal_evaluations(record):
    """By hand: the ratio of two numbers of the record, and its interval by independent logs."""
    result, out = record
    last = [row for row in rows_of(result) if row.step == 800]
    plain, rloo = (next(r for r in last if r.estimator == n) for n in ("score_function", "rloo"))
    ratio = rloo.variance / plain.variance  # both at two evaluations
    error = math.hypot(*(math.log(row.variance_high / row.variance) for row in (rloo, plain)))
    low, high = (f"{ratio * math.exp(sign * error):.3g}" for sign in (-1, 1))
    page = (out / "estimators.md").read_text()
    assert f"| rloo | {ratio:.3g} ({low} to {high}) | z" in page
    assert "| *straight_through* |" in page
    assert variance_page(result) == page


def test_a_killed_run_goes_on_after_the_last_problem_that_it_ended(tmp_path, monkeypatch):
    measured = []

    def killed(problem, *args, **options):
        measured.append(problem.name)
        if measured == ["toy_0.45", "toy_0.499"]:
            raise KeyboardInterrupt
        row = Row(*[0.0] * len(Row._fields))
        return [row._replace(problem=problem.name, estimator="score_function", evaluations=2)]

    monkeypatch.setattr(estimator_variance, "measure", killed)
    monkeypatch.setattr(estimator_variance, "pictures", lambda record: {})
    monkeypatch.setattr(estimator_variance, "variance_page", lambda record: "")
    problems = ("toy_0.45", "toy_0.499")
    config = estimator_variance.Config(problems=problems, draws=40, out=str(tmp_path))
    other = dataclasses.replace(config, draws=60)
    with pytest.raises(KeyboardInterrupt):
        estimator_variance.run(config)
    half = (tmp_path / "estimators.json.part").read_text()
    assert not (tmp_path / "estimators.json").exists()

    rows = rows_of(estimator_variance.run(config))
    assert measured == ["toy_0.45", "toy_0.499", "toy_0.499"]
    assert {row.problem for row in rows} == set(problems)
    assert not (tmp_path / "estimators.json.part").exists()

    (tmp_path / "estimators.json.part").write_text(half)
    estimator_variance.run(other)  # of other flags: nothing of it is taken
    assert measured[3:] == ["toy_0.45", "toy_0.499"]


def test_an_estimator_of_ones_own_stands_beside_the_known_ones(tmp_path):
    mine = tmp_path / ("long_" * 20) / "my_file.py"
    mine.parent.mkdir(parents=True)
    mine.write_text("from jaxgen.estimators import disarm as mine")
    config = estimator_variance.Config(
        problems=("toy_0.45",),
        estimators=("disarm", f"{mine}:mine"),
        evaluations=(2,),
        draws=40,
        out=str(tmp_path / "out"),
    )
    rows = rows_of(estimator_variance.run(config))
    names = ("disarm", "my_file.py:mine")
    known, own = ([row for row in rows if row.estimator == name] for name in names)
    assert [row.variance for row in own] == [row.variance for row in known]
    assert len(own) == 4  # points
    other = mine.rename(tmp_path / "my_file.py")
    mine.write_text(other.read_text())
    again = dataclasses.replace(config, estimators=(f"{mine}:mine", f"{other}:mine"))
    with pytest.raises(ValueError, match=r"estimators: got my_file\.py:mine twice, expected"):
        estimator_variance.run(again)


def test_a_budget_pays_for_what_costs_no_more():
    row = Row(*[0] * len(Row._fields))
    rows = [row._replace(evaluations=of) for of in (2, 6)]
    paid = {budget: of.evaluations for budget, of in at_budgets(rows, (1, 2, 4, 8)).items()}
    assert paid == {2: 2, 4: 2, 8: 6}
    dear = at_budgets([row._replace(evaluations=18)], (2, 4))
    assert {budget: of.evaluations for budget, of in dear.items()} == {2: 18}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("problems", ("cubic",)),
        ("estimators", ("reinforce",)),
        ("estimators", ("my_file.py",)),
        ("evaluations", (0,)),
        ("steps", (3, 2)),
        ("draws", 50),
        ("network_draws", 20),
    ],
)
def test_bad_arguments_are_named(field, value):
    with pytest.raises(ValueError, match=field):
        estimator_variance.Config(**{field: value})
