"""The command: what it prints and writes, and one clear line for everything that goes wrong."""

import errno
import json
import os
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from pathlib import Path
from typing import get_type_hints

import numpy as np
import pytest
from PIL import Image

import minigan as mg
from minigan import nn
from minigan.saving import load_tree
from minigan.studio import cli, runs
from minigan.studio.cli import main
from minigan.studio.runs import Run


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path, monkeypatch):
    """Runs land in the test's folder, learn from a few digits, and reach no network."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MINIGAN_DATA", str(tmp_path / "cache"))
    digits, ring = mg.data.digits().subset(range(100)), mg.data.ring(300)
    monkeypatch.setitem(mg.data._WHOLE, "digits", lambda: digits)
    monkeypatch.setitem(mg.data._WHOLE, "ring", lambda: ring)
    # Drawing takes longer than these trainings; test_plot.py and test_runs.py draw the real one.
    monkeypatch.setattr(runs.plot, "losses", lambda history: runs.plot.grid(np.zeros((1, 1, 8, 8))))

    def offline(*_, **__):
        raise urllib.error.URLError("no network in the tests")

    monkeypatch.setattr(urllib.request, "urlopen", offline)


@pytest.fixture
def said(capsys):
    """The lines on stderr since the last call, without the progress bar."""

    def lines():
        text = capsys.readouterr().err.replace("\r", "\n")
        bar = re.compile(r"step/s|s/step")
        return [line for line in text.splitlines() if line.strip() and not bar.search(line)]

    return lines


@pytest.fixture
def fails(said):
    """Run the command; it must end with ``code`` and one line, which is returned."""

    def run(*args, code=2):
        said()
        assert main([str(a) for a in args]) == code
        lines = said()
        assert len(lines) == 1, lines
        assert lines[0].startswith("minigan: ")
        return lines[0].removeprefix("minigan: ")

    return run


def works(*args):
    assert main([str(a) for a in args]) == 0


def test_the_progress_bar_is_all_that_is_left_out(said):
    """The fixture above must not hide a message."""
    for line in ("minigan: a step too far", "Traceback", "\r 4%|  | 3/9 [00:01<00:02, 9.1step/s]"):
        print(line, file=sys.stderr)
    assert said() == ["minigan: a step too far", "Traceback"]


# ------------------------------------------------------------------------------------- what works


def test_help_shows_examples(capsys):
    works("train", "--help")
    text = capsys.readouterr().out
    for example in ("--data mnist --model dcgan", "--resume runs/digits-mlp --epochs 600"):
        assert example in text
    for option in ("data-dir", "split", "objective", "batch-size", "lr", "beta1", "d-steps"):
        assert f"--{option}" in text
    works("sample", "--help")
    assert "--out digits.npz" in capsys.readouterr().out
    works()
    assert "train" in capsys.readouterr().out


WITHOUT_DEFAULT = {"data_dir", "penalties", "d_lr", "sync_batch_norm"}


def test_the_helps_defaults_are_the_defaults():
    """The help says them in brackets, and those for the digits if they differ."""
    default, digits = runs.Config(), runs.Config.of(data="digits")
    seen = []
    for name, hint in get_type_hints(cli.train, include_extras=True).items():
        option = name.rstrip("_")
        if hasattr(default, option) and option not in WITHOUT_DEFAULT:
            help_text = hint.__metadata__[0].help
            brackets = help_text.rstrip("]").rpartition("[")[2]
            usual, *for_digits = re.split("; (?:digits|mlp) ", brackets)
            kind = type(getattr(default, option))
            assert kind(usual) == getattr(default, option), option
            assert kind(*for_digits or [usual]) == getattr(digits, option), option
            seen.append(option)
    unset = WITHOUT_DEFAULT | {"generator", "discriminator", "ranks"}
    assert set(seen) == vars(default).keys() - unset


def test_train_says_what_it_does_and_where_it_is(capsys):
    works("train", "--epochs", 2)
    out, err = capsys.readouterr()
    assert "digits" in out and "mlp, non-saturating, 2 epochs" in out
    assert out.splitlines()[-1].startswith("runs/digits-mlp: samples.png")
    for text in ("epoch 2/2", "loss D", "D(x)", "D(G(z))"):
        assert text in err


def test_options_reach_the_run():
    works(
        "train", "--data", "digits", "--model", "mlp", "--objective", "minimax", "--epochs", 1,
        "--batch-size", 20, "--lr", 0.01, "--beta1", 0.9, "--d-steps", 2, "--real-label", 0.9,
        "--fake-label", 0.1, "--ema", 0.5, "--latent-dim", 7, "--seed", 3, "--device", "cpu",
        "--out", "run",
    )  # fmt: skip
    config = vars(Run.open(Path("run")).config)
    assert config.items() >= {
        "objective": "minimax", "batch_size": 20, "lr": 0.01, "beta1": 0.9, "d_steps": 2,
        "real_label": 0.9, "fake_label": 0.1, "ema": 0.5, "latent_dim": 7, "seed": 3,
    }.items()  # fmt: skip
    game = Run.open(Path("run")).restore()
    (group,) = game.d_optimizer.param_groups
    assert (group["lr"], group["betas"][0]) == (0.01, 0.9)
    assert (game.d_updates, game.step, game.d_steps, game.latent_dim) == (5, 2, 2, 7)
    assert game.ema.decay == 0.5
    assert (game.objective.real_label, game.objective.fake_label) == (0.9, 0.1)


def test_the_games_options_reach_it():
    works(
        "train", "--objective", "Wasserstein", "--penalty", "Gradient_Penalty=5", "--penalty", "r1",
        "--d-lr", 0.02, "--lr-half-life", 1, "--d-norm", "spectral", "--pack", 2,
        "--instance-noise", 0.1, "--noise-steps", 9, "--clip-grad-norm", 2, "--consensus", 0.1,
        "--epochs", 1, "--batch-size", 20, "--out", "run",
    )  # fmt: skip
    config = Run.open(Path("run")).config
    assert config.penalties == ["gradient-penalty=5", "r1=10"]
    game = Run.open(Path("run")).restore()
    assert type(game.objective) is mg.gan.Wasserstein
    assert [str(p) for p in game.penalties] == config.penalties
    rates = [o.param_groups[0]["lr"] for o in (game.g_optimizer, game.d_optimizer)]
    assert rates == [0.5e-3, 0.01]  # halved in the first epoch
    assert (game.pack, game.instance_noise, game.noise_steps) == (2, 0.1, 9)
    assert (game.clip_grad_norm, game.unroll, game.consensus) == (2, 0, 0.1)
    assert nn.utils.is_spectrally_normalized(game.discriminator[1])
    works("train", "--resume", "run", "--epochs", 2, "--penalty", "gradient-penalty=5",
          "--penalty", "r1=10")  # fmt: skip
    works("train", "--unroll", 1, "--epochs", 1, "--out", "unrolled")
    assert Run.open(Path("unrolled")).restore().unroll == 1


def test_penalties_that_need_d_without_batch_norm_get_it_so(said):
    works("train", "--data", "digits", "--model", "dcgan", "--penalty", "r1", "--epochs", 1,
          "--batch-size", 50, "--out", "run")  # fmt: skip
    assert said() == []
    kinds = {type(m) for m in Run.open(Path("run")).restore().discriminator.modules()}
    assert nn.BatchNorm2d not in kinds


def test_a_critic_without_limit_is_reported_once(said):
    works("train", "--objective", "wasserstein", "--epochs", 1)
    (line,) = said()
    assert line.startswith("minigan: nothing limits D's slope, so Wasserstein's loss has no lower")


def test_sample_writes_an_array_in_the_datas_range():
    works("train", "--epochs", 2, "--out", "run")
    works("sample", "run", "-n", 300, "--out", "s.npz")
    with np.load("s.npz", allow_pickle=False) as file:
        assert list(file) == ["samples"]
        samples = file["samples"]
    assert samples.shape == (300, 1, 8, 8) and samples.dtype == np.float32
    assert samples.min() >= -1 and samples.max() <= 1 and samples.std() > 0.01
    game = Run.open(Path("run")).restore()
    np.testing.assert_array_equal(samples, game.sample(300, game.fixed_noise(300, 0)).numpy())
    works("sample", "run", "-n", 300, "--out", "same.npz")
    works("sample", "run", "-n", 300, "--out", "other.npz", "--seed", 1)
    assert Path("same.npz").read_bytes() == Path("s.npz").read_bytes()
    assert not np.array_equal(np.load("other.npz")["samples"], samples)


def test_sample_writes_a_picture():
    works("train", "--epochs", 1, "--out", "run")
    works("sample", "run", "-n", 6, "--out", "s.png")
    assert Image.open("s.png").size == (2 + 3 * 50, 2 + 2 * 50)
    works("sample", "run")
    assert Image.open("samples.png").size == (2 + 8 * 50, 2 + 8 * 50)


def test_sample_of_points():
    works("train", "--data", "ring", "--epochs", 1, "--out", "run")
    works("sample", "run", "-n", 9, "--out", "s.npz")
    assert np.load("s.npz")["samples"].shape == (9, 2)
    works("sample", "run", "--out", "s.png")
    assert Image.open("s.png").format == "PNG"


def test_info_tells_about_the_machine(capsys):
    works("info")
    out = capsys.readouterr().out
    for text in (
        f"numpy          {np.__version__}",
        "python",
        "cuda",
        str(Path("cache").resolve()),
    ):
        assert text in out


def test_info_tells_about_a_run(capsys):
    works("train", "--epochs", 2, "--out", "run")
    capsys.readouterr()
    works("info", "run")
    out = capsys.readouterr().out
    for text in ("latent_dim     16", "epoch 2 of 2, step 2", "44,224 parameters", "last step"):
        assert text in out
    Path("run/checkpoint.safetensors").unlink()
    works("info", "run")
    assert "none yet" in capsys.readouterr().out


def test_pictures_of_your_own(said, monkeypatch):
    folder = Path("cats")
    folder.mkdir()
    rng = np.random.default_rng(0)
    for i in range(6):
        Image.fromarray(rng.integers(0, 256, (10 + i, 12, 3), dtype=np.uint8)).save(
            folder / f"{i}.png"
        )
    works("train", "--data", "cats", "--image-size", 8, "--epochs", 1, "--model", "dcgan")
    assert said() == []
    assert Run.open(Path("runs/cats-dcgan")).shape == (3, 8, 8)
    Path("elsewhere").mkdir()
    monkeypatch.chdir("elsewhere")
    works("train", "--resume", "../runs/cats-dcgan", "--epochs", 2)
    monkeypatch.chdir("..")
    shutil.rmtree("cats")  # sampling needs no data
    works("sample", "runs/cats-dcgan", "-n", 2, "--out", "s.npz")
    assert np.load("s.npz")["samples"].shape == (2, 3, 8, 8)


# ---------------------------------------------------------------------------- one line: options


BAD_OPTIONS = [
    (("--data", "digit"), "unknown data set 'digit': did you mean 'digits'?"),
    (("--data", "./none"), "none: expected a folder of pictures, there is none"),
    (("--model", "dcgn"), "unknown model 'dcgn': did you mean 'dcgan'?"),
    (("--objective", "minmax"), "unknown objective 'minmax': did you mean 'minimax'?"),
    (("--data", "mnist", "--split", "tset"), "expected split 'train' or 'test', got 'tset'"),
    (("--device", "cdua"), "unknown device 'cdua': use 'cpu', 'cuda' or 'cuda:N'"),
    (("--epoch", "3"), "--epochs"),
    (("--epochs", "x"), "'--epochs'"),
    (("--lr",), "--lr"),
    (("--epochs", "0"), "epochs must be at least 1, got 0"),
    (("--batch-size", "1"), "batch_size must be at least 2, got 1"),
    (("--d-steps", "0"), "d_steps must be at least 1, got 0"),
    (("--latent-dim", "0"), "latent_dim must be at least 1, got 0"),
    (("--seed", "-1"), "seed must be at least 0, got -1"),
    (("--lr", "-1"), "lr must be positive, got -1"),
    (("--lr", "nan"), "lr must be positive, got nan"),
    (("--beta1", "1"), "got (1.0, 0.999)"),
    (("--ema", "1"), "an EMA's decay lies in [0, 1), got 1.0"),
    (("--real-label", "1.5"), "0 <= fake_label < real_label <= 1, got 0.0 and 1.5"),
    (("--fake-label", "-0.1"), "0 <= fake_label < real_label <= 1, got -0.1 and 1.0"),
    (("--objective", "hinge", "--real-label", "0.9"), "hinge has no labels to smooth"),
    (("--penalty", "r0"), "unknown penalty 'r0': did you mean 'r"),
    (("--penalty", "r1=x"), "a penalty is NAME or NAME=WEIGHT, like r1=10; 'x' is no number"),
    (("--d-lr", "0"), "d_lr must be positive, got 0"),
    (("--lr-half-life", "-1"), "lr_half_life must be at least 0, got -1"),
    (("--d-norm", "btch"), "unknown norm 'btch': did you mean 'batch'"),
    (("--pack", "0"), "pack must be at least 1, got 0"),
    (("--unroll", "1", "--consensus", "1"), "unroll does not go with consensus"),
    (("--noise-steps", "5"), "noise_steps fades the instance noise, but instance_noise is 0"),
    (("--model", "dcgan", "--data", "ring"), "'dcgan' makes pictures, the data are points"),
    (("--data-dir", "."), "digits takes neither root nor split"),
    (("extra",), "extra"),
]


@pytest.mark.parametrize(
    ("options", "message"), BAD_OPTIONS, ids=lambda o: o if isinstance(o, str) else " ".join(o)
)
def test_bad_options_get_one_line_and_leave_no_folder(fails, options, message):
    assert message in fails("train", "--out", "out", *options)
    assert os.listdir() == []


def test_unknown_commands_and_files(fails):
    assert "bogus" in fails("bogus")
    assert "did you mean 'mnist'" in fails("download", "mnits")
    assert fails("info", "none") == "none is not a run: it has no config.json"
    assert "--out writes FILE.png or FILE.npz, got s.jpg" in fails("sample", ".", "--out", "s.jpg")
    assert "-n must be at least 1, got 0" in fails("sample", ".", "-n", 0)
    assert "none is not a run" in fails("train", "--resume", "none")


@pytest.mark.skipif(mg.cuda_is_available(), reason="this machine has a GPU")
def test_cuda_without_a_gpu(fails):
    assert fails("train", "--device", "cuda").startswith("device 'cuda' needs ")
    assert os.listdir() == []


# ------------------------------------------------------------------------------- one line: data


def write_idx(path, array):
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
    path.write_bytes(header + array.astype(np.uint8).tobytes())


@pytest.fixture
def mnist():
    """A folder with a tiny MNIST; the two files' paths."""
    folder = Path("mnist-files")
    folder.mkdir()
    images, labels = folder / "t10k-images-idx3-ubyte", folder / "t10k-labels-idx1-ubyte"
    write_idx(images, np.random.default_rng(0).integers(0, 256, (20, 28, 28)))
    write_idx(labels, np.arange(20) % 10)
    return images, labels


