"""The handwritten digits that come with the library: no download, and small enough to learn fast.

``digits.npz`` was made from scikit-learn's copy, with these lines::

    import numpy as np
    from sklearn.datasets import load_digits
    digits = load_digits()
    images = digits.images.astype(np.uint8)[:, None]
    np.savez_compressed("digits.npz", images=images, labels=digits.target.astype(np.uint8))
"""

from __future__ import annotations

from pathlib import Path

from ..array import np
from .dataset import Dataset

DIGIT_NAMES = tuple("0123456789")


def digits() -> Dataset:
    """1,797 handwritten digits of 8x8 grey levels, by 13 writers, with labels 0..9.

    ``data`` is uint8 of shape (1797, 1, 8, 8) with 17 levels: 0 is background, 16 full ink.

    Source: the test part of "Optical Recognition of Handwritten Digits", E. Alpaydin and
    C. Kaynak, UCI Machine Learning Repository, 1998, https://doi.org/10.24432/C50P49.
    Licence: CC BY 4.0 (DIGITS-LICENSE.txt beside this file).
    """
    with np.load(Path(__file__).with_name("digits.npz"), allow_pickle=False) as file:
        images, labels = file["images"], file["labels"].astype(np.int64)
    return Dataset(images, labels, "digits", stored_range=(0.0, 16.0), classes=DIGIT_NAMES)
