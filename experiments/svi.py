"""Amortized, semi-amortized and stochastic variational inference, and where an ELBO is lost.

One small VAE of binary images is learned in three ways from the same start: with an encoder
(amortized); with an encoder whose output takes a few local steps before the decoder learns from it
(semi-amortized); with variational parameters phi of each image's own (SVI,
Hoffman et al. 2013). Then log p(x) - ELBO of the amortized model is split, in nats per image, into

  approximation   log p(x) - ELBO(q*), q* the best Gaussian for the image: SVI from the encoder
  amortization    ELBO(q*) - ELBO(e*), e* the encoder trained on, for the very images it is asked
  generalization  ELBO(e*) - ELBO(e), e the encoder as it was trained: on other images

log p(x) comes from annealed importance sampling that starts at q*; on images that the model itself
draws, a bound from the other side (BDMC) says how far it is to be trusted.
(Lecture 18, Learning via SVI; Krishnan et al. 2018; Kim et al. 2018; Cremer et al. 2018; Zhang et
al. 2022, for the split; Wu et al. 2017.)

  python -m experiments svi

Expect after 60 epochs of the digits a test log p(x) of -19.05 nats amortized, -19.00 semi-amortized
and -18.96 by SVI, and of the amortized model

  gap, nats per image        train           test
  approximation      0.161 ± 0.008  0.159 ± 0.008
  amortization       0.080 ± 0.006  0.054 ± 0.004
  generalization     0.066 ± 0.004  0.105 ± 0.014

log p(x) of images that the model draws is known to within 0.014 nats. About a minute and a half on
two CPU cores, half of it compilation.
"""

# This recipe is being moved onto the workbench by another author; leave it.

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float

from experiments import _old_vae as vae
from jaxgen.checks import at_least, one_of, positive
from jaxgen.distributions import Independent, diagonal_normal
from jaxgen.estimators import sticking_the_landing
from jaxgen.inference import (
    InferenceGap,
    LocalOptimum,
    SVIState,
    bidirectional_bounds,
    hmc_step,
    inference_gap,
    linear_temperatures,
    optimize_local,
    svi_step,
)
from jaxgen.models import LatentVariableModel, observe
from jaxgen.pictures import against_count, learning_curve, stacked_bars
from jaxgen.train import (
    TrainState,
    Update,
    data_mesh,
    gradient_step,
    init_state,
    replicate,
    scan_epoch,
    shard,
)
from jaxgen.types import Info, Key, Params
from jaxgen.workbench import (
    ImageConfig,
    RunDirectory,
    fit,
    main,
    new_path,
    open_run,
    print_table,
    require_devices,
    tensorboard,
)

DRAWS = 200
"""Of z for every ELBO that is reported."""
LEAPFROG_STEPS, STEP_SIZE = 5, 0.7
"""Of HMC; the step size in units of q*'s scale, a dimension each."""
LABELS = {
    "amortized": "amortized",
    "semi_amortized": "semi-amortized",
    "svi": "SVI",
    "amortization": "amortization",
    "generalization": "generalization",
}
PARTS = ("approximation", "amortization", "generalization")
"""Of the gap."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(ImageConfig):
    """A VAE of images cut at one half, the ways to learn it, and how closely it is measured."""

    epochs: int = 60
    batch_size: int = 64
    inference: tuple[str, ...] = ("amortized", "semi_amortized", "svi")
    """Ways to learn the model, amortized among them: that one's gap is split."""
    hidden: tuple[int, ...] = (100,)
    """Widths of the hidden layers on each side, each followed by tanh."""
    latent_size: int = 8
    """Dimensions of z."""
    local_steps: int = 5
    """Updates of an image's variational parameters at each visit, in training."""
    local_learning_rate: float = 0.03
    """Adam's step size for them."""
    images: int = 150
    """Measured of the training set, of the test set, and drawn from the model."""
    measure_steps: int = 300
    """Updates of each image's variational parameters to find q*, with a falling step size."""
    tune_steps: int = 2000
    """Updates of the encoder alone, on the split that it is measured on."""
    temperatures: int = 50
    """Of annealed importance sampling, between q* and the posterior."""
    chains: int = 8
    """Of annealed importance sampling, per image."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in self.inference:
            one_of("inference", name, WAYS)
        if "amortized" not in self.inference or len(set(self.inference)) < len(self.inference):
            raise ValueError(
                f"inference: got {self.inference}, expected amortized among them and each once"
            )
        for name in ("local_steps", "measure_steps", "tune_steps", "temperatures", "chains"):
            at_least(name, getattr(self, name), 1)
        at_least("images", self.images, 2)
        positive("local_learning_rate", self.local_learning_rate)
        assert self.vae_config

    @property
    def vae_config(self) -> vae.Config:
        """The VAE recipe's configuration of the same model."""
        names = {field.name for field in dataclasses.fields(vae.Config)}
        own = {k: v for k, v in dataclasses.asdict(self).items() if k in names}
        return vae.Config(**own, binarization="threshold")