MNIST = ("train", "--data", "mnist", "--split", "test", "--data-dir", "mnist-files", "--epochs", 1)


def test_mnist_from_files(mnist, said):
    works(*MNIST, "--batch-size", 10)
    assert said() == []
    assert Run.open(Path("runs/mnist-mlp")).shape == (1, 28, 28)


def test_mnist_that_is_missing(fails, mnist):
    images, labels = mnist
    labels.unlink()
    message = fails(*MNIST, "--out", "out")
    assert "mnist-files yourself: t10k-labels-idx1-ubyte.gz  4,542 bytes" in message
    assert not Path("out").exists()


@pytest.mark.parametrize("content", [b"", b"abc", b"\x1f\x8bnot gzip at all", b"<html>404</html>"])
def test_mnist_that_is_no_idx_file(fails, mnist, content):
    mnist[0].write_bytes(content)
    assert "mnist-files/t10k-images-idx3-ubyte: " in fails(*MNIST, "--out", "out")
    assert not Path("out").exists()


def test_mnist_that_is_truncated(fails, mnist):
    mnist[0].write_bytes(mnist[0].read_bytes()[:-1])
    assert "expected 15,680 bytes of values" in fails(*MNIST)
    assert not Path("runs").exists()


def test_mnist_with_labels_out_of_range(fails, mnist):
    write_idx(mnist[1], np.arange(20))
    assert "expected labels 0 to 9 (10 classes), got 0 to 19" in fails(*MNIST)


