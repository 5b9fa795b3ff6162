"""The table of recipes, and how a test runs one: whole, interrupted, and what it compiles."""

import collections
import contextlib
import importlib
import io
import json
import logging
import os
import re
import shlex
import signal
from pathlib import Path
from typing import Any, NamedTuple

import jax
import pytest

from jaxgen.workbench.cli import choose
from jaxgen.workbench.run_directory import RunDirectory


class Recipe(NamedTuple):
    """One recipe in a setting of seconds, which all tests of it share.

    Attributes:
      name: of the recipe.
      flags: of the tiny run.
      pictures: that it draws, by the names of their files.
      trainings: epochs that each records, by the part's name ("" if the run is one training).
      refused: bad flags, and how the line begins that refuses them.
      programs: how often an epoch is compiled.
      checks_keys: whether keys are watched for reuse.
    """

    name: str
    flags: str
    pictures: str
    trainings: dict[str, int]
    refused: dict[str, str]
    programs: int = 1
    checks_keys: bool = True

    @property
    def resumes(self):
        """Whether it has the flag."""
        config = importlib.import_module(f"experiments.{self.name}").Config
        return "resume" in config.__dataclass_fields__


RECIPES = [
    Recipe(
        "vae",
        "--epochs 2 --hidden 16 --latent-size 4 --nll-samples 20",
        "samples reconstructions kl_per_dimension learning_curve",
        {"": 2},
        {
            "--nonsense 1": "--nonsense",
            "--dataset mnits": "dataset: got 'mnits'",
            "--batch-size 1298": "batch_size: got 1298, expected at most 1297",
            "--likelihood poisson": "poisson",
            "--binarization none": "binarization: got 'none' for the gray pixels of digits",
            "--binarization None": "None",
            "--latent-size 0": "latent_size: got 0, expected an integer >= 1",
            "--hidden 20 0": "hidden: got 0, expected an integer >= 1",
            "--ema-decay 1": "ema_decay: got 1.0, expected a number in (0, 1)",
            "--clip-norm 0": "clip_norm: got 0.0, expected a positive number",
            "--beta nan": "beta: got nan, expected a finite number >= 0",
            "--patience 0": "patience: got 0, expected an integer >= 1",
            "--nll-samples 0": "nll_samples: got 0, expected an integer >= 1",
            "--likelihood gaussian --binarization threshold": "binarization: got 'threshold' with",
        },
    ),
    Recipe(
        "autoregressive",
        "--family made pixelcnn --epochs 2 --features 8 --layers 1 --orders 2 --pixels 8 "
        "--conditional --batch-size 256",
        "samples_made samples_pixelcnn learning_curve",
        {"made": 2, "pixelcnn": 2},
        {
            "--family pixelrnn": "family: got 'pixelrnn', expected one of",
            "--pixels 0": "pixels: got 0, expected an integer >= 1",
            "--dropout 1": "dropout: got 1.0, expected",
        },
        programs=2,
    ),
    Recipe(
        "infovae",
        "--alpha 1 --weight 50 --hidden 16 --latent-size 3 --epochs 2 --batch-size 256 "
        "--nll-samples 10",
        "samples_vae samples_infovae rate",
        {"vae": 2, "infovae": 2},
        {
            "--alpha 1.2": "alpha: got 1.2, expected a finite number <= 1",
            "--alpha 0 --weight 0.5": "weight: got 0.5, expected a finite number >= 1 - alpha = 1",
        },
    ),
    Recipe(
        "smooth_encoder",
        "--norm 0.1 --noise 1 --hidden 16 --latent-size 3 --epochs 2 --batch-size 256 "
        "--nll-samples 10",
        "validation_elbo",
        {"plain": 2, "denoising": 2, "weight-normalized": 2},
        {"--noise -1": "noise: got -1.0, expected a finite number >= 0"},
        programs=2,
    ),
    Recipe(
        "iwae",
        "--gradients pathwise sticking_the_landing --samples 3 --snr-samples 2 8 --hidden 8 "
        "--latent-size 2 --epochs 2 --batch-size 1297 --nll-samples 30",
        "learning_curves signal_to_noise",
        {"pathwise_3": 2, "sticking_the_landing_3": 2},
        {
            "--bound vr-max": "bound: got vr-max, which is not twice differentiable",
            "--gradients vimco": "samples: got 1, expected an integer >= 2 (vimco)",
            "--gradients vimco --samples 2": "snr_samples: got 1, expected an integer >= 2 (vimco)",
            "--gradients pathwise pathwise": "gradients: got ('pathwise', 'pathwise'), expected",
            "--snr-samples 4": "snr_samples: got (4,), expected none, or two or more",
        },
        programs=2,
    ),
    Recipe(
        "classifier",
        "--epochs 8 --num-features 16",
        "learning_curve",
        {"": 8},
        {
            "--num-features 1": "num_features: got 1, expected an integer >= 2",
            "--batch-size 2000": "batch_size: got 2000, expected at most 1297",
        },
    ),
    Recipe(
        "belief_network",
        "--estimator moving_average relax --epochs 2 --latent-size 4 --nll-samples 20",
        "samples_moving_average reconstructions_moving_average learning_curve_moving_average "
        "samples_relax reconstructions_relax learning_curve_relax comparison",
        {"moving_average": 2, "relax": 2},
        {
            "--estimator arm arm": "estimator: got ('arm', 'arm'), expected one or more, each once",
            "--evaluations 3": "evaluations: got 3, expected an even number",
        },
        programs=2,
    ),
    Recipe(
        "filtering",
        "--epochs 2 --particles 2 --evaluate-particles 1 --sequences 16 --time 6 --batch-size 8 "
        "--resampling-gradient score",
        "bounds learning_curve filtered",
        {"": 2},
        {
            "--evaluate-particles 4 2": "evaluate_particles: got (4, 2), expected one number or",
            "--time 1": "time: got 1, expected an integer >= 2",
            "--objective aesmc --resampling-gradient score": "resampling_gradient: got 'score' wi",
            "--dataset nonsense": "dataset: got 'nonsense'",
            "--sequences 8": "batch_size: got 32, expected at most 8",
        },
    ),
    Recipe(
        "naive_monte_carlo",
        "--dimensions 2 40 --samples 1 64 --repeats 20 --datapoints 100 --noise 1",
        "bias_by_dimension ess_by_dimension bias_by_samples",
        {},
        {
            "--repeats 1": "repeats: got 1, expected an integer >= 2",
            "--samples 8 2": "samples: got",
        },
        programs=0,
    ),
    Recipe(
        "two_sample",
        "--counts 24 --trials 200 --permutations 19",
        "power",
        {},
        {
            "--permutations 5": "permutations: got 5, expected at least 19",
            "--counts 32 16": "counts: got",
            "--counts 4": "counts: got 4, expected an integer >= 8",
        },
        programs=0,
    ),
    Recipe(
        "likelihood_vs_quality",
        "--epochs 1 --batch-size 432 --judged 50 --components 2 --latent-size 2 "
        "--temperatures 2 --chains 1",
        "frontier samples",
        {"MADE": 1, "PixelCNN": 1, "flow": 1, "VAE": 1, "GAN": 1},
        {
            "--levels 1": "levels: got 1, expected an integer >= 2",
            "--judged 19": "judged: got 19, expected an integer >= 20",
            "--components 0": "components: got 0, expected an integer >= 1",
            "--features nowhere": "features: got nowhere, expected the run directory",
        },
        programs=5,
    ),
    Recipe(
        "mixture_em",
        "--steps 60 --starts 6",
        "components staircase",
        {},
        {
            "--components 5000": "components: got 5000, expected at most 2000",
            "--min-variance -1": "min_variance: got -1.0, expected a finite number >= 0",
        },
        programs=0,
    ),
    Recipe(
        "ring",
        "--unroll 1 --epochs 3 --steps-per-epoch 2 --batch-size 16 --latent-size 4 --seeds 2",
        "strip seeds coverage",
        {"": 3},
        {
            "--method packed --packing 3": "packing: got 3, expected a divisor",
            "--critic-learning-rate 0": "critic_learning_rate: got 0.0, expected a positive",
        },
    ),
    Recipe(
        "toy_gan",
        "--epochs 3 --steps-per-epoch 10 --batch-size 64",
        "densities value",
        {"": 3},
        {"--target cauchy": "--target", "--steps-per-epoch 0": "steps_per_epoch: got 0"},
    ),
    Recipe(
        "f_gan",
        "--divergences kl total_variation --epochs 3 --steps-per-epoch 10 --batch-size 64",
        "densities bounds judged_by",
        {"kl": 3, "total_variation": 3},
        {
            "--divergences kl wasserstein": "divergences: got 'wasserstein', expected one of",
            "--divergences kl kl": "divergences: got ('kl', 'kl')",
        },
        programs=2,
    ),
    Recipe(
        "wgan",
        "--epochs 2 --steps-per-epoch 2 --batch-size 16 --width 8 --critic-steps 2 --alone-steps 5",
        "estimates samples surfaces",
        {"clipping": 2, "penalty": 2, "gan": 2},
        {
            "--methods spectral": "methods: got 'spectral', expected one of",
            "--clip 0": "clip: got 0.0, expected a positive",
        },
        programs=3,
    ),
    Recipe(
        "f_gan_ring",
        "--divergences kl total_variation --epochs 2 --steps-per-epoch 2 --batch-size 16 "
        "--critic-steps 2 --latent-size 4",
        "samples",
        {"kl": 2, "total_variation": 2},
        {
            "--divergences kl wasserstein": "divergences: got 'wasserstein', expected one of",
            "--divergences kl kl": "divergences: got ('kl', 'kl')",
        },
        programs=2,
    ),
    Recipe(
        "dcgan",
        "--epochs 2 --batch-size 432 --width 2 --latent-size 3 --conditional projection",
        "samples over_time neighbors frechet critic classes",
        {"": 2},
        {
            "--loss wasserstein": "critic: got 'batch_norm' with the wasserstein loss",
            "--batch-size 1298": "batch_size: got 1298, expected at most 1297",
            "--features nowhere": "features: got nowhere, expected the run directory",
            "--conditional yes": "yes",
        },
    ),
    Recipe(
        "cyclegan",
        "--epochs 2 --batch-size 324 --width 2 --blocks 1 --critic-width 2",
        "to_y to_x unpaired_scores",
        {"": 2},
        {
            "--x-folder horses": "x_folder: got one folder alone, expected y_folder beside it",
            "--x-folder horses --y-folder zebras": "x_folder: got 'horses', expected a folder",
            "--dataset cycle_gan/none": "dataset: got 'cycle_gan/none'",
            "--enlarge 7": "enlarge: got 7, expected at least 8",
            "--edge 2": "edge: got 2, expected an odd number",
            "--halvings 4": "halvings: got 4 for images of 8x8",
            "--halvings 3": "halvings: got 3 for images of 8x8",
            "--critic-strides 2 2 2 2": "critic_strides: got (2, 2, 2, 2) for images of 8x8",
            "--batch-size 700": "batch_size: got 700, expected at most 649",
        },
    ),
    Recipe(
        "cycle_consistency",
        "--nets mlp --tasks local --seeds 2 --epochs 2 --passes 1 --images 64",
        "translations_mlp_cycle_local translations_mlp_none_local class_kept",
        {"mlp_cycle_local": 2, "mlp_none_local": 2},
        {
            "--losses cycle cycle": "losses: got ('cycle', 'cycle'), expected one or more",
            "--tasks sepia": "sepia",
            "--passes 0": "passes: got 0, expected an integer >= 1",
        },
        programs=2,
        checks_keys=False,  # all trainings are judged with one key, one after another
    ),
    Recipe(
        "critic_features",
        "--seeds 2 --epochs 2 --width 8 --batch-size 648 --latent-size 3 --encoded-size 64 "
        "--components 64",  # 64 features of each kind: one program for them all
        "accuracy over_time",
        {"critic": 2, "vae": 2, "classifier": 2},
        {
            "--seeds 1": "seeds: got 1, expected an integer >= 2",
            "--per-class 1000": "per_class: got 1000, expected at most",
        },
        programs=3,
    ),
    Recipe(
        "bigan",
        "--epochs 2 --hidden 8 8 --latent-size 3 --seeds 2 --batch-size 432 --judged 40 "
        "--neighbors 100 --r1 0",
        "samples reconstructions interpolations traversals round_trips critic",
        {"": 2},
        {
            "--encoder vae": "vae",
            "--decay-epochs 3 --epochs 2": "decay_epochs: got 3, expected at most epochs=2",
            "--r1 -1": "r1: got -1.0, expected",
            "--judged 0": "judged: got 0, expected an integer >= 20",
        },
    ),
    Recipe(
        "compression",
        "--hidden 32 --latent-size 4 --epochs 20 --batch-size 128 --learning-rate 3e-3 "
        "--betas 0.2 1 --buckets 512 --nll-samples 50",
        "rate_distortion what_bob_sees",
        {"beta_0.2": 20, "beta_1": 20},
        {
            "--betas 0.5": "betas: got (0.5,), expected 1 among them",
            "--betas 1 -1": "betas: got -1.0, expected a finite number >= 0",
            "--buckets 1": "buckets: got 1, expected 2 to 65536",
            "--images 1001": "images: got 1001, expected at most 1000",
        },
    ),
    Recipe(
        "flow",
        "--dataset ring --flows affine_coupling spline_autoregressive --epochs 2 "
        "--steps-per-epoch 2 --hidden 8 --num-bins 4",
        "densities learning_curves",
        {"affine_coupling": 2, "spline_autoregressive": 2},
        {
            "--flows planar": "flows: got 'planar', expected one of",
            "--num-bins 1": "num_bins: got 1, expected an integer >= 2",
        },
        programs=2,
    ),
    Recipe(
        "flexible_vae",
        "--models plain all --epochs 2 --hidden 8 --latent-size 3 --batch-size 432 --nll-samples 5",
        "samples_plain samples_all learning_curves",
        {"plain": 2, "all": 2},
        {
            "--models vampprior": "models: got 'vampprior', expected one of",
            "--latent-size 1": "latent_size: got 1, expected an integer >= 2",
        },
        programs=2,
    ),
    Recipe(
        "svi",
        "--inference amortized svi --epochs 2 --hidden --latent-size 2 --images 20 "
        "--batch-size 600 --local-steps 2 --measure-steps 30 --tune-steps 50 --temperatures 4 "
        "--chains 2",
        "learning_curves gaps local_steps",
        {"amortized": 2, "svi": 2},
        {
            "--inference svi": "inference: got ('svi',), expected amortized among them",
            "--images 301": "images: got 301, expected at most 300, the test images of digits",
        },
        programs=2,
    ),
    Recipe(
        "teachers",
        "--dataset digits --binarization threshold --epochs 2 --batch-size 400 --pixels 4",
        "draws_of_pixels learning_curves",
        {"pixels": 2, "latents": 2},
        {
            "--dataset mnits": "dataset: got 'mnits'",
            "--epochs 0": "epochs: got 0, expected an integer >= 1",
        },
        programs=2,
    ),
    Recipe(
        "known_entropy",
        "--models made vae --epochs 2 --images 200 --held-out 20 --bracketed 4 --temperatures 3 "
        "--chains 2",
        "kl draws",
        {"made": 2, "vae": 2},
        {
            "--models gan": "models: got 'gan', expected one of",
            "--models made": "models: got ('made',), expected vae among them",
            "--held-out 1": "held_out: got 1, expected an integer >= 2",
        },
        programs=2,
    ),
    Recipe(
        "true_gaps",
        "--images 4 --samples 1 4 --sets 3 --temperatures 3 6 --chains 2 --points 60",
        "draws gaps",
        {},
        {
            "--samples 4 1": "samples: got (4, 1)",
            "--points 20": "points: got 20, expected an integer >= 50",
        },
        programs=0,
    ),
    Recipe(
        "exact_divergences",
        "--temperatures 1 1.9 --divergences kl total_variation --images 40 --tested 10 --steps 3 "
        "--batch-size 8 --width 2 --permutations 19",
        "seen draws",
        {},
        {
            "--divergences wasserstein": "divergences: got 'wasserstein', expected one of",
            "--temperatures 2 1": "temperatures: got (2.0, 1.0)",
            "--images 20": "images: got 20, expected an integer >= 40",
        },
        programs=0,
    ),
    Recipe(
        "unzip",
        "--epochs 2 --hidden 8 --orders 2 --images 30 --batch-size 300",
        "learning_curves",
        {"made": 2, "pixelcnn": 2},
        {
            "--images 1001": "images: got 1001, expected at most 1000",
            "--orders 1": "orders: got 1, expected an integer >= 2",
        },
        programs=2,
    ),
]