Phi = Float[Array, "2 latent"]
"""Mean and log scale of q, of one image."""


def gaussian(phi: Phi) -> Independent:
    """Returns q."""
    return diagonal_normal(*phi)


def encode(model: LatentVariableModel, params: Params, x: Array) -> Phi:
    """Returns the variational parameters that the encoder gives."""
    q = model.encode(params, x)
    return jnp.stack([q.mean(), jnp.log(q.stddev())])


def bound_of(model: LatentVariableModel, params: Params, phi: Phi, key: Key, x: Array) -> Array:
    """Returns the ELBO of x, in nats, by one sample; of the params it needs the decoder's.

    Its gradient sticks the landing: the nearer q is to the posterior, the less noise it has.
    """
    log_weight, q = observe(model, params, x).log_weight, gaussian(phi)
    return sticking_the_landing().apply((), key, lambda z, q=q: log_weight(z, q), q)[0]


def climb(
    model: LatentVariableModel,
    params: Params,
    phi: Phi,
    key: Key,
    x: Array,
    optimizer: optax.GradientTransformation,
    steps: int,
) -> LocalOptimum:
    """Returns where SVI from `phi` leads; nothing is differentiated through it."""
    held = jax.lax.stop_gradient(params)
    return optimize_local(
        key, lambda phi, key: bound_of(model, held, phi, key, x), phi, optimizer, steps
    )


class Way(NamedTuple):
    """A way to learn the model.

    Attributes:
      begin: initial params of the model and the training images to the state of the training.
      update: of that state, by a batch of `(indices, images)`.
      infer: `(params, key, x) -> phi` for an image that was not trained on.
      model_params: of the params of the state.
    """

    begin: Callable[[Params, Array], TrainState]
    update: Update
    infer: Callable[[Params, Key, Array], Phi]
    model_params: Callable[[Params], Params]


def amortized(config: Config, model: LatentVariableModel) -> Way:
    """Returns the VAE: one encoder for all images."""

    def bound(params: Params, key: Key, x: Array) -> tuple[Array, Array]:
        value = bound_of(model, params, encode(model, params, x), key, x)
        return value, value

    return _with_encoder(config, bound, lambda params, key, x: encode(model, params, x))


def semi_amortized(config: Config, model: LatentVariableModel) -> Way:
    """Returns the VAE whose decoder learns from phi after a few local steps from the encoder's.

    The encoder learns as that of the VAE, from the bound at its own phi.
    """

    def infer(params: Params, key: Key, x: Array) -> Phi:
        start = jax.lax.stop_gradient(encode(model, params, x))
        optimizer = optax.adam(config.local_learning_rate)
        return climb(model, params, start, key, x, optimizer, config.local_steps).params

    def bound(params: Params, key: Key, x: Array) -> tuple[Array, Array]:
        key_local, key_encoder, key_decoder = jax.random.split(key, 3)
        held = {**params, "decoder": jax.lax.stop_gradient(params["decoder"])}
        of_encoder = bound_of(model, held, encode(model, params, x), key_encoder, x)
        of_decoder = bound_of(model, params, infer(params, key_local, x), key_decoder, x)
        return of_encoder + of_decoder, of_decoder

    return _with_encoder(config, bound, infer)


