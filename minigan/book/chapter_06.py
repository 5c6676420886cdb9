"""The exercises of chapter 6, applications."""

from __future__ import annotations

from .exercise import Exercise

EXERCISES = {
    "6.1": Exercise(
        lambda n, t: n * ((1 - t) ** 2 + t**2),
        {
            "That is the squared length at the ends. For independent points the mixed term is zero "
            "on average: what remains?": lambda n, t: n,
            "A factor comes into a variance as its square.": lambda n, t: n * ((1 - t) + t**2),
            "That is one component's variance. How many components are there?": (
                lambda n, t: (1 - t) ** 2 + t**2
            ),
            "The square of the length is asked for, not the length.": (
                lambda n, t: (n * ((1 - t) ** 2 + t**2)) ** 0.5
            ),
        },
        at=[(16, 0.5), (16, 0.0), (100, 0.25), (3, 0.8)],
    ),
    "6.2": Exercise(
        lambda p: (2 * p - 1, 1 if p > 0.5 else -1),
        {
            "p is the mean if black were 0. Here it is -1.": (lambda p: (p, 1 if p > 0.5 else -1)),
            "The squared error is not least at the more probable value: try p = 0.6 with -1, 0.2 "
            "and 1.": lambda p: (1 if p > 0.5 else -1, 1 if p > 0.5 else -1),
            "Real pixels are black or white here. Would D take grey for real?": (
                lambda p: (2 * p - 1, 2 * p - 1)
            ),
            "You have the two in the wrong order: first the squared error.": (
                lambda p: (1 if p > 0.5 else -1, 2 * p - 1)
            ),
        },
        at=[(0.6,), (0.9,), (0.2,)],
    ),
    "6.3": Exercise(
        lambda N, sigma: sigma**2 / N,
        {
            "The loss has a mean over the pixels, log p a sum: where does N go?": (
                lambda N, sigma: sigma**2
            ),
            "A density has the variance in its exponent, not the standard deviation.": (
                lambda N, sigma: sigma / N
            ),
            "Both exponents have the factor ½; it cancels.": lambda N, sigma: sigma**2 / (2 * N),
            "With more noise the picture says less: should the prior then weigh less?": (
                lambda N, sigma: 1 / (N * sigma**2)
            ),
        },
        at=[(64, 0.6), (784, 0.1), (10, 2.0)],
    ),
    "6.4": Exercise(
        "leak",
        {
            "True, one run is weak evidence. But here many runs would all agree and still mislead. "
            "What did the GAN learn from?": "seeds",
            "Accuracy is what a classifier is for. Follow the test pictures: who has seen them?": (
                "metric"
            ),
            "The number does no harm by itself. Follow the test pictures: who has seen them?": (
                "size"
            ),
        },
    ),
    "6.5": Exercise(
        ("plain", "adversarial", "plain", "adversarial"),
        {
            "(a) would look sharper. But would the tumour's edge be where it is?": (
                "adversarial",
                "adversarial",
                "plain",
                "adversarial",
            ),
            "In (b) the squared error gives the mean of all sharp films: how does that look?": (
                "plain",
                "plain",
                "plain",
                "adversarial",
            ),
            "For (c) a forecaster is judged by the error. Does it help if the number looks like a "
            "real one?": ("plain", "adversarial", "adversarial", "adversarial"),
            "In (d), which face would be the least squared error? The mean of all.": (
                "plain",
                "adversarial",
                "plain",
                "plain",
            ),
        },
    ),
}
