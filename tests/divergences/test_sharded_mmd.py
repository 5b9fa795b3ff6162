"""The squared MMD on eight (pretended) devices against one."""

import chex
import jax
import jax.numpy as jnp
import pytest
from jax.sharding import NamedSharding, PartitionSpec

from jaxgen.divergences import gram_product, mmd_unbiased, rbf, sharded_gram_product
from jaxgen.train import data_mesh
from jaxgen.two_sample import mmd_permutation_test

XS = jax.random.normal(jax.random.key(0), (40, 3))
YS = 0.5 + jax.random.normal(jax.random.key(1), (27, 3))  # 67 rows do not divide by 8


def value_and_gradient(product):
    """Of the mean of the one value per sample, with blocks that do not divide anything."""

    def value(xs, ys):
        terms = mmd_unbiased(xs, ys, rbf(1.0), block_size=5, product=product)
        return jnp.mean(jnp.mean(terms.p) - terms.q), terms

    return jax.jit(jax.value_and_grad(value, argnums=(0, 1), has_aux=True))


def test_eight_devices_equal_one():
    mesh = data_mesh(8)
    (one, terms), gradient = value_and_gradient(gram_product)(XS, YS)
    placed = jax.device_put(XS, NamedSharding(mesh, PartitionSpec("data")))
    sharded = value_and_gradient(sharded_gram_product(mesh))
    (eight, terms8), gradient8 = sharded(placed, YS)
    assert float(eight) == pytest.approx(float(one), abs=1e-6)
    chex.assert_trees_all_close((terms8, gradient8), (terms, gradient), atol=1e-6)
    assert float(jnp.abs(gradient[1]).max()) > 1e-3  # a gradient eight times too large would show


def test_the_work_is_split():
    mesh = data_mesh(8)
    product = jax.jit(
        lambda rows: sharded_gram_product(mesh)(rbf(1.0), rows, rows, jnp.ones((64, 1)))
    )
    rows = jnp.zeros((64, 3))
    text = product.lower(rows).compile().as_text()
    assert "f32[8,64]" in text  # an eighth of the rows, all columns
    assert "f32[64,64]" not in text
    assert len(product(rows).sharding.device_set) == 8


def test_a_permutation_test_on_eight_devices():
    test = jax.jit(mmd_permutation_test, static_argnames=("kernel", "num_permutations", "product"))
    key, kernel = jax.random.key(2), rbf(1.0)
    one = test(key, XS, YS, kernel, 50)
    key = jax.random.key(2)
    eight = test(key, XS, YS, kernel, 50, product=sharded_gram_product(data_mesh(8)))
    assert float(eight.statistic) == pytest.approx(float(one.statistic), abs=1e-6)
    assert eight.p_value == one.p_value


def test_a_mesh_without_the_axis_is_refused():
    with pytest.raises(ValueError, match=r"mesh: got the axes \('model',\)"):
        sharded_gram_product(jax.make_mesh((8,), ("model",)))