def picture_folder(whole, broken):
    folder = Path("pets")
    folder.mkdir()
    for i in range(whole):
        Image.new("L", (9, 9), 28 * i).save(folder / f"whole{i}.png")
    for i in range(broken):
        (folder / f"broken{i}.png").write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    return folder


def test_broken_pictures_are_named_and_the_others_used(said):
    picture_folder(whole=5, broken=1)
    works("train", "--data", "pets", "--image-size", 8, "--epochs", 1)
    (line,) = said()
    assert "pets: 1 of 6 pictures could not be read: broken0.png (" in line
    assert line.startswith("minigan: ")
    assert line.endswith("they are left out")
    assert load_tree("runs/pets-mlp/checkpoint.safetensors")["epoch"] == 1


def test_a_folder_of_broken_pictures(fails):
    picture_folder(whole=0, broken=2)
    message = fails("train", "--data", "pets", "--out", "out")
    assert "broken0.png" in message and message.endswith("there is none to use")
    assert not Path("out").exists()


def test_a_folder_without_pictures(fails):
    picture_folder(whole=0, broken=0)
    assert "pets: expected pictures" in fails("train", "--data", "pets", "--out", "out")
    assert not Path("out").exists()


@pytest.mark.parametrize("size", [30, 4 * 9, 1])
def test_sizes_that_dcgan_can_not_make(fails, size):
    picture_folder(whole=2, broken=0)
    options = ("--data", "pets", "--model", "dcgan", "--image-size", size, "--out", "out")
    assert f"got {size}x{size}" in fails("train", *options)
    assert not Path("out").exists()


