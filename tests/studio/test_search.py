"""A search: its settings, its trials in processes of their own, and what it says in the end."""

import csv
import json
import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from minigan.saving import load_tree
from minigan.studio import search
from minigan.studio.cli import main
from minigan.studio.runs import Config, Run
from minigan.studio.search import Range, Result, Search, Trial, parse, read_options

QUICK = {"epochs": "2", "batch_size": "900", "latent_dim": "4"}  # a step each


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


# ------------------------------------------------------------------------------------ the settings


def test_a_grid_is_every_combination_once():
    plan = Search({"data": "digits", "lr": "1e-4,1e-3", "d_steps": "1,2,3,2"})
    assert plan.settings() == [
        {"data": "digits", "lr": lr, "d_steps": d} for lr in (1e-4, 1e-3) for d in (1, 2, 3)
    ]
    assert plan.varied() == ["lr", "d_steps"]
    assert Search({}).settings() == [{}]


def test_trials_are_every_setting_with_every_seed():
    plan = Search({"lr": "1e-4,1e-3"}, seeds=2, seed=5)
    trials = plan.all_trials()
    assert [t.name for t in trials] == ["000-seed5", "000-seed6", "001-seed5", "001-seed6"]
    assert trials[2].config() == Config.of(lr=1e-3, seed=5).located()


def test_a_log_range_is_uniform_in_the_logarithm_and_within_its_bounds():
    low, high = 1e-5, 1e-1
    plan = Search({"lr": f"log:{low}:{high}"}, trials=2000)
    values = np.array([s["lr"] for s in plan.settings()])
    assert values.min() >= low and values.max() <= high
    decades = np.histogram(np.log10(values), bins=4, range=(-5, -1))[0]
    assert (abs(decades - 500) < 5 * math.sqrt(2000 * 0.25 * 0.75)).all(), decades


def test_a_uniform_range_is_uniform():
    plan = Search({"beta1": "uniform:0.2:0.8"}, trials=2000)
    values = np.array([s["beta1"] for s in plan.settings()])
    assert values.min() >= 0.2 and values.max() <= 0.8
    quarters = np.histogram(values, bins=4, range=(0.2, 0.8))[0]
    assert (abs(quarters - 500) < 5 * math.sqrt(2000 * 0.25 * 0.75)).all(), quarters


def test_counts_are_whole_numbers():
    values = {s["latent_dim"] for s in Search({"latent_dim": "log:2:64"}, trials=200).settings()}
    assert all(type(v) is int for v in values)
    assert min(values) == 2 and max(values) > 40


def test_a_drawn_number_never_leaves_its_range():
    class Edge:
        def uniform(self, low, high):
            return low

    for low in (3e-5, 7e-5, 0.1):  # exp(log(3e-5)) is less than 3e-5
        assert Range("log", low, 1.0, False).draw(Edge()) >= low


def test_lists_are_drawn_with_equal_chance():
    plan = Search({"objective": "minimax,non-saturating"}, trials=1000)
    share = np.mean([s["objective"] == "minimax" for s in plan.settings()])
    assert abs(share - 0.5) < 5 * 0.5 / math.sqrt(1000)


def test_a_setting_depends_on_the_seed_and_its_number_alone():
    options = {"lr": "log:1e-5:1e-2", "batch_size": "32,64,128"}
    settings = Search(options, trials=10).settings()
    assert Search(options, trials=10, seeds=3).settings() == settings
    assert Search(options, trials=20).settings()[:10] == settings
    other = dict(reversed(options.items())) | {"beta1": "uniform:0:0.9"}
    for ours, theirs in zip(settings, Search(other, trials=10).settings(), strict=True):
        assert ours.items() <= theirs.items()
    assert Search(options, trials=10, seed=1).settings() != settings
    assert len({s["lr"] for s in settings}) == 10


def test_options_are_drawn_independently():
    plan = Search({"lr": "log:1e-5:1e-2", "d_lr": "log:1e-5:1e-2"}, trials=500)
    logs = np.log([[s["lr"], s["d_lr"]] for s in plan.settings()])
    assert abs(np.corrcoef(logs.T)[0, 1]) < 5 / math.sqrt(500)


