"""The compression recipe: a thousand images there and back, in as many bits as the ELBO says."""

import pytest

from experiments import compression


def test_a_thousand_images_are_sent_without_loss_in_minus_elbo_bits(tiny):
    run = tiny("compression")
    result = run.result
    assert result["lossless"]
    assert result["images"] == 1000
    assert abs(result["excess_over_negative_elbo"]) < 0.02
    whole = result["message_bytes"] * 8 - result["initial_bits"]
    assert whole / 1000 == pytest.approx(result["net_bits"])
    assert result["bits_per_dim"] == pytest.approx(result["net_bits"] / 64)
    assert result["nll_bits"] < result["negative_elbo_bits"] < result["dims"]
    # A dearer rate is spared, and paid for in distortion.
    assert result["rate_bits"][1] < result["rate_bits"][0]
    assert result["distortion_bits"][1] > result["distortion_bits"][0]
    for expected in ("bits/dim", "% of -ELBO", "-log p(x)"):
        assert expected in run.printed


def test_without_the_coder_the_extra_is_named(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"pip install 'jaxgen\[compression\]'"):
        compression.Config()
