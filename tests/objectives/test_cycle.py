"""CycleGAN's losses against the formulas in numpy, on nets of two numbers each."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxgen.models import cyclegan
from jaxgen.objectives import cycle_losses, hinge, least_squares, relativistic
from jaxgen.train import Game, game_update, image_pool, init_player, simultaneous

RNG = np.random.default_rng(0)
X, Y = RNG.random((4, 3, 2, 1)), RNG.random((4, 3, 2, 1))
GENERATORS = {"forward": np.array([0.7, 0.2]), "backward": np.array([1.3, -0.1])}
CRITICS = {"x": np.array([0.9, -0.3]), "y": np.array([-0.6, 0.4])}


def line(v, x):
    return v[0] * x + v[1]


def curve(v, x):
    """One number for each place: a patch of one pixel."""
    return v[0] * x[..., 0] ** 2 + v[1]


def net(function):
    return (lambda key, x: jnp.zeros(2)), function


def model(**options):
    options = {"x_shape": (3, 2, 1), "y_shape": (3, 2, 1), **options}
    return cyclegan(net(line), net(line), net(curve), net(curve), **options)


def variables(of_nets, dtype=jnp.float32):
    return {"params": jax.tree.map(lambda v: jnp.asarray(v, dtype), of_nets)}


def generators_loss(of, cycle_weight, identity_weight, adversarial):
    def g(x):
        return line(of["forward"], x)

    def f(y):
        return line(of["backward"], y)

    terms = {
        "adversarial": adversarial(curve(CRITICS["y"], Y), curve(CRITICS["y"], g(X)))
        + adversarial(curve(CRITICS["x"], X), curve(CRITICS["x"], f(Y))),
        "cycle": np.abs(f(g(X)) - X).mean() + np.abs(g(f(Y)) - Y).mean(),
        "identity": np.abs(g(Y) - Y).mean() + np.abs(f(X) - X).mean(),
    }
    weights = {"adversarial": 1.0, "cycle": cycle_weight, "identity": identity_weight}
    return sum(weights[name] * term for name, term in terms.items()), terms


def critics_loss(of, adversarial):
    fakes = {"x": line(GENERATORS["backward"], Y), "y": line(GENERATORS["forward"], X)}
    reals = {"x": X, "y": Y}
    return sum(adversarial(curve(of[d], reals[d]), curve(of[d], fakes[d])) for d in "xy")


def slope(value, of):
    """Central differences in every number."""
    found = {}
    for name, v in of.items():
        found[name] = np.zeros_like(v)
        for i in range(len(v)):
            low, high = ({**of, name: v + s * 1e-6 * np.eye(len(v))[i]} for s in (-1, 1))
            found[name][i] = (value(high) - value(low)) / 2e-6
    return found


PAIRS = {  # the generator's and the critic's mean loss of all patches
    "least_squares": (
        least_squares(),
        lambda real, fake: np.mean((fake - 1) ** 2) / 2,
        lambda real, fake: np.mean((real - 1) ** 2 + fake**2) / 2,
    ),
    "hinge": (
        hinge(),
        lambda real, fake: -np.mean(fake),
        lambda real, fake: np.mean(np.maximum(1 - real, 0) + np.maximum(1 + fake, 0)),
    ),
    "relativistic": (  # a patch with the patch at the same place
        relativistic(),
        lambda real, fake: np.mean(np.logaddexp(0, real - fake)),
        lambda real, fake: np.mean(np.logaddexp(0, fake - real)),
    ),
}


@pytest.mark.parametrize("name", PAIRS)
def test_terms_and_gradients_are_the_formulas(name, x64, key):
    loss, of_generators, of_critics = PAIRS[name]
    losses = cycle_losses(model(), loss, cycle_weight=7.0, identity_weight=3.0)
    own, other = variables(GENERATORS, jnp.float64), variables(CRITICS, jnp.float64)
    batch = (jnp.asarray(X), jnp.asarray(Y))

    def value(params):
        total, changed, info = losses.generator({"params": params}, other, key, batch)
        assert changed == {}
        return total, info

    (total, info), found = jax.value_and_grad(value, has_aux=True)(own["params"])
    expected, terms = generators_loss(GENERATORS, 7.0, 3.0, of_generators)
    np.testing.assert_allclose(total, expected, rtol=1e-6)
    assert info.keys() == terms.keys()
    for term, number in terms.items():
        np.testing.assert_allclose(info[term], number, rtol=1e-6)
    by_hand = slope(lambda of: generators_loss(of, 7.0, 3.0, of_generators)[0], GENERATORS)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), found, by_hand)

    sides = losses.sides(own, key, batch)
    np.testing.assert_allclose(sides["y"][1], line(GENERATORS["forward"], X), rtol=1e-6)

    def of_critic(params):
        return losses.critic({"params": params}, sides, key, batch)[0]

    value, found = jax.value_and_grad(of_critic)(other["params"])
    np.testing.assert_allclose(value, critics_loss(CRITICS, of_critics), rtol=1e-6)
    by_hand = slope(lambda of: critics_loss(of, of_critics), CRITICS)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), found, by_hand)

    outputs = {
        "of_reals": {"x": curve(CRITICS["x"], X), "y": curve(CRITICS["y"], Y)},
        "of_fakes": {d: curve(CRITICS[d], np.asarray(sides[d][1])) for d in "xy"},
    }
    expected = {side: np.mean([of["x"].mean(), of["y"].mean()]) for side, of in outputs.items()}
    right = [(of > 0).mean() for of in outputs["of_reals"].values()]
    right += [(of < 0).mean() for of in outputs["of_fakes"].values()]
    expected["accuracy"] = np.mean(right)
    info = losses.critic(other, sides, key, batch)[2]
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5), info, expected)


def game(sgd):
    return Game(
        generator=init_player(variables(GENERATORS), sgd),
        critic=init_player(variables(CRITICS), sgd),
    )


def test_cycle_and_identity_move_the_generators_alone_and_a_weight_of_zero_leaves_them_out(key):
    sgd, batch = optax.sgd(0.1), (jnp.float32(X), jnp.float32(Y))
    moved = []
    for weights in ((0, 0), (10.0, 0), (0, 5.0), (jnp.float32(0), jnp.float32(0))):
        losses = cycle_losses(model(), cycle_weight=weights[0], identity_weight=weights[1])
        update = jax.jit(game_update(losses, sgd, sgd, order=simultaneous))
        after, info = update(game(sgd), jax.random.clone(key), batch)
        moved.append(after.generator.train.params["forward"])
        kept = {name for name in ("cycle", "identity") if f"generator_{name}" in info}
        expected = zip(("cycle", "identity"), weights, strict=True)
        assert kept == {name for name, w in expected if not isinstance(w, int)}
        stepped = slope(lambda of: critics_loss(of, PAIRS["least_squares"][2]), CRITICS)
        for name, at in after.critic.train.params.items():
            np.testing.assert_allclose(at, CRITICS[name] - 0.1 * stepped[name], atol=1e-5)
    plain, *others, traced = moved
    np.testing.assert_allclose(traced, plain, rtol=1e-6)
    assert min(float(jnp.abs(other - plain).max()) for other in others) > 1e-3


def test_the_authors_lambda_10_is_the_10_of_here(key):
    """Their squares are whole and their images in [-1, 1]: twice every term, and so no other."""

    def theirs(params):
        def to(v, image):  # the same nets, between images in [-1, 1]
            return 2 * line(v, (image + 1) / 2) - 1

        x, y = 2 * X - 1, 2 * Y - 1
        g, f = params["forward"], params["backward"]
        fakes = {"x": to(f, y), "y": to(g, x)}
        squares = sum(
            jnp.mean((curve(CRITICS[d], (fakes[d] + 1) / 2) - 1) ** 2) for d in ("x", "y")
        )
        cycle = jnp.mean(jnp.abs(to(f, to(g, x)) - x)) + jnp.mean(jnp.abs(to(g, to(f, y)) - y))
        same = jnp.mean(jnp.abs(to(g, y) - y)) + jnp.mean(jnp.abs(to(f, x) - x))
        return squares + 10 * cycle + 10 * 0.5 * same

    losses = cycle_losses(model())
    batch = (jnp.float32(X), jnp.float32(Y))
    own = variables(GENERATORS)["params"]
    ours = losses.generator({"params": own}, variables(CRITICS), key, batch)[0]
    np.testing.assert_allclose(theirs(own), 2 * ours, rtol=1e-5)


def test_the_critics_are_shown_past_fakes_and_the_generators_present_ones(key):
    pooled = model(pool=image_pool(2))
    losses = cycle_losses(pooled)
    _, critics = jax.jit(pooled.init)(jax.random.clone(key))
    critics = {**critics, **variables(CRITICS)}
    batch = (jnp.float32(X), jnp.float32(Y))
    sides = losses.sides(variables(GENERATORS), jax.random.clone(key), batch)
    value, changed, _ = jax.jit(losses.critic)(critics, sides, jax.random.clone(key), batch)
    assert set(changed) == {"pool"}
    assert all(int(changed["pool"][d].count) == 2 for d in "xy")
    kept = np.asarray(changed["pool"]["y"].images)
    assert all(any(np.array_equal(image, fake) for fake in sides["y"][1]) for image in kept)
    plain = cycle_losses(model()).critic(variables(CRITICS), sides, jax.random.clone(key), batch)
    assert plain[1] == {}
    own = variables(GENERATORS)
    found = [of.generator(own, variables(CRITICS), jax.random.clone(key), batch)[0]
             for of in (losses, cycle_losses(model()))]  # fmt: skip
    assert float(found[0]) == float(found[1])
    assert float(value) != float(plain[0])


def test_misuse_is_named(key):
    colored = model(y_shape=(3, 2, 3))
    with pytest.raises(ValueError, match=r"identity_weight: got 5.0 .*\(3, 2, 1\).*\(3, 2, 3\)"):
        cycle_losses(colored)
    losses = cycle_losses(colored, identity_weight=0)
    for weight in (-1.0, np.float64(-1.0), jnp.float32(-1.0), math.nan):
        for name in ("cycle_weight", "identity_weight"):
            with pytest.raises(ValueError, match=rf"{name}: got (-1.0|nan), expected a number"):
                cycle_losses(model(), **{name: weight})
    jax.eval_shape(lambda weight: cycle_losses(model(), cycle_weight=weight) and weight, -1.0)
    for batch, found in (((X, Y, Y), "3 sets"), ((X,), "1 sets"), (X, "ndarray")):
        for play in (
            lambda batch: losses.sides(variables(GENERATORS), key, batch),
            lambda batch: losses.generator(variables(GENERATORS), variables(CRITICS), key, batch),
        ):
            with pytest.raises(ValueError, match=f"batch: got {found}, expected two"):
                play(batch)
    with pytest.raises(ValueError, match=r"forward: got an output of shape \(2, 3, 2, 1\)"):
        colored.init(key)
    whole = cyclegan(net(line), net(line), net(lambda v, x: x.sum()), net(curve),
                     x_shape=(1,), y_shape=(1,))  # fmt: skip
    with pytest.raises(ValueError, match=r"critic_x: got an output of shape \(\)"):
        whole.init(jax.random.key(1))
