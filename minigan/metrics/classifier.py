"""A small classifier: what a distance between pictures sees, where Inception-v3 would be too much.

Its features are the 64 activations before the last layer, as Inception's are. It is no Inception:
call a number on them by their name, "Fréchet distance (digit features)", never FID.

``digits.safetensors`` was made with these lines::

    from .. import data, save
    from . import classifier
    train, held_out = classifier.split(data.digits())
    save(classifier.train(train, epochs=30).state_dict(), "digits.safetensors")
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .. import nn, random
from ..array import asarray, np, to_host
from ..autograd import no_grad
from ..data import DataLoader, Dataset, cache_folder
from ..optim import Adam
from ..optim.lr_scheduler import CosineAnnealingLR
from ..saving import CheckpointError, load, save
from ..tensor import Tensor

FEATURES = 64
PICTURES = 10_000  # of a large data set, as many suffice to tell its classes apart
_WEIGHTS = Path(__file__).with_name("digits.safetensors")


def network(shape: Sequence[int], classes: int) -> nn.Sequential:
    """Pictures (N, C, H, W) in [-1, 1] → logits (N, classes); the last layer is a dense one."""
    channels, height, width = shape
    first = 1 if max(height, width) <= 16 else 2  # small pictures are halved twice, others thrice
    h, w = (-(-side // (4 * first)) for side in (height, width))  # rounded up
    return nn.Sequential(
        nn.Conv2d(channels, 16, 3, stride=first, padding=1),
        nn.ReLU(),
        nn.Conv2d(16, 32, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Conv2d(32, 32, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(32 * h * w, FEATURES),
        nn.ReLU(),
        nn.Linear(FEATURES, classes),
    )


def outputs(
    model: nn.Sequential, pictures: Any, batch_size: int = 512
) -> tuple[np.ndarray, np.ndarray]:
    """Features (N, 64) and logits (N, K) of pictures in [-1, 1], as NumPy arrays."""
    x = to_host(pictures.array if isinstance(pictures, Tensor) else pictures)
    body, head = nn.Sequential(*list(model)[:-1]), list(model)[-1]
    weight = next(model.parameters())
    features, logits = [], []
    with no_grad():
        for i in range(0, len(x), batch_size):
            batch = asarray(x[i : i + batch_size], weight.dtype, weight.device)
            activations = body(Tensor(batch))
            features.append(to_host(activations.array))
            logits.append(to_host(head(activations).array))
    return np.concatenate(features), np.concatenate(logits)


def split(dataset: Dataset, share: float = 0.2, seed: int = 0) -> tuple[Dataset, Dataset]:
    """Two data sets: what to learn from, and the ``share`` held out to test on."""
    order = random.default_rng(seed).permutation(len(dataset))
    held_out = round(share * len(dataset))
    return dataset.subset(order[held_out:]), dataset.subset(order[:held_out])


def train(dataset: Dataset, epochs: int, seed: int = 0, lr: float = 3e-3) -> nn.Sequential:
    """A network that learned the data set's labels; the library's random numbers stay as they are.

    Adam with a cosine decay to 0, batches of 64. In the end the features are scaled to a mean
    square of 1 and the last layer inversely, which changes no logit: the kernel distance, with its
    (x·y / D + 1)³, would otherwise depend on how far training happened to blow them up.
    """
    if dataset.labels is None:
        raise ValueError(f"{dataset.name} has no labels to learn: use the pixels as features")
    with _own_random_numbers(seed):
        model = network(dataset.shape, int(dataset.labels.max()) + 1)
    loader = DataLoader(dataset, min(64, len(dataset)), shuffle=True, labels=True, seed=seed)
    optimizer = Adam(model.parameters(), lr)
    schedule = CosineAnnealingLR(optimizer, epochs * len(loader))
    criterion = nn.CrossEntropyLoss()  # it takes logits: a softmax before it would be a second one
    for epoch in range(epochs):
        for x, labels in loader.batches(epoch):
            optimizer.zero_grad()
            criterion(model(x), labels).backward()
            optimizer.step()
            schedule.step()
    _scale_features(model, dataset)
    return _finished(model)


def _scale_features(model: nn.Sequential, dataset: Dataset) -> None:
    *_, last_hidden, _, head = model
    assert isinstance(last_hidden, nn.Linear) and isinstance(head, nn.Linear)
    scale = float(np.sqrt(np.square(outputs(model, dataset[:])[0], dtype=np.float64).mean()))
    for p in last_hidden.parameters():
        p.array /= scale
    head.weight.array *= scale


def accuracy(model: nn.Sequential, dataset: Dataset) -> float:
    """The share of pictures whose label the model finds."""
    return float((outputs(model, dataset[:])[1].argmax(axis=1) == dataset.labels).mean())


def digits() -> nn.Sequential:
    """The classifier that comes with the library, for the bundled digits of 8×8.

    Trained on 1,438 of them; of the 359 others (``split(data.digits())[1]``) it finds 98.3%.
    """
    model = network((1, 8, 8), 10)
    model.load_state_dict(load(_WEIGHTS))
    return _finished(model)


def of(dataset: Dataset, epochs: int = 6) -> nn.Sequential:
    """The classifier of a labelled data set: trained at first use, then read from the cache.

    At most 10,000 of its pictures are learned. The file is named by all that decides the weights.
    """
    train_on = dataset.with_range(-1, 1)
    if len(train_on) > PICTURES:
        train_on = train_on.subset(random.default_rng(0).permutation(len(train_on))[:PICTURES])
    if train_on.labels is None:
        raise ValueError(f"{dataset.name} has no labels to learn: use the pixels as features")
    digest = hashlib.sha256(f"{train_on.shape} {epochs}".encode())
    digest.update(np.ascontiguousarray(train_on.data).tobytes())
    digest.update(train_on.labels.tobytes())
    path = cache_folder("features") / f"{dataset.name}-{digest.hexdigest()[:16]}.safetensors"
    if path.is_file():
        model = network(train_on.shape, int(train_on.labels.max()) + 1)
        try:
            model.load_state_dict(load(path))
            return _finished(model)
        except (CheckpointError, ValueError, KeyError):
            pass  # damaged: made anew below
    model = train(train_on, epochs)
    path.parent.mkdir(parents=True, exist_ok=True)
    save(model.state_dict(), path)
    return model


def _finished(model: nn.Sequential) -> nn.Sequential:
    model.requires_grad_(False).eval()
    return model


@contextmanager
def _own_random_numbers(seed: int) -> Iterator[None]:
    before = random.random_state()
    random.manual_seed(seed)
    try:
        yield
    finally:
        random.set_random_state(before)