class Run(NamedTuple):
    """What a run of a recipe left."""

    path: Path
    printed: str
    compiled: dict[str, int]

    @property
    def result(self) -> dict[str, Any]:
        """What result.json holds."""
        return json.loads((self.path / "result.json").read_text())

    def records(self, part: str = "") -> list[dict[str, Any]]:
        """What the epochs of one training recorded."""
        return RunDirectory(self.path / part).metrics()

    @property
    def pictures(self) -> dict[str, bytes]:
        """Every picture by its name."""
        return {file.stem: file.read_bytes() for file in (self.path / "pictures").iterdir()}


def run_whole(recipe, path):
    """Returns the tiny run of a recipe, which must succeed."""
    printed = io.StringIO()
    with (
        jax.debug_key_reuse(recipe.checks_keys),
        compilations() as compiled,
        contextlib.redirect_stdout(printed),
    ):
        assert run_recipe(recipe.name, recipe.flags, path) == 0
    return Run(path, printed.getvalue(), dict(compiled))


def run_recipe(name, arguments, run_dir):
    """Runs `python -m experiments NAME ARGUMENTS --run-dir RUN_DIR`; returns its exit code."""
    try:
        choose([name, *shlex.split(arguments), "--run-dir", str(run_dir)])
    except SystemExit as left:
        return left.code
    return 0


