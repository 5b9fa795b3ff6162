"""The f-GAN recipe on the ring: what it leaves, that it resumes exactly, that a failure shows."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from recipes import compilations, run_interrupted, run_recipe

from experiments import f_gan_ring
from jaxgen.divergences import DIVERGENCES
from jaxgen.objectives import f_gan
from jaxgen.workbench.errors import TrainingFailed
from jaxgen.workbench.run_directory import RunDirectory

TINY = (
    "--divergences kl total_variation --epochs 2 --steps-per-epoch 2 --batch-size 16 "
    "--critic-steps 2 --latent-size 4"
)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    path = tmp_path_factory.mktemp("f_gan_ring") / "run"
    with compilations() as compiled:
        assert run_recipe("f_gan_ring", TINY, path) == 0
    assert compiled["one_epoch"] == 2, "once for each divergence"
    return path


def test_a_run_reports_every_divergence_beside_the_data(whole):
    result = json.loads((whole / "result.json").read_text())
    assert result["of_reals"]["covered"] == 8
    assert result["of_reals"]["entropy"] > 0.99
    # Within three standard deviations in the plane: 1 - e^-4.5 = .989, 2,500 draws, five sigmas.
    assert abs(result["of_reals"]["high_quality"] - 0.98889) < 5 * 0.0021
    assert list(result["divergences"]) == ["kl", "total_variation"]
    for name, of in result["divergences"].items():
        records = RunDirectory(whole / name).metrics()
        assert [r["epoch"] for r in records] == [1, 2]
        for number in ("covered", "entropy", "high_quality", "bound"):
            assert of[number] == records[-1][f"validation_{number}"]
        assert 0 <= of["entropy"] <= 1
    assert {p.name for p in (whole / "pictures").iterdir()} == {"samples.png"}


def test_an_interrupted_run_resumes_to_the_same_end(whole, tmp_path, capsys):
    path = tmp_path / "run"
    assert run_interrupted("f_gan_ring", TINY, path, epoch=1, part="total_variation") == 143
    assert "--resume" in capsys.readouterr().err
    assert run_recipe("f_gan_ring", TINY + " --resume", path) == 0
    ends = [json.loads((p / "result.json").read_text()) for p in (whole, path)]
    for of in (of for end in ends for of in end["divergences"].values()):
        del of["seconds"]
    assert ends[0] == ends[1]


def test_what_is_not_finite_is_named_and_the_others_go_on(tmp_path, monkeypatch, capsys):
    numbers = {"covered": 8, "entropy": 1.0, "high_quality": 0.5, "bound": 0.25}

    def train(config, model, target, name, reals, key, part):
        if name == "kl":
            raise TrainingFailed("not finite: critic_loss at step 2 of epoch 1; epoch 3 is saved")
        part.record({"epoch": 1, "seconds": 2.0})
        return numbers, np.zeros((5, 2))

    monkeypatch.setattr(f_gan_ring, "train", train)
    assert run_recipe("f_gan_ring", TINY, tmp_path / "run") == 0
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


def test_bad_arguments_leave_one_line_and_no_run(tmp_path, capsys):
    for flags, message in (
        ("--divergences kl wasserstein", "divergences: got 'wasserstein', expected one of"),
        ("--divergences kl kl", "divergences: got ('kl', 'kl')"),
        ("--critic-steps 0", "critic_steps: got 0, expected an integer >= 1"),
        ("--latent-size 0", "latent_size: got 0, expected an integer >= 1"),
    ):
        assert run_recipe("f_gan_ring", flags, tmp_path / "run") == 2
        assert message in capsys.readouterr().err
        assert not (tmp_path / "run").exists()