def test_data_that_a_generator_can_not_reach_are_reported(said, monkeypatch):
    digits = mg.data.digits().subset(range(100)).with_range(0, 1)
    monkeypatch.setitem(mg.data._WHOLE, "digits", lambda: digits)
    works("train", "--epochs", 1)
    (line,) = said()
    assert line.startswith("minigan: the generator ends in Tanh, which gives (-1.0, 1.0), but the")


# ------------------------------------------------------------------------------- one line: output


def test_an_output_folder_that_is_taken(fails):
    works("train", "--epochs", 1, "--out", "run")
    message = fails("train", "--out", "run")
    assert "run is not empty: choose another --out" in message and "--resume run" in message


def test_an_output_folder_under_a_file(fails):
    Path("file").touch()
    assert fails("train", "--out", "file") == "file: File exists"
    assert fails("train", "--out", "file/run") == "file/run: Not a directory"


def test_an_output_folder_without_permission(fails, monkeypatch):
    def forbidden(prefix, suffix, dir):
        raise PermissionError(errno.EACCES, "Permission denied", f"{dir}/{prefix}abc{suffix}")

    with monkeypatch.context() as patch:
        patch.setattr(tempfile, "mkstemp", forbidden)
        assert fails("train", "--epochs", 1, "--out", "run") == "run/config.json: Permission denied"
    works("train", "--epochs", 1, "--out", "run")  # the folder does not block a second try


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_parent_folder_without_permission(fails):
    Path("parent").mkdir(mode=0o500)
    assert fails("train", "--out", "parent/run") == "parent/run: Permission denied"


