"""BiGAN: a GAN that learns to read its own latents, every number beside what it must beat.

An encoder E beside the generator G, and a critic of pairs: (x, E(x)) of the data, (G(z), z) of the
model (Donahue et al. 2017; Dumoulin et al. 2017). Where no critic tells the pairs apart, E inverts
G. Both nets lower the critic's loss of the sides exchanged (`swapped`): under a GAN's loss on fakes
alone the encoder would never move. `ali` draws z from a Gaussian that E says; `regressor` is the
baseline, a GAN of images whose encoder learns z from G(z).

  python -m experiments bigan
  python -m experiments bigan --encoder ali --prior normal
  python -m experiments bigan --encoder regressor

Measured on digits, means of three seeds with 95% intervals, 300 test images; 66 CPU seconds for
60 epochs, 108 for 200. 1-NN untrained: .897 on E(x), .972 on the layer before; of pixels: .980.

                   1-NN E(x), before        |x - G(E(x))|, of another x   pairs told apart
  bigan, 200 ep.   .942 +- .03, .957 +- .03   1.40 +- .05, 3.14           .75 +- .09
  ali              .958 +- .04, .976 +- .01   1.50 +- .20, 2.73           .92 +- .04
  regressor        .968 +- .02, .979 +- .01   1.03 +- .04, 2.87           .96 +- .01

The regressor has the best codes, though its critic sees no code; none beats the pixels. BiGAN's
pairs are the hardest to tell apart, after more epochs than the others had. Its |x - G(E(x))| of
validation images is least, 1.25, after some 60 epochs, and rises again; of one seed it was 2.0 at
the last players and 1.3 at their average, and with batch normalization, not R1, 2.6 and 1.6.

  python -m experiments bigan --dataset mnist --epochs 8 --latent-size 50 --batch-size 128 \
    --learning-rate 2e-4 --critic-learning-rate 2e-4 --init-scale 0.02

Measured, three seeds at once, 259 CPU seconds, 1,000 test images: E(x) .926 +- .004 (untrained
.898), layer before .943 +- .013 (untrained .954), pixels .974; |x - G(E(x))| 5.81 +- .19, 9.35 of
another image's x; p = .005 of the joint test in every seed. After 40 epochs, one seed, 287 CPU
seconds, nothing has collapsed: .935, .941, 5.61 and 10.21. The authors' own schedule, not run here;
in their log the layer before ends at .973, from .968 untrained:

  python -m experiments bigan --dataset mnist --critic batch_norm --r1 0 --hidden 1024 1024 \
    --epochs 400 --decay-epochs 200 --latent-size 50 --batch-size 128 --weight-decay 2.5e-5 \
    --learning-rate 2e-4 --critic-learning-rate 2e-4 --init-scale 0.02 --judged 10000
"""

from __future__ import annotations

import dataclasses
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Literal

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array

from jaxgen import workbench as wb
from jaxgen.models import BiGan, bigan, gaussian_net, standard_normal, uniform
from jaxgen.nets import AnyNet, JointMLP, MLPCritic, Net, as_net, concatenated
from jaxgen.objectives import game_losses, latent_regression, non_saturating, r1_penalty, swapped
from jaxgen.pictures import learning_curve
from jaxgen.train import game_update, init_game, simultaneous
from jaxgen.types import GameLosses, Info, Key, Variables

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(wb.ImageConfig):
    """Several seeds of one BiGAN, side by side."""

    encoder: Literal["bigan", "ali", "regressor"] = "bigan"
    """A function; a Gaussian q(z|x); or a function learned from G's samples and their latents."""
    prior: Literal["uniform", "normal"] = "uniform"
    """Of z: U[-1, 1] or N(0, 1) in each dimension."""
    latent_size: wb.Count = 16
    """Dimensions of z."""
    hidden: tuple[wb.Count, ...] = (256, 256)
    """Widths of the hidden layers of each of the three nets."""
    seeds: wb.Count = 3
    """Trainings in one program, each from a start of its own, over the same batches and latents."""
    epochs: wb.Count = 60
    batch_size: wb.Count = 64
    """Reals, and as many fakes, per step of either player."""
    learning_rate: wb.Positive = 5e-4
    """Of the generator's and encoder's Adam (b1 = .5)."""
    critic_learning_rate: wb.Positive = 5e-4
    """Of the critic's."""
    decay_epochs: wb.Whole = 0
    """The last epochs, over which both rates fall exponentially to a hundredth."""
    weight_decay: wb.NonNegative = 0.0
    """Times the params, added to every gradient."""
    critic: Literal["plain", "batch_norm", "spectral_norm"] = "plain"
    """What its layers are normalized by."""
    r1: wb.NonNegative = 1.0
    """Gamma of the critic's penalty R1; a critic with batch normalization has none."""
    ema_decay: wb.Share = 0.999
    """Of the average of both nets' params, which is what is judged."""
    init_scale: wb.Positive = 0.05
    """Standard deviation of every kernel at the start."""
    judged: Annotated[int, wb.AtLeast(20)] = 1000
    """Test images, or validation images after each epoch, at most, that every number is of."""
    neighbors: wb.Count = 60_000
    """Training images, at most, that the nearest neighbors are looked for among."""

    def tied_to_epochs(self) -> str | None:
        """Returns what goes by the number of epochs: the rates, if they fall."""
        return "the learning rates fall over the last epochs" if self.decay_epochs else None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.decay_epochs > self.epochs:
            raise ValueError(
                f"decay_epochs: got {self.decay_epochs}, expected at most epochs={self.epochs}"
            )


