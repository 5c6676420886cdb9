"""Mistakes that students make, planted: each a function, a point, and a gradient that is wrong.

The gradients are written as on paper, in NumPy, apart from the library's rules. A case is drawn
anew (shapes and values) for every seed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

import minigan as mg
from minigan.check.causes import names as N
from minigan.nn import functional as F


class Case(NamedTuple):
    """What to hand to ``check.by_hand``."""

    f: Callable[..., Any]
    at: Any
    claimed: Any
    wrt: Any = None
    cotangent: Any = None


Draw = Callable[[np.random.Generator], Case]
PLANTED: list[tuple[str, str, Draw]] = []  # cause, name, how to draw it


def planted(cause: str) -> Callable[[Draw], Draw]:
    def add(draw: Draw) -> Draw:
        PLANTED.append((cause, draw.__name__, draw))
        return draw

    return add


# ------------------------------------------------------------------------------------ on paper


def sizes(rng, n, low=2, high=6):
    """n different sizes, so that a wrong axis shows."""
    return [int(i) for i in rng.choice(np.arange(low, high + n), n, replace=False)]


def normal(rng, *shape):
    return rng.standard_normal(shape)


def sigma(x):
    return 1 / (1 + np.exp(-x))


def dsigma(x):
    return sigma(x) * (1 - sigma(x))


def dtanh(x):
    return 1 - np.tanh(x) ** 2


def softmax(x):
    e = np.exp(x - x.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def onehot(labels, k):
    return np.eye(k)[labels]


def windows(x, k, s=1, p=0):
    """(N, C, oh, ow, k, k)."""
    x = np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)))
    return np.lib.stride_tricks.sliding_window_view(x, (k, k), (2, 3))[:, :, ::s, ::s]


def conv_weight(x, g, k, s=1, p=0):
    return np.einsum("noij,ncijuv->ocuv", g, windows(x, k, s, p)[:, :, : g.shape[2], : g.shape[3]])


def conv_input(g, w, shape, s=1, p=0):
    n, c, h, v = shape
    k = w.shape[2]
    x = np.zeros((n, c, h + 2 * p + s, v + 2 * p + s))
    for i in range(g.shape[2]):
        for j in range(g.shape[3]):
            x[:, :, i * s : i * s + k, j * s : j * s + k] += np.einsum(
                "no,ocuv->ncuv", g[:, :, i, j], w
            )
    return x[:, :, p : p + h, p : p + v]


def standard(x, axes, eps=1e-5):
    d = 1 / np.sqrt(x.var(axis=axes, keepdims=True) + eps)
    return (x - x.mean(axis=axes, keepdims=True)) * d, d


def mse_layer(rng):
    """A dense layer's squared error, the workhorse of many cases."""
    n, i, o = sizes(rng, 3)
    x, w, b, t = normal(rng, n, i), normal(rng, i, o), normal(rng, o), normal(rng, n, o)

    def f(x, w, b):
        return ((x @ w + b - t) ** 2).mean()

    return f, (x, w, b), 2 * (x @ w + b - t) / (n * o)


# ------------------------------------------------------------------------------------------ signs


@planted(N.SIGN)
def sign_of_bce(rng):
    n, i = sizes(rng, 2)
    x, w, t = normal(rng, n, i), normal(rng, i), rng.integers(0, 2, n).astype(float)

    def f(x, w):
        return F.binary_cross_entropy_with_logits(x @ w, mg.Tensor(t))

    return Case(f, (x, w), lambda x, w: x.T @ (t - sigma(x @ w)) / n, "w")


@planted(N.SIGN)
def sign_of_generator_loss(rng):
    z = normal(rng, *sizes(rng, 2))
    return Case(lambda z: -mg.log(mg.sigmoid(z)).mean(), z, lambda z: (1 - sigma(z)) / z.size)


@planted(N.SIGN)
def sign_of_difference(rng):
    a, b = normal(rng, *(s := sizes(rng, 2))), normal(rng, *s)
    return Case(lambda a, b: ((a - b) ** 2).sum(), (a, b), lambda a, b: 2 * (a - b), "b")


