"""A whole training step on the device: nothing hidden, and no more launches than agreed upon."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from devices import on_device

import minigan as mg
import standin
from minigan import zoo
from minigan.gan import Minimax
from standin import counts

# Launches of a step of D and of G. If a change saves some, write down the new numbers; if it costs
# some, say in its commit what they buy: small networks on a GPU are bound by nothing else.
BUDGET = {"mlp": (60, 41), "dcgan": (199, 169)}
SHAPES = {"mlp": (1, 8, 8), "dcgan": (3, 32, 32)}


@pytest.fixture(autouse=True)
def device():
    """The whole library on the stand-in."""
    with on_device():
        yield


def play(model, n, counting=True):
    """The counts of a step of D and of a step of G, once everything has been allocated."""
    networks = zoo.build(model, SHAPES[model])
    game = Minimax(*networks, ema=0.9)
    real = mg.tensor(np.zeros((n, *SHAPES[model]), "float32"))
    steps = []
    for _ in range(2):
        with standin.no_sync():
            for step in (lambda: game.step_discriminator(real), lambda: game.step_generator(n)):
                counts.reset()
                step()
                steps.append(vars(counts).copy())
    return steps[2:]


@pytest.mark.parametrize("model", BUDGET)
def test_a_step_of_training(model):
    of_d, of_g = play(model, 4)
    assert of_d["hidden"] == of_g["hidden"] == 0
    assert (of_d["uploads"], of_g["uploads"]) == (0, 0)
    assert (of_d["downloads"], of_g["downloads"]) == (1, 1)  # the losses, D(x) and D(G(z))
    launches = of_d["launches"], of_g["launches"]
    assert launches == BUDGET[model], "see BUDGET at the top of this file"


def test_launches_do_not_depend_on_the_batch():
    assert play("mlp", 2) == play("mlp", 16)


def test_the_tool_that_lists_launches():
    tool = Path(__file__).with_name("launches.py")
    done = subprocess.run([sys.executable, tool, "mlp", "g"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    *lines, total = done.stdout.splitlines()
    assert sum(int(line.split()[0]) for line in lines) == int(total) > 0
    assert all(re.search(r" \w+(/\w+)*\.py:\d+", line) for line in lines)
