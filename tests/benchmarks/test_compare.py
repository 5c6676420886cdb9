"""The comparison with other libraries: its networks are the zoo's, and its check sees mistakes."""

import argparse
import subprocess
import sys
from pathlib import Path

import pytest

from minigan import zoo

BENCHMARKS = Path(__file__).parent


@pytest.fixture(autouse=True)
def path(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))


@pytest.mark.parametrize(
    ("name", "model", "options"),
    [
        ("a", "mlp", ({}, {})),
        (
            "b",
            "mlp",
            ({"hidden": (128, 256, 512, 1024), "batch_norm": True}, {"hidden": (256, 512)}),
        ),
        ("c", "dcgan", ({}, {})),
        ("e", "dcgan", ({}, {})),
    ],
)
def test_networks_are_those_of_the_zoo(name, model, options):
    from workloads.common import WORKLOADS
    from workloads.minigan_ import network

    workload = WORKLOADS[name]
    generator, discriminator = zoo.build(model, workload.shape, *options)
    for layers, expected in (
        (workload.generator, generator),
        (workload.discriminator, discriminator),
    ):
        assert str(network(layers)) == str(expected)


def test_flops_of_a_dcgan_step_are_those_counted_by_hand():
    from scaling import step_flops
    from workloads.common import WORKLOADS

    # per sample: D and G have one large and one small convolution and a dense layer each
    large, small, dense_g, dense_d = (
        2 * 16 * 64 * 128 * 49,
        2 * 16 * 64 * 196,
        2 * 100 * 6272,
        12544,
    )
    by_hand = 12 * large + 10 * small + 3 * dense_g + 8 * dense_d
    assert step_flops(WORKLOADS["c"]) == 64 * by_hand


def test_a_library_that_computes_something_else_is_named_and_not_timed(monkeypatch, tmp_path):
    import compare

    timed = []

    def run(library, name, threads, seconds, options, folder):
        if seconds:
            timed.append(library)
        wrong = 1e-4 if library == "autograd" else 0
        losses = [[1.0, 1.0], [1.0, 1.0 + wrong]]
        return {"version": library, "losses": losses, "step": 1.0}

    monkeypatch.setattr(compare, "run", run)
    monkeypatch.setattr(compare.importlib.util, "find_spec", lambda name: name != "jax")
    options = argparse.Namespace(
        libraries=list(compare.DEVICES["cpu"]), device="cpu", rounds=1, seconds=1.0, pin=0
    )
    result = compare.compare("a", 1, options, tmp_path)
    assert sorted(timed) == ["minigan", "pytorch", "tinygrad"]
    assert result["absent"] == {
        "jax": "not installed",
        "autograd": "loss 2 of step 2 is 1.0001, minigan's is 1",
    }


def test_quick_comparison_runs_and_writes_a_table(tmp_path):
    command = [sys.executable, str(BENCHMARKS / "compare.py"), "--quick", "--libraries", "minigan"]
    command += ["--workloads", "a", "--out", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "| (a) MLP | 1 |" in done.stdout
    assert (tmp_path / "compare-cpu.md").read_text() in done.stdout
    assert (tmp_path / "compare-cpu.json").is_file()