def test_values_have_the_types_of_the_runs_options():
    assert parse("lr", "1e-4,1") == [1e-4, 1.0] and type(parse("lr", "1")[0]) is float
    assert type(parse("batch_size", "64")[0]) is int
    assert parse("data_dir", "a, b") == ["a", "b"]
    assert parse("d_lr", "1e-3") == [1e-3]
    assert parse("penalties", "none,r1=10,r1=1+r2=1") == [[], ["r1=10"], ["r1=1", "r2=1"]]


def test_options_are_read_as_train_spells_them():
    words = ["--lr", "1e-4,1e-3", "--d-steps=2", "--BATCH_SIZE", "32"]
    assert read_options(words) == {"lr": "1e-4,1e-3", "d_steps": "2", "batch_size": "32"}
    assert read_options(["--penalty", "r1=10"]) == {"penalties": "r1=10"}
    assert read_options(["--penalty=r1=10,none"]) == {"penalties": "r1=10,none"}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--lrr", "1"], "unknown option 'lrr': did you mean 'lr'? known are data, data-dir"),
        (["--generator", "1"], "unknown option 'generator'"),
        (["--lr"], "--lr needs a value"),
        (["--lr", "--beta1", "0"], "--lr needs a value"),
        (["lr=1"], "expected an option such as --lr"),
        (["--lr", "1", "--lr", "2"], "--lr comes twice"),
        (["--lr", "1e-3,fast"], "lr: expected a number, got 'fast'"),
        (["--d-steps", "1.5"], "d_steps: expected a whole number, got '1.5'"),
        (["--lr", "log:1:2"], "lr is a range, which has no grid"),
        (["--lr", "log:1:1", "--trials", "1"], "a range needs low < high, got 1 and 1"),
        (["--lr", "log:0:1", "--trials", "1"], "positive bounds, got 0"),
        (["--lr", "log:1", "--trials", "1"], "lr log:1: expected a number's range, log:LOW:HIGH"),
        (["--model", "log:1:2", "--trials", "1"], "model log:1:2: expected a number's range"),
        (["--objective", "minimax,hing"], "unknown objective 'hing'"),
        (["--lr", "1e-3,-1"], "lr must be positive, got -1"),
        (["--data", "digits,nowhere"], "unknown data set 'nowhere'"),
        (["--score", "beauty"], "unknown score 'beauty'"),
        (["--trials", "0"], "trials must be at least 1, got 0"),
        (["--jobs", "0"], "jobs must be at least 1, got 0"),
    ],
)
def test_what_no_search_can_be_made_of_is_said_at_once(words, message, capsys):
    assert main(["search", *words]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1 and lines[0].startswith("minigan: ") and message in lines[0]
    assert not list(Path().rglob("*.json"))


# ------------------------------------------------------------------------------------- the trials


def contents(folder):
    return {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A search in two processes at a time; the first of its settings diverges."""
    folder = tmp_path_factory.mktemp("search")
    plan, lines = Search({"lr": "1e30,1e-3", **QUICK}), []
    return plan, folder, search.run(plan, folder, 2, lines.append), lines


@pytest.mark.twins  # to the bit, or what one twin computes in one piece
def test_a_trial_is_a_run_like_any_other(finished, tmp_path):
    plan, folder, (_, good), _ = finished
    run = Run.open(folder / "001-seed0")
    assert run.config == Config.of(lr=1e-3, epochs=2, batch_size=900, latent_dim=4).located()
    assert main(["train", "--lr", "1e-3", "--epochs", "2", "--batch-size", "900",
                 "--latent-dim", "4", "--out", "alone"]) == 0  # fmt: skip
    expected = contents(tmp_path / "alone")
    found = contents(folder / "001-seed0")
    trial = json.loads(found.pop(Path("trial.json")))
    assert found == expected
    assert trial["setting"] == plan.settings()[1]
    assert trial["score"] == good.score > 0


def test_a_trial_that_fails_keeps_its_error_and_stops_no_other(finished):
    plan, folder, (bad, good), lines = finished
    assert bad.score is None and bad.error.startswith("Diverged: the ")
    assert good.error is None
    assert json.loads((folder / "000-seed0/trial.json").read_text())["error"] == bad.error
    assert sorted(line.partition("] ")[2] for line in lines) == [
        f"000-seed0 lr 1e+30: {bad.error}",
        f"001-seed0 lr 0.001: {good.score:.4g}",
    ]
    with open(folder / "trials.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["trial"] for row in rows] == ["001-seed0", "000-seed0"]  # the best first
    assert float(rows[0]["frechet"]) == good.score and rows[0]["error"] == ""
    assert rows[1]["frechet"] == "" and rows[1]["error"] == bad.error
    assert (folder / "trials.png").read_bytes()[:4] == b"\x89PNG"
    text = str(search.table(plan, [bad, good]))
    assert text.endswith(f"failed:\n000-seed0 lr 1e+30: {bad.error}")


def test_one_job_at_a_time_gives_the_same(finished, tmp_path):
    plan, folder, both, _ = finished
    one = search.run(plan, tmp_path / "one", 1, lambda line: None)
    assert search.table(plan, one).text() == search.table(plan, both).text()
    ours, theirs = contents(tmp_path / "one"), contents(folder)
    timed = {path for path in ours if path.name == "trial.json"}  # it holds the seconds
    assert {p: c for p, c in ours.items() if p not in timed} == {
        p: c for p, c in theirs.items() if p not in timed
    }


def test_what_is_finished_is_not_played_again(finished, monkeypatch):
    plan, folder, results, _ = finished
    monkeypatch.setattr(subprocess, "Popen", lambda *_, **__: pytest.fail("a process was started"))
    before, lines = contents(folder), []
    assert search.run(plan, folder, 2, lines.append) == results
    assert contents(folder) == before
    assert lines == ["2 of 2 trials are finished already"]


@pytest.mark.parametrize("change", [{"lr": "1e-4,1e-3"}, {"beta1": "0.9"}])
def test_no_search_overwrites_another(finished, change):
    plan, folder, *_ = finished
    before = contents(folder)
    with pytest.raises(ValueError, match="000-seed0 is a trial with other options: choose another"):
        search.run(Search({**plan.options, **change}), folder)
    assert contents(folder) == before


def test_no_search_continues_the_run_of_another(finished, tmp_path):
    """As above, of a trial that is not finished and has no trial.json yet."""
    plan, *_ = finished
    home = tmp_path / "000-seed0"
    config = Config.of(lr=1e-3)
    Run.create(config, config.dataset(), home)
    with pytest.raises(ValueError, match="000-seed0 is a trial with other options"):
        search.run(plan, tmp_path)


def test_a_trials_process_has_one_thread_and_this_ones_device(tmp_path, monkeypatch):
    seen = []

    def start(*_, env, **__):
        seen.append(env)
        raise OSError("no process today")

    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "2")
    monkeypatch.setattr(subprocess, "Popen", start)
    with pytest.raises(OSError, match="no process today"):
        search.run(Search(QUICK), tmp_path)
    assert [seen[0][v] for v in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS")] == ["1", "1"]
    assert (
        seen[0]["MINIGAN_DEVICE"] == "cpu"
        and seen[0].items() > {"PATH": os.environ["PATH"]}.items()
    )


def test_a_process_that_dies_without_a_word_is_told_and_tried_again(tmp_path, monkeypatch):
    """As if out of memory: nothing of it is kept that would stop the next attempt."""
    trial = Trial("a", 0, {k: parse(k, v)[0] for k, v in QUICK.items()})
    monkeypatch.setattr(sys, "executable", "/bin/false")
    (result,) = search.run_trials([trial], tmp_path, tell=lambda line: None)
    assert result.error == "its process ended with code 1: it said nothing"
    monkeypatch.undo()
    monkeypatch.setattr(search.trials, "_processes", lambda waiting, *_: pytest.fail(str(waiting)))
    with pytest.raises(pytest.fail.Exception, match="label='a'"):
        search.run_trials([trial], tmp_path, tell=lambda line: None)


def test_a_score_that_failed_can_be_taken_again_by_another(tmp_path):
    """The trial has been trained all the same."""
    trial = Trial("a", 0, {k: parse(k, v)[0] for k, v in QUICK.items()})
    (first,) = search.run_trials([trial], tmp_path, score="modes", tell=lambda line: None)
    assert "take another score" in first.error
    before = (tmp_path / trial.name / "checkpoint.safetensors").read_bytes()
    (second,) = search.run_trials([trial], tmp_path, score="frechet", tell=lambda line: None)
    assert second.error is None and second.score > 0
    assert (tmp_path / trial.name / "checkpoint.safetensors").read_bytes() == before


KILLED = ["search", "--lr", "1e-3,2e-3", "--epochs", "3", "--batch-size", "8", "--jobs", "2"]


def epochs_played(folder):
    return [load_tree(p)["epoch"] for p in Path(folder).rglob("checkpoint.safetensors")]


def is_running(pid):
    """Whether there is such a process, and not only its exit code that nobody asked for."""
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rpartition(") ")[2][0] != "Z"


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs Linux's /proc")
def test_a_search_that_is_killed_goes_on_from_its_trials_checkpoints():
    """Its trials end with it, and the same command continues them; checkpoints: epochs 2 and 3."""
    process = subprocess.Popen([sys.executable, "-m", "minigan", *KILLED, "--out", "cut"])
    while len(epochs_played("cut")) < 2:
        assert process.poll() is None
        time.sleep(0.02)
    trials = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    while any(is_running(trial) for trial in trials):  # else they would end too, but finished
        time.sleep(0.02)
    before = {p: p.stat().st_mtime_ns for p in Path("cut").rglob("*.png")}
    assert len(trials) == 2
    assert epochs_played("cut") == [2, 2] and not list(Path("cut").rglob("trial.json"))
    assert main([*KILLED, "--out", "cut"]) == 0
    assert epochs_played("cut") == [3, 3] and len(list(Path("cut").rglob("trial.json"))) == 2
    for number in (0, 1):
        first = Path(f"cut/{number:03d}-seed0/samples/0001.png")
        assert first.stat().st_mtime_ns == before[first]  # epoch 1 was not played again


# -------------------------------------------------------------------------------------- the table


def results_of(scores):
    """One setting per entry, which is its runs' scores; None for one that failed."""
    plan = Search({"lr": ",".join(f"{i + 1}e-3" for i in range(len(scores)))}, seeds=2)
    flat = [s for setting in scores for s in setting]
    return plan, [
        Result(t, s, None if s is not None else "Diverged: far off")
        for t, s in zip(plan.all_trials(), flat, strict=True)
    ]


def test_the_best_mean_is_first_and_failures_last():
    plan, results = results_of([(3.0, 5.0), (None, None), (1.0, None), (2.0, 3.0)])
    labels = [group[0].trial.label for group in search.ranked(plan, results)]
    assert labels == ["003", "000", "002", "001"]
    rows = search.table(plan, results).rows
    title = search.SCORES["frechet"].title
    assert [row[title] for row in rows] == ["2.5 ± 0.5", "4 ± 1", "1", "–"]
    assert [row["runs"] for row in rows] == ["2 of 2", "2 of 2", "1 of 2", "0 of 2"]
    assert [row["lr"] for row in rows] == ["0.004", "0.001", "0.003", "0.002"]


def test_of_a_score_that_should_be_large_the_largest_is_first(monkeypatch):
    large = search.Score("share", lambda *_: 0.0, larger_is_better=True)
    monkeypatch.setitem(search.SCORES, "frechet", large)
    plan, results = results_of([(3.0, 5.0), (None, 9.0), (2.0, 3.0)])
    labels = [group[0].trial.label for group in search.ranked(plan, results)]
    assert labels == ["000", "002", "001"]


def test_the_figure_shows_every_trial_also_those_that_failed():
    plan, results = results_of([(3.0, 500.0), (None, None), (1.0, None)])
    (axes,) = search.figure(plan, results).axes
    dots, bars, crosses = axes.lines
    assert sorted(zip(dots.get_xdata(), dots.get_ydata(), strict=True)) == [
        (1e-3, 3), (1e-3, 500), (3e-3, 1)
    ]  # fmt: skip
    assert dict(zip(bars.get_xdata(), bars.get_ydata(), strict=True)) == {1e-3: 251.5, 3e-3: 1}
    assert list(crosses.get_xdata()) == [2e-3, 2e-3, 3e-3]
    assert axes.get_yscale() == "log" and axes.get_xlabel() == "lr"


def test_the_figure_of_names_and_of_nothing_that_varies():
    plan = Search({"objective": "minimax,non-saturating"})
    (axes,) = search.figure(plan, [Result(t, 1.0) for t in plan.all_trials()]).axes
    assert [t.get_text() for t in axes.get_xticklabels()] == ["minimax", "non-saturating"]
    plan = Search({}, seeds=3)
    (axes,) = search.figure(plan, [Result(t, 1.0) for t in plan.all_trials()]).axes
    assert axes.get_xlabel() == "seed" and list(axes.lines[0].get_xdata()) == [0, 1, 2]
