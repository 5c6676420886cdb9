"""One set of examples: pictures or points, kept small in memory and scaled when they are read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..array import np

Range = tuple[float, float]


class DataError(ValueError):
    """A data file, folder or array that cannot be used. Its message says what to do about it."""


@dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """Examples, and what is known about them.

    Indexing reads: ``ds[5]``, ``ds[:64]`` and ``ds[np.array([3, 1, 4])]`` give new float32 arrays
    scaled to ``ds.range``. The stored ``data`` itself is never changed.

    Parameters
    ----------
    data : array of shape (N, C, H, W) for pictures or (N, D) for points; uint8 or float32
        As stored. Pictures of whole levels stay uint8, a quarter of float32's memory.
    labels : int64 array of shape (N,), or None
    name : str
        What to call the data set in messages and file names.
    range : (low, high) or None
        What the examples are scaled to when read: (-1, 1) suits a generator that ends in tanh.
        None leaves the values as stored; right for points, which have no bounds.
    stored_range : (low, high) or None
        The values in ``data`` that stand for black and white: (0, 255) for 8-bit pictures.
    classes : tuple of str, or None
        The name of each label.
    centers : float32 array of shape (K, D), or None
        The centres of the mixture that the points were drawn from.

    Raises
    ------
    DataError
        If the shapes or labels do not fit together.
    """

    data: np.ndarray
    labels: np.ndarray | None = None
    name: str = "data"
    range: Range | None = (-1.0, 1.0)
    stored_range: Range | None = (0.0, 255.0)
    classes: tuple[str, ...] | None = None
    centers: np.ndarray | None = None

    def __post_init__(self) -> None:
        shape = self.data.shape
        if len(shape) not in (2, 4):
            hint = "; grey pictures need a channel axis: x[:, None]" if len(shape) == 3 else ""
            raise DataError(
                f"{self.name}: expected pictures (N, C, H, W) or points (N, D), "
                f"got an array of shape {shape}{hint}"
            )
        if self.range is not None:
            if self.stored_range is None:
                raise DataError(
                    f"{self.name}: unbounded values cannot be scaled to {self.range}: "
                    "give the range they have, Dataset.from_array(x, range=(low, high))"
                )
            if not self.range[0] < self.range[1]:
                raise DataError(f"{self.name}: expected a range low < high, got {self.range}")
        if self.labels is not None:
            self._check_labels(self.labels)

    def _check_labels(self, labels: np.ndarray) -> None:
        if labels.shape != (len(self),):
            raise DataError(
                f"{self.name}: expected one label for each of the {len(self)} examples, "
                f"got labels of shape {labels.shape}"
            )
        if self.classes is not None and len(labels):
            low, high = int(labels.min()), int(labels.max())
            if low < 0 or high >= len(self.classes):
                raise DataError(
                    f"{self.name}: expected labels 0 to {len(self.classes) - 1} "
                    f"({len(self.classes)} classes), got {low} to {high}"
                )

    @classmethod
    def from_array(
        cls,
        x: Any,
        labels: Any = None,
        *,
        range: Range | None = None,
        name: str = "array",
        classes: Sequence[str] | None = None,
    ) -> Dataset:
        """A data set of your own array ``x``: (N, C, H, W) pictures or (N, D) points.

        uint8 is taken as levels 0..255 and read scaled to ``range``, by default (-1, 1).
        Floats are read as they are (float32, not copied if they are already), and ``range`` says
        which values they may have. Left out, it is None for points, and for pictures the first of
        [0, 1], [-1, 1] and [0, 255] that holds every value, else None.

        Raises
        ------
        DataError
            On another type or number of axes, no examples, NaN, infinity, values outside
            ``range``, or labels that are not one integer for each example.
        """
        x = np.asarray(x)
        if x.size == 0:
            raise DataError(f"{name}: expected at least one example, got shape {x.shape}")
        if x.dtype == np.uint8:
            range = range or (-1.0, 1.0)
            stored_range: Range | None = (0.0, 255.0)
        elif x.dtype.kind == "f":
            x = x.astype(np.float32, copy=False)
            low, high = float(x.min()), float(x.max())  # both are NaN if any value is
            if not (np.isfinite(low) and np.isfinite(high)):
                bad = int(x.size - np.isfinite(x).sum())
                raise DataError(f"{name}: expected finite values, got {bad} NaN or infinite ones")
            if range is None and x.ndim == 4:
                usual = ((0.0, 1.0), (-1.0, 1.0), (0.0, 255.0))
                range = next((r for r in usual if r[0] <= low and high <= r[1]), None)
            if range is not None and not (range[0] <= low and high <= range[1]):
                raise DataError(
                    f"{name}: expected values in {range}, got {low:g} to {high:g}: "
                    "give the range they really have"
                )
            stored_range = range
        else:
            raise DataError(
                f"{name}: expected an array of uint8 or floats, got {x.dtype}: "
                "use .astype('uint8') for levels 0..255, .astype('float32') for other values"
            )
        if labels is not None:
            labels = np.asarray(labels)
            if labels.dtype.kind not in "iu":
                raise DataError(f"{name}: expected integer labels, got {labels.dtype}")
            labels = labels.astype(np.int64, copy=False)
        names = None if classes is None else tuple(classes)
        return cls(x, labels, name, range, stored_range, names)

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, index: int | slice | np.ndarray) -> np.ndarray:
        """The chosen examples: a new float32 array, scaled to ``range``."""
        batch = np.array(self.data[index], dtype=np.float32)
        if self.range is None or self.range == self.stored_range:
            return batch
        assert self.stored_range is not None  # __post_init__ saw to it
        (low, high), (black, white) = self.range, self.stored_range
        # In this order both ends come out exact: 255 * 2 / 255 - 1 is 1, not 0.99999994.
        batch -= black
        batch *= high - low
        batch /= white - black
        batch += low
        return batch

    def __repr__(self) -> str:
        about = [f"{len(self)} x {self.shape} {self.data.dtype}"]
        about.append("unbounded" if self.range is None else f"range {self.range}")
        if self.classes is not None:
            about.append(f"{len(self.classes)} classes")
        return f"Dataset({self.name}: {', '.join(about)})"

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one example: (C, H, W) or (D,)."""
        return self.data.shape[1:]

    def with_range(self, low: float, high: float) -> Dataset:
        """The same examples, read scaled to [low, high]: (0, 1) suits a generator with a sigmoid.

        Raises ``DataError`` if the stored values have no bounds.
        """
        return replace(self, range=(float(low), float(high)))

    def subset(self, indices: slice | Sequence[int] | np.ndarray) -> Dataset:
        """The examples at ``indices`` (integers, a slice or a boolean mask) as a data set."""
        if not isinstance(indices, slice):
            indices = np.asarray(indices)
            if indices.size == 0:
                indices = indices.astype(np.int64)  # an empty list would be float64
        labels = None if self.labels is None else self.labels[indices]
        return replace(self, data=self.data[indices], labels=labels)
