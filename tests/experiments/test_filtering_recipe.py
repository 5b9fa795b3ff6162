"""The filtering recipe on all three kinds of sequences."""

import numpy as np
import pytest
from recipes import Recipe, run_whole

BOUNDS = {"iwae", "fivo", "aesmc", "vsmc"}
SMALL = "--epochs 1 --particles 2 --evaluate-particles 1"
OTHERS = {
    "stochastic_volatility": "--dataset stochastic_volatility --objective aesmc --sequences 16 "
    "--time 6 --batch-size 8",
    "digits": "--dataset digits --objective iwae --batch-size 1297",
}


@pytest.mark.parametrize("dataset", ["linear_gaussian", *OTHERS])
def test_with_one_particle_all_bounds_are_one_importance_sample(dataset, tiny, tmp_path):
    if dataset in OTHERS:
        recipe = Recipe("filtering", f"{SMALL} {OTHERS[dataset]}", "", {"": 1}, {})
        run = run_whole(recipe, tmp_path / "run")
    else:
        run = tiny("filtering")
    numbers = run.result
    assert numbers["test_bounds"].keys() == BOUNDS
    values = np.array(list(numbers["test_bounds"].values()))
    assert values.shape == (4, 1)
    assert np.isfinite(values).all()
    np.testing.assert_allclose(values, values[0, 0], rtol=1e-5)
    exact = dataset == "linear_gaussian"
    assert ("test_log_likelihood" in numbers) == exact
    assert ("exact log likelihood" in run.printed) == exact
    seen = "samples" if dataset == "digits" else "filtered"
    assert run.pictures.keys() == {"bounds", "learning_curve", seen}
    assert all(picture.startswith(b"\x89PNG") for picture in run.pictures.values())
