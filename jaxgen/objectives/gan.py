"""The losses of adversarial training: a pair of numbers to each player's loss."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import jax
import jax.numpy as jnp
from jax.nn import relu, softplus
from jaxtyping import Array

from jaxgen.divergences import FDivergence
from jaxgen.objectives.gan_loss import GanLoss, PairLoss, gan_loss
from jaxgen.values import known_by_call


@known_by_call
def minimax(*, real_label: float | Array = 1.0) -> GanLoss:
    """The game of log D(real) + log(1 - D(fake)), D = sigmoid(output), in nats.

    Its value, minus the critic's loss, is 2 JSD - log 4 at the optimal critic. The generator's
    gradient vanishes where the critic is sure of a fake: it saturates.

    Args:
      real_label: the critic's target for reals; below one it is one-sided label smoothing.
    Raises:
      ValueError: real_label is outside (0, 1].
    Example:
      >>> real, fake = jnp.float32(2.0), jnp.float32(-1.0)  # the critic's outputs
      >>> loss = minimax()
      >>> loss.generator(real, fake), loss.critic(real, fake)
      (Array(-0.313, dtype=float32), Array(0.440, dtype=float32))
    Source: Goodfellow et al. (2014), "Generative adversarial nets", equation 1; Salimans et al.
      (2016), "Improved techniques for training GANs", section 3.4.
    """
    return gan_loss(generator=lambda real, fake: -softplus(fake), critic=_cross_entropy(real_label))


@known_by_call
def non_saturating(*, real_label: float | Array = 1.0) -> GanLoss:
    """As `minimax`, but the generator lowers -log D(fake): a gradient where it is losing, too.

    Example:
      >>> real, fake = jnp.float32(2.0), jnp.float32(-1.0)  # the critic's outputs
      >>> loss = non_saturating()
      >>> loss.generator(real, fake), loss.critic(real, fake)
      (Array(1.313, dtype=float32), Array(0.440, dtype=float32))
    Source: Goodfellow et al. (2014), "Generative adversarial nets", section 3.
    """
    return gan_loss(generator=lambda real, fake: softplus(-fake), critic=_cross_entropy(real_label))


@known_by_call
def least_squares(*, real_label: float | Array = 1.0) -> GanLoss:
    """Half the squared distances, of reals to `real_label` and of fakes to 0; the generator's to 1.

    Example:
      >>> real, fake = jnp.float32(2.0), jnp.float32(-1.0)  # the critic's outputs
      >>> loss = least_squares()
      >>> loss.generator(real, fake), loss.critic(real, fake)
      (Array(2., dtype=float32), Array(1., dtype=float32))
    Source: Mao et al. (2017), "Least squares generative adversarial networks", equation 9.
    """
    _check_label(real_label)
    return gan_loss(
        generator=lambda real, fake: 0.5 * (fake - 1.0) ** 2,
        critic=lambda real, fake: 0.5 * ((real - real_label) ** 2 + fake**2),
    )


@known_by_call
def hinge() -> GanLoss:
    """The critic is left alone beyond a margin of one on either side.

    Example:
      >>> real, fake = jnp.float32(2.0), jnp.float32(-1.0)  # the critic's outputs
      >>> loss = hinge()
      >>> loss.generator(real, fake), loss.critic(real, fake)
      (Array(1., dtype=float32), Array(0., dtype=float32))
    Source: Lim & Ye (2017), "Geometric GAN"; Miyato et al. (2018), "Spectral normalization for
      generative adversarial networks", equations 17 and 18.
    """
    return gan_loss(
        generator=lambda real, fake: -fake,
        critic=lambda real, fake: relu(1.0 - real) + relu(1.0 + fake),
    )


@known_by_call
def wasserstein() -> GanLoss:
    """Minus the difference of the means; a distance only for a critic of bounded slope.

    Bound it by `train.clip_weights`, a gradient penalty or spectral normalization.

    Example:
      >>> real, fake = jnp.float32(2.0), jnp.float32(-1.0)  # the critic's outputs
      >>> loss = wasserstein()
      >>> loss.generator(real, fake), loss.critic(real, fake)
      (Array(1., dtype=float32), Array(-3., dtype=float32))
    Source: Arjovsky et al. (2017), "Wasserstein GAN", equation 2.
    """
    return gan_loss(generator=lambda real, fake: -fake, critic=lambda real, fake: fake - real)


@known_by_call
def relativistic() -> GanLoss:
    """-log sigmoid of how much more real the real looks than the fake, and the reverse.

    Example:
      >>> real, fake = jnp.float32(2.0), jnp.float32(-1.0)  # the critic's outputs
      >>> loss = relativistic()
      >>> loss.generator(real, fake), loss.critic(real, fake)
      (Array(3.049, dtype=float32), Array(0.049, dtype=float32))
    Source: Jolicoeur-Martineau (2019), "The relativistic discriminator", equations 4 and 5.
    """
    return gan_loss(
        generator=lambda real, fake: softplus(real - fake),
        critic=lambda real, fake: softplus(fake - real),
    )


@known_by_call
def relativistic_average() -> GanLoss:
    """The cross-entropy of each output less the mean output of the batch's other side.

    With r = real - mean(fakes) and f = fake - mean(reals) the critic lowers
    -log sigmoid(r) - log sigmoid(-f), and the generator the same with r and f changed over.

    Example:
      >>> loss = relativistic_average()
      >>> pairs = loss.centered(jnp.array([2.0, 0.0]), jnp.array([0.0, -1.0]))
      >>> jnp.mean(jax.vmap(loss.critic)(*pairs))
      Array(0.4966, dtype=float32)
    Source: Jolicoeur-Martineau (2019), "The relativistic discriminator", RaSGAN.
    """
    return gan_loss(
        generator=lambda real, fake: softplus(real) + softplus(-fake),
        critic=lambda real, fake: softplus(-real) + softplus(fake),
        centered=_less_the_other_sides_mean,
    )


def _less_the_other_sides_mean(critic_real: Array, critic_fake: Array) -> tuple[Array, Array]:
    return critic_real - jnp.mean(critic_fake), critic_fake - jnp.mean(critic_real)


@known_by_call
def f_gan(divergence: FDivergence, *, trick: bool = False) -> GanLoss:
    """The critic raises its lower bound on D_f(data || model), the generator lowers it.

    Whatever the divergence, the best output of the critic is the log density ratio.

    Args:
      divergence: of `jaxgen.divergences`; not total variation, whose canonical bound has no
        gradient: see `activated_f_gan`.
      trick: the generator raises E_q t instead of lowering -E_q f*(t), t the critic's value of a
        fake: a stronger gradient early, and the non-saturating loss for the divergence `gan`.
    Example:
      >>> real, fake = jnp.float32(2.0), jnp.float32(-1.0)  # the critic's outputs
      >>> loss = f_gan(DIVERGENCES["kl"])
      >>> loss.generator(real, fake), loss.critic(real, fake)
      (Array(-0.368, dtype=float32), Array(-2.632, dtype=float32))
    Source: Nowozin et al. (2016), "f-GAN", equations 4 and 8, and section 3.2.
    """
    return _variational(divergence.canonical, divergence.canonical_conjugate, trick)


@known_by_call
def activated_f_gan(divergence: FDivergence, *, trick: bool = False) -> GanLoss:
    """As `f_gan`, with the paper's activations in place of the canonical pair.

    Example:
      >>> real, fake = jnp.float32(2.0), jnp.float32(-1.0)  # the critic's outputs
      >>> loss = activated_f_gan(DIVERGENCES["total_variation"])
      >>> loss.generator(real, fake), loss.critic(real, fake)
      (Array(0.381, dtype=float32), Array(-0.863, dtype=float32))
    Source: Nowozin et al. (2016), "f-GAN", equation 7 and table 6.
    """
    return _variational(divergence.activation, divergence.activated_conjugate, trick)


GAN_LOSSES: Mapping[str, Callable[[], GanLoss]] = MappingProxyType(
    {
        "minimax": minimax,
        "non_saturating": non_saturating,
        "least_squares": least_squares,
        "hinge": hinge,
        "wasserstein": wasserstein,
        "relativistic": relativistic,
        "relativistic_average": relativistic_average,
    }
)
"""The losses that need no divergence, by name."""


def _variational(
    t: Callable[[Array], Array], conjugate: Callable[[Array], Array], trick: bool
) -> GanLoss:
    return gan_loss(
        generator=(
            (lambda real, fake: -t(fake)) if trick else (lambda real, fake: -conjugate(fake))
        ),
        critic=lambda real, fake: conjugate(fake) - t(real),
    )


def _cross_entropy(real_label: float | Array) -> PairLoss:
    _check_label(real_label)
    smoothed = 1.0 - real_label
    # -log sigmoid(v) is softplus(-v), exact far out on either side.
    return lambda real, fake: softplus(-real) + smoothed * real + softplus(fake)


def _check_label(real_label: Any) -> None:
    """Refuses a number outside (0, 1]; a JAX array, which may be traced, passes unchecked."""
    if not isinstance(real_label, jax.Array) and not 0.0 < real_label <= 1.0:
        raise ValueError(f"real_label: got {real_label}, expected a number in (0, 1]")
