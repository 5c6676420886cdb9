"""The exercises of chapter 5, practice."""

from __future__ import annotations

import numpy as np

from .exercise import Exercise


def _smoothed_loss(s: float, d: float) -> float:
    return -s * np.log(d) - (2 - s) * np.log(1 - d)


EXERCISES = {
    "5.1": Exercise(
        lambda n, k, s, p: (n + 2 * p - k) // s + 1,
        {
            "A kernel as wide as the padded picture fits exactly once. What do you give then?": (
                lambda n, k, s, p: (n + 2 * p - k) // s
            ),
            "Padding is put on both sides.": lambda n, k, s, p: (n + p - k) // s + 1,
            "A place where the kernel sticks out does not count: round down.": (
                lambda n, k, s, p: -(-(n + 2 * p - k) // s) + 1
            ),
            "Stride 2 gives half only for the usual kernel and padding. Count the places at which "
            "the kernel's left edge can stand.": lambda n, k, s, p: n // s,
        },
        at=[(28, 4, 2, 1), (8, 3, 1, 0), (7, 4, 2, 1), (5, 5, 3, 0), (10, 3, 2, 2)],
    ),
    "5.2": Exercise(
        lambda x: x / 127.5 - 1,
        {
            "That is [0, 1], what ToTensor gives. What is black for a tanh?": lambda x: x / 255,
            "That goes from -0.5 to 0.5: half of tanh's range.": lambda x: x / 255 - 0.5,
            "This takes [0, 1] to [-1, 1]; but the pixels come as 0 … 255.": lambda x: 2 * x - 1,
            "White and black are exchanged: what should 255 become?": lambda x: 1 - x / 127.5,
        },
        at=[(0.0,), (51.0,), (127.5,), (255.0,)],
    ),
    "5.3": Exercise(
        lambda s: (s / 2, _smoothed_loss(s, s / 2)),
        {
            "That is the best D without smoothing. Where is the derivative of "
            "-s log d - (1 - s) log(1 - d) - log(1 - d) zero?": (
                lambda s: (0.5, _smoothed_loss(s, 0.5))
            ),
            "That would be right if all samples were real. Half of them are fakes, with target "
            "0.": lambda s: (s, _smoothed_loss(s, s)),
            "The d is right. The loss has another term: a real sample with target s also pulls "
            "towards 0, with weight 1 - s.": (
                lambda s: (s / 2, -s * np.log(s / 2) - np.log(1 - s / 2))
            ),
            "The d is right. The loss that you give is that without smoothing, 2 log 2.": (
                lambda s: (s / 2, 2 * np.log(2))
            ),
        },
        at=[(0.9,), (0.7,)],
    ),
    "5.4": Exercise(
        lambda g, lr: -lr * np.sign(g),
        {
            "That is plain gradient descent. What does Adam divide by, in the first step?": (
                lambda g, lr: -lr * g
            ),
            "Adam descends: which sign has its step?": lambda g, lr: lr * np.sign(g),
            "The length is right; but a negative gradient must give a positive step.": (
                lambda g, lr: -lr
            ),
            "m̂ = g and v̂ = g². What is divided is m̂ by the *root* of v̂.": (lambda g, lr: -lr / g),
        },
        at=[(3.0, 0.1), (-0.01, 0.002), (100.0, 1.0)],
    ),
    "5.5": Exercise(
        ("D does not learn", "D has won", "healthy", "mode collapse"),
        {
            "In (a) the losses are those of an equilibrium, but the samples are noise. Does a good "
            "D say ½ to noise?": ("healthy", "D has won", "healthy", "mode collapse"),
            "Whose loss is near zero in (b)? What does G learn from a D that is always right?": (
                "D does not learn",
                "healthy",
                "healthy",
                "mode collapse",
            ),
            "The curves of (c) and (d) are alike. What is seen only in the samples?": (
                "D does not learn",
                "D has won",
                "healthy",
                "healthy",
            ),
        },
    ),
}