@planted(N.SIGN)
def sign_of_one_term(rng):
    x = normal(rng, *sizes(rng, 2))

    def f(x):
        return (mg.exp(x) - x**3).sum()

    return Case(f, x, lambda x: np.exp(x) + 3 * x**2)


# --------------------------------------------------------------------------------- constant factors


@planted(N.FACTOR)
def sum_for_mean_in_mse(rng):
    f, (x, w, b), g = mse_layer(rng)
    return Case(f, (x, w, b), x.T @ g * g.size, "w")


@planted(N.FACTOR)
def mean_for_sum(rng):
    x = normal(rng, *sizes(rng, 2))
    return Case(lambda x: mg.tanh(x).sum(), x, lambda x: dtanh(x) / x.size)


@planted(N.FACTOR)
def two_of_the_square(rng):
    f, (x, w, b), g = mse_layer(rng)
    return Case(f, (x, w, b), (g / 2).sum(axis=0), "b")


@planted(N.FACTOR)
def half_forgotten(rng):
    x = normal(rng, *sizes(rng, 3))
    return Case(lambda x: 0.5 * (x**2).sum(), x, lambda x: 2 * x)


@planted(N.FACTOR)
def batch_only(rng):
    """Divided by the batch size, where the mean is over the classes too."""
    f, (x, w, b), g = mse_layer(rng)
    return Case(f, (x, w, b), g @ w.T * g.shape[1], "x")


@planted(N.FACTOR)
def classes_in_cross_entropy(rng):
    n, k = sizes(rng, 2, 3)
    z, y = normal(rng, n, k), rng.integers(0, k, n)

    def f(z):
        return F.cross_entropy(z, mg.tensor(y))

    return Case(f, z, lambda z: (softmax(z) - onehot(y, k)) / (n * k))


@planted(N.FACTOR)
def bessel(rng):
    x = normal(rng, sizes(rng, 1, 4)[0])
    return Case(lambda x: mg.var(x), x, lambda x: 2 * (x - x.mean()) / x.size)


@planted(N.FACTOR)
def any_factor(rng):
    x, k = normal(rng, *sizes(rng, 2)), rng.uniform(3, 4)
    return Case(lambda x: mg.sin(x).sum(), x, lambda x: k * np.cos(x))


# ----------------------------------------------------------------------------------------- axes


@planted(N.TRANSPOSED)
def transposed_weight(rng):
    f, (x, w, b), g = mse_layer(rng)
    return Case(f, (x, w, b), g.T @ x, "w")


@planted(N.TRANSPOSED)
def transposed_input(rng):
    x = normal(rng, *sizes(rng, 2))
    return Case(lambda x: mg.tanh(x).sum(), x, lambda x: dtanh(x).T)


@planted(N.TRANSPOSED)
def channels_last(rng):
    x = normal(rng, *sizes(rng, 4, 2, 3))
    return Case(lambda x: (x**3).mean(), x, lambda x: (3 * x**2 / x.size).transpose(0, 2, 3, 1))


@planted(N.TRANSPOSED)
def square_weight_not_transposed(rng):
    n, d = sizes(rng, 2)
    x, w, c = normal(rng, n, d), normal(rng, d, d), normal(rng, n, d)
    return Case(lambda x, w: x @ w, (x, w), c @ w, "x", c)


@planted(N.TRANSPOSED)
def square_layer_not_transposed(rng):
    n, d = sizes(rng, 2)
    x, w, c = normal(rng, n, d), normal(rng, d, d), normal(rng, n, d)
    return Case(lambda x, w: F.linear(x, w), (x, w), c @ w.T, "x", c)


@planted(N.BROADCAST)
def bias_not_summed(rng):
    f, (x, w, b), g = mse_layer(rng)
    return Case(f, (x, w, b), g, "b")