def full_after(monkeypatch, writes):
    """The disk is full after that many files."""
    real, count = os.fsync, []

    def fsync(handle):
        count.append(handle)
        if len(count) > writes:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(handle)

    monkeypatch.setattr(os, "fsync", fsync)


@pytest.mark.parametrize(
    ("writes", "file"),
    [
        (0, "config.json"),
        (1, "history.csv"),
        (2, "samples/0001.png"),
        (3, "checkpoint.safetensors"),
        (6, "checkpoint.safetensors"),
    ],
)
def test_a_full_disk(fails, monkeypatch, writes, file):
    for name in ("run", "whole"):
        with monkeypatch.context() as patch:
            if name == "run":
                full_after(patch, writes)
                monkeypatch.setattr(runs, "STEPS_PER_CHECKPOINT", 1)
                message = fails("train", "--epochs", 2, "--out", "run")
                assert message == f"run/{file}: No space left on device"
                assert not list(Path("run").rglob("*.tmp"))
            else:
                works("train", "--epochs", 2, "--out", "whole")
    # With space again, the same command works, or the run can be continued.
    if writes:
        works("train", "--resume", "run")
    else:
        works("train", "--epochs", 2, "--out", "run")
    for file in ("history.csv", "checkpoint.safetensors"):
        assert (Path("run") / file).read_bytes() == (Path("whole") / file).read_bytes()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_disk_full_of_history(fails, monkeypatch):
    from minigan.gan import callbacks

    with open("/dev/full", "w") as full:
        monkeypatch.setattr(callbacks, "open", lambda *_: full, raising=False)
        message = fails("train", "--epochs", 1, "--out", "run")
    assert "No space left on device" in message


