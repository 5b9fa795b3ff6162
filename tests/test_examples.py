"""Every public function and class has an example; it runs, and its call holds what is promised.

Called again as in its example, a function compiles nothing; with one argument malformed, it refuses
in one form: "name: got ..., expected ..."; what it reports is made of products at the highest
precision.
"""

import doctest
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import pytest
from calls import alone, rows, second_calls
from default_products import default_products
from examples import ROOMS, Close, recorded, run

import jaxgen
from jaxgen.boundary import checked
from jaxgen.nets import MLP
from jaxgen.numerics import highest_precision

OF_FUNCTIONS = ("f_divergence", "inference_gap", "log_marginal")
"""What scans or checks functions that each call makes anew; within `jax.jit`, it compiles once."""
WITHOUT_DOORS = ("array_checks", "boundary", "checks", "numerics", "types", "values", "violations")
"""Single files on which the doors stand, and the doors themselves."""
REPORTING = (
    "bounds",
    "certify",
    "divergences",
    "inference",
    "metrics",
    "models",
    "numerics",
    "pairwise",
    "two_sample",
)
"""The rooms of numbers to report."""
TRAINED = {
    "certify/toys.py": "a problem's f, which certificates call at the highest precision",
    "divergences/critic.py": "the bound of any critic is one",
    "models/uniform_mixture.py": "nets of its components",
    "models/variational_rnn.py": "nets",
}
"""Their files whose products may be rounded as an accelerator does, and why."""
ARGUED: dict[tuple[str, str], str] = {
    ("certify.density_report", "values"): "None: a density over the reals",
    ("data.refuse", "message"): "whatever it is, it is raised",
    ("distributions.in_context", "context"): "it is passed on",
    ("distributions.in_context", "x"): "it is passed on",
    ("distributions.triangular_fixed_point", "x0"): "the function that is passed refuses it",
    ("objectives.cycle_losses", "loss"): "None: least_squares()",
    ("objectives.entropy_elbo", "estimator"): "None: pathwise()",
    ("train.init_estimator_state", "estimator_state"): "None: a tree without leaves",
    ("train.init_estimator_state", "params"): "None: a tree without leaves",
    ("train.init_state", "params"): "None: a tree without leaves",
    ("train.restore", "template"): "the leaves that differ are named",
    ("train.replicate", "tree"): "None: a tree without leaves",
    ("train.save", "tree"): "None: a tree without leaves",
    ("workbench.known_classes", "run_directory"): "None: a classifier that is trained now",
    ("workbench.load_features", "run_directory"): "None: the pixels",
    ("workbench.to_json", "value"): "None: null",
    ("workbench.train", "held_out"): "None: a judge that needs none",
}
"""Arguments for which anything may stand, by function and argument, and why."""
NO_VALUE = ("None", "a thing")


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """What `calls.py` says of a room, which it is asked once."""
    said = {}

    def of(room):
        if room not in said:
            tests = Path(__file__).parent
            path = os.pathsep.join(map(str, (tests.parent, tests)))
            done = subprocess.run(
                [sys.executable, tests / "calls.py", room],
                env={**os.environ, "PYTHONPATH": path},
                capture_output=True,
                text=True,
                cwd=tmp_path_factory.mktemp(room),
            )
            assert done.returncode == 0, done.stderr
            said[room] = json.loads(done.stdout)
        return said[room]

    return of


def test_every_room_is_asked():
    found = {path.stem for path in Path(jaxgen.__file__).parent.iterdir() if path.stem[0] != "_"}
    assert found - {"py"} == set(ROOMS)


@pytest.mark.parametrize("room", ROOMS)
def test_its_examples_run(room, found):
    failed = {name: of["failed"] for name, of in found(room).items() if of["failed"]}
    assert not failed, "\n".join(f"{name}: {what}" for name, what in failed.items())


@pytest.mark.parametrize("room", ROOMS)
def test_called_again_its_functions_compile_nothing(room, found):
    again = {name: of["compiled"] for name, of in found(room).items() if of["compiled"]}
    assert not again.keys() - OF_FUNCTIONS, again


@pytest.mark.parametrize("room", REPORTING)
def test_its_numbers_are_made_of_exact_products(room, found):
    """Those of the nets that are passed in too: an accelerator rounds the operands of others."""
    rounded = {
        name: files
        for name, of in found(room).items()
        if (files := {f for f in of["products"] if f.startswith(room)} - TRAINED.keys())
    }
    assert not rounded


@pytest.mark.parametrize("room", [room for room in ROOMS if room not in WITHOUT_DOORS])
def test_its_functions_refuse_in_one_form(room, found):
    """Otherwise an AttributeError, a TracerError, or words of another library are all one gets."""
    let_in, otherwise = judged(
        [(f"{room}.{name}", *row) for name, of in found(room).items() for row in of["rows"]]
    )
    assert not let_in, "\n".join(map(str, let_in))
    assert not otherwise, "\n".join(map(str, otherwise))


def judged(calls):
    """Returns calls that let in what stands for no argument, and those that failed otherwise."""
    calls = [call for call in calls if call[:2] not in ARGUED]
    let_in = [call for call in calls if call[2] in NO_VALUE and call[3] == "accepted"]
    return let_in, [call for call in calls if call[3] not in ("accepted", "refused")]


def test_other_words_and_what_is_let_in_are_seen():
    def trusting(x):
        return len(x)

    let_in, otherwise = judged([("trusting", *row) for row in rows(trusting, ([1.0],), {})])
    assert not let_in
    assert otherwise[0][2:] == ("None", "TypeError: object of type 'NoneType' has no len()")
    let_in, _ = judged([("blind", *row) for row in rows(lambda x: 0, (1.0,), {})])
    assert [call[2] for call in let_in] == ["None", "a thing"]


def test_without_a_call_the_door_alone_is_seen():
    def typed(x: float, y: Any = None):
        return x

    assert [row[2] for row in alone(checked(typed))] == ["refused", "refused"]
    assert [row[2] for row in alone(typed)] == ["accepted", "accepted"]


def test_a_function_that_compiles_anew_is_seen():
    def anew(x):
        return jax.jit(lambda x: x + 1)(x)

    calls = []
    recorded({"anew": anew}, calls)["anew"](jnp.zeros(3))
    assert second_calls(anew, calls) == 1


def test_a_product_that_asks_for_no_precision_is_seen():
    init, x = MLP((), (1,)).init, jnp.ones(3)
    for say, files in ((init, {"nets/mlp.py"}), (highest_precision(init), set())):
        with default_products() as found:
            jax.eval_shape(say, jax.random.key(0), x)
        assert found == files


def test_numbers_agree_as_far_as_they_are_written():
    check = Close().check_output
    assert check("0.33 of [1, 2.5]", "0.3333 of [1, 2.5]", 0)
    assert not check("0.34", "0.3333", 0)
    assert not check("3 of [1]", "2 of [1]", 0)
    assert check("", "what an example does not show", 0)


def test_a_wrong_example_fails():
    parser = doctest.DocTestParser()
    run(parser.get_doctest(">>> 1 / 3\n0.33\n", {}, "right", None, None), {})
    with pytest.raises(AssertionError, match="Got"):
        run(parser.get_doctest(">>> 1 / 3\n0.34\n", {}, "wrong", None, None), {})
