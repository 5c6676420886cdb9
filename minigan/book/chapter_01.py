"""The exercises of chapter 1, background."""

from __future__ import annotations

import math

import numpy as np

from .exercise import Exercise

_rng = np.random.default_rng(0)
_NOISE = [
    (np.array([1.0, -2.0, 0.5]), _rng.normal(size=(3, 3)), _rng.normal(size=(5, 3))),
    (np.zeros(4), _rng.normal(size=(4, 4)), _rng.normal(size=(2, 4))),
]

EXERCISES = {
    "1.1": Exercise(
        64 * math.log10(17),
        {
            "That counts 64 · 17 settings. But the choices are independent: for each value of the "
            "first pixel there are 17 of the second.": math.log10(64 * 17),
            "That is 64 to the power of 17. Which number is chosen how often?": 17 * math.log10(64),
            "This is the natural logarithm of the right number; base 10 was asked.": (
                64 * math.log(17)
            ),
            "17 levels, not 16: they go from 0 to 16.": 64 * math.log10(16),
            "That would be the number itself (or what is left of it in floating point); its "
            "logarithm was asked.": 17.0**64,
        },
        rtol=2e-3,  # an estimate: 78.7 will do
    ),
    "1.2": Exercise(
        lambda mu, L, z: mu + z @ L.T,
        {
            "The rows of z are the vectors. (L z)ᵀ = zᵀ … of which matrix?": (
                lambda mu, L, z: mu + z @ L
            ),
            "The cloud has the right shape and sits at the origin.": lambda mu, L, z: z @ L.T,
            "This has L Lᵀ where L is needed: its covariance would be Σ².": (
                lambda mu, L, z: mu + z @ (L @ L.T)
            ),
            "One vector a row was asked; yours come as columns.": (
                lambda mu, L, z: (mu + z @ L.T).T
            ),
        },
        at=_NOISE,
    ),
    "1.3": Exercise(
        (6720, 430_080, 430_080),
        {
            "29 batches would need the last one, which is not full: what does drop_last do?": (
                6960,
                445_440,
                445_440,
            ),
            "The first number is right. D sees every digit once in each epoch, all but the last "
            "five of the order: that makes more than 1,797.": (6720, 1797, 430_080),
            "The first two are right. Look where `fake` is made: is it made anew for G's step?": (
                6720,
                430_080,
                860_160,
            ),
            "Exactly 240 times the whole data set? The DataLoader gives full batches only.": (
                6720,
                431_280,
                431_280,
            ),
            "An epoch has more than one step: an update is made for each batch.": (
                240,
                15_360,
                15_360,
            ),
        },
    ),
    "1.4": Exercise(
        "bc",
        {
            "Can you draw new data from (d)? It answers about a picture that somebody else made.": (
                "bcd"
            ),
            "What could you do with (b) if you chose a word by its probabilities, appended it, and "
            "asked again?": "c",
            "Nothing says that a generative model is a network: what did the Gaussian make?": "b",
            "(e) gives a picture, but is it ever a new one? That was the copier.": "bce",
            "These answer questions about data that they are given.": "ad",
        },
    ),
}
