"""What a GAN's critic has learned of classes: its features beside pixels, and itself untrained.

Features are taken from the input of the critic's last layer (`last_features`), of a DCGAN trained
without labels. One nearest neighbor and a linear probe (standardized features, L2, solved to its
optimum) then tell the classes of test images, with all labels and with ten for each class. Beside
them: the pixels; their first principal components; *the same critic before training*; a VAE's
encoder (the mean of q); and the last hidden layer of a classifier, which alone has seen all labels.
Twenty seeds of each in one program, with start, noise, order of the data and labels of their own.

  python -m experiments critic_features

Measured, twenty seeds, accuracy on the 300 test digits (± half a 95% interval over seeds):

                         all labels                  10 labels of each class
                    1-NN          linear probe    1-NN          linear probe
  raw pixels        .980          .950            .915 ± .009   .890 ± .008
  principal comp.   .980          .957            .916 ± .008   .868 ± .011
  untrained critic  .981 ± .002   .981 ± .002     .895 ± .012   .901 ± .008
  critic            .987 ± .001   .983 ± .002     .911 ± .010   .915 ± .008
  VAE's encoder     .978 ± .002   .938 ± .003     .901 ± .009   .876 ± .010
  classifier        .984 ± .002   .980 ± .003     .970 ± .004   .971 ± .003
  by training       .006 ± .003   .003 ± .003     .016 ± .009   .014 ± .006
    p-value         .0002         .07             .001          .00006

So training helps, by little; a linear probe of all labels is not sure of it (p .07, and .01 of the
same seeds rounded otherwise), owes the architecture ten times as much, and other test images might
turn the gain round (± .006 over images). With few labels it owes both as much (.011, .014), and
they would not (± .008). The nearest of few is no better there than in pixels; on validation images
it is .890 after one epoch, .884 after twelve, .910 after all. Nine minutes of one CPU core, six of
two.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Annotated, Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array

from jaxgen import workbench as wb
from jaxgen.data import ImageSet
from jaxgen.nets import DCGANCritic, dcgan_channels, last_features
from jaxgen.objectives import game_losses, non_saturating
from jaxgen.pictures import learning_curve
from jaxgen.train import Update, game_update, gradient_step, init_game, init_state, mean_over_batch
from jaxgen.types import Key

LEARNING_RATE = 1e-3  # of the VAE's and the classifier's Adam
LABELS = {"pixels": "raw pixels", "pca": "principal components", "untrained": "untrained critic"}
LABELS |= {"critic": "critic", "vae": "VAE's encoder", "classifier": "classifier"}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(wb.ImageConfig):
    """The nets, and how many seeds of each are trained side by side."""

    seeds: Annotated[int, wb.AtLeast(2)] = 20
    """Trainings of each kind, in one program."""
    epochs: wb.Count = 60
    batch_size: wb.Count = 64
    learning_rate: wb.Positive = 5e-4
    """Of both players' Adam (b1 = .5); the VAE's and the classifier's is 1e-3."""
    width: wb.Count = 64
    """Channels of the critic's first layer; each halving doubles them."""
    latent_size: wb.Count = 64
    """Dimensions of the generator's z."""
    encoded_size: wb.Count = 16
    """Dimensions of the VAE's z."""
    components: wb.Count = 30
    """Principal components of the pixels."""
    per_class: wb.Count = 10
    """Labels of each class where there are few."""
    schedule: ClassVar[str] = "constant"


class Learned(NamedTuple):
    """A net that is trained, and the features that it has.

    Attributes:
      start: `key -> state`.
      update: of one state, by images and labels.
      variables: what of the state the features need.
      features: `(variables, images in [0, 1]) -> features`.
    """

    start: Callable[[Key], Any]
    update: Update
    variables: Callable[[Any], Any]
    features: Callable[[Any, Array], Array]


