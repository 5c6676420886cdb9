"""A chapter and its notebook are the same cells; the notebook has run."""

import re
from pathlib import Path

import pytest

jupytext = pytest.importorskip("jupytext", reason="needs the extra 'notebooks'")
nbformat = pytest.importorskip("nbformat", reason="needs the extra 'notebooks'")
pytest.importorskip("nbclient", reason="needs the extra 'notebooks'")

from minigan.book import refresh  # noqa: E402

ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "chapters").glob("[0-9]*_*.md"))
PAIRED = [p for p in SOURCES if refresh.notebook_of(p).is_file()]


def cells(notebook):
    return [(c.cell_type, c.source, c.metadata.get("tags", []), c.id) for c in notebook.cells]


def notebook(source):
    return nbformat.read(refresh.notebook_of(source), as_version=4)


def test_every_chapter_has_a_notebook_and_every_notebook_a_chapter():
    notebooks = [p.stem for p in (ROOT / "notebooks").glob("*.ipynb") if p.stem[0] != "_"]
    assert sorted(notebooks) == [p.stem for p in SOURCES]


@pytest.mark.parametrize("source", PAIRED, ids=lambda p: p.stem)
def test_both_hold_the_same_cells(source):
    assert cells(notebook(source)) == cells(refresh.read(source)), (
        f"run python -m minigan.book {source.stem[:2]}"
    )


@pytest.mark.parametrize("source", PAIRED, ids=lambda p: p.stem)
def test_the_notebook_has_run_from_top_to_bottom(source):
    code = [c for c in notebook(source).cells if c.cell_type == "code" and c.source]
    assert [c.execution_count for c in code] == list(range(1, len(code) + 1))
    outputs = [o for c in code for o in c.outputs]
    assert not [o for o in outputs if o.output_type == "error"]
    assert not [o.text for o in outputs if o.get("name") == "stderr"]
    assert refresh.notebook_of(source).stat().st_size < 2.5 * 2**20


@pytest.mark.parametrize("source", PAIRED, ids=lambda p: p.stem)
def test_outputs_say_nothing_of_the_machine(source):
    for cell in notebook(source).cells:
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            text = output.get("text", "") + data.get("text/plain", "") + data.get("text/html", "")
            text = re.sub(r"[A-Za-z0-9+/=]{200,}", "", text)  # pictures
            assert not re.search(r"0x[0-9a-f]{6,}|/home/|/tmp/|/root/|site-packages", text), text


@pytest.mark.parametrize("source", SOURCES, ids=lambda p: p.stem)
def test_every_chapter_starts_with_the_same_code_cell(source):
    def first(path):
        return next(c.source for c in refresh.read(path).cells if c.cell_type == "code")

    assert first(source) == first(ROOT / "chapters" / "_template.md")


@pytest.mark.notebooks
@pytest.mark.parametrize("source", SOURCES, ids=lambda p: p.stem)
def test_the_chapter_runs(source):
    refresh.execute(source)