@planted(N.BROADCAST)
def scale_not_summed(rng):
    n, c = sizes(rng, 2)
    x, gamma = normal(rng, n, c), normal(rng, c)
    return Case(lambda x, gamma: mg.tanh(x * gamma).sum(), (x, gamma),
                lambda x, gamma: dtanh(x * gamma) * x, "gamma")  # fmt: skip


@planted(N.BROADCAST)
def conv_bias_per_picture(rng):
    n, c, o, h = sizes(rng, 4, 3, 3)
    x, w, b, g = normal(rng, n, c, h, h), normal(rng, o, c, 3, 3), normal(rng, o), None
    g = normal(rng, n, o, h - 2, h - 2)
    return Case(lambda x, w, b: F.conv2d(x, w, b), (x, w, b), g.sum(axis=(2, 3)), "b", g)


@planted(N.BROADCAST)
def column_not_summed(rng):
    n, m = sizes(rng, 2)
    a, b = normal(rng, n, 1), normal(rng, 1, m)
    return Case(lambda a, b: mg.exp(a * b).sum(), (a, b), lambda a, b: np.exp(a * b) * b, "a")


@planted(N.BROADCAST)
def scalar_not_summed(rng):
    x, k = normal(rng, *sizes(rng, 2)), normal(rng)
    return Case(lambda x, k: mg.sin(k * x).sum(), (x, k), lambda x, k: x * np.cos(k * x), "k")


@planted(N.AXES)
def bias_over_features(rng):
    """The classic: a square output, so that nothing complains."""
    n, i = sizes(rng, 2)
    x, w, b, g = normal(rng, n, i), normal(rng, n, i), normal(rng, n), normal(rng, n, n)
    return Case(lambda x, w, b: F.linear(x, w, b), (x, w, b), g.sum(axis=1), "b", g)


@planted(N.AXES)
def conv_bias_over_channels(rng):
    n, c = sizes(rng, 2)
    o = h = 4
    x, w, b = normal(rng, n, c, h + 2, h + 2), normal(rng, o, c, 3, 3), normal(rng, o)
    g = normal(rng, n, o, h, h)
    return Case(lambda x, w, b: F.conv2d(x, w, b), (x, w, b), g.sum(axis=(0, 1, 2)), "b", g)


@planted(N.AXES)
def broadcast_bias_over_features(rng):
    f, (x, w, b), g = mse_layer(rng)
    return Case(f, (x, w, b), g.sum(axis=1), "b")


@planted(N.AXES)
def conv_transpose_bias(rng):
    n, c = sizes(rng, 2)
    o = n
    x, w, b = normal(rng, n, c, 3, 3), normal(rng, c, o, 2, 2), normal(rng, o)
    g = normal(rng, n, o, 6, 6)

    def f(x, w, b):
        return F.conv_transpose2d(x, w, b, stride=2)

    return Case(f, (x, w, b), g.sum(axis=(1, 2, 3)), "b", g)


@planted(N.SHAPE)
def row_for_vector(rng):
    f, (x, w, b), g = mse_layer(rng)
    return Case(f, (x, w, b), g.sum(axis=0, keepdims=True), "b")


@planted(N.SHAPE)
def flattened(rng):
    x = normal(rng, *sizes(rng, 3))
    return Case(lambda x: mg.sin(x).sum(), x, lambda x: np.cos(x).ravel())


@planted(N.SHAPE)
def pictures_flattened(rng):
    x = normal(rng, *sizes(rng, 4, 2, 3))
    return Case(lambda x: (x.flatten(1) ** 2).sum(), x, lambda x: 2 * x.reshape(len(x), -1))


@planted(N.OTHER)
def factor_for_factor(rng):
    a, b = normal(rng, *(s := sizes(rng, 2))), normal(rng, *s)
    return Case(lambda a, b: mg.tanh(a * b).sum(), (a, b), lambda a, b: dtanh(a * b) * a, "a")


@planted(N.OTHER)
def target_for_prediction(rng):
    p, t = rng.uniform(0.1, 0.9, (2, *sizes(rng, 2)))

    def f(p, t):
        return F.binary_cross_entropy(p, t)

    return Case(f, (p, t), lambda p, t: (np.log(1 - p) - np.log(p)) / p.size, "p")


