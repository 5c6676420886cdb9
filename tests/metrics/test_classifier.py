"""The classifier that comes with the library, and the one trained on demand."""

import numpy as np
import pytest

import minigan as mg
from minigan import data, nn, random
from minigan.metrics import classifier
from minigan.saving import load


def test_the_digits_classifier_knows_digits_it_has_not_seen():
    train, held_out = classifier.split(data.digits())
    assert (len(train), len(held_out)) == (1438, 359)
    seen = {x.tobytes() for x in train.data}
    assert sum(x.tobytes() in seen for x in held_out.data) == 0
    found = classifier.accuracy(classifier.digits(), held_out)
    assert found >= 0.97
    assert found == pytest.approx(0.983, abs=0.002)  # what its docstring says


def test_the_shipped_file_is_small():
    assert classifier._WEIGHTS.stat().st_size <= 150_000


@pytest.mark.slow
def test_the_shipped_weights_are_what_training_gives():
    """To rounding: another machine's matrix products may sum in another order."""
    train, held_out = classifier.split(data.digits())
    model = classifier.train(train, epochs=30)
    assert classifier.accuracy(model, held_out) >= 0.97
    shipped = load(classifier._WEIGHTS)
    x = held_out[:]
    ours, theirs = classifier.outputs(model, x)[1], classifier.outputs(classifier.digits(), x)[1]
    assert (ours.argmax(1) == theirs.argmax(1)).mean() > 0.98
    assert set(model.state_dict()) == set(shipped)


def test_it_ends_in_logits():
    """Trap 15: a softmax at the end would be a second one inside CrossEntropyLoss."""
    *_, last = classifier.network((1, 8, 8), 10)
    assert isinstance(last, nn.Linear)
    model, held_out = classifier.digits(), classifier.split(data.digits())[1]
    logits = mg.tensor(classifier.outputs(model, held_out[:])[1])
    loss = nn.CrossEntropyLoss()(logits, mg.tensor(held_out.labels)).item()
    assert loss < 0.2  # behind a softmax it could not be less than 1.461


def test_features_have_a_mean_square_of_1():
    train, _ = classifier.split(data.digits())
    features, logits = classifier.outputs(classifier.digits(), train[:])
    assert features.shape == (1438, 64) and logits.shape == (1438, 10)
    assert np.square(features).mean() == pytest.approx(1, rel=1e-3)
    head = list(classifier.digits())[-1]
    np.testing.assert_allclose(
        features @ head.weight.numpy().T + head.bias.numpy(), logits, rtol=1e-4, atol=1e-4
    )


def test_scaling_the_features_changes_no_logit():
    small = data.digits().subset(range(100))
    mg.manual_seed(1)
    model = classifier.network((1, 8, 8), 10).requires_grad_(False)
    before = classifier.outputs(model, small[:])
    classifier._scale_features(model, small)
    after = classifier.outputs(model, small[:])
    np.testing.assert_allclose(after[1], before[1], rtol=1e-4, atol=1e-5)
    assert np.square(after[0]).mean() == pytest.approx(1, rel=1e-5)


def test_batches_change_nothing():
    x = data.digits()[:50]
    model = classifier.digits()
    for whole, parts in zip(
        classifier.outputs(model, x), classifier.outputs(model, x, 7), strict=True
    ):
        np.testing.assert_allclose(whole, parts, rtol=1e-5, atol=1e-5)


def test_one_is_trained_once_and_leaves_the_random_numbers_alone(cache, monkeypatch):
    small = data.digits().subset(range(60))
    before = random.random_state()
    first = classifier.of(small, epochs=1)
    assert random.random_state() == before
    (file,) = (cache / "features").iterdir()
    assert file.name.startswith("digits-")

    def never(*_, **__):
        raise AssertionError("trained again")

    with monkeypatch.context() as patch:
        patch.setattr(classifier, "train", never)
        second = classifier.of(small, epochs=1)
        with pytest.raises(AssertionError, match="trained again"):
            classifier.of(small.subset(range(59)), epochs=1)
        with pytest.raises(AssertionError, match="trained again"):
            classifier.of(small, epochs=2)
    for a, b in zip(first.parameters(), second.parameters(), strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())

    file.write_bytes(b"damaged")
    third = classifier.of(small, epochs=1)
    for a, b in zip(first.parameters(), third.parameters(), strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())


@pytest.mark.parametrize("shape", [(1, 8, 8), (1, 28, 28), (3, 32, 32), (1, 9, 30)])
def test_it_takes_pictures_of_any_size(shape):
    x = mg.randn(2, *shape)
    assert classifier.network(shape, 7)(x).shape == (2, 7)


def test_without_labels_there_is_nothing_to_learn():
    plain = data.Dataset.from_array(np.zeros((50, 1, 8, 8), np.uint8))
    for make in (classifier.of, lambda d: classifier.train(d, 1)):
        with pytest.raises(ValueError, match="no labels"):
            make(plain)
