"""Every sickness is provoked and recognised, health is left alone, and looking changes nothing."""

import inspect
import re

import numpy as np
import pytest

import minigan as mg
from minigan import nn
from minigan.gan import Diagnosis, Diverged, Minimax, diagnosis
from minigan.gan.penalties import penalty
from minigan.insight.diagnosis import Finding


def mlp(*sizes, activation=nn.LeakyReLU, norm=False):
    layers = []
    for before, after in zip(sizes, sizes[1:-1], strict=False):
        layers += [nn.Linear(before, after), *[nn.BatchNorm1d(after)] * norm, activation()]
    return nn.Sequential(*layers, nn.Linear(*sizes[-2:]))


def gauss(n, center=0.0, std=1.0):
    """Points around a centre, as data; a batch of them per step."""
    points = center + std * np.random.default_rng(0).standard_normal((n, 2))
    return mg.data.Dataset.from_array(points.astype("f"))


def play(game, data, steps=60, **options):
    """Train, and give the diagnosis with what it said."""
    said = []
    doctor = Diagnosis(data, every=5, say=said.append, **options)
    batches = mg.data.DataLoader(data, 32, shuffle=True, drop_last=True)
    game.fit(batches, steps // len(batches), [doctor])
    assert said == [str(f).replace(f" (gone by step {f.until})", "") for f in doctor.findings]
    return doctor


def names(doctor):
    return {finding.name for finding in doctor.findings}


# ------------------------------------------------------------------------------------ sicknesses


@pytest.mark.host
def test_a_healthy_game_is_left_alone():
    game = Minimax(mlp(2, 32, 32, 2, norm=True), mlp(2, 32, 1), lr=2e-3)
    doctor = play(game, gauss(640), 200)
    assert doctor.findings == []
    assert "Nothing to worry about" in doctor.report().text()
    assert len(doctor.readings) == 1 + 200 // 5


@pytest.mark.host
def test_d_wins():
    game = Minimax(mlp(2, 8, 2), mlp(2, 32, 1), lr=1e-6, d_lr=2e-2)
    (finding,) = play(game, gauss(640, center=4.0), 100).findings
    assert finding.name == "D wins"
    assert "for 20 steps, D(G(z)) < 0.01 (now 0.00" in str(finding)
    assert "penalties=['r1=1']" in finding.remedy and "d_lr" in finding.remedy


@pytest.mark.host
def test_the_minimax_loss_saturates():
    """Where D wins, its gradient for G vanishes; the non-saturating one's above does not."""
    game = Minimax(mlp(2, 8, 2), mlp(2, 32, 1), "minimax", lr=1e-6, d_lr=2e-2)
    doctor = play(game, gauss(640, center=4.0), 200)
    assert names(doctor) == {"D wins", "G's loss is saturated"}
    wins, flat = doctor.findings
    assert re.search(r"and G's gradient norm fell \d+x, to \d", wins.sentence)
    share = re.search(r"^(\d+)% of the fakes have \|dL_G/dlogit\| < 0.001", flat.sentence)
    assert 90 < int(share[1]) <= 100
    assert "objective='non-saturating'" in flat.remedy


@pytest.mark.host
def test_g_wins():
    game = Minimax(mlp(2, 32, 2), nn.Linear(2, 1), lr=3e-2, d_lr=1e-6)
    assert names(play(game, gauss(640), 100)) == {"G wins"}


@pytest.mark.host
def test_g_collapses_to_a_point():
    """D does not answer, so G moves all samples to where D likes them most: one corner."""
    generator = nn.Sequential(*mlp(2, 32, 2), nn.Tanh())
    game = Minimax(generator, nn.Linear(2, 1), lr=3e-2, d_lr=1e-6)
    game.discriminator.bias.array[...] = -3  # else G would win, too
    (finding,) = play(game, gauss(640), 100).findings
    assert finding.name == "G collapses"
    assert re.search(r"its samples are \d+x closer to each other than the data's", str(finding))
    assert "pack=2" in finding.remedy


@pytest.mark.host
@pytest.mark.filterwarnings("ignore:nothing limits D's slope")
def test_the_loss_explodes_without_a_constraint():
    game = Minimax(mlp(2, 8, 2), mlp(2, 64, 64, 1), "wasserstein", lr=1e-6, d_lr=5e-2)
    (finding,) = play(game, gauss(640, center=4.0), 100).findings
    assert finding.name == "the loss explodes"
    assert "gradient-penalty=10" in finding.remedy


@pytest.mark.host
def test_the_same_game_with_a_constraint_does_not_explode():
    critic = mlp(2, 64, 64, 1)
    options = {"penalties": ["gradient-penalty=10"], "lr": 1e-6, "d_lr": 2e-3}
    game = Minimax(mlp(2, 8, 2), critic, "wasserstein", **options)
    assert play(game, gauss(640, center=4.0), 60).findings == []


@pytest.mark.parametrize("player", "GD")
def test_dead_units(player):
    game = Minimax(mlp(2, 32, 2, activation=nn.ReLU), mlp(2, 32, 1, activation=nn.ReLU), lr=1e-4)
    network = game.generator if player == "G" else game.discriminator
    network[0].bias.array[:24] = -50
    (finding,) = play(game, gauss(640)).findings
    assert finding.name == "units are dead"
    assert re.search(rf"(75|78|81)% of the units of {player}, 1 ReLU give 0", finding.sentence)


def test_batch_norm_drifts():
    generator = nn.Sequential(
        nn.Linear(2, 8), nn.BatchNorm1d(8, momentum=1e-4), nn.LeakyReLU(), nn.Linear(8, 2)
    )
    generator[0].bias.array[...] = 5  # the running mean starts at 0, and stays there
    (finding,) = play(Minimax(generator, mlp(2, 16, 1), lr=1e-4), gauss(640)).findings
    assert finding.name == "batch norm drifts"
    assert "the drift of G, 1 BatchNorm1d is" in finding.sentence
    assert "momentum=0.1" in finding.remedy


@pytest.mark.host
def test_the_gradient_is_lost_between_layers():
    generator = mlp(2, *[8] * 6, 2, activation=nn.Sigmoid)
    doctor = play(Minimax(generator, mlp(2, 16, 1), lr=1e-5), gauss(640))
    assert "the gradient is lost between layers" in names(doctor)
    sentence = next(f.sentence for f in doctor.findings if "lost" in f.name)
    assert "the gradient of G, 0 Linear is" in sentence and "G, 12 Linear" in sentence


def test_what_it_advises_exists():
    """Every option= in a remedy is an argument of Minimax or of a layer, every penalty known."""
    text = inspect.getsource(diagnosis)
    remedies = [f.remedy for f in provoked()]
    assert len(remedies) == len(diagnosis.SICKNESSES)
    known = {*inspect.signature(Minimax).parameters, *inspect.signature(nn.BatchNorm1d).parameters}
    for remedy in remedies:
        assert remedy in text.replace('"\n        "', "")
        rest = remedy
        for given in re.findall(r"penalties=\['([^']+)'\]", remedy):
            penalty(given)
            rest = rest.replace(given, "")
        assert set(re.findall(r"\b(\w+)=", rest)) <= known, remedy
        assert set(re.findall(r"\b[a-z]+_[a-z_]+\b", rest)) <= known | {"non_saturating"}, remedy


def provoked():
    """One finding of each kind, from readings made up for it."""
    game = Minimax(mlp(2, 4, 2), mlp(2, 4, 1))
    well = {
        "D(x)": 0.5, "D(G(z))": 0.5, "loss of D": 1.4, "loss of G": 0.7, "saturation": 0.0,
        "diversity": 1.0, "distance between reals": 1.0, "slope of D": 1.0, "gradient of G": 1.0,
        "gradient of G, 0 Linear": 1.0, "gradient of G, 2 Linear": 1.0,
    }  # fmt: skip
    ill = [
        {"D(G(z))": 0.001}, {"D(G(z))": 0.99}, {"saturation": 0.95}, {"diversity": 0.01},
        {"loss of D": -1e4}, {"dead units of D, 1 ReLU": 0.9}, {"drift of G, 1 BatchNorm1d": 3.0},
        {"gradient of G, 0 Linear": 1e-5},
    ]  # fmt: skip
    for look, change in zip(diagnosis.SICKNESSES, ill, strict=True):
        for other in diagnosis.SICKNESSES:
            found = other(game, [well, well | change])
            assert (found is not None) == (other is look), (other, change)
            assert other(game, [well, {name: float("nan") for name in well}]) is None
            if found is not None:
                yield found


def test_a_loss_explodes_beyond_the_scale_of_the_data():
    game = Minimax(mlp(2, 4, 2), mlp(2, 4, 1))
    for loss, distance, explodes in ((50, 1, False), (-101, 1, True), (500, 60, False)):
        reading = {"loss of D": 1.0, "loss of G": loss, "slope of D": 1.0}
        found = diagnosis.exploded(game, [reading | {"distance between reals": distance}])
        assert (found is not None) == explodes, (loss, distance)


def test_only_a_probability_is_read_as_one():
    """σ(logit) is one in the games of cross-entropy; a critic's logits have no zero."""
    reading = [{"D(G(z))": 0.001, "gradient of G": 1.0}]
    for objective, wins in (
        ("minimax", True), ("non-saturating", True), ("least-squares", False),
        ("hinge", False), ("relativistic", False),
    ):  # fmt: skip
        game = Minimax(mlp(2, 4, 2), mlp(2, 4, 1), objective)
        assert (diagnosis.d_wins(game, reading) is not None) == wins, objective


# -------------------------------------------------------------------------------- when it speaks


def test_a_finding_is_said_once_and_again_only_after_it_went_away(monkeypatch):
    """Sick at readings 1-6, 9 and 13-20; patience 3: said at 4, gone at 12 (9 was a relapse).

    The first reading is what the others are compared with, and is not judged.
    """
    sick = {*range(1, 7), 9, *range(13, 21)}

    def look(game, readings):
        return Finding("flu", "it sneezes", ("D(x)",), "rest") if len(readings) in sick else None

    monkeypatch.setattr(diagnosis, "SICKNESSES", (look,))
    said = []
    data = gauss(64)
    doctor = Diagnosis(data, every=2, patience=3, say=said.append)
    game = Minimax(mlp(2, 4, 2), mlp(2, 4, 1))
    game.fit(mg.data.DataLoader(data, 32), 25, [doctor])
    steps = [reading["step"] for reading in doctor.readings]
    assert steps == [1, *range(2, 51, 2)]
    first, second = doctor.findings
    assert (first.step, first.until) == (steps[4 - 1], steps[12 - 1])
    assert (second.step, second.until) == (steps[15 - 1], steps[23 - 1])
    assert said == [
        "step 6: flu: for 6 steps, it sneezes; try rest",
        "step 28: flu: for 6 steps, it sneezes; try rest",
    ]
    assert str(first) == "step 6: flu (gone by step 22): for 6 steps, it sneezes; try rest"


@pytest.mark.host
def test_findings_are_printed_if_nobody_listens(capsys):
    game = Minimax(mlp(2, 32, 2), nn.Linear(2, 1), lr=3e-2, d_lr=1e-6)
    data = gauss(640)
    game.fit(mg.data.DataLoader(data, 32), 5, [Diagnosis(data, every=5)])
    assert ": G wins: for 20 steps, D(G(z)) > 0.9" in capsys.readouterr().out


def test_a_reading_holds_the_medians_since_the_last():
    data = gauss(320)
    doctor, game = Diagnosis(data, every=4), Minimax(mlp(2, 4, 2), mlp(2, 4, 1))
    history = game.fit(mg.data.DataLoader(data, 32), 1, [doctor])
    assert [reading["step"] for reading in doctor.readings] == [1, 4, 8]
    for reading, steps in zip(doctor.readings, ([0], [1, 2, 3], [4, 5, 6, 7]), strict=True):
        for column, name in Diagnosis.COLUMNS.items():
            assert reading[name] == np.median([history[column][i] for i in steps])


# ------------------------------------------------------------------------------------ the report


def test_the_report_shows_every_measure_and_marks_the_suspicious():
    doctor = Diagnosis(gauss(10))
    assert doctor.report().text().startswith("Diagnosis: no step was seen")
    doctor.readings = [
        {"step": 1, "a": 2.0, "b": 5.0},
        {"step": 50, "a": 1.0},
        {"step": 99, "a": 4},
    ]
    doctor.findings = [Finding("flu", "it sneezes", ("b",), "rest", step=99, lasted=50)]
    table = doctor.report()
    assert [list(row.values()) for row in table] == [
        ["a", "2", "1", "4", "4"], ["b", "5", "5", "5", "5"]
    ]  # fmt: skip
    assert table.title == "Diagnosis of steps 1 to 99"
    assert table.marks == {1: "bad"} and table.note.endswith("it sneezes; try rest")


def test_the_report_is_written_also_if_the_game_diverges(tmp_path):
    data = gauss(64)
    loader = list(mg.data.DataLoader(data, 32))
    loader.append(mg.full((32, 2), float("nan")))
    path = tmp_path / "diagnosis.txt"
    with pytest.raises(Diverged):
        game = Minimax(mlp(2, 4, 2), mlp(2, 4, 1))
        game.fit(loader, 1, [Diagnosis(data, every=1, path=path)])
    assert path.read_text().startswith("Diagnosis of steps 1 to 2\n")


def test_a_continued_games_report_is_added(tmp_path):
    path, data = tmp_path / "diagnosis.txt", gauss(64)
    game, loader = Minimax(mlp(2, 4, 2), mlp(2, 4, 1)), mg.data.DataLoader(data, 32)

    def titles():
        return re.findall("Diagnosis of (.*)", path.read_text())

    game.fit(loader, 2, [Diagnosis(data, path=path)])
    before = path.read_text()
    game.fit(loader, 2, [Diagnosis(data, path=path)])  # not a step more
    assert path.read_text() == before
    game.fit(loader, 3, [Diagnosis(data, every=1, path=path)])
    assert titles() == ["steps 1 to 1", "steps 5 to 6"]
    other = Minimax(mlp(2, 4, 2), mlp(2, 4, 1))
    other.fit(loader, 1, [Diagnosis(data, every=1, path=path)])  # a new game: a new file
    assert titles() == ["steps 1 to 2"]


# ------------------------------------------------------------------------- it changes nothing


class Fancy(nn.Module):
    """All that a forward pass may leave a trace in: batch norm, dropout, spectral norm."""

    def __init__(self, *sizes):
        self.body = mlp(*sizes, norm=True)
        self.body[0] = nn.utils.spectral_norm(self.body[0])
        self.drop = nn.Dropout(0.3)

    def forward(self, x):
        return self.drop(self.body(x))


@pytest.mark.parametrize(
    "options",
    [
        {"penalties": ["r1=1"], "instance_noise": 0.1, "noise_steps": 20, "ema": 0.9},
        {"objective": "wasserstein", "penalties": ["gradient-penalty=10"], "pack": 2},
        {"objective": "relativistic", "consensus": 0.1, "simultaneous": True},
        {"unroll": 2, "d_steps": 2},
    ],
    ids=lambda options: next(iter(options)),
)
@pytest.mark.filterwarnings("ignore:.*batch norm lets every sample")
def test_watching_changes_no_bit(options):
    states = []
    for watched in (False, True):
        mg.manual_seed(0)
        latent = {"latent_dim": 2}
        game = Minimax(Fancy(2, 8, 2), Fancy(2 * options.get("pack", 1), 8, 1), **latent, **options)
        data = gauss(96)
        callbacks = [Diagnosis(data, every=1, n=8)] if watched else []
        game.fit(mg.data.DataLoader(data, 8, shuffle=True), 1, callbacks)
        modules = [*game.generator.modules(), *game.discriminator.modules()]
        assert not any(m._forward_pre_hooks for m in modules if isinstance(m, nn.BatchNorm1d))
        states.append(dict(flat(game.state_dict())))
    assert states[0].keys() == states[1].keys()
    for name, value in states[0].items():
        np.testing.assert_array_equal(value, states[1][name], err_msg=name)


def flat(tree, path=""):
    items = tree.items() if isinstance(tree, dict) else enumerate(tree)
    for key, value in items:
        if isinstance(value, (dict, list, tuple)):
            yield from flat(value, f"{path}/{key}")
        else:
            yield f"{path}/{key}", value.numpy() if isinstance(value, mg.Tensor) else value


def test_it_takes_data_in_any_form():
    points = gauss(10)[:]
    forms = [gauss(10), points, mg.tensor(points)]
    found = [Diagnosis(form, n=5).real for form in forms]
    assert found[0].shape == (5, 2)
    for other in found[1:]:
        np.testing.assert_array_equal(found[0], other)
    assert len(np.unique(found[0], axis=0)) == 5  # each sample once
    for wrong in ({"every": 0}, {"patience": 0}, {"n": 1}):
        with pytest.raises(ValueError, match="expected every and patience of at least 1, n and"):
            Diagnosis(points, **wrong)
    with pytest.raises(ValueError, match="at least 2, got 50, 4, 64 and 1"):
        Diagnosis(points[:1])
