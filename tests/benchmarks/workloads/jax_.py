"""The training steps in JAX: pure functions of the weights, each whole step compiled by jit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.nn import softplus
from safetensors.numpy import load_file

from .common import (
    BATCHES,
    BETA1,
    BETA2,
    EPS,
    LR,
    PENALTY,
    SLOPE,
    Layers,
    Workload,
    read_batches,
    sampling_noise,
)

VERSION = f"JAX {jax.__version__} jit"
NCHW = ("NCHW", "OIHW", "NCHW")
Params = dict[str, jax.Array]


# ---------------------------------------------------------------------------------- layers, Adam


def apply(layers: Layers, p: Params, x: jax.Array, training: bool = True) -> tuple[Any, Params]:
    """The network's output, and batch norm's running statistics after it."""
    running: Params = {}
    for i, (name, *sizes) in enumerate(layers):
        if name == "linear":
            x = x @ p[f"{i}.weight"].T + p[f"{i}.bias"]
        elif name == "conv":
            x = lax.conv_general_dilated(
                x, p[f"{i}.weight"], (2, 2), [(1, 1)] * 2, dimension_numbers=NCHW
            )
            x += p[f"{i}.bias"][:, None, None]
        elif name == "conv_transpose":  # the correlation of the spread-out input, kernel turned
            w = jnp.flip(p[f"{i}.weight"], (2, 3)).swapaxes(0, 1)
            x = lax.conv_general_dilated(
                x, w, (1, 1), [(2, 2)] * 2, lhs_dilation=(2, 2), dimension_numbers=NCHW
            )
            x += p[f"{i}.bias"][:, None, None]
        elif name.startswith("batch_norm"):
            x, running = batch_norm(f"{i}.", p, x, training, running)
        elif name == "leaky_relu":
            x = jnp.where(x > 0, x, SLOPE * x)
        elif name == "relu":
            x = jax.nn.relu(x)
        elif name == "tanh":
            x = jnp.tanh(x)
        elif name == "flatten":
            x = x.reshape(len(x), -1)
        elif name == "unflatten":
            x = x.reshape(len(x), *sizes)
        elif name == "last_hidden":
            x = last_hidden(f"{i}.", p, x)
    return x, running


def batch_norm(
    at: str, p: Params, x: jax.Array, training: bool, running: Params
) -> tuple[jax.Array, Params]:
    axes = (0, *range(2, x.ndim))
    shape = (-1, *[1] * (x.ndim - 2))
    if training:
        n = x.size // x.shape[1]
        mean, var = x.mean(axes), x.var(axes)
        for name, now in (("running_mean", mean), ("running_var", var * n / (n - 1))):
            running = running | {at + name: 0.9 * p[at + name] + 0.1 * lax.stop_gradient(now)}
    else:
        mean, var = p[at + "running_mean"], p[at + "running_var"]
    scale = p[at + "weight"] * lax.rsqrt(var + 1e-5)
    return (x - mean.reshape(shape)) * scale.reshape(shape) + p[at + "bias"].reshape(shape), running


def last_hidden(at: str, p: Params, x: jax.Array) -> jax.Array:
    w_hh, hidden = p[at + "weight_hh_l0"], p[at + "weight_hh_l0"].shape[1]
    from_input = x @ p[at + "weight_ih_l0"].T + p[at + "bias_ih_l0"] + p[at + "bias_hh_l0"]

    def row(state, from_x):
        h, c = state
        i, f, g, o = jnp.split(from_x + h @ w_hh.T, 4, axis=1)
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        return (jax.nn.sigmoid(o) * jnp.tanh(c), c), None

    zeros = jnp.zeros((len(x), hidden))
    (h, _), _ = lax.scan(row, (zeros, zeros), from_input.swapaxes(0, 1))
    return h


def adam(p: Params, g: Params, m: Params, v: Params, t: Any) -> tuple[Params, Params, Params]:
    m = {k: BETA1 * m[k] + (1 - BETA1) * g[k] for k in g}
    v = {k: BETA2 * v[k] + (1 - BETA2) * g[k] ** 2 for k in g}
    c1, c2 = 1 - BETA1**t, 1 - BETA2**t
    return {k: p[k] - LR * m[k] / c1 / (jnp.sqrt(v[k] / c2) + EPS) for k in g}, m, v


def bce(logits: jax.Array, real: bool) -> jax.Array:
    """-log σ(logit) for real, -log(1 - σ(logit)) for fake."""
    return softplus(-logits if real else logits).mean()


class Network:
    """Weights, running statistics and Adam's state, as plain dictionaries."""

    def __init__(self, layers: Layers, path: Path) -> None:
        loaded = {k: jnp.asarray(a) for k, a in load_file(path).items() if a.dtype == np.float32}
        self.layers = layers
        self.statistics = {k: a for k, a in loaded.items() if "running_" in k}
        self.p = {k: a for k, a in loaded.items() if k not in self.statistics}
        self.m = self.v = {k: jnp.zeros_like(a) for k, a in self.p.items()}

    @property
    def state(self) -> tuple[Params, Params, Params, Params]:
        return self.p, self.m, self.v, self.statistics

    @state.setter
    def state(self, state: tuple[Params, Params, Params, Params]) -> None:
        self.p, self.m, self.v, self.statistics = state


