"""The f-GAN recipe on the ring: what it leaves, that a failure shows."""

import json

import jax
import jax.numpy as jnp
import numpy as np
from recipes import run_recipe

from experiments import f_gan_ring
from jaxgen import workbench
from jaxgen.divergences import DIVERGENCES
from jaxgen.objectives import f_gan
from jaxgen.workbench.errors import TrainingFailed


def test_a_run_reports_every_divergence_beside_the_data(tiny):
    run = tiny("f_gan_ring")
    assert run.result["of_reals"]["covered"] == 8
    assert run.result["of_reals"]["entropy"] > 0.99
    # Within three standard deviations in the plane: 1 - e^-4.5 = .989, 2,500 draws, five sigmas.
    assert abs(run.result["of_reals"]["high_quality"] - 0.98889) < 5 * 0.0021
    assert list(run.result["divergences"]) == ["kl", "total_variation"]
    for name, of in run.result["divergences"].items():
        for number in ("covered", "entropy", "high_quality", "bound"):
            assert of[number] == run.records(name)[-1][f"validation_{number}"]
        assert 0 <= of["entropy"] <= 1


def test_what_is_not_finite_is_named_and_the_others_go_on(tmp_path, monkeypatch, capsys):
    numbers = {"covered": 8, "entropy": 1.0, "high_quality": 0.5, "bound": 0.25}

    def play(part, *_, **__):
        if part.title == "kl":
            raise TrainingFailed("kl: not finite: critic_loss at step 2 of epoch 1; 3 is saved")
        judged = {f"validation_{name}": value for name, value in numbers.items()}
        part.directory.record({"epoch": 1, "train_critic_loss": 1.0, **judged, "seconds": 2.0})

    monkeypatch.setattr(workbench, "play", play)
    monkeypatch.setattr(workbench, "samples", lambda *_: np.zeros((5, 2)))
    flags = "--divergences kl total_variation"
    assert run_recipe("f_gan_ring", flags, tmp_path / "run") == 0
    assert json.loads((tmp_path / "run" / "result.json").read_text())["divergences"] == {
        "kl": {"failed": "not finite: critic_loss at step 2 of epoch 1"},
        "total_variation": {**numbers, "seconds": 2.0},
    }
    shown = capsys.readouterr().out
    assert "KL: not finite: critic_loss at step 2 of epoch 1\n" in shown
    assert "nan" not in shown.lower()
    assert (tmp_path / "run" / "pictures" / "samples.png").exists()


def test_both_players_have_a_gradient_that_total_variation_lacks_without_activation():
    def gradients(loss):
        real, fake = jnp.float32(0.3), jnp.float32(-0.4)
        of_critic = jax.grad(loss.critic, argnums=(0, 1))(real, fake)
        return [*map(float, of_critic), float(jax.grad(loss.generator, argnums=1)(real, fake))]

    for name in ("total_variation", "kl"):
        for trick in (False, True):
            of_real, of_fake, of_generator = gradients(f_gan_ring.make_loss(name, trick=trick))
            assert of_real < 0 < of_fake, name
            assert of_generator < 0, name  # either way its fakes are to look more real
    assert gradients(f_gan(DIVERGENCES["total_variation"])) == [0, 0, 0]
