"""`minigan evaluate RUN`."""

import json
import sys

import numpy as np
import pytest

import minigan as mg
from minigan.studio import runs
from minigan.studio.cli import main


@pytest.fixture(autouse=True)
def small_data(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    digits, ring = mg.data.digits().subset(range(200)), mg.data.ring(300)
    monkeypatch.setitem(mg.data._WHOLE, "digits", lambda: digits)
    monkeypatch.setitem(mg.data._WHOLE, "ring", lambda: ring)
    blank = runs.plot.grid(np.zeros((1, 1, 8, 8)))
    monkeypatch.setattr(runs.plot, "losses", lambda history: blank)  # drawing is not measured here
    monkeypatch.setattr(runs.plot, "points", lambda *_: blank)


def train(name, data):
    assert main(["train", "--data", data, "--epochs", "1", "--out", name]) == 0


def test_digits(capsys, tmp_path):
    train("run", "digits")
    capsys.readouterr()
    assert main(["evaluate", "run", "-n", "80"]) == 0
    text = capsys.readouterr().out
    assert "Fréchet distance (digit features)" in text and "FID" not in text
    assert "perfect: 80 real samples" in text
    assert text.splitlines()[-1] == "run/evaluation.json"
    content = json.loads((tmp_path / "run" / "evaluation.json").read_text())
    assert content.items() >= {"epoch": 1, "seed": 0, "n": 80, "features": "digit features"}.items()
    assert set(content["shares"]) == set("0123456789")
    assert main(["evaluate", "run", "-n", "80"]) == 0
    assert capsys.readouterr().out == text
    assert main(["evaluate", "run", "-n", "80", "--features", "pixels", "--seed", "1"]) == 0
    assert "Fréchet distance (pixels)" in capsys.readouterr().out


def test_a_ring(capsys):
    train("run", "ring")
    capsys.readouterr()
    assert main(["evaluate", "run"]) == 0
    text = capsys.readouterr().out
    assert "modes captured (of 8)" in text and "perfect: 150 real samples" in text


def test_mistakes_are_one_line(capsys, monkeypatch):
    for name in ("torch", "torch_fidelity", "torch_fidelity.feature_extractor_inceptionv3"):
        monkeypatch.setitem(sys.modules, name, None)
    train("run", "digits")
    for arguments, message in (
        (["nowhere"], "nowhere is not a run"),
        (["run", "--features", "vgg"], "unknown features 'vgg'"),
        (["run", "-n", "5"], "expected at least 20 samples"),
        (["run", "-n", "0"], "-n must be at least 1, got 0"),
        (["run", "--features", "inception"], "pip install torch-fidelity"),
    ):
        capsys.readouterr()
        assert main(["evaluate", *arguments]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith("minigan: ") and message in line