@planted(N.OTHER)
def weight_for_input(rng):
    (d,) = sizes(rng, 1)
    x, w, c = normal(rng, d, d), normal(rng, d, d), normal(rng, d, d)
    return Case(lambda x, w: x @ w, {"x": x, "w": w}, x.T @ c, "x", c)


# ------------------------------------------------------------------------------------- activations


@planted(N.ACTIVATION)
def no_sigma_in_a_layer(rng):
    n, i, o = sizes(rng, 3)
    x, w, t = normal(rng, n, i), normal(rng, i, o), rng.uniform(size=(n, o))

    def f(x, w):
        return ((mg.sigmoid(x @ w) - t) ** 2).sum()

    return Case(f, (x, w), lambda x, w: x.T @ (2 * (sigma(x @ w) - t)), "w")


@planted(N.ACTIVATION)
def no_sigma_in_numpy_style(rng):
    n, i = sizes(rng, 2)
    x, w = normal(rng, n, i), normal(rng, i)

    def f(x, w):
        return ((1 / (1 + mg.exp(-(x @ w)))) ** 2).mean()

    return Case(f, (x, w), lambda x, w: x.T @ (2 * sigma(x @ w)) / n, "w")


@planted(N.ACTIVATION)
def no_tanh(rng):
    z, w = normal(rng, *(s := sizes(rng, 2))), normal(rng, *s)
    return Case(lambda z, w: (mg.tanh(z * w) ** 3).sum(), (z, w),
                lambda z, w: 3 * np.tanh(z * w) ** 2 * w, "z")  # fmt: skip


@planted(N.ACTIVATION)
def no_relu_mask(rng):
    n, i, o = sizes(rng, 3, 4)
    x, w, b = normal(rng, n, i), normal(rng, i, o), normal(rng, o)

    def f(x, w, b):
        return (mg.relu(x @ w + b) ** 2 + mg.relu(x @ w + b)).sum()

    return Case(f, (x, w, b), lambda x, w, b: x.T @ (2 * np.maximum(x @ w + b, 0) + 1), "w")


@planted(N.ACTIVATION)
def no_relu_mask_by_where(rng):
    x, c = normal(rng, *(s := sizes(rng, 2, 4))), normal(rng, *s)
    return Case(lambda x: mg.where(x > 0, x, 0.0), x, c, cotangent=c)


@planted(N.ACTIVATION)
def no_leaky_slope(rng):
    x, c = normal(rng, *(s := sizes(rng, 2, 4))), normal(rng, *s)
    return Case(lambda x: F.leaky_relu(x, 0.2), x, lambda x: c * (x > 0), cotangent=c)


@planted(N.ACTIVATION)
def leaky_passed_unchanged(rng):
    n, i, o = sizes(rng, 3, 3)
    x, w, c = normal(rng, n, i), normal(rng, i, o), normal(rng, n, o)
    return Case(lambda x, w: F.leaky_relu(x @ w, 0.1), (x, w), lambda x, w: x.T @ c, "w", c)


@planted(N.ACTIVATION)
def no_sigma_in_both_layers(rng):
    n, i, h = sizes(rng, 3)
    x, v, w = normal(rng, n, i), normal(rng, i, h), normal(rng, h, 1)

    def f(x, v, w):
        return mg.sigmoid(mg.sigmoid(x @ v) @ w).sum()

    return Case(f, (x, v, w), lambda x, v, w: x.T @ (np.ones((n, 1)) @ w.T), "v")


@planted(N.ACTIVATION)
def no_silu(rng):
    x, c = normal(rng, *(s := sizes(rng, 2))), normal(rng, *s)
    return Case(F.silu, x, c, cotangent=c)


@planted(N.PLACE)
def sigma_at_output(rng):
    x, c = normal(rng, *(s := sizes(rng, 2))), normal(rng, *s)
    return Case(mg.sigmoid, x, lambda x: c * dsigma(sigma(x)), cotangent=c)


