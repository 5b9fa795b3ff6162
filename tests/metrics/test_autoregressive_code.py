"""Files as long as the NLL, read back to the last bit; what is no likelihood cannot be read."""

import itertools
from typing import NamedTuple

import distrax
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from sklearn.datasets import load_digits

from jaxgen.distributions import Bernoulli, Independent
from jaxgen.metrics import (
    AutoregressiveCode,
    autoregressive_decode,
    autoregressive_encode,
    one_pixel_code,
    pixel_code,
)

CANNOT_BE_READ = "the places before it alone"


def tabular(seed, dims, levels, batch_size, order=None):
    """Any distribution at all, by its conditionals in the given order."""
    rng = np.random.default_rng(seed)
    places = order or tuple(range(dims))
    tables = [rng.dirichlet(np.full(levels, 0.5), levels**i) for i in range(dims)]

    def given(symbols):
        def at(place):
            number = np.zeros(len(symbols), int)
            for before in places[: places.index(place)]:
                number = levels * number + symbols[:, before]
            return tables[places.index(place)][number]

        return at

    return AutoregressiveCode(given, dims, levels, batch_size, order)


def log2_prob(code, symbols):
    """log2 p of each image."""
    given = code.tables(symbols)
    rows = np.arange(len(symbols))
    return sum(np.log2(given(place)[rows, symbols[:, place]]) for place in range(code.dims))


def images(code, count, seed=0):
    """Draws of the code's distribution."""
    every = np.array(list(itertools.product(range(code.levels), repeat=code.dims)))
    probs = 2 ** log2_prob(code, every)
    return np.random.default_rng(seed).choice(every, count, p=probs / probs.sum())


@pytest.mark.parametrize(
    ("levels", "dims", "order"), [(2, 6, None), (3, 4, (3, 1, 0, 2)), (5, 3, (2, 0, 1))]
)
@pytest.mark.parametrize("count", [1, 63, 300])
def test_any_distribution_is_read_back_and_the_file_is_as_long_as_its_nll(
    levels, dims, order, count
):
    code = tabular(0, dims, levels, 64, order)
    xs = images(code, count)
    file = autoregressive_encode(code, xs)
    np.testing.assert_array_equal(autoregressive_decode(code, file), xs)
    excess = len(file) + log2_prob(code, xs).sum() / 8
    assert 6 < excess < 17  # 7 or 8 bytes of header, and the coder's end


def test_equal_codes_have_one_checksum():
    code = tabular(0, 4, 3, 64, (3, 1, 0, 2))
    xs = images(code, 50)
    file = autoregressive_encode(code, xs)
    for order in (tuple(np.array(code.order)), list(code.order), np.array(code.order)):
        same = code._replace(order=order, dims=np.int64(4), levels=np.int32(3))
        assert autoregressive_encode(same, xs) == file
        np.testing.assert_array_equal(autoregressive_decode(same, file), xs)


def test_the_order_is_the_model_s():
    code = tabular(0, 4, 3, 64, (3, 1, 0, 2))
    wrong = code._replace(order=None)
    file = autoregressive_encode(wrong, images(code, 50))
    with pytest.raises(ValueError, match=CANNOT_BE_READ):  # a place looks ahead in this one
        autoregressive_decode(wrong, file)


class Belief(NamedTuple):
    """A fully visible belief network over gray digits: each pixel by those before it, linearly."""

    mask: np.ndarray  # [dims, dims], whether a pixel (first axis) is seen by another

    def conditionals(self, params, x):
        seen = params["weights"] * self.mask[..., None]
        logits = jnp.einsum("i,ijk->jk", x.reshape(-1), seen) + params["bias"]
        return Independent(Levels(logits.reshape(8, 8, 1, 17)), 3)


class Levels(distrax.Distribution):
    """Of values 0, 1/16, ..., 1."""

    def __init__(self, logits):
        self.log_probs = jax.nn.log_softmax(logits)

    @property
    def event_shape(self):
        return ()

    @property
    def batch_shape(self):
        return self.log_probs.shape[:-1]

    def _sample_n(self, key, n):
        raise NotImplementedError

    def log_prob(self, value):
        index = jnp.rint(16 * value).astype(int)[..., None]
        return jnp.take_along_axis(self.log_probs, index, axis=-1)[..., 0]


