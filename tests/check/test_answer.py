import numpy as np
import pytest

import minigan as mg
from minigan import check

HINT = "Mind the sign."


def right(report):
    return report.ok and bool(report) and report.message.startswith("Right")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (2, 2.0),
        (np.float32(1 / 3), 1 / 3),
        (1e-17, 0.0),
        (mg.tensor([1.0, 2.0]), np.array([1.0, 2.0])),
        ([1, 2.0], np.array([1.0, 2.0])),
        (np.array([1.0, np.nan, np.inf]), np.array([1.0, np.nan, np.inf])),
        (" Both", "both"),
        (np.True_, True),
        (["a", 2], ("a", 2)),
        (np.array([1.0, 2.0]), (1, 2)),
        ((1, (np.ones(2), "x")), (1, (np.ones(2), "x"))),
    ],
)
def test_the_right_answer_in_any_form_is_right(given, expected):
    assert right(check.answer(given, expected, {}))


@pytest.mark.parametrize(
    ("given", "expected", "words"),
    [
        (4, 2.0, "4, 2 times the right value"),
        (1.001, 1.0, "1.001, 1.001 times the right value"),
        (1e-9, 0.0, "1e-09, and should be zero"),
        (np.nan, 1.0, "nan, which should be finite"),
        ("two", 2.0, "a number is asked for, and you gave the text 'two'"),
        (2, "two", "text is asked for, and you gave one number"),
        (1, True, "True or False is asked for, and you gave one number"),
        (lambda x: x, 2.0, "a number is asked for, and you gave a function"),
        ((1, 2), 2.0, "its shape is (2,), and that of the right answer ()"),
        ([[1], [1, 2]], np.ones(2), "an array (2,) is asked for, and you gave 2 values"),
        (np.ones((2, 1)), np.ones(2), "its shape is (2, 1), and that of the right answer (2,)"),
        ((1, 2, 3), (1, 2), "2 values are asked for, and you gave 3 values"),
        (1, (1, 2), "2 values are asked for, and you gave one number"),
        (("a", 6), ("a", 2), "value 2 of 2: 6, 3 times the right value"),
        (
            np.array([[1, 2], [3, 9.0]]),
            np.array([[1, 2], [3, 3.0]]),
            "element [1, 1] is 9, 3 times",
        ),
        ("left", "right", "'left' is not it"),
        ({1}, 1.0, "a number is asked for, and you gave a set"),
    ],
)
def test_a_wrong_answer_is_told_how(given, expected, words):
    report = check.answer(given, expected, {HINT: -12345.0})
    assert not report and report.answered
    assert "none of the usual mistakes" in report.message and words in report.message


@pytest.mark.parametrize("given", [..., None, (1, ...), [None]])
def test_dots_are_no_answer(given):
    for expected in (1.0, lambda x: x):
        report = check.answer(given, expected, {}, at=[(1.0,)])
        assert not report and not report.answered
        assert report.message.startswith("Not answered yet")


def test_a_function_that_returns_dots_is_no_answer():
    for nothing in (..., None, (1, ...)):
        report = check.answer(lambda x, n=nothing: n, lambda x: x, {}, at=[(1.0,)])
        assert not report and not report.answered


def test_a_usual_mistake_gets_its_hint():
    mistakes = {"Not this.": 7.0, HINT: -2.0, "Nor this, after it.": -2.0}
    report = check.answer(-2, 2.0, mistakes)
    assert not report and report.message == f"Not yet. {HINT}"


def square(x):
    return x * x


def test_functions_are_compared_at_every_input():
    at = [(0.0,), (1.0,), (3.0,)]
    assert right(check.answer(lambda x: x**2, square, {}, at))
    report = check.answer(lambda x: x**3, square, {HINT: lambda x: -x * x}, at)
    assert not report
    assert "at (3): 27, 3 times the right value. It is wrong at 1 of 3 inputs" in report.message
    assert report.table["at"] == ["(0)", "(1)", "(3)"] and report.table.marks == {2: "bad"}
    assert report.table[""] == ["right", "right", ""]
    assert HINT in check.answer(lambda x: -(x**2), square, {HINT: lambda x: -x * x}, at).message
    partly = {HINT: lambda x: x**3 if x < 3 else 0.0}  # agrees at two inputs, but not at all
    assert HINT not in check.answer(lambda x: x**3, square, partly, at).message


def test_a_mistake_may_have_another_shape():
    report = check.answer(
        lambda x: x.sum(), lambda x: x.sum(0), {HINT: lambda x: x.sum()}, at=[(np.ones((2, 3)),)]
    )
    assert report.message == f"Not yet. {HINT}"


def test_what_the_answer_raises_is_reported():
    report = check.answer(lambda x: 1 / x, square, {}, at=[(1.0,), (0,)])
    assert not report and "raises ZeroDivisionError at (0): division by zero" in report.message
    report = check.answer(lambda: 1, square, {}, at=[(1.0,)])
    assert "raises TypeError at (1)" in report.message
    report = check.answer(3, square, {}, at=[(1.0,)])
    assert report.message == "A function is asked for, and you gave one number."


def test_an_answer_can_not_spoil_the_inputs():
    x = np.ones(3)

    def spoil(x):
        x *= 0
        return x

    assert not check.answer(spoil, square, {}, at=[(x,)])
    assert x.sum() == 3


def test_the_tolerance_is_relative_to_the_largest():
    expected = np.array([1e6, 0.0])
    assert check.answer(expected + [0, 0.5], expected, {})
    assert not check.answer(expected + [0, 0.5], expected, {}, rtol=1e-7)


def test_a_report_reads_in_text_and_in_html():
    report = check.answer(lambda x: x + 9, square, {"a < b": lambda x: x + 9}, at=[(1.0,)])
    assert repr(report).splitlines()[0] == "Not yet. a < b" and "yours" in repr(report)
    page = report._repr_html_()
    assert "a &lt; b" in page and "#b42318" in page and "http" not in page
    assert "#1a7f37" in check.answer(1, 1.0, {})._repr_html_()
    assert "#777" in check.answer(..., 1.0, {})._repr_html_()


def test_an_author_who_forgets_the_inputs_is_told():
    with pytest.raises(ValueError, match="give the inputs to compare at"):
        check.answer(square, square, {})