@planted(N.PLACE)
def sigma_formula_of_the_input(rng):
    n, i, o = sizes(rng, 3)
    x, w, c = normal(rng, n, i), normal(rng, i, o), normal(rng, n, o)
    return Case(lambda x, w: mg.sigmoid(x @ w), (x, w),
                lambda x, w: x.T @ (c * (x @ w) * (1 - x @ w)), "w", c)  # fmt: skip


@planted(N.PLACE)
def tanh_at_output(rng):
    x = normal(rng, *sizes(rng, 2))
    return Case(lambda x: (mg.tanh(x) ** 2).sum(), x,
                lambda x: 2 * np.tanh(x) * dtanh(np.tanh(x)))  # fmt: skip


@planted(N.PLACE)
def tanh_formula_of_the_input(rng):
    x = normal(rng, *sizes(rng, 2))
    return Case(lambda x: mg.tanh(x).mean(), x, lambda x: (1 - x**2) / x.size)


@planted(N.PLACE)
def composed_sigma_at_output(rng):
    x = normal(rng, *sizes(rng, 2))
    return Case(lambda x: (1 / (1 + mg.exp(-x))).sum(), x, lambda x: dsigma(sigma(x)))


@planted(N.PLACE)
def softplus_at_output(rng):
    x, c = normal(rng, *(s := sizes(rng, 2))), normal(rng, *s)
    return Case(F.softplus, x, lambda x: c * sigma(np.log1p(np.exp(x))), cotangent=c)


@planted(N.TWICE)
def sigma_on_logits(rng):
    z = normal(rng, *sizes(rng, 2))
    t = rng.integers(0, 2, z.shape).astype(float)
    return Case(lambda z: F.binary_cross_entropy_with_logits(z, mg.Tensor(t)), z,
                lambda z: (sigma(z) - t) * dsigma(z) / z.size)  # fmt: skip


@planted(N.TWICE)
def tanh_twice(rng):
    x = normal(rng, *sizes(rng, 2))
    return Case(lambda x: mg.tanh(x).sum(), x, lambda x: dtanh(x) ** 2)


@planted(N.TWICE)
def sigma_twice_in_a_layer(rng):
    n, i, o = sizes(rng, 3)
    x, w, c = normal(rng, n, i), normal(rng, i, o), normal(rng, n, o)
    return Case(lambda x, w: mg.sigmoid(x @ w), (x, w),
                lambda x, w: x.T @ (c * dsigma(x @ w) ** 2), "w", c)  # fmt: skip


# -------------------------------------------------------------------------------------- the chain


@planted(N.CHAIN)
def outer_square(rng):
    x = normal(rng, *sizes(rng, 2))
    return Case(lambda x: (mg.sigmoid(x) ** 2).sum(), x, dsigma)


@planted(N.CHAIN)
def outer_log(rng):
    n, i, o = sizes(rng, 3)
    x, w = normal(rng, n, i), normal(rng, i, o)

    def f(x, w):
        return mg.log(1 + mg.exp(x @ w)).sum()

    return Case(f, (x, w), lambda x, w: x.T @ np.exp(x @ w), "w")


@planted(N.CHAIN)
def outer_sin(rng):
    x = normal(rng, *sizes(rng, 2))
    return Case(lambda x: mg.sin(x**2).sum(), x, lambda x: 2 * x)


@planted(N.CHAIN)
def inner_factor(rng):
    x, w = normal(rng, *(s := sizes(rng, 2))), normal(rng, *s)
    return Case(lambda x, w: mg.exp(x * w).sum(), (x, w), lambda x, w: np.exp(x * w), "x")


@planted(N.CHAIN)
def conv_weight_ignores_incoming(rng):
    n, c, o, h = sizes(rng, 4, 2, 3)
    h += 3
    x, w, g = normal(rng, n, c, h, h), normal(rng, o, c, 3, 3), normal(rng, n, o, h - 2, h - 2)
    return Case(lambda x, w: F.conv2d(x, w), (x, w), conv_weight(x, np.ones_like(g), 3), "w", g)


