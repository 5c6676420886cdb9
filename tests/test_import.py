"""`import minigan` needs NumPy alone and is quick; everything else is loaded when it is used."""

import statistics
import subprocess
import sys

SCRIPT = """
import sys, time
start = time.perf_counter()
import minigan
seconds = time.perf_counter() - start
heavy = {"matplotlib", "PIL", "tqdm", "typer", "safetensors", "cupy"} & set(sys.modules)
print(seconds, *sorted(heavy))
"""


def run_python(script):
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_import_is_quick_and_loads_numpy_alone():
    runs = [run_python(SCRIPT) for _ in range(5)]
    assert [heavy for _, *heavy in runs] == [[]] * 5
    seconds = statistics.median(float(seconds) for seconds, *_ in runs)
    print(f"import minigan: {seconds:.3f} s")
    assert seconds < 1.0  # 0.15 s on an idle machine; tests share theirs


def test_training_and_drawing_never_import_pyplot():
    """It would bring a window system and a global state along."""
    script = """
import sys
import minigan as mg
game = mg.gan.Minimax(*mg.zoo.build("mlp", (2,)))
history = game.fit([mg.randn(4, 2)], 2)
mg.plot.losses(history), mg.plot.points(game.sample(4)), mg.plot.grid(mg.zeros(2, 1, 8, 8))
print("matplotlib" in sys.modules, "matplotlib.pyplot" in sys.modules)
"""
    assert run_python(script) == ["True", "False"]


def test_what_looks_at_networks_and_games_goes_by_their_names():
    script = """
import minigan.gan.diagnosis, minigan.gan.probe
from minigan import insight
from minigan.gan import Diagnosis, Finding, diagnosis, oracles
from minigan.gan.oracles import mixture
from minigan.nn import *
assert oracles is insight.oracles and diagnosis is minigan.gan.diagnosis is insight.diagnosis
assert (Diagnosis, Finding) == (insight.Diagnosis, insight.Finding)
assert mixture is oracles.mixture and minigan.gan.probe is insight.probe
assert minigan.summary is minigan.nn.summary is summary is insight.summary
assert insight.Summary is Summary
"""
    assert run_python(script) == []