def run(config: Config) -> dict[str, Any]:
    """Trains the players of `config`; returns what result.json holds."""
    out = wb.begin(config)
    images, validation, test = wb.load_images(config)
    encoder, model = make_model(config, images.images.shape[1:])
    losses = make_losses(config, model)
    rates = config.learning_rate, config.critic_learning_rate
    optimizers = [make_optimizer(config, rate, len(images.images)) for rate in rates]
    of_pixels = game_update(losses, *optimizers, order=simultaneous, ema_decay=config.ema_decay)
    key_init, key_fit, key_watch, key_test = config.keys(4)

    def update(game: Any, key: Key, batch: Array) -> tuple[Any, Info]:
        key_x, key_update = jax.random.split(key)
        return of_pixels(game, key_update, images.prepare(key_x, batch))

    @jax.jit
    def judge(players: Variables, key: Key, x: Array) -> Info:
        z = model.sample_latent(key, len(x))
        found = jax.vmap(lambda player: wb.round_trips(model, player, x, z))(players)
        return jax.tree.map(jnp.mean, found)

    start = jax.jit(jax.vmap(lambda key: init_game(key, model, *optimizers, ema=True)))
    games = start(jax.random.split(key_init, config.seeds))
    begun = games.generator.variables
    players, _ = wb.train(
        out,
        games,
        wb.side_by_side(update),
        images.images,
        judge,
        key=key_fit,
        judge_key=key_watch,
        held_out=wb.in_floats(validation.images[: config.judged]),
        evaluated=lambda games: games.generator.averaged,
        monitor="reconstruction",
        better="lower",
    )
    sets = wb.first_labeled(images, config.neighbors), wb.first_labeled(test, config.judged)
    trained, untrained = (
        wb.judge_encoders(key_test, model, encoder, of, *sets) for of in (players, begun)
    )
    title = f"{config.encoder} on {config.dataset}"
    result, table = wb.report_encoders(title, trained, untrained, *sets)
    player = jax.tree.map(lambda leaf: leaf[0], players)
    codes = wb.draw_codes(model, player, wb.in_floats(test.images), key_watch)
    return out.finish(result, {**codes, **draw_curves(out.records())}, [table])


def make_optimizer(config: Config, rate: float, size: int) -> optax.GradientTransformation:
    """Returns Adam with b1 = .5, its rate constant and then falling, as the authors have it."""
    falling = config.decay_epochs * (size // config.batch_size)
    begin = config.num_steps(size) - falling
    schedule = optax.exponential_decay(rate, max(falling, 1), 0.01, transition_begin=begin)
    adam = optax.adam(schedule if falling else rate, b1=0.5)
    return optax.chain(optax.add_decayed_weights(config.weight_decay), adam)


def make_model(config: Config, shape: tuple[int, ...]) -> tuple[JointMLP, BiGan]:
    """Returns the encoder's module and the model of the three nets."""
    mlp = partial(JointMLP, config.hidden, kernel_init=nn.initializers.normal(config.init_scale))
    latent = (config.latent_size,)
    gaussian = config.encoder == "ali"
    squash = nn.tanh if config.prior == "uniform" and not gaussian else lambda z: z
    encoder = mlp(output_shape=(2, *latent) if gaussian else latent, output_activation=squash)
    leaky = partial(nn.leaky_relu, negative_slope=0.2)
    critic: AnyNet = mlp()
    if config.critic != "batch_norm":
        spectral = config.critic == "spectral_norm"
        critic = concatenated(MLPCritic(config.hidden, leaky, spectral_norm=spectral))
    return encoder, bigan(
        mlp(output_shape=shape, activation=nn.relu, output_activation=nn.sigmoid),
        gaussian_net(encoder) if gaussian else encoder,
        of_images(critic) if config.encoder == "regressor" else critic,
        prior={"uniform": uniform, "normal": standard_normal}[config.prior](*latent),
        x_shape=shape,
    )


def of_images(critic: AnyNet) -> Net:
    """Returns the critic that sees of a pair the image alone: a GAN's."""
    init, apply = as_net(critic)
    return Net(
        lambda key, pair: init(key, pair[0]),
        lambda variables, pair, /, **options: apply(variables, pair[0], **options),
    )


def make_losses(config: Config, model: BiGan) -> GameLosses:
    """Returns both players' losses; the regressor's encoder has one of its own."""
    penalty = {"penalty": r1_penalty, "penalty_weight": config.r1 / 2} if config.r1 else {}
    if config.encoder == "regressor":
        return latent_regression(model, game_losses(model, non_saturating(), **penalty))
    return game_losses(model, swapped(non_saturating()), **penalty)


def draw_curves(records: list[dict[str, Any]]) -> dict[str, Figure]:
    """Returns the round trips and the state of the game over time, means of the seeds."""
    trips = {f"validation_{name}": label for name, label in wb.ROUND_TRIPS.items()}
    game = {"train_critic_loss": "critic's loss, nats", "train_critic_accuracy": "its accuracy"}
    return {
        "round_trips": learning_curve(records, trips, title="Round trips", ylabel="distance"),
        "critic": learning_curve(records, game, title="The critic", ylabel="nats, or share"),
    }


if __name__ == "__main__":
    wb.main(Config, run)