def test_files_that_sample_can_not_write(fails):
    works("train", "--epochs", 1, "--out", "run")
    for name in ("none/s.png", "none/s.npz"):
        assert fails("sample", "run", "--out", name) == f"{name}: No such file or directory"


# ----------------------------------------------------------------------------- one line: a run


@pytest.fixture
def run():
    works("train", "--epochs", 1, "--out", "run")
    return Path("run")


READERS = [("info", "run"), ("sample", "run"), ("train", "--resume", "run", "--epochs", 3)]


def each_fails(fails, message, commands=READERS):
    for command in commands:
        assert message in fails(*command)


@pytest.mark.parametrize("length", [0, 4, 100, -1])
def test_a_half_written_checkpoint(fails, run, length):
    path = run / "checkpoint.safetensors"
    path.write_bytes(path.read_bytes()[:length])
    copy = ("train", "--resume", "run", "--out", "copy")
    each_fails(fails, f"{path} is not a whole safetensors file", [*READERS, copy])
    assert not Path("copy").exists()


def test_a_checkpoint_of_another_model(fails, run):
    works("train", "--epochs", 1, "--model", "mlp-cnn", "--out", "other")
    (run / "checkpoint.safetensors").write_bytes(Path("other/checkpoint.safetensors").read_bytes())
    each_fails(fails, "checkpoint.safetensors is of another model than its config.json says: ")


def test_a_weights_file_for_a_checkpoint(fails, run):
    game = Run.open(run).restore()
    mg.save(game.generator.state_dict(), run / "checkpoint.safetensors")
    each_fails(fails, "holds tensors but no training state: it is a weights file")


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", "3", '"text"', "null", "{}", "\udcff", '{"shape": 3, "range": null}',
     '{"shape": [1, 8, 8], "range": null, "epochs": "many"}',
     '{"shape": [1, 8, 8], "range": null, "model": "dcgn"}'],
)  # fmt: skip
def test_a_broken_config(fails, run, content):
    (run / "config.json").write_bytes(content.encode(errors="surrogateescape"))
    each_fails(fails, "run/config.json can not be read as a run's configuration: ")


def test_an_option_that_the_run_was_not_made_with(fails, run):
    before = (run / "config.json").read_bytes()
    for options, message in (
        (("--lr", 0.5), "made with lr 0.001, not 0.5"),
        (("--seed", 1), "made with seed 0, not 1"),
        (("--model", "dcgan"), "made with model mlp, not dcgan"),
        (("--data", "ring"), "made with data digits, not ring"),
        (("--epochs", 0), "epochs must be at least 1"),
    ):
        assert message in fails("train", "--resume", "run", *options)
        assert message in fails("train", "--resume", "run", *options, "--out", "copy")
    assert (run / "config.json").read_bytes() == before and not Path("copy").exists()


def test_fewer_epochs_than_were_played(fails, run):
    works("train", "--resume", "run", "--epochs", 3)
    before = (run / "config.json").read_bytes()
    assert "run has played 3 epochs, not 2" in fails("train", "--resume", "run", "--epochs", 2)
    assert (run / "config.json").read_bytes() == before