def run(config: Config) -> dict[str, Any]:
    """Trains the nets of `config` and judges all features; returns what result.json holds."""
    out = wb.begin(config)
    splits = wb.load_images(config)
    train_set, validation, test = (wb.first_labeled(of, len(of.images)) for of in splits)
    images, labels = splits.train, train_set.labels
    key_init, key_fit, key_few = config.keys(3)
    choose = jax.vmap(lambda key: wb.balanced_indices(key, labels, config.per_class))
    few = choose(jax.random.split(key_few, config.seeds)).reshape(config.seeds, -1)
    learned = {
        "critic": critic(config, images),
        "vae": encoder(config, images),
        "classifier": classifier(images, int(labels.max()) + 1),
    }

    def start(name: str) -> Any:
        key = jax.random.fold_in(key_init, list(learned).index(name))
        return jax.jit(jax.vmap(learned[name].start))(jax.random.split(key, config.seeds))

    def fit(part: wb.Run, net: Learned) -> Any:
        return wb.train(
            part,
            start(part.title),
            wb.seed_by_seed(net.update),
            wb.Sets(((images.images, labels),) * config.seeds),
            wb.judge_by_few_labels(net.features),
            key=jax.random.fold_in(key_fit, list(learned).index(part.title)),
            held_out=(few, train_set, validation),
            evaluated=net.variables,
            monitor="accuracy",
        ).params

    swept = wb.sweep(out, learned, fit)
    no_variables, game = jnp.zeros(config.seeds), learned["critic"]
    features = {
        "pixels": (lambda _, x: x.reshape(len(x), -1), no_variables),
        "pca": (wb.principal_components(images.images, config.components), no_variables),
        "untrained": (game.features, game.variables(start("critic"))),
        **{name: (net.features, swept[name]) for name, net in learned.items()},
    }
    right = {
        name: wb.class_accuracy(of, variables, few, train_set, test, int(labels.max()) + 1)
        for name, (of, variables) in features.items()
    }
    title = f"Classes of {config.dataset} by features, {config.seeds} seeds"
    few_labels = f"{config.per_class} labels of each class"
    result, tables = wb.report_features(right, LABELS, ("critic", "untrained"), title)
    figures = {
        "accuracy": wb.draw_features(result, LABELS, few_labels, title),
        "over_time": learning_curve(
            swept.curves("validation_accuracy"),
            {name: LABELS[name] for name in learned},
            ylabel=f"1-NN, {few_labels}",
            title="Features of validation images, mean of the seeds",
        ),
    }
    return out.finish(result, figures, tables, [f"few labels: {few_labels}"])


def critic(config: Config, images: ImageSet) -> Learned:
    """Returns the critic of a DCGAN."""
    shape = images.images.shape[1:]
    model = wb.image_gan(shape, config.latent_size, config.width)
    adam = optax.adam(config.learning_rate, b1=0.5)
    step = game_update(game_losses(model, non_saturating()), adam, adam)
    net = DCGANCritic(dcgan_channels(shape, config.width))
    return Learned(
        lambda key: init_game(key, model, adam, adam),
        lambda game, key, batch: step(game, key, batch[0] / 255),
        lambda game: game.critic.variables,
        lambda variables, x: last_features(net, variables, x),
    )


def encoder(config: Config, images: ImageSet) -> Learned:
    """Returns the VAE whose features are the mean of q."""
    model = wb.image_vae(images, (200,), config.encoded_size, likelihood="discretized_logistic")
    adam = optax.adam(LEARNING_RATE)
    step = gradient_step(mean_over_batch(wb.negative_elbo(model, images.prepare)), adam)
    return Learned(
        lambda key: init_state(model.init(key), adam),
        lambda state, key, batch: step(state, key, batch[0]),
        lambda state: state.params,
        lambda params, x: jax.vmap(lambda x: model.encode(params, x).mean())(x),
    )


def classifier(images: ImageSet, num_classes: int) -> Learned:
    """Returns the classifier, which is trained on all labels."""
    net, adam = wb.Classifier(num_classes), optax.adam(LEARNING_RATE)
    return Learned(
        lambda key: init_state(net.init(key, jnp.zeros((1, *images.images.shape[1:]))), adam),
        gradient_step(wb.classifier_loss(net), adam),
        lambda state: state.params,
        lambda params, x: last_features(net, params, x),
    )


if __name__ == "__main__":
    wb.main(Config, run)