def _with_encoder(
    config: Config,
    bound: Callable[[Params, Key, Array], tuple[Array, Array]],
    infer: Callable[[Params, Key, Array], Phi],
) -> Way:
    """Returns the way that climbs the first number of `bound`; the second is the image's ELBO."""
    optimizer = optax.adam(config.learning_rate)

    def loss(params: Params, key: Key, batch: tuple[Array, Array]) -> tuple[Array, Info]:
        keys = jax.random.split(key, len(batch[1]))
        climbed, elbos = jax.vmap(bound, (None, 0, 0))(params, keys, batch[1])
        return -jnp.mean(climbed), {"elbo": jnp.mean(elbos)}

    return Way(
        begin=lambda params, xs: init_state(params, optimizer),
        update=gradient_step(loss, optimizer),
        infer=infer,
        model_params=lambda params: params,
    )


def svi(config: Config, model: LatentVariableModel) -> Way:
    """Returns SVI's five steps (`svi_step`): each training image keeps a phi of its own throughout.

    The encoder is left as it was: it has no part in it.
    """
    optimizer = optax.adam(config.learning_rate)
    local = optax.adam(config.local_learning_rate)
    step = svi_step(
        lambda params, phi, key, x: bound_of(model, params, phi, key, x),
        optimizer,
        local,
        config.local_steps,
    )

    def begin(params: Params, xs: Array) -> TrainState:
        phis = jnp.zeros((len(xs), 2, config.latent_size))
        state = init_state(params, optimizer)
        both = {"model": state.params, "local": phis}
        return TrainState(params=both, opt_state=state.opt_state, ema=None, step=state.step)

    def update(state: Any, key: Key, batch: Any) -> tuple[Any, Info]:
        before = SVIState(state.params["model"], state.opt_state, state.params["local"])
        after, info = step(before, key, batch)
        params = {"model": after.params, "local": after.local_params}
        moved = state.replace(params=params, opt_state=after.opt_state, step=state.step + 1)
        return moved, info

    def infer(params: Params, key: Key, x: Array) -> Phi:
        start = jnp.zeros((2, config.latent_size))
        return best_phi(config, model, params, start, key, x)

    return Way(begin, update, infer, lambda params: params["model"])


WAYS: dict[str, Callable[[Config, LatentVariableModel], Way]] = {
    "amortized": amortized,
    "semi_amortized": semi_amortized,
    "svi": svi,
}


