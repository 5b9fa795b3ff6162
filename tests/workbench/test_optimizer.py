"""Adam as the flags ask for it: its rate over the training, what clipping leaves."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxgen.workbench import TrainingConfig, make_optimizer

GRADIENT = {"w": jnp.array([3.0, 4.0])}


def rates(num_steps, schedule):
    """The size of Adam's steps under a constant gradient: the learning rate itself."""
    optimizer = make_optimizer(0.1, num_steps, schedule=schedule)
    state, sizes = optimizer.init(GRADIENT), []
    for _ in range(num_steps):
        updates, state = optimizer.update(GRADIENT, state)
        sizes.append(-float(updates["w"][0]))
    return sizes


def test_the_schedule_is_constant_or_falls_to_a_hundredth():
    np.testing.assert_allclose(rates(5, "constant"), 0.1, rtol=1e-4)
    expected = 0.1 * (0.01 + 0.99 * 0.5 * (1 + np.cos(np.pi * np.arange(20) / 20)))
    np.testing.assert_allclose(rates(20, "cosine"), expected, rtol=1e-3)


def test_half_the_steps_are_constant_and_half_fall_along_a_line():
    expected = [0.1] * 5 + [0.1 * (1 - i / 5) for i in range(5)]
    np.testing.assert_allclose(rates(10, "half_linear"), expected, rtol=1e-3)


def is_adam(node):
    return isinstance(node, optax.ScaleByAdamState)


def moments(**options):
    """Adam's first moment after one step."""
    optimizer = make_optimizer(1e-3, 1, **options)
    _, state = optimizer.update(GRADIENT, optimizer.init(GRADIENT))
    (adam,) = [s for s in jax.tree.leaves(state, is_leaf=is_adam) if is_adam(s)]
    return adam.mu["w"]


def test_clipping_shortens_what_adam_sees():
    for clip_norm, first_moment in ((None, [0.3, 0.4]), (1.0, [0.06, 0.08]), (9.0, [0.3, 0.4])):
        np.testing.assert_allclose(moments(clip_norm=clip_norm), first_moment, rtol=1e-5)


def test_the_decays_are_adams():
    np.testing.assert_allclose(moments(b1=0.5), [1.5, 2.0], rtol=1e-5)


def test_steps_are_whole_batches():
    assert TrainingConfig(epochs=3, batch_size=4).num_steps(11) == 6
