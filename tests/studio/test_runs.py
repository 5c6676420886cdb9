"""A run's folder: what is in it, and that nothing but its options decides what is in it."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import minigan.data
from minigan.gan import Minimax
from minigan.gan.callbacks import Callback, History
from minigan.saving import load_tree
from minigan.studio import runs
from minigan.studio.cli import main
from minigan.studio.runs import RECIPES, Config, Run


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path, monkeypatch):
    """Runs land in the test's folder, and learn from a few digits and points, to be quick."""
    monkeypatch.chdir(tmp_path)
    digits, ring = minigan.data.digits().subset(range(200)), minigan.data.ring(600)
    monkeypatch.setitem(minigan.data._WHOLE, "digits", lambda: digits)
    monkeypatch.setitem(minigan.data._WHOLE, "ring", lambda: ring)
    # Drawing takes longer than these trainings; the killed runs below draw the real figure.
    monkeypatch.setattr(runs.plot, "losses", lambda history: runs.plot.grid(np.zeros((1, 1, 8, 8))))


def train(*options):
    assert main(["train", *map(str, options)]) == 0


def files(folder):
    """Every file of the run, but not two that a resume makes otherwise.

    The figure is then drawn from rounded rows, and the diagnosis has a part for each start.
    """
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in Path(folder).rglob("*")
        if path.is_file() and path.name not in ("loss.png", "diagnosis.txt")
    }


def same_run(one, other):
    for name in ("checkpoint.safetensors", "history.csv"):
        assert (Path(one) / name).read_bytes() == (Path(other) / name).read_bytes(), name


# ------------------------------------------------------------------------------------- the folder


