"""The exercises of chapter 7, tools and resources."""

from __future__ import annotations

import numpy as np

from .exercise import Exercise

EXERCISES = {
    "7.1": Exercise(
        4,
        {
            "This line only makes the fakes; nothing is learned in it. Which line decides whether "
            "a gradient reaches G?": 1,
            "D's step must not reach G, so the cut is right here. Where must there be none?": 2,
            "D's three calls are in the right order. Look at the step of the player that does not "
            "learn.": 3,
            "These calls are right, but what has arrived at G's weights when the step is taken? "
            "Follow the gradient back from the loss.": 5,
        },
    ),
    "7.2": Exercise(
        "eps",
        {
            "That is what they meant. Count the arguments: the number of features is the first.": (
                "momentum"
            ),
            "That is the first argument, 128. And the second?": "num_features",
            "affine is a switch and comes later. Which argument is a small number by default?": (
                "affine"
            ),
        },
    ),
    "7.3": Exercise(
        lambda m: 1 - m,
        {
            "One library's number weighs the old value, the other's the new one.": lambda m: m,
            "Write both updates down, old and new value with their weights. The two weights of "
            "either add up to 1.": lambda m: 1 / m,
            "That is PyTorch's default, which suits one m only.": lambda m: 0.1,
        },
        at=[(0.99,), (0.9,), (0.8,)],
    ),
    "7.4": Exercise(
        lambda weight: weight.transpose(2, 3, 1, 0),
        {
            "The shape may be right, but .T turns all axes round: height and width are exchanged, "
            "and the kernel is mirrored at its diagonal.": lambda weight: weight.T,
            "Which comes last in Keras, the channels that go in or those that come out?": (
                lambda weight: weight.transpose(2, 3, 0, 1)
            ),
            "reshape gives the shape without moving a number: every number is in a wrong place.": (
                lambda weight: weight.reshape(*weight.shape[2:], weight.shape[1], weight.shape[0])
            ),
            "That is the layout as it was.": lambda weight: weight,
        },
        at=[(np.arange(5.0 * 3 * 4 * 4).reshape(5, 3, 4, 4),)],
    ),
    "7.5": Exercise(
        (937, 47.04),
        {
            "The bytes are right. With drop_last the last batch, which is not full, is left out.": (
                938,
                47.04,
            ),
            "MNIST has 70,000 pictures in all. How many of them are for training?": (1093, 54.88),
            "The updates are right. uint8 takes one byte for each pixel, float32 four.": (
                937,
                188.16,
            ),
            "The updates are right. The second number is asked for in millions of bytes.": (
                937,
                47_040_000,
            ),
        },
    ),
}