CAUSAL = np.triu(np.ones((64, 64)), 1)
LEAKING = CAUSAL + np.eye(64, k=-1)  # the pixel after it, as well


@pytest.fixture(scope="module")
def digits():
    return load_digits().data.astype(np.int32)


@pytest.fixture(scope="module", params=["causal", "leaking"])
def trained(request, digits):
    model = Belief(CAUSAL if request.param == "causal" else LEAKING)
    xs = jnp.asarray(digits[:797] / 16, jnp.float32).reshape(-1, 8, 8, 1)

    def loss(params):
        return -jnp.mean(jax.vmap(lambda x: model.conditionals(params, x).log_prob(x))(xs))

    optimizer = optax.adam(0.03)

    def step(carry, _):
        params, state = carry
        value, gradient = jax.value_and_grad(loss)(params)
        updates, state = optimizer.update(gradient, state)
        return (optax.apply_updates(params, updates), state), value

    params = {"weights": jnp.zeros((64, 64, 17)), "bias": jnp.zeros((64, 17))}
    start = params, optimizer.init(params)
    (params, _), _ = jax.jit(lambda start: jax.lax.scan(step, start, None, 60))(start)
    return request.param, model, params


def nll_in_bytes(model, params, symbols):
    xs = jnp.asarray(symbols / 16, jnp.float32).reshape(-1, 8, 8, 1)
    log_px = jax.jit(jax.vmap(lambda x: model.conditionals(params, x).log_prob(x)))(xs)
    return -np.asarray(log_px, np.float64).sum() / np.log(2) / 8


def test_a_thousand_digits_take_their_nll_within_a_thousandth_unless_pixels_leak(trained, digits):
    name, model, params = trained
    code = pixel_code(
        lambda x: model.conditionals(params, x), x_shape=(8, 8, 1), levels=17, batch_size=1000
    )
    test = digits[797:]
    assert len(test) == 1000
    file = autoregressive_encode(code, test)
    claimed = nll_in_bytes(model, params, test)
    assert abs(len(file) / claimed - 1) < 1e-3
    if name == "causal":
        np.testing.assert_array_equal(autoregressive_decode(code, file), test)
    else:  # a better NLL, and a shorter file, that nobody can read
        with pytest.raises(ValueError, match=CANNOT_BE_READ):
            autoregressive_decode(code, file)


EVERY = np.array(list(itertools.product(range(2), repeat=6)))


def averaged_logits(orders):
    """The logits of one joint distribution's conditionals in several orders, averaged."""
    joint = np.exp(0.15 * (2 * EVERY - 1).sum(axis=1) ** 2)  # bits that like to be equal

    def prob_of_one(x, order, place):
        known = list(order[: order.index(place)])
        weights = joint * (EVERY[:, known] == x[known]).all(axis=1)
        return weights @ EVERY[:, place] / weights.sum()

    def given(symbols):
        def at(place):
            probs = np.array([[prob_of_one(x, of, place) for of in orders] for x in symbols])
            logits = np.mean(np.log(probs) - np.log1p(-probs), axis=1)
            return 1 / (1 + np.exp(np.stack([logits, -logits], axis=1)))

        return at

    return AutoregressiveCode(given, 6, 2, 64)


def test_averaged_logits_sum_to_more_than_one_and_cannot_be_read():
    rng = np.random.default_rng(0)
    one = averaged_logits([tuple(range(6))])
    ten = averaged_logits([tuple(rng.permutation(6).tolist()) for _ in range(10)])
    assert np.sum(2 ** log2_prob(one, EVERY)) == pytest.approx(1, abs=1e-6)
    assert np.sum(2 ** log2_prob(ten, EVERY)) > 1.2
    xs = images(one, 64)
    np.testing.assert_array_equal(autoregressive_decode(one, autoregressive_encode(one, xs)), xs)
    file = autoregressive_encode(ten, xs)
    assert len(file) + log2_prob(ten, xs).sum() / 8 < 17  # as short as is claimed
    assert log2_prob(ten, xs).sum() > log2_prob(one, xs).sum()  # and shorter than any that is read
    with pytest.raises(ValueError, match=CANNOT_BE_READ):
        autoregressive_decode(ten, file)