def test_a_run_leaves_its_files():
    train("--epochs", 3)
    folder = Path("runs/digits-mlp")
    assert {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()} == {
        "config.json", "history.csv", "samples.png", "loss.png", "checkpoint.safetensors",
        "diagnosis.txt", "samples/0001.png", "samples/0002.png", "samples/0003.png",
    }  # fmt: skip
    config = json.loads((folder / "config.json").read_text())
    assert config["epochs"] == 3 and config["model"] == "mlp" and config["seed"] == 0
    assert config["latent_dim"] == RECIPES["digits", "mlp"]["latent_dim"]
    assert config["shape"] == [1, 8, 8] and config["range"] == [-1, 1]
    header, *rows = (folder / "history.csv").read_text().splitlines()
    assert header.split(",") == list(History.COLUMNS)
    assert len(rows) == 3 * (200 // 64)
    assert rows[-1].startswith("9,3,")
    assert load_tree(folder / "checkpoint.safetensors")["epoch"] == 3
    assert (folder / "samples.png").read_bytes() == (folder / "samples/0003.png").read_bytes()


def test_a_run_is_diagnosed_and_ends_the_same_without(capsys):
    train("--epochs", 2, "--out", "watched")
    text = Path("watched/diagnosis.txt").read_text()
    assert text.startswith("Diagnosis of steps 1 to 1\n") and "Nothing to worry about" in text
    capsys.readouterr()
    assert main(["info", "watched"]) == 0
    assert capsys.readouterr().out.endswith(text)
    train("--epochs", 2, "--no-diagnose", "--out", "alone")
    assert not Path("alone/diagnosis.txt").exists()
    assert files("watched") == files("alone")
    train("--resume", "watched", "--epochs", 3)
    assert Path("watched/diagnosis.txt").read_text().startswith(f"{text}\nDiagnosis of steps 7 ")


def test_a_small_batch_is_diagnosed_with_a_small_batch(monkeypatch):
    """So that a reading costs about a step."""
    sizes = []
    monkeypatch.setattr(runs, "Diagnosis", lambda real, n, **_: sizes.append(n) or Callback())
    for size in (8, 100):
        train("--epochs", 1, "--batch-size", size)
    assert sizes == [8, 64]


def test_points_are_drawn_as_points():
    train("--data", "ring", "--epochs", 1)
    assert Path("runs/ring-mlp/samples.png").read_bytes()[:4] == b"\x89PNG"


def test_there_are_about_ten_sample_grids():
    train("--epochs", 40, "--batch-size", 200)
    names = sorted(p.name for p in Path("runs/digits-mlp/samples").iterdir())
    assert names == [f"{epoch:04d}.png" for epoch in range(4, 41, 4)]


def test_no_run_overwrites_another():
    train("--epochs", 1)
    before = files("runs/digits-mlp")
    train("--epochs", 1, "--seed", 1)
    train("--epochs", 1, "--seed", 2)
    assert sorted(p.name for p in Path("runs").iterdir()) == [
        "digits-mlp", "digits-mlp-2", "digits-mlp-3"
    ]  # fmt: skip
    assert files("runs/digits-mlp") == before
    assert main(["train", "--epochs", "1", "--out", "runs/digits-mlp"]) == 2
    assert files("runs/digits-mlp") == before


def test_an_empty_folder_can_be_the_output():
    Path("empty").mkdir()
    Path("empty/.config.json.xyz.tmp").touch()  # all that a start killed at once leaves behind
    train("--epochs", 1, "--out", "empty")
    assert Path("empty/checkpoint.safetensors").exists()


# ------------------------------------------------------------------ the same seed, and resuming

SETTINGS = [
    (),
    ("--d-steps", 2, "--ema", 0, "--objective", "minimax"),  # 3 batches: a pair spans two epochs
    ("--model", "dcgan", "--batch-size", 100),
    ("--data", "ring", "--fake-label", 0.1),
    (
        "--objective",
        "hinge",
        "--d-norm",
        "spectral",
        "--penalty",
        "r1",
        "--pack",
        2,
        "--instance-noise",
        0.1,
        "--noise-steps",
        4,
        "--lr-half-life",
        1,
    ),
]


@pytest.mark.parametrize("options", SETTINGS, ids=lambda o: " ".join(map(str, o)) or "default")
def test_the_same_seed_gives_the_same_bytes_also_if_resumed(options):
    """The same seed twice; 1 + 1 epochs in place; 1 + 1 epochs in another folder."""
    for name in ("whole", "again"):
        train(*options, "--epochs", 2, "--out", name)
    assert files("whole") == files("again")
    train(*options, "--epochs", 1, "--out", "half")
    half = files("half")
    train("--resume", "half", "--epochs", 2, "--out", "copy")
    same_run("copy", "whole")
    assert files("half") == half
    train("--resume", "half", "--epochs", 2)
    same_run("half", "whole")
    for name in ("half", "copy"):
        assert (Path(name) / "config.json").read_bytes() == Path("whole/config.json").read_bytes()
        assert (Path(name) / "samples.png").read_bytes() == Path("whole/samples.png").read_bytes()


def test_another_seed_gives_another_run():
    for seed in (0, 1):
        train("--epochs", 1, "--seed", seed, "--out", f"run{seed}")
    assert Path("run0/history.csv").read_bytes() != Path("run1/history.csv").read_bytes()


def test_resuming_plays_only_what_is_left(monkeypatch):
    """Starting anew would end in the same bytes, only later."""
    train("--epochs", 2, "--out", "run")
    steps, step = [], Minimax.step_generator
    monkeypatch.setattr(
        Minimax,
        "step_generator",
        lambda game, n, real: (steps.append(game.step), step(game, n, real))[1],
    )
    train("--resume", "run", "--epochs", 3)
    assert steps == [6, 7, 8]


def test_resuming_a_run_that_is_complete_changes_nothing():
    train("--epochs", 2)
    before = files("runs/digits-mlp")
    train("--resume", "runs/digits-mlp")
    train("--resume", "runs/digits-mlp", "--epochs", 2, "--lr", 1e-3, "--data", "Digits")
    assert files("runs/digits-mlp") == before


def test_a_run_without_a_checkpoint_starts_from_the_beginning():
    for name in ("whole", "cut"):
        train("--epochs", 2, "--out", name)
    Path("cut/checkpoint.safetensors").unlink()
    train("--resume", "cut")
    same_run("cut", "whole")


@pytest.mark.parametrize("more", ["7,3,1.0,1.0,0.5,0.5\n", "7,3,1.0,1.", "junk"])
def test_history_ahead_of_the_checkpoint_is_played_again(more):
    """As a run leaves it that is killed between two checkpoints."""
    for epochs, name in ((2, "cut"), (3, "whole")):
        train("--epochs", epochs, "--out", name)
    with open("cut/history.csv", "a") as file:
        file.write(more)
    train("--resume", "cut", "--epochs", 3)
    same_run("cut", "whole")


def test_a_copy_cut_short_is_a_run_that_can_be_continued(monkeypatch):
    """--resume with --out writes config.json first: whatever is missing is played again."""
    train("--epochs", 2, "--out", "source")
    with monkeypatch.context() as patch:
        patch.setattr(Run, "history", property(lambda run: 1 / 0))
        with pytest.raises(ZeroDivisionError):
            main(["train", "--resume", "source", "--out", "copy"])
    assert files("copy").keys() == {"config.json"}
    train("--resume", "copy")
    same_run("copy", "source")


# ------------------------------------------------------------------------------------ the options


def test_recipes_fill_in_what_is_not_asked_for():
    assert Config.of(data="digits").latent_dim == 16
    assert Config.of(data="Digits", model="MLP", latent_dim=5).latent_dim == 5
    assert Config.of(data="digits", model="dcgan").latent_dim == Config.latent_dim
    assert Config.of(data="ring").discriminator == RECIPES["ring", "mlp"]["discriminator"]
    for name, model in RECIPES:
        Config.of(data=name, model=model)


def test_names_are_taken_as_people_spell_them():
    config = Config.of(data="Two_Moons", model="MLP-CNN", objective="nonsaturating")
    assert (config.data, config.model) == ("two-moons", "mlp-cnn")
    assert config.objective == "non-saturating"


def test_a_folder_called_like_a_data_set_is_written_as_a_path():
    Path("MNIST").mkdir()  # as torchvision leaves it
    assert Config.of(data="MNIST").data == "mnist"
    assert Path(Config.of(data="./MNIST").data).resolve() == Path("MNIST").resolve()


def test_a_batch_larger_than_the_data_is_all_of_it():
    train("--epochs", 1, "--batch-size", 1000)
    assert len(Path("runs/digits-mlp/history.csv").read_text().splitlines()) == 2


def test_more_d_steps_than_batches():
    """G learns nothing, but nothing breaks either."""
    train("--epochs", 1, "--d-steps", 5)
    train("--resume", "runs/digits-mlp", "--epochs", 2)
    assert len(Path("runs/digits-mlp/history.csv").read_text().splitlines()) == 2


# --------------------------------------------------------------------------------------- killed

DRIVER = """
import sys
import minigan.data, minigan.gan, minigan.studio.runs
minigan.studio.runs.STEPS_PER_CHECKPOINT = 1
digits = minigan.data.digits().subset(range(256))
minigan.data._WHOLE["digits"] = lambda: digits
class Announce(minigan.gan.Progress):
    def on_start(self, game, epochs): print("playing", flush=True)
    def on_step(self, game, row): pass
    def on_epoch(self, game, last): print("epoch", flush=True)
    def on_stop(self, game): pass
minigan.studio.runs.Progress = Announce
from minigan.studio.cli import main
sys.exit(main(sys.argv[1:]))
"""


def start(*arguments):
    return subprocess.Popen(
        [sys.executable, "-c", DRIVER, "train", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def wait_for(process, word):
    """Read what the run prints until it says ``word``; False if it ended without."""
    return any(line.decode() == f"{word}\n" for line in iter(process.stdout.readline, b""))


def finish(process):
    error = process.communicate(timeout=120)[1].decode()
    assert process.returncode == 0, error


@pytest.mark.parametrize("kills", [5, pytest.param(20, marks=pytest.mark.slow)])
def test_a_run_killed_at_any_moment_ends_like_an_undisturbed_one(kills):
    """Each run is killed again and again, between and within epochs, and must end the same."""
    epochs, moments = 25, random.Random(kills)
    options = ("--epochs", str(epochs))
    finish(start(*options, "--out", "whole"))
    expected = files("whole")

    def go_on(folder):
        """Continue the run, or begin it if it was killed before it had a configuration."""
        is_run = (folder / "config.json").exists()
        return start(*options, "--resume" if is_run else "--out", folder)

    def epoch(folder):
        path = folder / "checkpoint.safetensors"
        return load_tree(path)["epoch"] if path.exists() else 0

    killed_after, number = [], 0
    while len(killed_after) < kills:
        number += 1
        folder = Path(f"run{number}")
        while len(killed_after) < kills and epoch(folder) < epochs:
            process = go_on(folder)
            if moments.random() > 0.1:  # else while it is starting
                wait_for(process, "playing")
                for _ in range(moments.randrange(epochs // 3)):
                    wait_for(process, "epoch")
            time.sleep(moments.uniform(0, 0.02))
            process.kill()
            error = process.communicate()[1].decode()
            assert process.returncode in (0, -signal.SIGKILL), error
            killed_after.append(epoch(folder))
        finish(go_on(folder))
        found = files(folder)
        found = {name: found[name] for name in found if not name.endswith(".tmp")}
        assert found == expected
        assert (folder / "loss.png").exists()
    print(f"{kills} kills in {number} runs of {epochs} epochs, after epochs {killed_after}")
    assert len(set(killed_after)) > kills // 3  # at different moments


def test_a_temporary_file_is_never_mistaken_for_data(capsys):
    train("--epochs", 1, "--out", "run")
    before = files("run")
    for name in before:
        path = Path("run") / name
        path.with_name(f".{path.name}.abc.tmp").write_bytes(b"half")
    train("--resume", "run")
    assert main(["info", "run"]) == 0
    assert main(["sample", "run", "-n", "4", "--out", "s.npz"]) == 0
    after = files("run")
    assert {name: after[name] for name in before} == before
    assert np.load("s.npz")["samples"].shape == (4, 1, 8, 8)


def test_checkpoints_are_at_most_so_many_steps_apart(monkeypatch):
    saved = []
    monkeypatch.setattr(runs, "STEPS_PER_CHECKPOINT", 7)  # an epoch has 3 steps: every 2 epochs
    monkeypatch.setattr(
        "minigan.gan.callbacks.save_tree", lambda state, path: saved.append(state["step"])
    )
    train("--epochs", 5)
    assert saved == [6, 12, 15]


def test_all_files_of_an_epoch_are_there_before_its_checkpoint(monkeypatch):
    """Else a run that is killed in between would never get them."""
    train("--epochs", 1, "--out", "run")
    real, seen = os.replace, []
    monkeypatch.setattr(os, "replace", lambda a, b: (seen.append(Path(b).name), real(a, b)))
    train("--resume", "run", "--epochs", 2)
    at = seen.index("checkpoint.safetensors")
    assert {"0002.png", "samples.png"} <= set(seen[:at])


def test_a_run_can_be_moved():
    train("--epochs", 1, "--out", "here")
    shutil.move("here", "there")
    train("--resume", "there", "--epochs", 2)
    train("--epochs", 2, "--out", "whole")
    same_run("there", "whole")


def test_a_picture_size_is_for_folders():
    with pytest.raises(ValueError, match="image_size is for folders of pictures; digits has its"):
        Config.of(data="digits", image_size=64)
    assert Config.of(data="no-such-folder", image_size=64).image_size == 64
