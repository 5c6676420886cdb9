"""The exercises of chapter 9, questions and answers."""

from __future__ import annotations

import math

import numpy as np

from .exercise import Exercise

EXERCISES = {
    "9.1": Exercise(
        ("IS", "precision"),
        {
            "Recall asks how many of the real pictures lie near a fake. Are most of them near one "
            "of ten?": ("IS", "recall"),
            "The Fréchet distance compares covariances. How much do ten points vary within a "
            "class?": ("Fréchet", "precision"),
            "Neither is fooled: the one compares covariances, the other looks for a fake near "
            "every real picture. Look at the row of the table.": ("Fréchet", "recall"),
            "Both are fooled, but the order asked for was: the score by a classifier first.": (
                "precision",
                "IS",
            ),
        },
    ),
    "9.2": Exercise(
        lambda m1, s1, m2, s2: (m1 - m2) ** 2 + (s1 - s2) ** 2,
        {
            "The covariances are s₁² and s₂². What is left of s₁² + s₂² - 2 √(s₁² s₂²)?": (
                lambda m1, s1, m2, s2: (m1 - m2) ** 2 + (s1**2 - s2**2) ** 2
            ),
            "That is the part of the means alone: two clouds about the same point can differ in "
            "width.": lambda m1, s1, m2, s2: (m1 - m2) ** 2,
            "The formula gives d², which is what is reported as FID; no root is taken.": (
                lambda m1, s1, m2, s2: math.hypot(m1 - m2, s1 - s2)
            ),
            "The product's root is missing its factor 2.": (
                lambda m1, s1, m2, s2: (m1 - m2) ** 2 + s1**2 + s2**2 - s1 * s2
            ),
        },
        at=[(0.0, 1.0, 2.0, 3.0), (1.0, 0.5, 1.0, 2.0), (-1.0, 2.0, 0.5, 2.0)],
    ),
    "9.3": Exercise(
        lambda n: 1 - 0.95**n,
        {
            "It can exceed 1. Ask first how likely it is that all n miss.": lambda n: 0.05 * n,
            "That is how likely it is that all n are in the best twentieth. One is enough.": (
                lambda n: 0.05**n
            ),
            "That is how likely it is that all n miss. And the opposite?": lambda n: 0.95**n,
            "That is exactly one hit. Two hits are no worse.": (
                lambda n: n * 0.05 * 0.95 ** (n - 1)
            ),
        },
        at=[(1,), (9,), (60,)],
    ),
    "9.4": Exercise(
        lambda s: (np.exp(s) - 1) / 2,
        {
            "Two terms hold s: e^s and -s. You have the derivative of one of them.": (
                lambda s: np.exp(s) / 2
            ),
            "The ½ in front of the bracket belongs to all that is in it.": lambda s: np.exp(s) - 1,
            "Every sign is flipped: a larger variance e^s moves q away from N(0, 1), if it is "
            "above 1 already.": lambda s: (1 - np.exp(s)) / 2,
            "That is the derivative with respect to the variance e^s itself. And that of e^s "
            "with respect to s?": lambda s: (1 - np.exp(-s)) / 2,
        },
        at=[(np.array([-1.5, -0.2, 0.4, 1.1]),), (0.0,)],
    ),
    "9.5": Exercise(
        ("train", "eval"),
        {
            "Training needs the statistics of the batch, since their gradient belongs to the "
            "step. Which call switches that on?": ("eval", "eval"),
            "For a picture that must not depend on its neighbours the batch is the wrong source.": (
                "train",
                "train",
            ),
            "The other way round: the batch for learning, the averages for use.": ("eval", "train"),
        },
    ),
}