@planted(N.CHAIN)
def loss_left_out(rng):
    f, (x, w, b), g = mse_layer(rng)
    return Case(f, (x, w, b), x.T @ np.ones_like(g), "w")


@planted(N.PATH)
def skip_connection(rng):
    x = normal(rng, *sizes(rng, 2))
    return Case(
        lambda x: ((x + mg.sin(x)) ** 2).sum(), x, lambda x: 2 * (x + np.sin(x)) * np.cos(x)
    )


@planted(N.PATH)
def product_rule(rng):
    x = normal(rng, *sizes(rng, 2))
    return Case(lambda x: (x * mg.exp(x)).sum(), x, lambda x: x * np.exp(x))


@planted(N.PATH)
def weight_decay(rng):
    n, i = sizes(rng, 2)
    x, w = normal(rng, n, i), normal(rng, i)

    def f(x, w):
        return mg.tanh(x @ w).sum() + 0.1 * (w**2).sum()

    return Case(f, (x, w), lambda x, w: x.T @ dtanh(x @ w), "w")


# ---------------------------------------------------------------------------- softmax, batch norm


@planted(N.SOFTMAX)
def softmax_diagonal(rng):
    x, c = normal(rng, *(s := sizes(rng, 2, 3))), normal(rng, *s)
    return Case(lambda x: mg.softmax(x, 1), x,
                lambda x: c * softmax(x) * (1 - softmax(x)), cotangent=c)  # fmt: skip


@planted(N.SOFTMAX)
def softmax_as_exp(rng):
    n, i, k = sizes(rng, 3, 3)
    x, w, c = normal(rng, n, i), normal(rng, i, k), normal(rng, n, k)
    return Case(lambda x, w: mg.softmax(x @ w, 1), (x, w),
                lambda x, w: x.T @ (c * softmax(x @ w)), "w", c)  # fmt: skip


@planted(N.SOFTMAX)
def softmax_written_out(rng):
    x, c = normal(rng, *(s := sizes(rng, 2, 3))), normal(rng, *s)

    def f(x):
        return mg.exp(x) / mg.exp(x).sum(1, keepdim=True)

    return Case(f, x, lambda x: c * softmax(x) * (1 - softmax(x)), cotangent=c)


@planted(N.SOFTMAX)
def cross_entropy_diagonal(rng):
    n, k = sizes(rng, 2, 3)
    z, y = normal(rng, n, k), rng.integers(0, k, n)

    def f(z):
        return F.cross_entropy(z, mg.tensor(y))

    return Case(f, z, lambda z: -onehot(y, k) * (1 - softmax(z)) / n)


@planted(N.BATCH_NORM)
def batch_norm_without_mean(rng):
    x, c = normal(rng, *(s := sizes(rng, 2, 3))), normal(rng, *s)
    y, d = standard(x, 0)

    def f(x):
        return F.batch_norm(x, None, None, training=True)

    return Case(f, x, d * (c - y * (c * y).mean(axis=0)), cotangent=c)


@planted(N.BATCH_NORM)
def batch_norm_without_variance(rng):
    n, c, h, v = sizes(rng, 4, 2, 3)
    x, g, gamma = normal(rng, n, c, h, v), normal(rng, n, c, h, v), normal(rng, c)
    y, d = standard(x, (0, 2, 3))
    gy = g * gamma[:, None, None]

    def f(x, gamma):
        return F.batch_norm(x, None, None, gamma, training=True)

    return Case(f, (x, gamma), d * (gy - gy.mean(axis=(0, 2, 3), keepdims=True)), "x", g)


@planted(N.BATCH_NORM)
def layer_norm_without_both(rng):
    x, c = normal(rng, *(s := sizes(rng, 2, 3))), normal(rng, *s)
    _, d = standard(x, 1)
    return Case(lambda x: F.layer_norm(x, x.shape[1:]), x, d * c, cotangent=c)


