"""The recipe of variational inference: how its numbers hang together, in a run of seconds."""

import pytest


def test_the_gaps_are_those_of_the_amortized_model_and_add_up(tiny):
    result = tiny("svi").result
    assert list(result["ways"]) == ["amortized", "svi"]
    for of in result["ways"].values():
        for split in ("train", "test"):
            assert of[f"{split}_elbo"] < of[f"{split}_log_px"] + 0.1
            assert of[f"{split}_best_elbo"] < of[f"{split}_log_px"] + 0.1
    for split, gap in result["gaps"].items():
        amortized = result["ways"]["amortized"]
        difference = amortized[f"{split}_log_px"] - amortized[f"{split}_elbo"]
        assert gap["total"]["mean"] == pytest.approx(difference, abs=1e-9)
        parts = [gap[of]["mean"] for of in ("approximation", "amortization", "generalization")]
        assert sum(parts) == pytest.approx(difference, abs=1e-9)
        assert gap["generalization"]["mean"] > 0  # the encoder had hardly been trained
    assert result["drawn_lower"] < result["drawn_upper"] + 0.2