# ------------------------------------------------------------------------------------- the steps


class Game:
    """A step of D and a step of G, each one compiled function."""

    def __init__(self, workload: Workload, folder: Path) -> None:
        self.G = Network(workload.generator, folder / "generator.safetensors")
        self.D = Network(workload.discriminator, folder / "discriminator.safetensors")
        self.batches = read_batches(folder, jnp.asarray)
        self.noise = {n: jnp.asarray(z) for n, z in sampling_noise().items()}
        g_layers, d_layers = self.G.layers, self.D.layers

        @jax.jit
        def step_discriminator(d_state, g_state, real, z, t):
            p, m, v, statistics = d_state
            g_p, g_m, g_v, g_statistics = g_state
            fake, g_running = apply(g_layers, g_p | g_statistics, z)

            def loss(p):
                for_real, running = apply(d_layers, p | statistics, real)
                for_fake, running = apply(d_layers, p | statistics | running, fake)
                return bce(for_real, True) + bce(for_fake, False), running

            (value, running), g = jax.value_and_grad(loss, has_aux=True)(p)
            return value, (*adam(p, g, m, v, t), running), (g_p, g_m, g_v, g_running)

        @jax.jit
        def step_generator(d_state, g_state, z, t):
            p, m, v, statistics = g_state
            d_p, d_m, d_v, d_statistics = d_state

            def loss(p):
                fake, running = apply(g_layers, p | statistics, z)
                logits, d_running = apply(d_layers, d_p | d_statistics, fake)
                return bce(logits, True), (running, d_running)

            (value, (running, d_running)), g = jax.value_and_grad(loss, has_aux=True)(p)
            return value, (d_p, d_m, d_v, d_running), (*adam(p, g, m, v, t), running)

        self.step_discriminator, self.step_generator = step_discriminator, step_generator
        self.generate = jax.jit(lambda p, z: apply(g_layers, p, z, training=False)[0])

    def step(self, t: int) -> tuple[float, ...]:
        batches, i = self.batches, t % BATCHES
        d_loss, self.D.state, self.G.state = self.step_discriminator(
            self.D.state, self.G.state, batches["real"][i], batches["z_for_d"][i], float(t + 1)
        )
        g_loss, self.D.state, self.G.state = self.step_generator(
            self.D.state, self.G.state, batches["z_for_g"][i], float(t + 1)
        )
        return float(d_loss), float(g_loss)

    def sample(self, n: int) -> np.ndarray:
        return np.asarray(self.generate(self.G.p | self.G.statistics, self.noise[n]))


class Alone:
    """A step of D alone on given pictures: one compiled function."""

    names: tuple[str, ...]

    def __init__(self, workload: Workload, folder: Path) -> None:
        self.D = Network(workload.discriminator, folder / "discriminator.safetensors")
        self.batches = read_batches(folder, jnp.asarray)

        @jax.jit
        def update(state, t, *batch):
            p, m, v, statistics = state
            value, g = jax.value_and_grad(self.loss)(p, *batch)
            return value, (*adam(p, g, m, v, t), statistics)

        self.update = update

    def judge(self, p: Params, x: jax.Array) -> jax.Array:
        return apply(self.D.layers, p, x)[0]

    def step(self, t: int) -> tuple[float, ...]:
        batch = (self.batches[name][t % BATCHES] for name in self.names)
        loss, self.D.state = self.update(self.D.state, float(t + 1), *batch)
        return (float(loss),)


class Critic(Alone):
    """WGAN-GP (Gulrajani et al. 2017, algorithm 1, lines 4 to 9)."""

    names = ("real", "fake", "mix")

    def loss(self, p, real, fake, mix):
        between = mix * real + (1 - mix) * fake
        slope = jax.grad(lambda x: self.judge(p, x).sum())(between)
        norm = jnp.linalg.norm(slope.reshape(len(slope), -1), axis=1)
        penalty = ((norm - 1) ** 2).mean()
        return self.judge(p, fake).mean() - self.judge(p, real).mean() + PENALTY * penalty


class Classifier(Alone):
    names = ("real", "fake")

    def loss(self, p, real, fake):
        return bce(self.judge(p, real), True) + bce(self.judge(p, fake), False)


def start(workload: Workload, folder: Path, device: str) -> Any:
    kinds = {"game": Game, "critic": Critic, "classifier": Classifier}
    return kinds[workload.kind](workload, folder)
