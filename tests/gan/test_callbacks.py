"""What happens beside the game, and when."""

import errno
import sys

import numpy as np
import pytest

import minigan as mg
from minigan.gan import Callback, Checkpoints, Diverged, History, Minimax, Progress, Samples
from minigan.saving import load_tree


def small_game(**options):
    mg.manual_seed(0)
    return Minimax(*mg.zoo.build("mlp", (2,), {"latent_dim": 3, "hidden": [4]}), **options)


def batches(n=3):
    return list(mg.randn(n, 4, 2).unbind(0))


class Diary(Callback):
    """Writes down what it is told."""

    def __init__(self, name, book):
        self.name, self.book = name, book

    def on_start(self, game, epochs):
        self.book.append(f"{self.name} start {epochs}")

    def on_step(self, game, row):
        self.book.append(f"{self.name} step {row['step']}")

    def on_epoch(self, game, last):
        self.book.append(f"{self.name} epoch {game.epoch}{' last' if last else ''}")

    def on_stop(self, game):
        self.book.append(f"{self.name} stop")


def test_callbacks_are_told_everything_in_their_order():
    book = []
    small_game().fit(batches(2), 2, [Diary("a", book), Diary("b", book)])
    moments = ["start 2", "step 1", "step 2", "epoch 1", "step 3", "step 4", "epoch 2 last"]
    told = [f"{name} {moment}" for moment in moments for name in "ab"]
    assert book == [*told, "b stop", "a stop"]


def test_all_that_were_started_are_stopped_whatever_fails():
    class Fails(Callback):
        def __init__(self, moment):
            setattr(self, moment, self.fail)

        def fail(self, *_, **__):
            raise OSError("a full disk")

    for moment in ("on_start", "on_epoch", "on_stop"):
        book = []
        with pytest.raises(OSError, match="a full disk"):
            small_game().fit(batches(), 1, [Diary("a", book), Fails(moment), Diary("b", book)])
        assert book.count("a stop") == 1
        assert book.count("b stop") == ("b start 1" in book)


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_callbacks_are_stopped_after_an_error(error):
    class Fails(Callback):
        def on_step(self, game, row):
            if row["step"] == 2:
                raise error("enough")

    book = []
    with pytest.raises(error, match="enough"):
        small_game().fit(batches(), 2, [Fails(), Diary("a", book)])
    assert book == ["a start 2", "a step 1", "a stop"]


def test_a_callback_does_nothing_until_overridden():
    assert len(small_game().fit(batches(), 1, [Callback()])) == 3


# --------------------------------------------------------------------------------------- history


def test_history_holds_a_row_per_step_and_gives_columns():
    game = small_game()
    history = game.fit(batches(), 2)
    assert list(history.rows[0]) == ["step", "epoch", "d_loss", "d_real", "d_fake", "g_loss"]
    assert set(history.rows[0]) == set(History.COLUMNS)
    assert history["step"] == [1, 2, 3, 4, 5, 6]
    assert history["epoch"] == [1, 1, 1, 2, 2, 2]
    for column in ("d_loss", "g_loss"):
        assert all(np.isfinite(history[column]))
    for column in ("d_real", "d_fake"):
        assert all(0 < p < 1 for p in history[column])


def test_fit_uses_the_history_that_it_is_given():
    history = History()
    assert small_game().fit(batches(), 1, [history]) is history
    assert len(history) == 3


def test_the_history_file_says_what_the_history_holds(tmp_path):
    history = small_game().fit(batches(), 2, [History(tmp_path / "h.csv")])
    header, *lines = (tmp_path / "h.csv").read_text().splitlines()
    assert header == "step,epoch,d_loss,g_loss,d_real,d_fake"
    assert len(lines) == 6
    for line, row in zip(lines, history.rows, strict=True):
        for value, column in zip(line.split(","), History.COLUMNS, strict=True):
            assert float(value) == pytest.approx(row[column], rel=1e-5)


def test_the_history_file_is_complete_after_every_epoch(tmp_path):
    """A checkpoint must never be ahead of the file, whenever the run is killed."""
    seen = []

    class Look(Callback):
        def on_epoch(self, game, last):
            seen.append(len((tmp_path / "h.csv").read_text().splitlines()) - 1)

    small_game().fit(batches(), 3, [History(tmp_path / "h.csv"), Look()])
    assert seen == [3, 6, 9]


def test_the_history_file_is_complete_after_an_error(tmp_path):
    bad = mg.full((4, 2), float("nan"))
    with pytest.raises(Diverged):
        small_game().fit([*batches(2), bad], 1, [History(tmp_path / "h.csv")])
    assert len((tmp_path / "h.csv").read_text().splitlines()) == 3


def played(tmp_path, epochs=2):
    """A game restored after that many epochs, as a new process would, and its history's path."""
    path = tmp_path / "h.csv"
    game = small_game()
    game.fit(batches(), epochs, [History(path)])
    other = small_game()
    other.load_state_dict(game.state_dict())
    return other, path


def test_a_new_game_starts_the_file_anew(tmp_path):
    _, path = played(tmp_path)
    small_game().fit(batches(), 1, [History(path)])
    assert len(path.read_text().splitlines()) == 4


