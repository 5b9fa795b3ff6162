"""What every recipe shares: flags, run directory, training, sweeps, reports (extra `workbench`).

Each name is imported when it is first used, so that a command line can be read without JAX.

| question | answer |
|---|---|
| a recipe: its flags; its command line | a dataclass upon `TrainingConfig`; `main` |
| a run; its training, saved and resumed | `begin`; `train`, of a game `play` |
| images; the VAE, the GAN of them | `load_images`; `image_vae`, `image_gan` |
| the loss of stored images; its judge | `negative_elbo`, `negative_log_prob`; `judge_by` |
| several settings, several seeds | `sweep`, `seed_by_seed`, `mean_over_seeds` |
| scores of samples | `score_samples`, of features by `load_features` |

Example:
  What the examples of this room begin with:

  >>> from functools import partial
  >>> key = jax.random.key(0)
  >>> config = LatentConfig(run_dir="runs/one", batch_size=50, epochs=1, hidden=(8,), latent_size=2)
  >>> out = begin(config)
  >>> folder = out.directory
  >>> images = Images(*(first_of(split, 100) for split in load_pixels(config)))
  >>> model = image_vae(images.train, config.hidden, config.latent_size)
  >>> params = jax.jit(model.init)(key)
  >>> x = in_floats(images.test.images[:5])
  >>> net = Classifier(10, num_features=8, channels=(4,))
  >>> classifier = TrainedClassifier(net, jax.jit(net.init)(key, x), x.shape[1:])
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import jaxgen.workbench.first_use as lazy

if TYPE_CHECKING:
    from jaxgen.workbench.blocks import image_by_image, map_in_blocks
    from jaxgen.workbench.class_features import (
        MEASURES,
        balanced_indices,
        class_accuracy,
        judge_by_few_labels,
        principal_components,
    )
    from jaxgen.workbench.class_report import known_classes, labels_of, report_classes
    from jaxgen.workbench.classifying import classifier_loss, classifier_terms
    from jaxgen.workbench.cli import choose, main
    from jaxgen.workbench.config import (  # isort: skip
        NOT_COMPARED_ON_RESUME, AlternatingConfig, Directory, GameConfig, GapConfig, ImageConfig,
        LatentConfig, RunConfig, SequenceConfig, TrainingConfig,
    )  # fmt: skip
    from jaxgen.workbench.data_forms import Draws, Sets
    from jaxgen.workbench.domains import Domains, jittered, load_domains, pooled
    from jaxgen.workbench.encoder_measures import round_trips
    from jaxgen.workbench.encoder_report import (
        ENCODERS,
        ROUND_TRIPS,
        Labeled,
        first_labeled,
        in_floats,
        judge_encoders,
        report_encoders,
    )
    from jaxgen.workbench.epoch_loop import averaged_params, fit
    from jaxgen.workbench.errors import Interrupted, TrainingFailed
    from jaxgen.workbench.feature_report import (
        draw_features,
        over_seeds_and_images,
        paired,
        report_features,
    )
    from jaxgen.workbench.features import (
        Classifier,
        TrainedClassifier,
        feature_logits,
        image_features,
        load_classifier,
        load_features,
        save_classifier,
    )
    from jaxgen.workbench.fields import (
        F_DIVERGENCES,
        RISING,
        SEVERAL,
        Among,
        AtLeast,
        Count,
        NonNegative,
        Positive,
        Rule,
        Share,
        Whole,
        check_fields,
    )
    from jaxgen.workbench.fooled import verdict_table, verdicts
    from jaxgen.workbench.games import critic_against_noise, judge_critic, play, samples
    from jaxgen.workbench.gap_report import (
        GapReport,
        draw_fits,
        mean_bounds,
        report_gaps,
        tabulate_bounds,
    )
    from jaxgen.workbench.gaps import (
        TwoSided,
        best_phi,
        bound_draws,
        hamiltonian,
        measure_gaps,
        tune,
    )
    from jaxgen.workbench.gaussian_images import fit_gaussians, gaussian_model
    from jaxgen.workbench.gaussian_inference import (
        each_phi,
        elbo_at,
        encoded_phi,
        fitted_phi,
        judge_phis,
    )
    from jaxgen.workbench.image_game_pictures import draw_image_game
    from jaxgen.workbench.image_judge import ImageJudge
    from jaxgen.workbench.image_models import (
        ImageModel,
        dequantized_model,
        fit_images,
        latent_model,
        levels_model,
    )
    from jaxgen.workbench.images import (
        Images,
        first_images,
        first_of,
        generated_images,
        load_images,
        load_pixels,
        on_levels,
    )
    from jaxgen.workbench.implicit import fit_gan, image_gan, implicit_model
    from jaxgen.workbench.latent_pictures import draw_codes
    from jaxgen.workbench.likelihood import (
        exact_log_prob,
        fixed_point_draws,
        judge_nll,
        log_probs,
        negative_log_prob,
        with_classes,
    )
    from jaxgen.workbench.opening import new_path, open_run
    from jaxgen.workbench.optimizer import make_optimizer
    from jaxgen.workbench.plane import (
        COLLAPSE,
        TARGETS,
        collapse,
        coverage,
        plane_gan,
        report_seeds,
    )
    from jaxgen.workbench.progress_bar import progress
    from jaxgen.workbench.quadrature import expectation
    from jaxgen.workbench.records import to_json
    from jaxgen.workbench.refusals import renamed
    from jaxgen.workbench.requirements import require_devices, require_extra
    from jaxgen.workbench.run import Run, Table, begin
    from jaxgen.workbench.run_directory import RunDirectory
    from jaxgen.workbench.sample_scores import Reals, SampleScores, score_samples
    from jaxgen.workbench.score_report import nats_interval, score_table
    from jaxgen.workbench.seeds import seed_by_seed, side_by_side
    from jaxgen.workbench.sequence_pictures import draw_sequences
    from jaxgen.workbench.sequences import Known, SequenceSets, load_sequences
    from jaxgen.workbench.spoiled import adversaries
    from jaxgen.workbench.summary import (
        Mean,
        Seeds,
        mean_over_draws,
        mean_over_images,
        mean_over_seeds,
    )
    from jaxgen.workbench.sweeps import Swept, sweep
    from jaxgen.workbench.table import print_table
    from jaxgen.workbench.tensorboard_events import tensorboard
    from jaxgen.workbench.training import Trained, judge_by, train
    from jaxgen.workbench.translation import (
        Judged,
        JudgedBy,
        fit_classifier,
        judge_translations,
        judged_by,
    )
    from jaxgen.workbench.translation_report import (
        JudgedCell,
        rank_correlation,
        report_translations,
        translation_numbers,
    )
    from jaxgen.workbench.vae import (
        bias_of_mean,
        constant,
        draw_vae,
        image_belief_network,
        image_vae,
        mean_image,
        reconstruct,
        vae_of_nets,
    )
    from jaxgen.workbench.vae_loss import estimator_loss, negative_bound, negative_elbo
    from jaxgen.workbench.vae_measures import negative_log_px, rate_distortion, sampled_bound

__all__ = [
    "COLLAPSE", "ENCODERS", "F_DIVERGENCES", "MEASURES", "NOT_COMPARED_ON_RESUME", "RISING",
    "ROUND_TRIPS", "SEVERAL", "TARGETS", "AlternatingConfig", "Among", "AtLeast", "Classifier",
    "Count", "Directory", "Domains", "Draws", "GameConfig", "GapConfig", "GapReport", "ImageConfig",
    "ImageJudge", "ImageModel", "Images", "Interrupted", "Judged", "JudgedBy", "JudgedCell",
    "Known", "Labeled", "LatentConfig", "Mean", "NonNegative", "Positive", "Reals", "Rule", "Run",
    "RunConfig", "RunDirectory", "SampleScores", "Seeds", "SequenceConfig", "SequenceSets", "Sets",
    "Share", "Swept", "Table", "Trained", "TrainedClassifier", "TrainingConfig", "TrainingFailed",
    "TwoSided", "Whole", "adversaries", "averaged_params", "balanced_indices", "begin", "best_phi",
    "bias_of_mean", "bound_draws", "check_fields", "choose", "class_accuracy", "classifier_loss",
    "classifier_terms", "collapse", "constant", "coverage", "critic_against_noise",
    "dequantized_model", "draw_codes", "draw_features", "draw_fits", "draw_image_game",
    "draw_sequences", "draw_vae", "each_phi", "elbo_at", "encoded_phi", "estimator_loss",
    "exact_log_prob", "expectation", "feature_logits", "first_images", "first_labeled", "first_of",
    "fit", "fit_classifier", "fit_gan", "fit_gaussians", "fit_images", "fitted_phi",
    "fixed_point_draws", "gaussian_model", "generated_images", "hamiltonian",
    "image_belief_network", "image_by_image", "image_features", "image_gan", "image_vae",
    "implicit_model", "in_floats", "jittered", "judge_by", "judge_by_few_labels", "judge_critic",
    "judge_encoders", "judge_nll", "judge_phis", "judge_translations", "judged_by", "known_classes",
    "labels_of", "latent_model", "levels_model", "load_classifier", "load_domains", "load_features",
    "load_images", "load_pixels", "load_sequences", "log_probs", "main", "make_optimizer",
    "map_in_blocks", "mean_bounds", "mean_image", "mean_over_draws", "mean_over_images",
    "mean_over_seeds", "measure_gaps", "nats_interval", "negative_bound", "negative_elbo",
    "negative_log_prob", "negative_log_px", "new_path", "on_levels", "open_run",
    "over_seeds_and_images", "paired", "plane_gan", "play", "pooled", "principal_components",
    "print_table", "progress", "rank_correlation", "rate_distortion", "reconstruct", "renamed",
    "report_classes", "report_encoders", "report_features", "report_gaps", "report_seeds",
    "report_translations", "require_devices", "require_extra", "round_trips", "sampled_bound",
    "samples", "save_classifier", "score_samples", "score_table", "seed_by_seed", "side_by_side",
    "sweep", "tabulate_bounds", "tensorboard", "to_json", "train", "translation_numbers", "tune",
    "vae_of_nets", "verdict_table", "verdicts", "with_classes",
]  # fmt: skip


__getattr__ = lazy.first_use(__name__, __all__)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
