"""The score of predictions; trap 13: bounds 1 and K, 0 log 0; trap 15: one softmax, not two."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minigan as mg
from minigan.metrics import inception_score, softmax


def test_uniform_predictions_give_1():
    found = inception_score(np.full((100, 10), 0.1))
    assert found.mean == pytest.approx(1, abs=1e-12) and found.std == pytest.approx(0, abs=1e-12)


def test_balanced_one_hot_predictions_give_k():
    found = inception_score(np.tile(np.eye(10), (20, 1)))
    assert found.mean == pytest.approx(10, rel=1e-12) and found.std == pytest.approx(0, abs=1e-9)


def test_one_class_only_gives_1():
    """The other classes' marginal is 0: 0 log 0 / 0 must not become NaN."""
    assert inception_score(np.tile(np.eye(10)[3], (50, 1)), splits=5).mean == pytest.approx(1)


@given(st.integers(2, 12), st.integers(1, 5), st.floats(0, 60))
def test_it_lies_between_1_and_k(k, splits, scale):
    logits = scale * np.random.default_rng(k).normal(size=(40, k))
    found = inception_score(softmax(logits), splits)
    assert 1 - 1e-9 <= found.mean <= k + 1e-9


def test_each_split_has_a_marginal_of_its_own():
    sorted_by_class = np.repeat(np.eye(4), 25, axis=0)
    assert inception_score(sorted_by_class, splits=4).mean == pytest.approx(1)
    assert inception_score(sorted_by_class, splits=1).mean == pytest.approx(4)


def test_logits_are_refused(rng):
    with pytest.raises(ValueError, match="take the softmax of logits, once"):
        inception_score(rng.normal(size=(30, 10)))
    with pytest.raises(ValueError, match="1 to 5 splits of 5"):
        inception_score(np.full((5, 2), 0.5), splits=6)


def test_softmax_is_exact_at_large_logits():
    p = softmax(mg.tensor([[1000.0, 0.0, -1000.0], [0.0, 0.0, 0.0]]))
    np.testing.assert_allclose(p, [[1, 0, 0], [1 / 3] * 3], atol=1e-15)


def test_a_second_softmax_would_show(rng):
    """Sure predictions of 10 classes: cross-entropy 0, not 1.461; score 10, not 1.6."""
    labels = np.arange(100) % 10
    logits = 1e3 * np.eye(10)[labels]
    loss = mg.nn.CrossEntropyLoss()(mg.tensor(logits), mg.tensor(labels))
    assert loss.item() == pytest.approx(0, abs=1e-9)
    assert inception_score(softmax(logits)).mean == pytest.approx(10)
    twice = softmax(softmax(logits))
    assert -np.log(twice[:, 0].max()) == pytest.approx(1.461, abs=1e-3)
    assert inception_score(twice).mean < 1.2
