import errno
import io
import os

import numpy as np
import pytest
from PIL import Image

import minigan as mg
from minigan import nn
from minigan.gan import History, oracles
from minigan.studio import plot


def pixels(image):
    """What a viewer of the file sees."""
    buffer = io.BytesIO()
    image.save(buffer, "png")
    return np.asarray(Image.open(buffer))


def test_pictures_stand_in_rows_the_right_way_up():
    """Four pictures of one pixel 1 each, at known places; the others -1, the gaps grey."""
    x = np.full((4, 1, 48, 48), -1, dtype="f")
    for i, (row, column) in enumerate([(0, 0), (0, 47), (47, 0), (5, 9)]):
        x[i, 0, row, column] = 1
    sheet = pixels(plot.grid(x))
    assert sheet.shape == (2 + 2 * 50, 2 + 2 * 50) and sheet.dtype == np.uint8  # gaps of 2
    expected = np.full_like(sheet, 96)
    for top in (2, 52):
        for left in (2, 52):
            expected[top : top + 48, left : left + 48] = 0
    expected[2, 2] = expected[2, 52 + 47] = expected[52 + 47, 2] = expected[52 + 5, 52 + 9] = 255
    np.testing.assert_array_equal(sheet, expected)


def test_small_pictures_are_enlarged_without_blur():
    x = np.zeros((1, 1, 8, 8), dtype="f")
    x[0, 0, 0, 1] = 1
    sheet = pixels(plot.grid(x, range=(0, 1)))
    assert sheet.shape == (2 + 50, 2 + 50)  # six times, with gaps of 2
    assert set(np.unique(sheet)) == {0, 96, 255}
    rows, columns = np.nonzero(sheet == 255)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (2, 7, 8, 13)
    assert pixels(plot.grid(np.zeros((1, 1, 64, 64)))).shape == (68, 68)  # large ones are not


def test_levels_span_the_range_and_values_outside_are_its_ends():
    for low, high in ((-1, 1), (0, 1), (0, 255)):
        x = np.full((1, 1, 48, 48), low, dtype="f")
        steps = np.linspace(0, 1, 48)
        x[0, 0, 0] = low + (high - low) * steps
        x[0, 0, 1, 0], x[0, 0, 1, 1] = low - 5 * (high - low), high + 5 * (high - low)
        sheet = pixels(plot.grid(x, range=(low, high)))
        np.testing.assert_allclose(sheet[2, 2:50], 255 * steps, atol=0.51)
        assert list(sheet[3, 2:4]) == [0, 255]


def test_colours_are_red_green_blue():
    x = np.full((3, 3, 48, 48), -1, dtype="f")
    for i in range(3):
        x[i, i] = 1
    sheet = pixels(plot.grid(mg.tensor(x), columns=3))
    assert sheet.shape == (52, 152, 3)
    assert [list(sheet[20, left]) for left in (20, 70, 120)] == [
        [255, 0, 0], [0, 255, 0], [0, 0, 255]
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("n", "columns", "cells"),
    [(1, None, (1, 1)), (5, None, (2, 3)), (64, None, (8, 8)), (7, 2, (4, 2))],
)
def test_the_sheet_has_room_for_all(n, columns, cells):
    sheet = plot.grid(np.zeros((n, 1, 48, 24)), columns=columns)
    assert sheet.size == (2 + 26 * cells[1], 2 + 50 * cells[0])


@pytest.mark.parametrize("shape", [(4, 8, 8), (4, 2, 8, 8), (0, 1, 8, 8), (4,)])
def test_what_is_no_picture_is_refused(shape):
    with pytest.raises(ValueError, match=r"expected pictures \(N, 1 or 3, H, W\), got"):
        plot.grid(np.zeros(shape))


def history(n=300):
    result = History()
    for i in range(n):
        result.rows.append(
            {"step": i + 1, "epoch": 1, "d_loss": 1.4, "g_loss": i, "d_real": 0.6, "d_fake": 0.1}
        )
    return result


def curves(axes):
    """The labelled curves of the axes, as {label: (x, y)}."""
    return {
        line.get_label(): line.get_data()
        for line in axes.lines
        if not line.get_label().startswith("_")
    }


def test_the_loss_figure_shows_all_four_curves():
    above, below = plot.losses(history()).axes
    drawn = {**curves(above), **curves(below)}
    assert set(curves(above)) == {"loss of D", "loss of G"}
    assert set(curves(below)) == {"D(x)", "D(G(z))"}
    for label, value in (("loss of D", 1.4), ("D(x)", 0.6), ("D(G(z))", 0.1)):
        np.testing.assert_allclose(drawn[label][1], value)
    steps, smooth = drawn["loss of G"]  # the mean of the last three of 0, 1, 2, ...
    np.testing.assert_array_equal(steps, np.arange(3, 301))
    np.testing.assert_allclose(smooth, np.arange(1, 299))
    thin = [line.get_data()[1] for line in above.lines if len(line.get_data()[1]) == 300]
    assert any(np.array_equal(y, np.arange(300)) for y in thin)
    assert {text.get_text() for axes in (above, below) for text in axes.get_legend().texts} == set(
        drawn
    )