@planted(N.BATCH_NORM)
def batch_norm_written_out(rng):
    n, i, o = sizes(rng, 3, 3)
    x, w, c = normal(rng, n, i), normal(rng, i, o), normal(rng, n, o)

    def f(x, w):
        z = x @ w
        d = z - z.mean(0, keepdim=True)
        return d / mg.sqrt((d * d).mean(0, keepdim=True) + 1e-5)

    y, d = standard(x @ w, 0)
    return Case(f, (x, w), x.T @ (d * (c - c.mean(axis=0))), "w", c)


# ------------------------------------------------------------------------------------ convolutions


def _conv(rng, s=1, p=0):
    n, c, o = sizes(rng, 3, 1, 3)
    h = int(rng.integers(5, 8))
    x, w = normal(rng, n, c, h, h + 1), normal(rng, o, c, 3, 3)

    def f(x, w):
        return F.conv2d(x, w, stride=s, padding=p)

    return x, w, f, rng.standard_normal(f(x, w).shape)


def _deconv(rng, s=1, p=0):
    n, c, o = sizes(rng, 3, 1, 3)
    x, w = normal(rng, n, c, 3, 4), normal(rng, c, o, 3, 3)

    def f(x, w):
        return F.conv_transpose2d(x, w, stride=s, padding=p)

    return x, w, f, rng.standard_normal(f(x, w).shape)


FLIP = (slice(None), slice(None), slice(None, None, -1), slice(None, None, -1))


@planted(N.FLIP)
def kernel_flipped_to_input(rng):
    x, w, f, g = _conv(rng, p=1)
    return Case(f, (x, w), conv_input(g, w[FLIP], x.shape, p=1), "x", g)


@planted(N.FLIP)
def kernel_gradient_flipped(rng):
    x, w, f, g = _conv(rng, s=2)
    return Case(f, (x, w), conv_weight(x, g, 3, s=2)[FLIP], "w", g)


@planted(N.FLIP)
def transposed_kernel_flipped(rng):
    x, w, f, g = _deconv(rng, s=2)
    claim = np.einsum("noijuv,couv->ncij", windows(g, 3, 2), w[FLIP])
    return Case(f, (x, w), claim, "x", g)


@planted(N.FLIP)
def kernel_flipped_in_1d(rng):
    n, c, o, m = sizes(rng, 4, 2, 4)
    m += 4
    x, w, g = normal(rng, n, c, m), normal(rng, o, c, 3), normal(rng, n, o, m - 2)
    claim = np.stack([np.einsum("noi,nci->oc", g, x[:, :, u : u + m - 2]) for u in (2, 1, 0)], -1)
    return Case(lambda x, w: F.conv1d(x, w), (x, w), claim, "w", g)


@planted(N.PADDING)
def padding_in_weight(rng):
    x, w, f, g = _conv(rng, p=1)
    padded = np.pad(x, ((0, 0), (0, 0), (0, 2), (0, 2)))  # the picture in the corner
    return Case(f, (x, w), conv_weight(padded, g, 3), "w", g)


@planted(N.PADDING)
def padding_in_input(rng):
    x, w, f, g = _conv(rng, p=1)
    n, c, h, v = x.shape
    return Case(f, (x, w), conv_input(g, w, (n, c, h + 2, v + 2))[:, :, :h, :v], "x", g)


@planted(N.PADDING)
def padding_of_deconv(rng):
    x, w, f, g = _deconv(rng, s=2, p=1)
    g2 = np.pad(g, ((0, 0), (0, 0), (0, 2), (0, 2)))
    return Case(f, (x, w), np.einsum("noijuv,couv->ncij", windows(g2, 3, 2), w), "x", g)


@planted(N.PADDING)
def border_dropped(rng):
    """As if the windows that reach over the border did not count."""
    x, w, f, g = _conv(rng, p=1)
    return Case(f, (x, w), conv_weight(x, g[:, :, 1:-1, 1:-1], 3), "w", g)