def run(config: Config) -> dict[str, Any]:
    """Learns the model in every way of `config`; returns what result.json holds."""
    begun = time.monotonic()
    require_devices(config.devices)
    xs, model = load(config)
    keys = jax.random.split(jax.random.key(config.seed), 7)
    key_init, key_fit, key_validation, key_infer, key_measure, key_tune, key_draw = keys
    start = jax.jit(model.init)(key_init)
    out = open_run(config.run_dir or new_path("svi"), config, resume=config.resume)
    print(f"run directory: {out.path}")

    trained: dict[str, Params] = {}
    curves: list[dict[str, Any]] = []
    seconds: dict[str, float] = {}
    for name in config.inference:
        way = WAYS[name](config, model)
        with out.part(name) as part:
            # The same images in the same order.
            clones = jax.random.clone(key_fit), jax.random.clone(key_validation)
            trained[name] = train(config, model, way, part, start, xs, *clones)
        records = part.metrics()
        seconds[name] = records[-1]["seconds"]
        curves += [{"epoch": r["epoch"], name: r["train_elbo"]} for r in records]

    shown = {split: xs[split][: config.images] for split in ("train", "test")}
    measure = make_measure(config, model)
    tune = jax.jit(partial(tune_encoder, config, model))
    measured: dict[str, dict[str, InferenceGap]] = {}
    for name, params in trained.items():
        way = WAYS[name](config, model)
        infer = jax.jit(partial(infer_all, way))
        measured[name] = {}
        for split, images in shown.items():
            if name == "svi" and split == "train":
                phis = params["local"][: config.images]
            else:
                phis = infer(params, jax.random.clone(key_infer), images)
            tuned_phis = phis
            if name == "amortized":
                tuned = tune(params, jax.random.clone(key_tune), xs[split])
                tuned_phis = infer(tuned, jax.random.clone(key_infer), images)
            same = jax.random.clone(key_measure)
            measured[name][split] = measure(
                way.model_params(params), same, images, phis, tuned_phis
            )

    params = trained["amortized"]
    prior = jnp.zeros((len(shown["test"]), 2, config.latent_size))
    same = jax.random.clone(key_measure)
    from_prior = measure(params, same, shown["test"], prior, prior)
    result: dict[str, Any] = {
        "ways": {
            name: {
                f"{split}_{quantity}": getattr(of, quantity).mean()
                for split, of in splits.items()
                for quantity in ("elbo", "best_elbo", "log_px")
            }
            | {"training_seconds": seconds[name]}
            for name, splits in measured.items()
        },
        "gaps": {
            split: {
                name: {"mean": of.mean(), "stderr": stderr(of)}
                for name, of in ((part, getattr(gap, part)) for part in (*PARTS, "total"))
            }
            for split, gap in measured["amortized"].items()
        },
        "acceptance": measured["amortized"]["test"].transitions.acceptance_probability.mean(),
        "images": config.images,
        **two_sided(config, model, params, key_draw),
    }
    figures = {
        "learning_curves": learning_curve(
            curves, {name: LABELS[name] for name in trained}, title="Train ELBO at the phi in use"
        ),
        "gaps": draw_gaps(result),
        "local_steps": draw_local_steps(measured["amortized"]["test"], from_prior),
    }
    pictures = [str(out.save_picture(name, figure)) for name, figure in figures.items()]
    result["seconds"] = time.monotonic() - begun
    out.write_result(result)
    report(config, result, out, pictures)
    return result


def load(config: Config) -> tuple[dict[str, Array], LatentVariableModel]:
    """Returns the binary images of each split and the untrained model."""
    splits = {
        name: vae.load_split(config.vae_config, name) for name in ("train", "validation", "test")
    }
    for argument, limit, split in (
        ("batch_size", config.batch_size, "train"),
        ("images", config.images, "train"),
        ("images", config.images, "test"),
    ):
        count = len(splits[split].images)
        if limit > count:
            raise ValueError(
                f"{argument}: got {limit}, expected at most {count}, the {split} images of "
                f"{config.dataset}"
            )
    # A cut draws nothing: any key will do.
    xs = {
        name: of.prepare(jax.random.key(0), jnp.asarray(of.images)) for name, of in splits.items()
    }
    return xs, vae.make_model(config.vae_config, splits["train"].images)


def train(
    config: Config,
    model: LatentVariableModel,
    way: Way,
    out: RunDirectory,
    start: Params,
    xs: dict[str, Array],
    key: Key,
    key_validation: Key,
) -> Params:
    """Returns the params after the training, its last checkpoint read first if there is one."""
    mesh = data_mesh(config.devices)
    epoch = jax.jit(scan_epoch(shard(way.update, mesh), config.batch_size), donate_argnums=0)
    state = way.begin(start, xs["train"])
    data = replicate((jnp.arange(len(xs["train"])), xs["train"]), mesh)
    held_out = replicate(xs["validation"], mesh)

    @jax.jit
    def validate(params: Params, key: Key, xs: Array) -> Array:
        key_infer, key_bound = jax.random.split(key)
        phis = infer_all(way, params, key_infer, xs)
        keys = jax.random.split(key_bound, len(xs))
        bounds = jax.vmap(partial(bound_of, model), (None, 0, 0, 0))
        return jnp.mean(bounds(way.model_params(params), phis, keys, xs))

    params = fit(
        out,
        replicate(state, mesh),
        lambda state, key, index: epoch(state, key, data),
        lambda params: {"elbo": validate(params, jax.random.clone(key_validation), held_out)},
        key=key,
        epochs=config.epochs,
        watch=tensorboard(out.path) if config.tensorboard else None,
    )
    return jax.device_put(params, mesh.devices.flat[0])