@pytest.mark.parametrize("n", [0, 1, 5])
def test_a_short_history_can_be_drawn(tmp_path, n):
    plot.save(plot.losses(history(n)), tmp_path / "loss.png")
    assert Image.open(tmp_path / "loss.png").size == (800, 550)


def test_the_points_figure_shows_samples_over_data(rng):
    samples, real = rng.standard_normal((20, 2)), rng.standard_normal((30, 2))
    (axes,) = plot.points(mg.tensor(samples), real).axes
    assert list(curves(axes)) == ["data", "G(z)"]
    np.testing.assert_allclose(curves(axes)["G(z)"], samples.T, rtol=1e-6)
    np.testing.assert_allclose(curves(axes)["data"], real.T, rtol=1e-6)
    assert axes.get_aspect() == 1
    assert list(curves(plot.points(samples).axes[0])) == ["G(z)"]


def test_the_discriminator_figure_on_a_line():
    """D = σ(3x - 1) over p / (p + q), and the densities below."""
    p, q = oracles.mixture([-1.0, 1.0], 0.4), oracles.mixture([0.5], 0.8)
    x = np.linspace(-3, 3, 61)
    above, below = plot.discriminator(lambda x: 3 * x - 1, p, q, x).axes
    drawn = curves(above)
    np.testing.assert_array_equal(drawn["learned"][0], x)
    np.testing.assert_allclose(drawn["learned"][1], 1 / (1 + np.exp(1 - 3 * x)), rtol=1e-5)
    np.testing.assert_allclose(drawn["p / (p + q)"][1], p(x) / (p(x) + q(x)))
    for area, density in zip(below.collections, (p, q), strict=True):
        assert area.get_paths()[0].vertices[:, 1].max() == pytest.approx(density(x).max())
    assert [text.get_text() for text in below.get_legend().texts] == ["p, data", "q, G(z)"]


def test_the_discriminator_figure_on_a_plane(tmp_path):
    """Blue where D is sure of a real, the first coordinate to the right; blank where none comes."""
    p, q = oracles.mixture([[2.0, 0.0]], 0.5), oracles.mixture([[0.0, 1.0]], 0.5)
    x, y = np.linspace(-6, 6, 61), np.linspace(-5, 5, 51)
    network = mg.nn.Linear(2, 1)
    network.weight.array[...], network.bias.array[...] = [[1, -2]], 0
    figure = plot.discriminator(network, p, q, (x, y))
    left, right = figure.axes[:2]
    learned, best = (axes.collections[0].get_array() for axes in (left, right))
    assert learned.shape == best.shape == (51, 61)  # rows are y
    i, j = 28, 37  # y = 0.6, x = 1.4
    assert learned[i, j] == pytest.approx(1 / (1 + np.exp(-(1.4 - 2 * 0.6))), rel=1e-5)
    assert best[i, j] == pytest.approx(float(oracles.optimal_discriminator(p, q)([1.4, 0.6])))
    assert learned.mask[0, 0] and best.mask[0, 0] and not learned.mask[i, j]
    assert [axes.get_title() for axes in (left, right)] == ["learned", "p / (p + q)"]
    plot.save(figure, tmp_path / "d.png")
    assert Image.open(tmp_path / "d.png").size == (900, 450)


@pytest.mark.parametrize(
    "make", [lambda: plot.losses(history()), lambda: plot.grid(np.eye(9)[None, None])]
)
def test_the_same_picture_is_the_same_bytes(tmp_path, make):
    for name in "ab":
        plot.save(make(), tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert (tmp_path / "a").read_bytes()[:4] == b"\x89PNG"


def test_a_picture_is_saved_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "grid.png"
    plot.save(plot.grid(np.zeros((1, 1, 8, 8))), path)
    before = path.read_bytes()

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        plot.save(plot.grid(np.ones((9, 1, 8, 8))), path)
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]


def test_drawing_a_discriminator_leaves_it_as_it_was():
    """Neither batch norm's statistics move nor the mode; weights may be float64."""
    d = nn.Sequential(nn.Linear(1, 4), nn.BatchNorm1d(4), nn.Linear(4, 1)).double()
    before = {name: t.numpy().copy() for name, t in d.state_dict().items()}
    p = oracles.mixture([0.0], 1.0)
    plot.discriminator(d, p, p, np.linspace(-1, 1, 5))
    assert all(np.array_equal(t.numpy(), before[name]) for name, t in d.state_dict().items())
    assert d.training and d[1].training
