"""The recipe of bounds and gradients: its comparison, and the gradient whose noise it measures."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

from experiments import iwae
from jaxgen.data import from_arrays
from jaxgen.models import LIKELIHOODS, gaussian_vae, observe
from jaxgen.nets import MLP


def test_a_run_leaves_a_training_per_cell_and_their_comparison(tiny):
    run = tiny("iwae")
    first, second = run.result["cells"]
    assert (first["gradient"], first["unbiased"]) == ("pathwise", True)
    assert (second["gradient"], second["unbiased"]) == ("sticking_the_landing", False)
    for cell in (first, second):
        # Of the same pixels: the more samples, the tighter.
        assert cell["test_elbo"] < cell["test_iwae"] < -cell["test_nll"] + 0.1
        assert 1 <= cell["ess"] <= iwae.WEIGHTS
        last = run.records(f"{cell['gradient']}_3")[-1]
        assert last["validation_elbo"] < last["validation_bound"]
        assert last["train_elbo"] < last["train_bound"]
        assert 1 <= last["train_ess"] <= 3
    assert first["test_nll_less_first"] == first["test_nll_less_first_stderr"] == 0
    difference = second["test_nll"] - first["test_nll"]
    assert second["test_nll_less_first"] == pytest.approx(difference, abs=1e-9)
    assert 0 < second["test_nll_less_first_stderr"] < second["test_nll_stderr"]
    # One start and the same draws: the gradients alone differ.
    assert abs(difference) < 0.5
    for name, values in run.result["snr"].items():
        slope = np.log(values[1] / values[0]) / np.log(4)
        assert run.result["snr_slopes"][name] == pytest.approx(slope, abs=1e-5)


def test_the_ratio_is_that_of_the_encoders_gradient(monkeypatch):
    model = gaussian_vae(
        MLP((), (2, 2)),
        MLP((), (2, 2, 1, 1)),
        LIKELIHOODS["bernoulli"].distribution,
        latent_size=2,
        x_shape=(2, 2, 1),
    )
    params = model.init(jax.random.key(0))
    pixels = np.array([0, 0, 255, 0], np.uint8).reshape(1, 2, 2, 1)
    images = from_arrays(pixels, binarization="threshold")
    config = iwae.Config(gradients=("doubly_reparameterized",), snr_samples=(1, 4))

    @jax.jit
    @jax.vmap
    def gradient(key):
        def bound(encoder):
            at = observe(model, {**params, "encoder": encoder}, jnp.float32(pixels[0] / 255))
            estimator = config.estimators["doubly_reparameterized"](4)
            return estimator.apply((), key, at.log_weight, at.q)[0]

        return ravel_pytree(jax.grad(bound)(params["encoder"]))[0]

    draws = np.asarray(gradient(jax.random.split(jax.random.key(1), 10_000)), np.float64)
    expected = np.linalg.norm(draws.mean(axis=0)) / np.sqrt(draws.var(axis=0).sum())
    monkeypatch.setattr(iwae, "SNR_DRAWS", 4000)
    found, _ = iwae.encoder_snr(config, model, params, jax.random.key(2), images)
    assert found["snr"]["doubly_reparameterized"][1] == pytest.approx(expected, rel=0.1)