def infer_all(way: Way, params: Params, key: Key, xs: Array) -> Float[Array, "n 2 latent"]:
    """Returns each image's variational parameters by the way's own inference."""
    infer = jax.vmap(way.infer, (None, 0, 0))
    return infer(way.model_params(params), jax.random.split(key, len(xs)), xs)


def make_measure(
    config: Config, model: LatentVariableModel
) -> Callable[[Params, Key, Array, Array, Array], InferenceGap]:
    """Returns `(params, key, xs, phis, tuned phis) -> gaps`, compiled once for every way and split.

    All of it on a leading axis of images, in float64.
    """

    @jax.jit
    def measure(params: Params, *of_each: Array) -> InferenceGap:
        def one(of: tuple[Key, Array, Phi, Phi]) -> InferenceGap:
            key, x, phi, tuned_phi = of
            return inference_gap(
                key,
                lambda phi, key: bound_of(model, params, phi, key, x),
                phi,
                observe(model, params, x).log_joint,
                gaussian,
                transition_of,
                linear_temperatures(config.temperatures),
                optimizer=falling(config),
                num_steps=config.measure_steps,
                tuned_phi=tuned_phi,
                num_chains=config.chains,
                num_draws=DRAWS,
            )

        return jax.lax.map(one, of_each, batch_size=50)

    def in_float64(
        params: Params, key: Key, xs: Array, phis: Array, tuned_phis: Array
    ) -> InferenceGap:
        gaps = measure(params, jax.random.split(key, len(xs)), xs, phis, tuned_phis)
        return jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), gaps)

    return in_float64


def falling(config: Config) -> optax.GradientTransformation:
    """Returns the optimizer of a long SVI, its step size falling to nothing."""
    return optax.adam(optax.cosine_decay_schedule(config.local_learning_rate, config.measure_steps))


def best_phi(
    config: Config, model: LatentVariableModel, params: Params, phi: Phi, key: Key, x: Array
) -> Phi:
    """Returns the end of a long SVI from `phi`."""
    return climb(model, params, phi, key, x, falling(config), config.measure_steps).params


def transition_of(phi: Phi) -> Any:
    """Returns Hamiltonian transitions whose steps are of the size of q's scale."""
    step_size = STEP_SIZE * jnp.exp(phi[1])

    def transition(key: Key, log_density: Any, z: Array, beta: Array) -> Any:
        return hmc_step(key, log_density, z, step_size=step_size, num_leapfrog_steps=LEAPFROG_STEPS)

    return transition


def tune_encoder(
    config: Config, model: LatentVariableModel, params: Params, key: Key, xs: Array
) -> Params:
    """Returns the params after the encoder alone has been trained on, on `xs`."""
    rate = optax.cosine_decay_schedule(config.learning_rate, config.tune_steps)
    optimizer = optax.adam(rate)

    def loss(encoder: Params, key: Key, batch: Array) -> tuple[Array, Info]:
        at = {**params, "encoder": encoder}

        def one(key: Key, x: Array) -> Array:
            return bound_of(model, at, encode(model, at, x), key, x)

        return -jnp.mean(jax.vmap(one)(jax.random.split(key, len(batch)), batch)), {}

    update = gradient_step(loss, optimizer)

    def step(state: Any, index: Array) -> tuple[Any, None]:
        key_batch, key_step = jax.random.split(jax.random.fold_in(key, index))
        rows = jax.random.randint(key_batch, (config.batch_size,), 0, len(xs))
        return update(state, key_step, xs[rows])[0], None

    state = init_state(params["encoder"], optimizer)
    state, _ = jax.lax.scan(step, state, jnp.arange(config.tune_steps))
    return {**params, "encoder": state.params}


def stderr(values: Float[np.ndarray, "n"]) -> float:
    """Returns the standard error of the mean over images."""
    return float(values.std(ddof=1) / np.sqrt(len(values)))


