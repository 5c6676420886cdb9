"""Every exercise: its solution passes, its stub is no answer yet, each mistake has its hint."""

import ast
import re
from pathlib import Path

import numpy as np
import pytest

from minigan import book

CHAPTERS = sorted((Path(__file__).parents[2] / "chapters").glob("[0-9]*_*.md"))
CELL = re.compile(r"^```\{code-cell\}[^\n]*\n(.*?)^```$", re.M | re.S)
STUB = re.compile(
    r"^```\{code-cell\}[^\n]*\n:tags: \[exercise\]\n(?P<stub>.*?)^```$\n+"
    r"<details>\n<summary>Solution</summary>\n(?P<solution>.*?)^</details>$",
    re.M | re.S,
)
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.M | re.S)
NAME = re.compile(r'book\.check\(\s*"([\d.]+)"')


def stubs():
    """(chapter, name of the exercise, stub, solution's text) in the order of the book."""
    for path in CHAPTERS:
        for match in STUB.finditer(path.read_text(encoding="utf-8")):
            name = NAME.search(match["stub"])
            yield path.stem, name[1] if name else "?", match["stub"], match["solution"]


def imports(chapter):
    """The names that a chapter imports."""
    names = {}
    text = next(p for p in CHAPTERS if p.stem == chapter).read_text(encoding="utf-8")
    for source in CELL.findall(text):
        lines = [s for s in source.splitlines() if not re.match(r"\s*[%!:]|---$", s)]
        try:
            tree = ast.parse("\n".join(lines))
        except SyntaxError:
            continue  # a magic within a block
        for node in tree.body:
            if isinstance(node, ast.Import | ast.ImportFrom):
                exec(ast.unparse(node), names)
    return {"np": np, **names, "book": book}


def value_of(source, names):
    """Run a cell in ``names``; its last expression's value."""
    tree = ast.parse(source)
    *body, last = tree.body
    exec(compile(ast.Module(body, []), "cell", "exec"), names)
    return eval(compile(ast.Expression(last.value), "cell", "eval"), names)


EXERCISES = list(stubs())
IDS = [name for _, name, *_ in EXERCISES]
KNOWN = {name: e for chapter in book.chapters() for name, e in book.exercises(chapter).items()}


@pytest.mark.parametrize(("chapter", "name", "stub", "solution"), EXERCISES, ids=IDS)
def test_the_stub_is_not_answered_yet(chapter, name, stub, solution):
    report = value_of(stub, imports(chapter))
    assert not report and report.message.startswith("Not answered yet"), report.message


@pytest.mark.parametrize(("chapter", "name", "stub", "solution"), EXERCISES, ids=IDS)
def test_the_solution_is_right(chapter, name, stub, solution):
    (answer,) = BLOCK.findall(solution)
    names = imports(chapter)
    exec(compile(answer, "solution", "exec"), names)
    call = ast.unparse(ast.parse(stub).body[-1])
    report = value_of(call, names)
    assert report, report.message


@pytest.mark.parametrize(
    ("name", "hint"), [(n, hint) for n, e in KNOWN.items() for hint in e.mistakes]
)
def test_a_usual_mistake_gets_its_hint(name, hint):
    report = book.check(name, KNOWN[name].mistakes[hint])
    assert not report and hint in report.message, report.message


@pytest.mark.parametrize("name", KNOWN)
def test_three_mistakes_are_known(name):
    assert len(KNOWN[name].mistakes) >= 3


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda p: p.stem)
def test_a_chapter_has_two_to_six_exercises_that_are_there(path):
    number = int(path.stem[:2])
    named = [name for chapter, name, *_ in EXERCISES if chapter == path.stem]
    assert 2 <= len(named) <= 6
    assert named == [f"{number}.{i + 1}" for i in range(len(named))]
    assert named == list(book.exercises(number))
    text = path.read_text(encoding="utf-8")
    assert len(named) == text.count(":tags: [exercise]"), "a stub without a solution behind it"


def test_who_asks_for_what_is_not_there_is_told_what_is():
    with pytest.raises(ValueError, match=r"no exercise '4.99'; chapter 4 has 4.1, 4.2"):
        book.check("4.99", 1)
    with pytest.raises(ValueError, match=r"expected chapter.number, like '4.2'; the chapters"):
        book.check("77.1", 1)
