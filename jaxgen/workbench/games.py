"""A model's game on a distribution that is known: reals are drawn, none comes twice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from jaxgen.models import Gan
from jaxgen.objectives import one_sample_critic
from jaxgen.train import Game, game_update, gradient_step, init_game, init_state, scan_draws
from jaxgen.types import Distribution, GameLosses, Info, Key, Params
from jaxgen.workbench.config import AlternatingConfig
from jaxgen.workbench.data_forms import Draws
from jaxgen.workbench.run import Run, config_of
from jaxgen.workbench.training import train

_start = jax.jit(
    init_game, static_argnames=("model", "generator_optimizer", "critic_optimizer", "ema")
)


def play(
    run: Run,
    model: Gan,
    losses: GameLosses,
    optimizers: tuple[optax.GradientTransformation, optax.GradientTransformation],
    target: Distribution,
    judge: Callable[[Game, Key, Any], dict[str, Any]],
    keys: tuple[Key, Key, Key],
    *,
    held_out: Any,
    monitor: str,
) -> Game:
    """Returns the game after all epochs of the run's `AlternatingConfig`, judged whole after each.

    Args:
      losses: of the model's game.
      optimizers: the generator's and the critic's.
      target: what reals are drawn from, as many as fakes for each step of either player.
      judge: as that of `train`; it sees both players.
      keys: of the start, of the training and of the judge; cloned, so that games which shall differ
        in nothing else may be given the same.
      held_out: handed to the judge.
      monitor: the number of the judge that is shown.
    Raises:
      TrainingFailed: as `train`.
    Example:
      >>> players = gan(MLPGenerator((8,), (2,)), MLPCritic((8,)), latent_size=2, x_shape=(2,))
      >>> losses, adam = game_losses(players, minimax()), optax.adam(1e-3)
      >>> run = begin(AlternatingConfig(run_dir="runs/game", epochs=5, critic_steps=2))
      >>> game = partial(play, run, players, losses, (adam, adam), ring())  # of a judge, keys, ...
    """
    config = config_of(run, AlternatingConfig)
    count = config.batch_size * config.critic_steps
    key_init, key_fit, key_judge = keys
    game, _ = train(
        run,
        _start(jax.random.clone(key_init), model, *optimizers),
        game_update(losses, *optimizers, critic_steps=config.critic_steps),
        Draws(lambda key: target.sample(seed=key, sample_shape=count), config.steps_per_epoch),
        judge,
        key=key_fit,
        judge_key=key_judge,
        held_out=held_out,
        evaluated=lambda game: game,
        monitor=monitor,
    )
    return game


def samples(model: Gan, game: Game, key: Key, count: int) -> Float[Array, "count ..."]:
    """Returns fakes by the generator as it is; the key is cloned, so that only it sets them apart.

    Example:
      >>> players = gan(MLPGenerator((8,), (2,)), MLPCritic((8,)), latent_size=2, x_shape=(2,))
      >>> sgd = optax.sgd(0.1)
      >>> game = jax.eval_shape(lambda key: init_game(key, players, sgd, sgd), key)  # shapes alone
      >>> jax.eval_shape(lambda game: samples(players, game, key, 5), game).shape
      (5, 2)
    """
    z = model.sample_latent(jax.random.clone(key), count)
    return model.generate(game.generator.variables, z, train=False)[0]


def judge_critic(
    model: Gan,
    game: Game,
    reals: Float[Array, "n dims"],
    fakes: Float[Array, "n dims"],
    terms: Callable[[Array, Array], Array],
) -> dict[str, Float[Array, ""]]:
    """Returns the critic's `estimate` of how far reals and fakes are apart, and its mean `slope`.

    The slope is that half-way from a fake to a real, where the best critic has a slope of one.

    Args:
      terms: `(critic of a real, of a fake) -> number`, whose mean is the estimate.
    Example:
      >>> players = gan(MLPGenerator((8,), (2,)), MLPCritic((8,)), latent_size=2, x_shape=(2,))
      >>> sgd = optax.sgd(0.1)
      >>> game = jax.eval_shape(lambda key: init_game(key, players, sgd, sgd), key)  # shapes alone
      >>> points = ring().modes
      >>> judge = lambda game: judge_critic(players, game, points, points, lambda x, z: x - z)
      >>> list(jax.eval_shape(judge, game))
      ['estimate', 'slope']
    Source: Gulrajani et al. (2017b), "Improved training of Wasserstein GANs", proposition 1.
    """
    one = one_sample_critic(model.criticize, game.critic.variables)
    slopes = jnp.linalg.norm(jax.vmap(jax.grad(one))((reals + fakes) / 2), axis=-1)
    each = terms(jax.vmap(one)(reals), jax.vmap(one)(fakes))
    return {"estimate": jnp.mean(each), "slope": jnp.mean(slopes)}


def critic_against_noise(
    key: Key,
    model: Gan,
    losses: GameLosses,
    optimizer: optax.GradientTransformation,
    target: Distribution,
    *,
    num_steps: int,
    batch_size: int,
) -> Callable[[Float[ArrayLike, "n ..."]], Float[Array, "n"]]:
    """Returns a critic trained alone on the target against itself plus standard normal noise.

    With no generator that moves, its level sets are those of the best critic that it can be.

    Args:
      losses: of the model's game, of which the critic's is used.
      batch_size: of either side, drawn anew in each of the steps.
    Example:
      >>> players = gan(MLPGenerator((8,), (2,)), MLPCritic((8,)), latent_size=2, x_shape=(2,))
      >>> losses = game_losses(players, wasserstein(), penalty=gradient_penalty, penalty_weight=0.1)
      >>> trained = partial(critic_against_noise, key, players, losses, optax.adam(5e-4), ring())
      >>> critic = partial(trained, num_steps=2000, batch_size=256)  # of points, once called
    Source: Gulrajani et al. (2017b), "Improved training of Wasserstein GANs", figure 1.
    """
    key_init, key_steps = jax.random.split(jax.random.clone(key))

    def draw(key: Key) -> tuple[Array, Array]:
        *keys, key_noise = jax.random.split(key, 3)
        reals, fakes = (target.sample(seed=k, sample_shape=batch_size) for k in keys)
        return reals, fakes + jax.random.normal(key_noise, fakes.shape)

    def loss(params: Params, key: Key, sides: tuple[Array, Array]) -> tuple[Array, Info]:
        value, _, info = losses.critic({"params": params}, sides, key, None)
        return value, info

    start = init_state(jax.jit(model.init)(key_init)[1]["params"], optimizer)
    steps = scan_draws(gradient_step(loss, optimizer), draw, num_steps)
    trained = jax.jit(lambda state, key: steps(state, key))  # no epoch of the training
    params = trained(start, key_steps)[0].params
    return lambda xs: model.criticize({"params": params}, jnp.asarray(xs), train=False)[0]