def run_interrupted(name, arguments, run_dir, *, epoch, part=None):
    """Runs a recipe that gets SIGTERM as it is about to record `epoch` of the run named `part`."""
    record = RunDirectory.record

    def interrupted(run, metrics):
        if part in (None, run.path.name) and metrics["epoch"] == epoch:
            os.kill(os.getpid(), signal.SIGTERM)
        record(run, metrics)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RunDirectory, "record", interrupted)
        return run_recipe(name, arguments, run_dir)


def untimed(tree):
    """Returns what JSON held without what differs from run to run: the seconds."""
    if isinstance(tree, dict):
        return {name: untimed(of) for name, of in tree.items() if "seconds" not in name}
    return [untimed(of) for of in tree] if isinstance(tree, list) else tree


@contextlib.contextmanager
def compilations():
    """Yields a Counter of how often each jitted function is compiled meanwhile, by its name."""
    counted = collections.Counter()

    class Count(logging.Handler):
        def emit(self, record):
            if found := re.match(r"Compiling jit\((\w+)\)", record.getMessage()):
                counted[found[1]] += 1

    handler = Count()
    logger = logging.getLogger("jax")
    logger.addHandler(handler)
    try:
        with jax.log_compiles():
            yield counted
    finally:
        logger.removeHandler(handler)