@pytest.mark.parametrize("more", ["", "7,3,1,2,0.5,0.5\n8,3,1,2,0.5,0.5\n", "7,3,1,2,0.", "7"])
def test_rows_after_the_checkpoint_are_played_again(tmp_path, more):
    """Whatever was written after the last checkpoint, half a line included, is cut off."""
    game, path = played(tmp_path)
    before = path.read_text()
    path.write_text(before + more)
    history = game.fit(batches(), 3, [History(path)])
    assert path.read_text().startswith(before)
    assert history["step"] == list(range(1, 10))
    assert [line.split(",")[0] for line in path.read_text().split()[1:]] == list("123456789")


@pytest.mark.parametrize(
    "spoil",
    [
        lambda lines: lines[:-1],
        lambda lines: [],
        lambda lines: ["step,loss", *lines[1:]],
        lambda lines: [*lines[:3], "3,1,abc,2,0.5,0.5", *lines[4:]],
        lambda lines: [*lines[:3], "3,1", *lines[4:]],
    ],
    ids=["shorter", "empty", "header", "words", "columns"],
)
def test_a_file_that_does_not_hold_the_games_steps_is_refused_and_kept(tmp_path, spoil):
    game, path = played(tmp_path)
    content = "".join(f"{line}\n" for line in spoil(path.read_text().splitlines()))
    path.write_text(content)
    with pytest.raises(ValueError, match=r"h\.csv does not hold the 6 steps that the checkpoint"):
        game.fit(batches(), 3, [History(path)])
    assert path.read_text() == content


# ----------------------------------------------------------------------------------- checkpoints


def test_checkpoints_are_saved_every_few_epochs_and_at_the_end(tmp_path):
    path, epochs = tmp_path / "c", []

    class Look(Callback):
        def on_epoch(self, game, last):
            epochs.append(load_tree(path)["epoch"] if path.exists() else None)

    small_game().fit(batches(), 5, [Checkpoints(path, every=2), Look()])
    assert epochs == [None, 2, 2, 4, 5]


@pytest.mark.parametrize("cause", ["data", "lr", "weight"])
def test_a_game_that_goes_wrong_keeps_its_last_good_checkpoint(tmp_path, cause):
    path = tmp_path / "c"
    game, checkpoints = small_game(), Checkpoints(path)
    game.fit(batches(), 2, [checkpoints])
    before = path.read_bytes()
    loader = batches()
    if cause == "data":
        loader[1].array[0, 0] = np.inf
    elif cause == "lr":
        for optimizer in (game.g_optimizer, game.d_optimizer):
            optimizer.param_groups[0]["lr"] = 1e38
    else:  # the very last update of an epoch spoils a weight, which no loss has seen yet

        class Spoil(Callback):
            def on_step(self, game, row):
                if row["step"] == 9:
                    game.generator[0].bias.array[0] = np.nan

        checkpoints = [Spoil(), checkpoints]
    with pytest.raises(Diverged, match="try a smaller learning rate"):
        game.fit(loader, 9, checkpoints if cause == "weight" else [checkpoints])
    assert path.read_bytes() == before
    good = small_game()
    good.load_state_dict(load_tree(path))
    good.check_finite()


def test_a_full_disk_keeps_the_last_checkpoint(tmp_path, monkeypatch):
    path = tmp_path / "c"
    game = small_game()
    game.fit(batches(), 1, [Checkpoints(path)])
    before = path.read_bytes()

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left on device"):
        game.fit(batches(), 2, [Checkpoints(path)])
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]


# ------------------------------------------------------------------------------- samples, progress


def test_samples_are_shown_of_the_same_noise_every_few_epochs_and_at_the_end():
    game, seen = small_game(), []
    noises = []

    def show(samples, epoch, last):
        seen.append((epoch, last, samples.shape))
        noises.append(game.sample(5, game.fixed_noise(5, seed=3)).numpy())
        np.testing.assert_array_equal(noises[-1], samples.numpy())

    game.fit(batches(), 5, [Samples(show, every=2, n=5, seed=3)])
    assert seen == [(2, False, (5, 2)), (4, False, (5, 2)), (5, True, (5, 2))]
    assert not np.array_equal(noises[0], noises[1])


def test_watching_does_not_change_the_game(tmp_path):
    alone = small_game()
    alone.fit(batches(), 3)
    watched = small_game()
    samples = Samples(lambda *_: None)
    watched.fit(batches(), 3, [samples, Checkpoints(tmp_path / "c"), History(tmp_path / "h")])
    for name, value in alone.generator.state_dict().items():
        np.testing.assert_array_equal(value.numpy(), watched.generator.state_dict()[name].numpy())


def test_the_progress_bar_shows_losses_and_probabilities(monkeypatch):
    from io import StringIO

    monkeypatch.setattr(sys, "stderr", StringIO())
    small_game(d_steps=2).fit(batches(4), 3, [Progress()])
    last = sys.stderr.getvalue().replace("\r", "\n").strip().splitlines()[-1]
    assert "6/6" in last and "epoch 3/3" in last
    for text in ("loss D ", " G ", "D(x) ", "D(G(z)) "):
        assert text in last
