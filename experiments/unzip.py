"""Likelihoods that can be unzipped: test images as a file as long as their NLL, read back or not.

Arithmetic coding by a model's conditionals writes images in -log2 p(x) bits. Whoever has the model
reads them pixel after pixel, by the tables that the pixels read so far give. So a likelihood can be
read back, and what is none cannot: here MADE is trained in several orders, and its logits averaged
over all of them, as is often reported. That NLL is better than that of one order, its file is as
short, and nobody can read it. The mixture of the orders, a likelihood, stands beside it.

  python -m experiments unzip

Expect (one seed) of 1,000 digits, at 17 levels, 1.90 bits/dim for the PixelCNN, in a file of 15.2
kB that is within a thousandth of it and is read back; 2.32 for one order of MADE, read back; 2.22
for the mixture of eight; and a claim of 2.17 that cannot be read. In 80 seconds of CPU time.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Annotated, Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from jaxgen import workbench as wb
from jaxgen.metrics import autoregressive_decode, autoregressive_encode, pixel_code
from jaxgen.models import Density, autoregressive, categorical, uniform_mixture
from jaxgen.nets import MADE, PixelCNN, random_orders
from jaxgen.pictures import learning_curve
from jaxgen.train import gradient_step, init_state, mean_over_batch
from jaxgen.types import Info, Key, Params

SPLITS = {"digits": ("train[:697]", "train[697:797]", "train[797:]+validation+test")}
NAMES = {"made": "MADE", "pixelcnn": "PixelCNN"}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(wb.ImageConfig):
    """The images, and how long both models are trained on them."""

    epochs: wb.Count = 100
    batch_size: wb.Count = 64
    hidden: wb.Count = 300
    """Units of MADE."""
    orders: Annotated[int, wb.AtLeast(2)] = 8
    """Of MADE."""
    dropout: wb.Share = 0.3
    images: wb.Count = 1000
    """How many are written."""
    schedule: ClassVar[str] = "cosine"

    def __post_init__(self) -> None:
        super().__post_init__()
        wb.require_extra("images", "constriction", "compression")


class Claim(NamedTuple):
    """What is said to be the log likelihood of an image, and of each pixel given those before."""

    log_prob: Any
    conditionals: Any
    order: tuple[int, ...] | None = None


def run(config: Config) -> dict[str, Any]:
    """Trains, writes the images by every claim and reads them; returns what result.json holds."""
    out = wb.begin(config)
    splits = SPLITS.get(config.dataset, ("train", "validation", f"test[:{config.images}]"))
    train, validation, test = wb.load_images(config, splits=splits)
    sent = wb.first_images(test, config.images)
    x_shape, head = sent.shape[1:], categorical(train.levels)
    key_init, key_fit, key_judge, key_x = config.keys(4)
    orders = random_orders(config.orders)
    nets = {
        "made": MADE((config.hidden,), head.outputs, orders, dropout=config.dropout),
        "pixelcnn": PixelCNN(head.outputs, rows=4, reach=4, dropout=config.dropout),
    }
    densities: dict[str, Density] = {
        name: autoregressive(net, head, x_shape) for name, net in nets.items()
    }
    optimizer = wb.make_optimizer(config.learning_rate, config.num_steps(len(train.images)))

    def nll(name: str, params: Params, key: Key | None, x: Array, order: Any) -> Array:
        context = ((), order) if name == "made" else ()
        return -densities[name].distribution(params, context, key=key).log_prob(x)

    def one(part: wb.Run, name: str) -> Params:
        def loss(params: Params, key: Key, image: Array, *, step: Array) -> tuple[Array, Info]:
            key_x, key_net = jax.random.split(key)
            # Another order at each step, and one for all of the batch.
            value = nll(name, params, key_net, train.prepare(key_x, image), step % config.orders)
            return value, {"nll": value}

        def judge(params: Params, key: Key, image: Array) -> tuple[Array, Info]:
            value = nll(name, params, None, train.prepare(key, image), 0)
            return value, {"nll": value}

        context = ((), jnp.array(0)) if name == "made" else ()
        return wb.train(
            part,
            init_state(densities[name].init(key_init, context), optimizer),
            gradient_step(mean_over_batch(loss), optimizer),
            train.images,
            wb.judge_by(mean_over_batch(judge)),
            key=key_fit,
            judge_key=key_judge,
            held_out=validation.images,
            monitor="nll",
            better="lower",
        ).params

    swept = wb.sweep(out, {name: name for name in nets}, one)
    x = jax.jit(test.prepare)(key_x, jnp.asarray(sent))
    first = tuple(np.argsort(orders(x[0].size)[0]).tolist())
    each: list[Any] = [
        densities["made"].distribution(swept["made"], ((), k)) for k in range(config.orders)
    ]
    pixels: Any = densities["pixelcnn"].distribution(swept["pixelcnn"], ())
    mixture = uniform_mixture(densities["made"], config.orders, x_shape)

    def averaged(x: Array) -> Any:
        logits = [p.conditionals(x).distribution.logits for p in each]
        return head.distribution(jnp.mean(jnp.stack(logits), axis=0))

    claims = {
        "PixelCNN": Claim(pixels.log_prob, pixels.conditionals),
        "MADE, one order": Claim(each[0].log_prob, each[0].conditionals, first),
        "MADE, mixture of orders": Claim(mixture.distribution(swept["made"], ()).log_prob, None),
        "MADE, averaged logits": Claim(lambda x: averaged(x).log_prob(x), averaged),
    }
    written = {name: write_and_read(claim, x, train.levels) for name, claim in claims.items()}
    curves = learning_curve(swept.curves("validation_nll"), NAMES, ylabel="validation NLL (nats)")
    return out.finish(
        {"claims": written, "images": len(x), "dims": x[0].size},
        {"learning_curves": curves},
        [table(written, x)],
    )


def write_and_read(claim: Claim, x: Array, levels: int) -> dict[str, Any]:
    """Returns the bytes that the images should take, those that they take, and if they are read."""
    nats = jax.jit(lambda x: jax.lax.map(claim.log_prob, x, batch_size=100))(x)
    claimed = -float(np.asarray(nats, float).sum()) / math.log(2) / 8
    if claim.conditionals is None:
        return {"claimed_bytes": claimed, "bytes": None, "read": None}
    code = pixel_code(
        claim.conditionals,
        x_shape=x.shape[1:],
        levels=levels,
        batch_size=len(x),
        order=claim.order,
    )
    symbols = np.rint(np.asarray(x) * (levels - 1)).astype(np.int32).reshape(len(x), -1)
    file = autoregressive_encode(code, symbols)
    try:
        read = np.array_equal(autoregressive_decode(code, file), symbols)
    except ValueError:  # it looks ahead
        read = False
    return {"claimed_bytes": claimed, "bytes": len(file), "read": read}


def table(written: dict[str, dict[str, Any]], x: Array) -> wb.Table:
    """Returns what every claim comes to."""
    rows = [
        [
            name,
            of["claimed_bytes"] * 8 / x.size,
            round(of["claimed_bytes"]),
            of["bytes"] or "-",
            {True: "yes", False: "NO", None: "no conditionals"}[of["read"]],
        ]
        for name, of in written.items()
    ]
    columns = ["likelihood", "NLL, bits/dim", "NLL, bytes", "file, bytes", "read back"]
    return wb.Table(f"{len(x)} images, written and read", columns, rows)


if __name__ == "__main__":
    wb.main(Config, run)