@planted(N.STRIDE)
def stride_in_weight(rng):
    x, w, f, g = _conv(rng, s=2)
    return Case(f, (x, w), conv_weight(x, g, 3), "w", g)


@planted(N.STRIDE)
def stride_in_input(rng):
    x, w, f, g = _conv(rng, s=2, p=1)
    return Case(f, (x, w), conv_input(g, w, x.shape, s=1, p=1), "x", g)


@planted(N.STRIDE)
def stride_of_deconv(rng):
    x, w, f, g = _deconv(rng, s=2)
    claim = np.einsum("noijuv,couv->ncij", windows(g, 3)[:, :, :3, :4], w)
    return Case(f, (x, w), claim, "x", g)


# ------------------------------------------------------------------------ descriptions, not reasons


@planted(N.CONSTANT)
def constant_in_mse(rng):
    f, (x, w, b), g = mse_layer(rng)
    return Case(f, (x, w, b), x.T @ g + 0.3, "w")


@planted(N.CONSTANT)
def constant_in_log(rng):
    x = rng.uniform(0.5, 2, sizes(rng, 2))
    return Case(lambda x: mg.log(x).sum(), x, lambda x: 1 / x - 1)


@planted(N.CONSTANT)
def constant_in_tanh(rng):
    x = normal(rng, *sizes(rng, 3))
    return Case(lambda x: mg.tanh(x).sum(), x, lambda x: 2 - np.tanh(x) ** 2)


@planted(N.KINKS)
def relu_at_zero(rng):
    x = normal(rng, 4, 5)
    x.flat[rng.choice(20, 3, replace=False)] = 0
    return Case(lambda x: mg.relu(x).sum(), x, lambda x: (x >= 0) * 1.0)


@planted(N.KINKS)
def abs_at_zero(rng):
    x, t = normal(rng, 3, 4), normal(rng, 3, 4)
    x[1, 2] = t[1, 2]
    return Case(lambda x: mg.abs(x - t).mean(), x, lambda x: np.where(x >= t, 1, -1) / 12)


@planted(N.KINKS)
def maximum_at_tie(rng):
    a, b = normal(rng, 3, 4), normal(rng, 3, 4)
    a[0, 1], a[2, 2] = b[0, 1], b[2, 2]
    return Case(lambda a, b: mg.maximum(a, b).sum(), (a, b), lambda a, b: (a >= b) * 1.0, "a")


@planted(N.FEW)
def one_element(rng):
    f, (x, w, b), g = mse_layer(rng)
    claim = x.T @ g
    claim[rng.integers(len(claim)), 0] *= 1.7
    return Case(f, (x, w, b), claim, "w")


@planted(N.FEW)
def two_elements(rng):
    x = normal(rng, 5, 6)
    claim = np.cos(x)
    claim[0, 0], claim[-1, -1] = 9, claim[-1, -1] + 0.1
    return Case(lambda x: mg.sin(x).sum(), x, claim)


@planted(N.FEW)
def corner_of_a_kernel(rng):
    x, w, f, g = _conv(rng)
    claim = conv_weight(x, g, 3)
    claim[0, 0, 0, 0] = 0
    return Case(f, (x, w), claim, "w", g)


@planted(N.DETACHED)
def detached_in_f(rng):
    x = normal(rng, *sizes(rng, 2))
    return Case(lambda x: (x * mg.sin(x).detach()).sum(), x, np.sin)


@planted(N.DETACHED)
def detached_statistics(rng):
    x, c = normal(rng, *(s := sizes(rng, 2, 3))), normal(rng, *s)
    return Case(lambda x: x - x.detach().mean(0, keepdim=True), x, c, cotangent=c)


@planted(N.DETACHED)
def detached_target(rng):
    x = normal(rng, *sizes(rng, 2))
    return Case(lambda x: ((x - 2 * mg.tanh(x).detach()) ** 2).sum(), x,
                lambda x: 2 * (x - 2 * np.tanh(x)))  # fmt: skip
