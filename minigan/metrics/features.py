"""What two sets of pictures are compared by: an extractor gives each picture's features.

``pixels()``, ``digits()`` and ``classifier_of(dataset)`` need nothing else. ``inception()`` is the
network of the published FID, KID and IS, for those who have torch and its weights.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

from ..array import np, to_host
from ..data import Dataset, cache_folder
from ..names import find_name
from ..tensor import Tensor
from . import classifier

INCEPTION_WEIGHTS = "weights-inception-2015-12-05-6726825d.pth"
NAMES = ("auto", "pixels", "digits", "classifier", "inception")


class Extracted(NamedTuple):
    """Features (N, D), and logits (N, K) if a classifier made them."""

    features: np.ndarray
    logits: np.ndarray | None


@dataclass(frozen=True)
class Extractor:
    """A name for the table, and a function of pictures (N, C, H, W) in [-1, 1]."""

    name: str
    extract: Callable[[np.ndarray], Extracted]
    classes: tuple[str, ...] | None = None

    def __call__(self, pictures: Any) -> Extracted:
        """The features of pictures, an array or Tensor."""
        data = pictures.array if isinstance(pictures, Tensor) else pictures
        return self.extract(np.asarray(to_host(data), dtype=np.float32))


def pixels(name: str = "pixels") -> Extractor:
    """The values themselves: (N, C·H·W), or points as they are."""
    return Extractor(name, lambda x: Extracted(x.reshape(len(x), -1), None))


def digits() -> Extractor:
    """The library's classifier of the bundled 8×8 digits: 64 features, 10 logits."""
    return _by_classifier("digit features", classifier.digits(), None, (1, 8, 8))


def classifier_of(dataset: Dataset) -> Extractor:
    """A classifier of the data set's labels, trained at first use (:func:`classifier.of`)."""
    model = classifier.of(dataset)
    return _by_classifier(f"{dataset.name} features", model, dataset.classes, dataset.shape)


def inception(path: str | Path | None = None) -> Extractor:
    """Inception-v3 as the published FID, KID and IS use it: 2,048 features, 1,008 logits.

    torch-fidelity's network, so that the numbers are its numbers. Pictures are rounded to 8 bits,
    grey ones repeated to three channels; it resizes them to 299×299 as TensorFlow 1 did. The logits
    are without their bias, as in the published score.

    Parameters
    ----------
    path : file, optional
        ``weights-inception-2015-12-05-6726825d.pth``, from torch-fidelity's releases; left out, the
        one in ``data.cache_folder("inception")``.

    Raises
    ------
    ValueError
        If torch-fidelity or the weights are missing.
    """
    file = cache_folder("inception") / INCEPTION_WEIGHTS if path is None else Path(path)
    try:
        networks = import_module("torch_fidelity.feature_extractor_inceptionv3")
        torch = import_module("torch")
    except (ImportError, RuntimeError) as error:  # RuntimeError: torchvision of another torch
        raise ValueError(
            f"Inception features need `pip install torch-fidelity` ({error})"
        ) from None
    if not file.is_file():
        raise ValueError(
            f"Inception's weights are not in {file}: put {INCEPTION_WEIGHTS} there, from "
            "https://github.com/toshas/torch-fidelity/releases/tag/v0.2.0"
        )
    layers = ["2048", "logits_unbiased"]
    model = networks.FeatureExtractorInceptionV3(
        "inception", layers, feature_extractor_weights_path=file
    )

    def extract(x: np.ndarray) -> Extracted:
        parts = [model(torch.from_numpy(to_uint8_rgb(x[i : i + 64]))) for i in range(0, len(x), 64)]
        features, logits = zip(*parts, strict=True)
        return Extracted(torch.cat(features).numpy(), torch.cat(logits).numpy())

    return Extractor("Inception", extract)


def to_uint8_rgb(pictures: np.ndarray) -> np.ndarray:
    """Pictures (N, 1 or 3, H, W) in [-1, 1] as levels 0 to 255 of three channels."""
    if pictures.ndim != 4 or pictures.shape[1] not in (1, 3):
        raise ValueError(f"expected pictures (N, 1 or 3, H, W), got {pictures.shape}")
    levels = np.clip(np.rint((pictures + 1) * 127.5), 0, 255).astype(np.uint8)
    return np.ascontiguousarray(np.broadcast_to(levels, (len(levels), 3, *levels.shape[2:])))


def extractor(name: str, dataset: Dataset) -> Extractor:
    """The extractor called ``name`` for this data.

    ``auto`` is ``digits`` for the bundled digits, ``classifier`` for other labelled pictures, and
    else ``pixels``.
    """
    name = find_name(name, NAMES, "features")
    if len(dataset.shape) == 1:
        if name not in ("auto", "pixels"):
            raise ValueError(
                f"{name} features are of pictures, but {dataset.name} holds points: use auto"
            )
        return pixels("points")
    if name == "auto" and dataset.name == "digits":
        name = "digits"
    elif name == "auto":
        name = "pixels" if dataset.labels is None else "classifier"
    if name == "pixels":
        return pixels()
    if name == "digits":
        return digits()
    return inception() if name == "inception" else classifier_of(dataset)


def _by_classifier(
    name: str, model: Any, classes: tuple[str, ...] | None, shape: tuple[int, ...]
) -> Extractor:
    def extract(x: np.ndarray) -> Extracted:
        if x.shape[1:] != shape:
            raise ValueError(
                f"{name} are of pictures {shape}, got {x.shape[1:]}: take features 'auto'"
            )
        return Extracted(*classifier.outputs(model, x))

    count = list(model)[-1].out_features
    return Extractor(name, extract, classes or tuple(map(str, range(count))))
