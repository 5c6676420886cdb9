"""How much a nonlinearity shrinks what passes it."""

from __future__ import annotations

import math


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """The factor that keeps the variance of activations through a nonlinearity (He et al. 2015)."""
    slope = 0.01 if param is None else param
    gains = {"leaky_relu": math.sqrt(2 / (1 + slope**2)), "relu": math.sqrt(2), "tanh": 5 / 3}
    gains |= dict.fromkeys(("linear", "conv1d", "conv2d", "conv_transpose2d", "sigmoid"), 1.0)
    gains["selu"] = 3 / 4
    if nonlinearity not in gains:
        raise ValueError(f"unknown nonlinearity {nonlinearity!r}: use {', '.join(gains)}")
    return gains[nonlinearity]
