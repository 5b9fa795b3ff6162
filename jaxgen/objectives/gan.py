"""Losses of a critic and a generator, from the critic's raw outputs on one real and one fake."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple, TypeAlias

import jax.numpy as jnp
from jax.nn import relu, softplus
from jaxtyping import Array

from jaxgen.divergences import FDivergence
from jaxgen.types import Scalar

PairLoss: TypeAlias = Callable[[Array, Array], Scalar]
"""`(critic_real, critic_fake) -> loss`, of one datapoint and one sample of the generator."""


class GanLoss(NamedTuple):
    """What each player lowers, one value per pair of a real and a fake; average outside.

    The critic's outputs are raw: any real number, higher for what looks real. Both functions take
    one number each, of shape (), and raise ValueError for any other shape: a critic that returns
    [batch, 1] is refused, not broadcast. Where a loss leaves one of the two unused, the other alone
    sets its gradient.

    Attributes:
      critic: the critic's loss.
      generator: the generator's.
    Example:
      loss = non_saturating()
      critic_losses = jax.vmap(loss.critic)(critic_real, critic_fake)  # [batch] each
    """

    critic: PairLoss
    generator: PairLoss


def gan_loss(critic: PairLoss, generator: PairLoss) -> GanLoss:
    """Returns the pair of losses, each made to refuse anything but one number per argument."""

    def checked(loss: PairLoss) -> PairLoss:
        def of_pair(critic_real: Array, critic_fake: Array) -> Scalar:
            for name, value in (("critic_real", critic_real), ("critic_fake", critic_fake)):
                if jnp.shape(value) != ():
                    raise ValueError(
                        f"{name}: got shape {jnp.shape(value)}, expected one number (shape ()): "
                        "let the critic return [batch] and vmap the loss"
                    )
            return loss(critic_real, critic_fake)

        return of_pair

    return GanLoss(checked(critic), checked(generator))


def minimax(*, real_label: float = 1.0) -> GanLoss:
    """The game of log D(real) + log(1 - D(fake)), D = sigmoid(output), in nats.

    Its value, minus the critic's loss, is 2 JSD - log 4 at the optimal critic. The generator's
    gradient vanishes where the critic is sure of a fake: it saturates.

    Args:
      real_label: the critic's target for reals; below one it is one-sided label smoothing.
    Raises:
      ValueError: real_label is outside (0, 1].
    Source: Goodfellow et al. (2014), equation 1; Salimans et al. (2016), section 3.4.
    """
    return gan_loss(_cross_entropy(real_label), lambda real, fake: -softplus(fake))


def non_saturating(*, real_label: float = 1.0) -> GanLoss:
    """As `minimax`, but the generator lowers -log D(fake): a gradient where it is losing, too.

    Source: Goodfellow et al. (2014), section 3.
    """
    return gan_loss(_cross_entropy(real_label), lambda real, fake: softplus(-fake))


def least_squares(*, real_label: float = 1.0) -> GanLoss:
    """Half the squared distances, of reals to `real_label` and of fakes to 0; the generator's to 1.

    Source: Mao et al. (2017), equation 9.
    """
    _check_label(real_label)
    return gan_loss(
        lambda real, fake: 0.5 * ((real - real_label) ** 2 + fake**2),
        lambda real, fake: 0.5 * (fake - 1.0) ** 2,
    )


def hinge() -> GanLoss:
    """The critic is left alone beyond a margin of one on either side.

    Source: Lim & Ye (2017); Miyato et al. (2018), equations 17 and 18.
    """
    return gan_loss(
        lambda real, fake: relu(1.0 - real) + relu(1.0 + fake),
        lambda real, fake: -fake,
    )


def wasserstein() -> GanLoss:
    """Minus the difference of the means; a distance only for a critic of bounded slope.

    Bound it by `train.clip_weights`, a gradient penalty or spectral normalization.

    Source: Arjovsky et al. (2017), equation 2.
    """
    return gan_loss(lambda real, fake: fake - real, lambda real, fake: -fake)


def relativistic() -> GanLoss:
    """-log sigmoid of how much more real the real looks than the fake, and the reverse.

    For the relativistic average loss hand over each output less the mean of the other side's.

    Source: Jolicoeur-Martineau (2019), equations 4 and 5.
    """
    return gan_loss(
        lambda real, fake: softplus(fake - real),
        lambda real, fake: softplus(real - fake),
    )


def f_gan(divergence: FDivergence, *, trick: bool = False) -> GanLoss:
    """The critic raises its lower bound on D_f(data || model), the generator lowers it.

    Whatever the divergence, the best output of the critic is the log density ratio.

    Args:
      divergence: of `jaxgen.divergences`; not total variation, whose canonical bound has no
        gradient: see `activated_f_gan`.
      trick: the generator raises E_q t instead of lowering -E_q f*(t), t the critic's value of a
        fake: a stronger gradient early, and the non-saturating loss for the divergence `gan`.
    Example:
      loss = f_gan(DIVERGENCES["kl"])
    Source: Nowozin et al. (2016), equations 4 and 8, and section 3.2.
    """
    return _variational(divergence.canonical, divergence.canonical_conjugate, trick)


def activated_f_gan(divergence: FDivergence, *, trick: bool = False) -> GanLoss:
    """As `f_gan`, with the paper's activations in place of the canonical pair.

    Source: Nowozin et al. (2016), equation 7 and table 6.
    """
    return _variational(divergence.activation, divergence.activated_conjugate, trick)


def zero_sum(loss: GanLoss) -> GanLoss:
    """Returns the game in which the generator lowers minus the critic's loss, the whole of it.

    Needed wherever the critic that the generator faces depends on the generator, as under
    `alternating_step(..., unroll=k)`: its outputs on reals then have a gradient in the generator
    too, which a loss of the fake's term alone drops. At a fixed critic the other term is a
    constant, and of `minimax` (or `f_gan`, without the trick) nothing but the value changes.

    Args:
      loss: whose critic is kept; its generator's loss is not used.
    Example:
      loss = zero_sum(minimax())
    Source: Goodfellow et al. (2014), equation 1; Metz et al. (2017), equations 7 to 10.
    """
    return gan_loss(loss.critic, lambda real, fake: -loss.critic(real, fake))


GAN_LOSSES: Mapping[str, Callable[[], GanLoss]] = MappingProxyType(
    {
        "minimax": minimax,
        "non_saturating": non_saturating,
        "least_squares": least_squares,
        "hinge": hinge,
        "wasserstein": wasserstein,
        "relativistic": relativistic,
    }
)
"""The losses that need no divergence, by name."""


def _variational(
    t: Callable[[Array], Array], conjugate: Callable[[Array], Array], trick: bool
) -> GanLoss:
    return gan_loss(
        lambda real, fake: conjugate(fake) - t(real),
        (lambda real, fake: -t(fake)) if trick else (lambda real, fake: -conjugate(fake)),
    )


def _cross_entropy(real_label: float) -> PairLoss:
    _check_label(real_label)
    smoothed = 1.0 - real_label
    # -log sigmoid(v) is softplus(-v), exact far out on either side.
    return lambda real, fake: softplus(-real) + smoothed * real + softplus(fake)


def _check_label(real_label: float) -> None:
    if not 0.0 < real_label <= 1.0:
        raise ValueError(f"real_label: got {real_label}, expected a number in (0, 1]")