def test_history_behind_the_checkpoint(fails, run):
    (run / "history.csv").write_text("step,epoch,d_loss,g_loss,d_real,d_fake\n")
    message = fails("train", "--resume", "run", "--epochs", 2)
    assert message == "run/history.csv does not hold the 1 steps that the checkpoint has played"
    (run / "history.csv").unlink()
    message = fails("train", "--resume", "run", "--epochs", 2)
    assert message == "run/history.csv: No such file or directory"


def test_data_that_have_changed_their_shape(fails):
    picture_folder(whole=3, broken=0)
    works("train", "--data", "pets", "--image-size", 8, "--epochs", 1, "--out", "run")
    Image.new("RGB", (9, 9), "red").save("pets/colour.png")
    message = fails("train", "--resume", "run", "--epochs", 2)
    assert "(1, 8, 8)" in message and "(3, 8, 8)" in message


def test_data_that_are_gone(fails):
    picture_folder(whole=3, broken=0)
    works("train", "--data", "pets", "--image-size", 8, "--epochs", 1, "--out", "run")
    shutil.rmtree("pets")
    fails("train", "--resume", "run", "--epochs", 2, "--out", "copy")
    assert not Path("copy").exists()


@pytest.mark.parametrize("model", ["mlp", "dcgan"])
def test_a_run_that_diverges_keeps_its_last_checkpoint(fails, model):
    works("train", "--model", model, "--epochs", 2, "--out", "run")
    state = mg.saving.load_tree("run/checkpoint.safetensors")
    for optimizer in ("g_optimizer", "d_optimizer"):
        state[optimizer]["param_groups"][0]["lr"] = 1e30
    mg.saving.save_tree(state, "run/checkpoint.safetensors")
    before = Path("run/checkpoint.safetensors").read_bytes()
    message = fails("train", "--resume", "run", "--epochs", 9, code=1)
    assert re.match(r"the (generator|discriminator)'s loss became (nan|inf) at step \d+", message)
    assert "try a smaller learning rate" in message
    assert Path("run/checkpoint.safetensors").read_bytes() == before


# -------------------------------------------------------------------------- as a process of its own


def command(*args, first=""):
    """Start the command in a Python of its own, where ``first`` is executed before it."""
    script = (
        f"import sys\n{first}\nfrom minigan.studio.cli import main\nsys.exit(main(sys.argv[1:]))"
    )
    return subprocess.Popen(
        [sys.executable, "-c", script, *map(str, args)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(process):
    """Its exit code, stdout and stderr."""
    try:
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    return process.returncode, out, err.replace("\r", "\n")


def test_exit_codes_and_streams():
    code, out, err = ended(command("info"))
    assert (code, err) == (0, "") and "numpy" in out
    assert ended(command("train", "--model", "dcgn")) == (
        2,
        "",
        "minigan: unknown model 'dcgn': did you mean 'dcgan'? "
        "known are mlp, mlp-cnn, dcgan, pacgan\n",
    )


def test_a_quota_on_the_disk():
    """The system itself refuses the checkpoint, which is larger than any file may be here."""
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))"
    code, _, err = ended(command("train", "--epochs", 1, "--out", "run", first=limit))
    assert code == 2
    lines = [line for line in err.splitlines() if line.startswith("minigan")]
    assert lines == ["minigan: run/checkpoint.safetensors: File too large"]
    assert "Traceback" not in err
    assert not list(Path("run").rglob("*.tmp"))


def test_an_interrupted_run_says_how_to_continue():
    """As by Ctrl-C at a terminal; a process started in the background would ignore it."""
    listen = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    process = command("train", "--out", "run", "--epochs", 5000, first=listen)
    while "epoch" not in process.stderr.read(20):  # the bar moves: training has begun
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    code, _, err = ended(process)
    assert code == 130
    assert err.splitlines()[-1] == "minigan: interrupted; continue with: minigan train --resume run"
    assert "Traceback" not in err
    assert json.loads(Path("run/config.json").read_text())["epochs"] == 5000


def test_the_package_is_the_command():
    command = [sys.executable, "-m", "minigan", "sample", "nowhere"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr == "minigan: nowhere is not a run: it has no config.json\n"