def test_one_pixel_at_a_time_is_the_same_code():
    weights = jax.random.normal(jax.random.key(0), (9, 9)) * np.tril(np.ones((9, 9)), -1)

    def logits(x):
        return weights @ x.reshape(-1)

    options = {"x_shape": (3, 3, 1), "levels": 2, "batch_size": 16}
    whole = pixel_code(lambda x: Independent(Bernoulli(logits(x).reshape(3, 3, 1)), 3), **options)
    small = one_pixel_code(lambda x, place: Bernoulli(weights[place] @ x.reshape(-1)), **options)
    xs = np.random.default_rng(0).integers(2, size=(40, 9))
    for code in (whole, small):
        np.testing.assert_array_equal(
            autoregressive_decode(code, autoregressive_encode(code, xs)), xs
        )
    for place in (0, 8):
        np.testing.assert_allclose(
            whole.tables(xs[:16])(place), small.tables(xs[:16])(place), atol=1e-6
        )


CODE = tabular(0, 4, 3, 64)
XS = images(CODE, 200)
FILE = autoregressive_encode(CODE, XS)


@pytest.mark.parametrize("position", [*range(2, 8), 20, len(FILE) - 1])
def test_a_flipped_bit_is_seen(position):
    damaged = bytearray(FILE)
    damaged[position] ^= 1
    with pytest.raises(ValueError, match=r"file: |the places before it alone"):
        autoregressive_decode(CODE, bytes(damaged))


@pytest.mark.parametrize(
    ("code", "file", "message"),
    [
        (CODE, b"", "file: got one that begins with b'', expected b'j1'"),
        (CODE, b"PNG" + FILE, "file: got one that begins with b'PN'"),
        (CODE, FILE[:2], "file: got 2 bytes that say 0 images"),
        (CODE, FILE[:7], "file: got 7 bytes that say 200 images.*: it is cut off"),
        (CODE, b"j1" + b"\xff" * 20, "it is cut off"),
        (CODE, b"j1" + b"\0" * 20, "that say 0 images"),
        (CODE, b"j1\x80\0" + b"\0" * 20, "that say 0 images"),  # zero, at length
        (CODE, FILE[:-5], "file: got another checksum.*: it is damaged, or"),
        (tabular(1, 4, 3, 64), FILE, "file: got another checksum.*another model"),
        (CODE._replace(batch_size=32), FILE, "file: got another checksum.*batch size"),
        (CODE._replace(order=(0, 1, 3, 3)), FILE, r"order: got \(0, 1, 3, 3\), expected each of 0"),
    ],
)
def test_a_bad_file_is_named(code, file, message):
    with pytest.raises(ValueError, match=message):
        autoregressive_decode(code, file)


@pytest.mark.parametrize(
    ("changes", "xs", "message"),
    [
        (
            {},
            np.zeros((0, 4), int),
            r"symbols: got shape \(0, 4\), expected \(images, 4\), one image or more",
        ),
        ({}, np.zeros((2, 5), int), r"symbols: got shape \(2, 5\)"),
        ({}, np.full((2, 4), 3), "symbols: got 3, expected levels 0 to 2"),
        ({}, np.full((2, 4), -1), "symbols: got -1, expected levels 0 to 2"),
        ({"order": (0.0, 1.0, 2.0, 3.0)}, XS, r"order: got \(0.0, 1.0, 2.0, 3.0\), expected each"),
        ({"order": (0, 1, None, 2)}, XS, r"order: got \(0, 1, None, 2\), expected each"),
        ({"batch_size": 0}, XS, "batch_size: got 0, expected an integer >= 1"),
        ({"dims": 0}, XS, "dims: got 0, expected an integer >= 1"),
        ({"levels": 1}, XS, "levels: got 1, expected an integer >= 2"),
        ({"tables": lambda x: lambda i: np.full((64, 3), np.nan)}, XS, "tables: got NaN"),
        (
            {"tables": lambda x: lambda i: np.full((64, 3), -0.1)},
            XS,
            "tables: got NaN, infinity, a number",
        ),
        ({"tables": lambda x: lambda i: np.ones((64, 2))}, XS, r"tables: got shape \(64, 2\) at p"),
        ({"tables": lambda x: lambda i: np.zeros((64, 3))}, XS, "zeros alone at"),
    ],
)
def test_bad_input_is_named(changes, xs, message):
    with pytest.raises(ValueError, match=message):
        autoregressive_encode(CODE._replace(**changes), xs)
