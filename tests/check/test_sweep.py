import numpy as np
import pytest

import minigan as mg
from minigan import check

X = np.random.default_rng(0).standard_normal((3, 4))


@pytest.fixture(scope="module")
def sweep():
    return check.sweep(mg.tanh, X)


def slope(sweep, kind, low, high):
    inside = (sweep.steps > low) & (sweep.steps < high)
    return np.polyfit(np.log(sweep.steps[inside]), np.log(sweep.errors[kind][inside]), 1)[0]


def test_truncation_shrinks_with_the_order_of_the_difference(sweep):
    assert slope(sweep, "forward", 1e-6, 1e-2) == pytest.approx(1, abs=0.05)
    assert slope(sweep, "central", 1e-4, 1e-2) == pytest.approx(2, abs=0.05)


def test_round_off_grows_as_the_step_shrinks(sweep):
    assert slope(sweep, "forward", 1e-14, 1e-9) == pytest.approx(-1, abs=0.3)
    assert slope(sweep, "central", 1e-14, 1e-8) == pytest.approx(-1, abs=0.3)


def test_the_best_steps_are_where_theory_has_them(sweep):
    eps = np.finfo(float).eps
    assert eps**0.5 / 10 < sweep.best["forward"] < eps**0.5 * 10
    assert eps ** (1 / 3) / 10 < sweep.best["central"] < eps ** (1 / 3) * 10


def test_regions(sweep):
    for kind in ("forward", "central"):
        named = [row[f"{kind}: mostly"] for row in sweep.table]
        assert named[0] == "truncation" and named[-1] == "round-off"
        assert list(dict.fromkeys(named)) == ["truncation", "best", "round-off"]
        errors = sweep.errors[kind]
        best = np.median(errors[[n == "best" for n in named]])
        assert best < errors[0] / 1e4 and best < errors[-1] / 1e4


def test_own_steps():
    found = check.sweep(lambda a, b: a * b, X, X, steps=[1e-6, 1e-2, 1e-4])
    assert list(found.steps) == [1e-2, 1e-4, 1e-6]
    assert len(found.table) == 3


def test_plot_needs_no_pyplot(sweep):
    figure = sweep.plot()
    (axes,) = figure.axes
    words = " ".join(t.get_text() for t in axes.texts)
    assert "truncation" in words and "round-off" in words
    assert len(axes.lines[0].get_xdata()) == len(sweep.steps)
    figure.canvas.draw()


def test_a_zero_derivative_has_no_relative_error():
    with pytest.raises(ValueError, match="derivative is zero"):
        check.sweep(mg.ops.sign, X)


def test_bad_input_is_told():
    with pytest.raises(check.CheckError, match="float32"):
        check.sweep(mg.tanh, X.astype("float32"))


def test_shown_in_jupyter(sweep):
    assert sweep._repr_html_().startswith("<div>") and "best step" in str(sweep)
