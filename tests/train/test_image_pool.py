"""A pool of past images: what comes out was put in, and the rule is the reference's."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.train import image_pool


def numbered(first, count):
    return jnp.broadcast_to(
        jnp.arange(first, first + count, dtype=jnp.float32)[:, None], (count, 3)
    )


def by_hand(size, images, coins, slots):
    """The authors' loop, in Python."""
    pool, shown = [], []
    for image, coin, slot in zip(images, coins, slots, strict=True):
        if len(pool) < size:
            pool.append(image)
            shown.append(image)
        elif coin:
            shown.append(pool[slot])
            pool[slot] = image
        else:
            shown.append(image)
    return pool, shown


def test_the_rule_is_the_references_to_the_image(key):
    pool = image_pool(5)
    state, swap = pool.init(numbered(0, 1)[0]), jax.jit(pool.swap)
    kept, images, coins, slots, shown = [], [], [], [], []
    for i in range(6):
        batch, at = numbered(4 * i, 4), jax.random.fold_in(key, i)
        coin_key, slot_key = jax.random.split(at)
        coins += jax.random.bernoulli(coin_key, shape=(4,)).tolist()
        slots += jax.random.randint(slot_key, (4,), 0, 5).tolist()
        out, state = swap(state, jax.random.clone(at), batch)
        images += batch[:, 0].tolist()
        shown += out[:, 0].tolist()
        kept, expected = by_hand(5, images, coins, slots)
        assert shown == expected
    assert state.images[:, 0].tolist() == kept
    assert int(state.count) == 5
    assert len(set(shown)) < len(shown), "an image was kept and shown later"


def test_a_pool_of_none_is_refused():
    with pytest.raises(ValueError, match="size: got 0, expected an integer >= 1"):
        image_pool(0)
    assert np.array_equal(image_pool(3), image_pool(3))
    gray, colored = jnp.zeros((4, 2, 2, 1)), jnp.zeros((2, 2, 3))
    with pytest.raises(ValueError, match=r"images: got shape \(4, 2, 2, 1\), expected \(4, 2"):
        image_pool(3).swap(image_pool(3).init(colored), jax.random.key(0), gray)