def two_sided(
    config: Config, model: LatentVariableModel, params: Params, key: Key
) -> dict[str, float]:
    """Returns bounds from both sides on log p(x) of images that the model draws, in nats."""

    @jax.jit
    def bounds(params: Params, key: Key) -> tuple[Array, Array]:
        def one(key: Key) -> tuple[Array, Array]:
            key_z, key_x, key_phi, key_bounds = jax.random.split(key, 4)
            z = model.prior(params).sample(seed=key_z)
            x = model.decode(params, z).sample(seed=key_x)
            phi = best_phi(config, model, params, encode(model, params, x), key_phi, x)
            found = bidirectional_bounds(
                key_bounds,
                z,
                observe(model, params, x).log_joint,
                gaussian(phi),
                transition_of(phi),
                linear_temperatures(config.temperatures),
                config.chains,
            )
            return found.lower, found.upper

        return jax.lax.map(one, jax.random.split(key, config.images), batch_size=50)

    lower, upper = (np.asarray(of, np.float64) for of in bounds(params, key))
    return {
        "drawn_lower": lower.mean(),
        "drawn_upper": upper.mean(),
        "drawn_difference": (upper - lower).mean(),
        "drawn_difference_stderr": stderr(upper - lower),
    }


def draw_gaps(result: dict[str, Any]) -> Any:
    """Returns the three parts of the gap, on training and on test images."""
    return stacked_bars(
        ["train", "test"],
        {
            LABELS.get(part, part): [
                result["gaps"][split][part]["mean"] for split in ("train", "test")
            ]
            for part in PARTS
        },
        ylabel="log p(x) - ELBO (nats per image)",
        title="Where the amortized ELBO is lost",
    )


def draw_local_steps(from_encoder: InferenceGap, from_prior: InferenceGap) -> Any:
    """Returns the test ELBO along SVI from the encoder and from the prior, below log p(x)."""
    counts = [2**i for i in range(from_encoder.optimum.values.shape[1].bit_length())]

    def curve(gaps: InferenceGap) -> list[float]:
        values = gaps.optimum.values
        return [float(values[:, count // 2 : count].mean()) for count in counts]

    return against_count(
        counts,
        {
            "from the encoder": curve(from_encoder),
            "from the prior": curve(from_prior),
        },
        level=("log p(x)", float(from_encoder.log_px.mean())),
        xlabel="local steps (mean over their last half)",
        ylabel="test ELBO (nats per image)",
        title="SVI for one model: amortized at its left, optimal at its right",
    )


def report(config: Config, result: dict[str, Any], out: RunDirectory, pictures: list[str]) -> None:
    """Prints the ways to learn, the split of the gap and where everything is."""
    columns = ["inference", "ELBO, train", "test", "log p(x), train", "test", "seconds"]
    keys = ("train_elbo", "test_elbo", "train_log_px", "test_log_px")
    rows = [
        [LABELS[name], *(f"{of[key]:.2f}" for key in keys), f"{of['training_seconds']:.0f}"]
        for name, of in result["ways"].items()
    ]
    count = result["images"]
    title = f"{config.dataset}, {config.epochs} epochs: nats per image of {count} and {count}"
    print_table(title, columns, rows)
    rows = [
        [
            LABELS.get(part, part),
            *(f"{of['mean']:.3f} ± {of['stderr']:.3f}" for of in (train_of, test_of)),
        ]
        for part, train_of in result["gaps"]["train"].items()
        for test_of in [result["gaps"]["test"][part]]
    ]
    print_table("log p(x) - ELBO, amortized, nats per image", ["gap", "train", "test"], rows)
    print(
        f"log p(x) of {count} images that it draws: from {result['drawn_lower']:.3f} to "
        f"{result['drawn_upper']:.3f} nats, {result['drawn_difference']:.3f} ± "
        f"{result['drawn_difference_stderr']:.3f} apart; HMC accepts {result['acceptance']:.0%}"
    )
    print(f"time: {result['seconds']:.1f} seconds")
    print("pictures:", *pictures, sep="\n  ")
    print(f"everything: {out.path}")


if __name__ == "__main__":
    main(Config, run)
