"""Right gradients, derived on paper and written in NumPy, at easy and at nasty points."""

from __future__ import annotations

import numpy as np
from check import planted as P

import minigan as mg
from minigan.nn import functional as F

SCALES = (1e-8, 1e-3, 1.0, 30.0, 1e4, 1e8)
RIGHT = []


def right(draw):
    RIGHT.append(draw)
    return draw


@right
def square(rng, k):
    x = k * P.normal(rng, *P.sizes(rng, 2))
    return P.Case(lambda x: (x**2).mean(), x, lambda x: 2 * x / x.size)


@right
def sigmoid(rng, k):
    x, c = k * P.normal(rng, *(s := P.sizes(rng, 2))), P.normal(rng, *s)

    def gradient(x):
        e = np.exp(-np.abs(x))
        return c * e / (1 + e) ** 2

    return P.Case(mg.sigmoid, x, gradient, cotangent=c)


@right
def tanh(rng, k):
    x, c = k * P.normal(rng, *(s := P.sizes(rng, 2))), P.normal(rng, *s)
    return P.Case(mg.tanh, x, lambda x: c * (1 - np.tanh(x) ** 2), cotangent=c)


@right
def relu(rng, k):
    x = k * P.normal(rng, *P.sizes(rng, 2))
    x.flat[0], x.flat[1], x.flat[2] = 0.0, 1e-12 * k, -1e-9 * k  # at a kink, and near it
    return P.Case(lambda x: (mg.relu(x) ** 2 + mg.relu(x)).sum(), x,
                  lambda x: (2 * x + 1) * (x > 0))  # fmt: skip


@right
def leaky(rng, k):
    n, i, o = P.sizes(rng, 3)
    x, w, c = k * P.normal(rng, n, i), P.normal(rng, i, o), P.normal(rng, n, o)
    return P.Case(lambda x, w: F.leaky_relu(x @ w, 0.2), (x, w),
                  lambda x, w: x.T @ (c * np.where(x @ w > 0, 1, 0.2)), "w", c)  # fmt: skip


@right
def softmax(rng, k):
    x, c = k * P.normal(rng, *(s := P.sizes(rng, 2))), P.normal(rng, *s)

    def gradient(x):
        s = P.softmax(x)
        return s * (c - (c * s).sum(axis=1, keepdims=True))

    return P.Case(lambda x: mg.softmax(x, 1), x, gradient, cotangent=c)


@right
def softmax_summed(rng, k):
    """A gradient that is zero but for rounding."""
    x = k * P.normal(rng, *P.sizes(rng, 2))
    return P.Case(lambda x: mg.softmax(x, 1).sum(), x, np.zeros_like)


@right
def cross_entropy(rng, k):
    n, m = P.sizes(rng, 2)
    z, y = k * P.normal(rng, n, m), rng.integers(0, m, n)

    def f(z):
        return F.cross_entropy(z, mg.tensor(y))

    return P.Case(f, z, lambda z: (P.softmax(z) - P.onehot(y, m)) / n)


@right
def bce_with_logits(rng, k):
    z = k * P.normal(rng, *P.sizes(rng, 2))
    t = rng.integers(0, 2, z.shape).astype(float)

    def gradient(z):
        with np.errstate(over="ignore"):
            return (1 / (1 + np.exp(-z)) - t) / z.size

    return P.Case(lambda z: F.binary_cross_entropy_with_logits(z, mg.Tensor(t)), z, gradient)


@right
def batch_norm(rng, k):
    x, c = k * P.normal(rng, *(s := P.sizes(rng, 2, 3))), P.normal(rng, *s)

    def gradient(x):
        y, d = P.standard(x, 0)
        return d * (c - c.mean(axis=0) - y * (c * y).mean(axis=0))

    return P.Case(lambda x: F.batch_norm(x, None, None, training=True), x, gradient, cotangent=c)


@right
def batch_norm_summed(rng, k):
    x = k * P.normal(rng, *P.sizes(rng, 2, 3))
    return P.Case(lambda x: F.batch_norm(x, None, None, training=True).sum(), x, np.zeros_like)


@right
def dense(rng, k):
    n, i, o = P.sizes(rng, 3)
    x, w, b, t = k * P.normal(rng, n, i), P.normal(rng, i, o), P.normal(rng, o), P.normal(rng, n, o)
    return P.Case(lambda x, w, b: ((x @ w + b - t) ** 2).mean(), (x, w, b),
                  lambda x, w, b: 2 * (x @ w + b - t).sum(axis=0) / t.size, "b")  # fmt: skip


@right
def convolution(rng, k):
    x, w, f, g = P._conv(rng, s=2, p=1)
    return P.Case(f, (k * x, w), P.conv_weight(k * x, g, 3, 2, 1), "w", g)


@right
def deconvolution(rng, k):
    x, w, f, g = P._deconv(rng, s=2, p=1)
    claim = np.einsum("noijuv,couv->ncij", P.windows(g, 3, 2, 1), k * w)
    return P.Case(f, (x, k * w), claim, "x", g)


@right
def logarithm(rng, k):
    x = k * rng.uniform(0.1, 3, P.sizes(rng, 2))
    return P.Case(lambda x: mg.log(x).sum(), x, lambda x: 1 / x)


@right
def distance(rng, k):
    x = k * P.normal(rng, *P.sizes(rng, 2))
    return P.Case(lambda x: mg.norm(x), x, lambda x: x / np.sqrt((x**2).sum()))


@right
def absolute(rng, k):
    x = k * P.normal(rng, *P.sizes(rng, 2))
    x.flat[0] = 0.0
    return P.Case(lambda x: mg.abs(x).sum(), x, np.sign)


@right
def largest(rng, k):
    x = k * P.normal(rng, *P.sizes(rng, 2))
    return P.Case(lambda x: mg.amax(x, 1).sum(), x,
                  lambda x: (x == x.max(axis=1, keepdims=True)) * 1.0)  # fmt: skip


@right
def sine(rng, k):
    x = min(k, 30) * P.normal(rng, *P.sizes(rng, 2))
    return P.Case(lambda x: mg.sin(x).mean(), x, lambda x: np.cos(x) / x.size)


@right
def scalar(rng, k):
    x = np.float64(k * rng.standard_normal())
    return P.Case(lambda x: x / (1 + x * x), x, lambda x: (1 - x * x) / (1 + x * x) ** 2)
