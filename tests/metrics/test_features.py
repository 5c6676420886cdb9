"""Extractors: which one is meant, what it is called, what range it gets."""

import sys
import types

import numpy as np
import pytest

from minigan import data, metrics
from minigan.metrics import features


def pictures(**options):
    return data.Dataset.from_array(np.zeros((60, 1, 8, 8), np.uint8), **options)


def test_auto_chooses_by_the_data(monkeypatch):
    monkeypatch.setattr(features, "classifier_of", lambda ds: f"trained on {ds.name}")
    assert metrics.extractor("auto", data.digits()).name == "digit features"
    assert metrics.extractor("auto", pictures(labels=np.arange(60) % 3)) == "trained on array"
    assert metrics.extractor("auto", pictures()).name == "pixels"
    assert metrics.extractor("auto", data.swiss_roll(50)).name == "points"
    assert metrics.extractor("pixels", data.digits()).name == "pixels"
    with pytest.raises(ValueError, match="holds points"):
        metrics.extractor("digits", data.ring(50))
    with pytest.raises(ValueError, match="unknown features 'digts': did you mean 'digits'"):
        metrics.extractor("digts", data.digits())


def test_only_inception_may_be_called_so():
    for made in (metrics.pixels(), metrics.digits()):
        assert "inception" not in made.name.lower()


def test_pixels_are_the_values():
    x = data.digits()[:5]
    found, logits = metrics.pixels()(x)
    np.testing.assert_array_equal(found, x.reshape(5, 64))
    assert logits is None


def test_digits_are_of_their_own_size():
    with pytest.raises(ValueError, match=r"pictures \(1, 8, 8\), got \(1, 28, 28\)"):
        metrics.digits()(np.zeros((2, 1, 28, 28)))


def test_a_data_set_of_its_own_has_its_name_and_classes():
    small = data.digits().subset(range(60))
    made = metrics.classifier_of(small)
    assert made.name == "digits features" and made.classes == data.digits().classes
    assert made(small[:]).features.shape == (60, 64)


def test_levels_for_inception():
    """[-1, 1] → 0 to 255, rounded, three channels; a level survives the way there and back."""
    levels = np.arange(256, dtype=np.uint8).reshape(1, 1, 16, 16)
    x = data.Dataset.from_array(levels)[:]
    found = features.to_uint8_rgb(x)
    assert found.dtype == np.uint8 and found.shape == (1, 3, 16, 16)
    np.testing.assert_array_equal(found, np.broadcast_to(levels, found.shape))
    assert features.to_uint8_rgb(np.array([-1.2, 1.3]).reshape(1, 1, 1, 2))[0, 0].tolist() == [
        [0, 255]
    ]
    with pytest.raises(ValueError, match="1 or 3"):
        features.to_uint8_rgb(np.zeros((1, 2, 4, 4)))


def test_inception_says_what_is_missing(monkeypatch, tmp_path):
    for name in ("torch", "torch_fidelity", "torch_fidelity.feature_extractor_inceptionv3"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ValueError, match="pip install torch-fidelity"):
        metrics.inception()
    # torch-fidelity is there, the weights are not
    module = types.ModuleType("torch_fidelity.feature_extractor_inceptionv3")
    module.FeatureExtractorInceptionV3 = None
    monkeypatch.setitem(sys.modules, "torch", types.ModuleType("torch"))
    monkeypatch.setitem(sys.modules, "torch_fidelity", types.ModuleType("torch_fidelity"))
    monkeypatch.setitem(sys.modules, module.__name__, module)
    with pytest.raises(ValueError, match=r"not in .*cache/inception/weights-inception-2015"):
        metrics.inception()
    with pytest.raises(ValueError, match="not in .*mine.pth"):
        metrics.inception(tmp_path / "mine.pth")
