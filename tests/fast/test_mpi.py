"""Processes that train together: two with 32 samples each do what one does with 64."""

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import minigan as mg
from minigan.fast import mpi as distributed

pytestmark = pytest.mark.skipif(
    not importlib.util.find_spec("mpi4py") or not shutil.which("mpiexec"),
    reason="needs the extra 'mpi'",
)
HERE = Path(__file__).parent


def start(ranks, *command, check=True):
    """Run ``python COMMAND`` in so many processes."""
    mpiexec = ["mpiexec", "-n", str(ranks)] if ranks > 1 else []
    done = subprocess.run(
        [*mpiexec, sys.executable, *command],
        capture_output=True,
        text=True,
        timeout=60,
        env=os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
    )
    assert not check or done.returncode == 0, done.stdout + done.stderr
    return done


def states(what, ranks, folder):
    """What the ranks have saved."""
    start(ranks, str(HERE / "ranks.py"), what, str(folder / f"of{ranks}"))
    return [np.load(folder / f"of{ranks}-{r}.npz") for r in range(ranks)]


@pytest.mark.parametrize("what", ["plain", "clipped", "together", "batch norm"])
def test_two_ranks_of_32_are_one_of_64(what, tmp_path):
    one, two = states(what, 1, tmp_path)[0], states(what, 2, tmp_path)
    assert set(one.files) == set(two[0].files)
    for name in one.files:
        np.testing.assert_array_equal(two[0][name], two[1][name], err_msg=name)
        np.testing.assert_allclose(two[0][name], one[name], rtol=1e-6, atol=1e-6, err_msg=name)


def test_gradients_of_any_order_cross_the_ranks(tmp_path):
    one, two = states("gradient", 1, tmp_path)[0], states("gradient", 2, tmp_path)
    first = np.concatenate([part["first"] for part in two])
    np.testing.assert_allclose(first, one["first"], rtol=1e-9, atol=1e-12)
    second = np.concatenate([part["second"] for part in two])
    np.testing.assert_allclose(second, one["second"], rtol=1e-9, atol=1e-12)


def test_equal_weights_and_different_noise(tmp_path):
    a, b = states("noise", 2, tmp_path)
    np.testing.assert_array_equal(a["weights"], b["weights"])
    assert not np.array_equal(a["noise"], b["noise"])


def train(ranks, *options, check=True):
    return start(ranks, "-m", "minigan", "train", *map(str, options), check=check)


def test_a_run_of_two_ranks_can_be_stopped_and_continued(tmp_path):
    """And only one process writes."""
    whole, half = tmp_path / "whole", tmp_path / "half"
    done = train(2, "--epochs", 2, "--out", whole)
    assert done.stdout.count("samples.png") == 1
    train(2, "--epochs", 1, "--out", half)
    train(2, "--resume", half, "--epochs", 2)
    for name in ("checkpoint.safetensors", "history.csv"):
        assert (half / name).read_bytes() == (whole / name).read_bytes()
    assert sorted(p.name for p in whole.iterdir()) == sorted(p.name for p in half.iterdir())
    refused = train(1, "--resume", half, "--epochs", 3, check=False)
    assert refused.returncode == 2 and not refused.stdout
    assert (
        "by 2 processes, but 1 was started: mpiexec -n 2 minigan train --resume" in refused.stderr
    )


def test_synchronised_batch_norm_by_an_option(tmp_path):
    train(2, "--epochs", 1, "--sync-batch-norm", "--out", tmp_path / "run")
    assert '"sync_batch_norm": true' in (tmp_path / "run" / "config.json").read_text()
    start(1, "-m", "minigan", "sample", str(tmp_path / "run"), "--out", str(tmp_path / "s.png"))


@pytest.mark.parametrize(
    "what, words", [("fail", "is not a run"), ("fail unforeseen", "AttributeError")]
)
def test_a_mistake_of_one_rank_ends_all(what, words, tmp_path):
    done = start(2, str(HERE / "ranks.py"), what, str(tmp_path / "x"), check=False)
    assert done.returncode and words in done.stderr


def test_a_folder_that_is_there_ends_all(tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    done = train(2, "--epochs", 1, "--out", tmp_path / "full", check=False)
    assert done.returncode == 2 and "is not empty" in done.stderr


# ------------------------------------------------------------------------------- without launching


def test_alone_nothing_is_imported():
    code = "import sys, minigan, minigan.fast.mpi as d; d.group().sum(1); print(*sys.modules)"
    assert "mpi4py" not in start(1, "-c", code).stdout.split()


@pytest.fixture
def fresh(monkeypatch):
    """The group is found anew, and forgotten afterwards."""
    distributed._started_group.cache_clear()
    yield monkeypatch
    distributed._started_group.cache_clear()


def test_without_mpi4py(fresh):
    fresh.setenv("PMI_SIZE", "3")
    fresh.setitem(sys.modules, "mpi4py.MPI", None)
    with pytest.raises(ImportError, match=r"3 processes were started .* 'minigan\[mpi\]'"):
        distributed.group()


@pytest.mark.parametrize("name", distributed.SIZES)
def test_the_launchers_that_are_known(fresh, name):
    for other in distributed.SIZES:
        fresh.delenv(other, raising=False)
    assert distributed.started() == 1
    fresh.setenv(name, "4")
    assert distributed.started() == 4


def test_on_gpus_nccl_adds_up(fresh):
    """Against the signatures of the real package; NCCL itself is not here."""
    calls = []

    def all_reduce(array, total, op="sum", stream=None):
        calls.append(op)
        total[...] = array * 2

    nccl = SimpleNamespace(all_reduce=all_reduce)
    made = SimpleNamespace(
        init_process_group=lambda n_devices, rank, *, backend="nccl", use_mpi=False: (
            calls.append((n_devices, rank, use_mpi)) or nccl
        )
    )
    local = SimpleNamespace(rank=1)
    world = SimpleNamespace(rank=1, size=2, Split_type=lambda kind: local)
    mpi = SimpleNamespace(COMM_WORLD=world, COMM_TYPE_SHARED=0, SUM="sum")
    fresh.setenv("PMI_SIZE", "2")
    fresh.setitem(sys.modules, "mpi4py.MPI", mpi)
    fresh.setitem(sys.modules, "cupyx.distributed", made)
    from devices import on_device

    with on_device():
        together = distributed.group()
        assert together.local_device("cuda") == "cuda:1" and together.local_device("cpu") == "cpu"
        gradient = mg.tensor([1.0, 3.0]).array
        together.mean([gradient])
        assert gradient.tolist() == [1.0, 3.0] and calls == [(2, 1, True), "sum"]
