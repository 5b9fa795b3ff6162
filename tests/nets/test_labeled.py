"""Nets that are told the class: what is joined, and what a projection adds."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxgen.nets import (
    DCGANCritic,
    MLPCritic,
    MLPGenerator,
    ProjectionCritic,
    as_net,
    channels,
    labeled,
    last_features,
)

LABELS = jnp.array([2, 0, 1, 1])
IMAGES = jax.random.uniform(jax.random.key(0), (4, 8, 8, 1))


def test_an_image_gets_a_map_for_each_class_and_a_vector_a_number():
    joined = channels((IMAGES, jnp.eye(3)[LABELS]))
    assert joined.shape == (4, 8, 8, 4)
    np.testing.assert_array_equal(joined[..., :1], IMAGES)
    for image, label in zip(joined, LABELS, strict=True):
        np.testing.assert_array_equal(image[..., 1:], np.broadcast_to(np.eye(3)[label], (8, 8, 3)))
    z = jnp.ones((4, 5))
    np.testing.assert_array_equal(
        channels((z, jnp.eye(3)[LABELS])), np.concatenate([z, np.eye(3)[LABELS]], axis=1)
    )


def test_a_labeled_net_is_the_net_of_what_is_joined():
    for net, x in (
        (MLPGenerator((4,), (2,), batch_norm=True), jnp.ones((4, 5))),
        (DCGANCritic((4,)), IMAGES),
    ):
        told = labeled(net, 3)
        both = channels((x, jnp.eye(3)[LABELS]))

        @jax.jit
        def run(key, told=told, net=net, both=both, x=x):
            variables = told.init(key, (x, LABELS))
            pair = told.apply(variables, (x, LABELS), train=True)
            return pair, as_net(net).apply(variables, both, train=True)

        jax.tree.map(np.testing.assert_array_equal, *run(jax.random.key(1)))
    flat = labeled(MLPCritic((4,)), 3, join=vectors)
    variables = jax.eval_shape(flat.init, jax.random.key(1), (IMAGES, LABELS))
    assert variables["params"]["Dense_0"]["kernel"].shape == (64 + 3, 4)
    with pytest.raises(ValueError, match="num_classes: got 0, expected an integer >= 1"):
        labeled(MLPCritic(()), 0)


def vectors(inputs):
    x, more = inputs
    return jnp.concatenate([x.reshape(len(x), -1), more], axis=1)


@pytest.mark.parametrize("spectral", [False, True])
@pytest.mark.parametrize("kind", ["dcgan", "mlp"])
def test_a_projection_adds_how_the_features_fit_the_class(kind, spectral):
    net = {
        "dcgan": DCGANCritic((4, 8), batch_norm=not spectral, spectral_norm=spectral),
        "mlp": MLPCritic((7, 5), spectral_norm=spectral),
    }[kind]
    critic = ProjectionCritic(net, 3, spectral_norm=spectral)

    side = (IMAGES, LABELS)

    @jax.jit
    def run(key):
        variables = critic.init(key, side, train=True)
        variables = {**variables, **as_net(critic).apply(variables, side, train=True)[1]}
        own = {name: tree["net"] for name, tree in variables.items()}
        added = critic.apply(variables, side, train=False) - net.apply(own, IMAGES, train=False)
        features = [last_features(net, own, IMAGES), last_features(critic, variables, side)]
        return variables, added, features

    variables, added, features = run(jax.random.key(1))
    np.testing.assert_array_equal(*features)
    table = variables["params"]["V"]["kernel"]
    if spectral:  # one more power iteration tells the singular value
        left = variables["batch_stats"]["SpectralNorm_0"]["V/kernel/u"] @ table.T
        right = left @ table / jnp.linalg.norm(left)
        table = table / jnp.linalg.norm(right)
    np.testing.assert_allclose(added, np.sum(table[LABELS] * features[0], 1), rtol=1e-3, atol=1e-6)
    assert np.abs(added).max() > 1e-4


def test_the_best_projection_critic_is_the_log_ratio_that_has_its_form():
    """N(m_y, I) against N(0, I), |m_y| = 1: log p - log q = m_y x - 1/2. False alarm: 5 sigma."""
    means = jnp.array([[1.0, 0.0], [0.0, -1.0], [-0.6, 0.8]])
    critic = ProjectionCritic(MLPCritic(()), 3)
    labels = jnp.arange(30_000) % 3
    noise = jax.random.normal(jax.random.key(0), (2, 30_000, 2))

    def loss(variables):
        real, fake = (
            critic.apply(variables, (x, labels), train=False)
            for x in (means[labels] + noise[0], noise[1])
        )
        return jnp.mean(jax.nn.softplus(-real) + jax.nn.softplus(fake))

    @jax.jit
    def fit(variables):
        lbfgs = optax.lbfgs()
        value_and_grad = optax.value_and_grad_from_state(loss)

        def step(carry, _):
            variables, state = carry
            value, grad = value_and_grad(variables, state=state)
            updates, state = lbfgs.update(
                grad, state, variables, value=value, grad=grad, value_fn=loss
            )
            return (optax.apply_updates(variables, updates), state), value

        return jax.lax.scan(step, (variables, lbfgs.init(variables)), None, 20)[0][0]

    params = fit(critic.init(jax.random.key(1), (means, jnp.arange(3)), train=True))["params"]
    weights = params["V"]["kernel"] + params["net"]["Dense_0"]["kernel"][:, 0]
    np.testing.assert_allclose(weights, means, atol=0.1)
    np.testing.assert_allclose(params["net"]["Dense_0"]["bias"], -0.5, atol=0.1)


class Convolutional(nn.Module):
    @nn.compact
    def __call__(self, x):
        return nn.Conv(1, (8, 8), padding="VALID")(x)[:, 0, 0, 0]


def test_a_net_without_a_dense_layer_has_no_features_to_project():
    with pytest.raises(ValueError, match="net: got a Convolutional that calls no Dense"):
        ProjectionCritic(Convolutional(), 3).init(jax.random.key(0), (IMAGES, LABELS), train=True)


TOLD = {
    "labeled": labeled(MLPCritic((4,)), 3),
    "projection": as_net(ProjectionCritic(MLPCritic((4,)), 3)),
}


@pytest.mark.parametrize("net", TOLD.values(), ids=TOLD)
def test_labels_that_are_none_are_refused(net):
    bad = {
        r"got int32 of shape \(1,\), expected .* of shape \(4,\), one for each": LABELS[:1],
        "got float32 of shape": LABELS.astype(jnp.float32),
        r"got float32 of shape \(4, 3\)": jnp.eye(3)[LABELS],  # the net makes them one-hot itself
        "got values from 1 to 3, expected 0 to 2, the 3 classes": LABELS + 1,
        "got values from -1 to 1, expected 0 to 2": np.asarray(LABELS) - 1,
    }
    for message, labels in bad.items():
        with pytest.raises(ValueError, match=f"labels: {message}"):
            net.init(jax.random.key(0), (IMAGES, labels))
    # What is known only under jit does not raise; a pack has a label for each of its samples.
    for labels in (LABELS + 1, jnp.ones((4, 2), int)):
        jax.eval_shape(lambda labels: net.init(jax.random.key(0), (IMAGES, labels)), labels)


def test_what_cannot_be_projected_is_refused():
    for net, classes, message in (
        (labeled(MLPCritic((4,)), 3), 3, "net: got a Net, expected a linen module"),
        (MLPCritic((4,)), 0, "num_classes: got 0, expected an integer >= 1"),
    ):
        critic = as_net(ProjectionCritic(net, classes))
        with pytest.raises(ValueError, match=message):
            critic.init(jax.random.key(0), (IMAGES, LABELS))
