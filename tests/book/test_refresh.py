"""Executing a chapter: the same source, the same bytes."""

import io
import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from minigan.book import refresh

HEADER = """---
jupytext:
  text_representation:
    extension: .md
    format_name: myst
kernelspec:
  display_name: Python 3 (ipykernel)
  language: python
  name: python3
---

# 1  Title

"""


def chapter(folder, *cells):
    """A chapter of these cells, each a source or (tag, source)."""
    (folder / "chapters").mkdir(exist_ok=True)
    path = folder / "chapters" / "01_title.md"
    text = HEADER
    for cell in cells:
        tag, source = cell if isinstance(cell, tuple) else ("", cell)
        tags = f":tags: [{tag}]\n" if tag else ""
        text += f"```{{code-cell}} ipython3\n{tags}{source}\n```\n\n"
    path.write_text(text)
    return path


@pytest.fixture
def jupyter():
    for name in ("jupytext", "nbclient", "ipykernel"):
        pytest.importorskip(name, reason="needs the extra 'notebooks'")


def test_a_second_run_changes_nothing(tmp_path, jupyter):
    figure = "import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.show()"
    clock = ("volatile", "import time; print(time.time_ns())")
    threads = "import os; print(os.environ['OMP_NUM_THREADS'], hash('a'), os.listdir())"
    path = chapter(tmp_path, "1 + 1", figure, clock, threads, "1 + 1")
    before = path.read_bytes()
    assert refresh.refresh(path)
    notebook = refresh.notebook_of(path)
    first = notebook.read_bytes()
    assert not refresh.refresh(path)
    assert notebook.read_bytes() == first and path.read_bytes() == before
    for word in (b"Software", b'"execution"', sys.version.split()[0].encode()):
        assert word not in first
    assert b'"1 ' in first and b"[]" in first

    chapter(tmp_path, "1 + 1", figure, ("volatile", clock[1] + " "), threads, "1 + 1")
    assert refresh.refresh(path)
    chapter(tmp_path, figure, clock, "2 + 2")  # what stays keeps its name
    import nbformat

    ids = {c.source: c.id for c in nbformat.reads(first, as_version=4).cells}
    kept = {c.source: c.id for c in refresh.read(path).cells}
    assert all(ids[source] == kept[source] for source in (figure, clock[1]))
    assert len(set(kept.values())) == len(refresh.read(path).cells)


def test_a_cell_that_raises_is_named(tmp_path, jupyter, capsys):
    chapter(tmp_path, "1 + 1", "quotient = 1 / 0")
    assert refresh.main([], folder=tmp_path) == 1
    told = capsys.readouterr().err
    assert "01_title.md" in told and "quotient = 1 / 0" in told and "ZeroDivisionError" in told
    assert "\x1b" not in told and not (tmp_path / "notebooks").exists()


def test_checking_writes_nothing(tmp_path, jupyter, capsys):
    chapter(tmp_path, "1 + 1")
    assert refresh.main(["1"], check=True, folder=tmp_path) == 0
    assert "01_title: runs" in capsys.readouterr().out
    assert not (tmp_path / "notebooks").exists()


def test_what_is_no_chapter_is_refused(tmp_path):
    with pytest.raises(ValueError, match="no chapters in .*run this in the repository"):
        refresh.sources(tmp_path, [])
    path = chapter(tmp_path)
    (path.parent / "_draft.md").write_text("no chapter")
    (path.parent / "glossary.md").write_text("no chapter")
    assert refresh.sources(tmp_path, []) == refresh.sources(tmp_path, ["1"]) == [path]
    with pytest.raises(ValueError, match="no chapter 07; there are 01"):
        refresh.sources(tmp_path, ["7"])


def test_without_its_libraries_it_says_what_to_install(tmp_path):
    script = (
        "import sys; sys.modules['jupytext'] = None\n"
        "from minigan.book import refresh; sys.exit(refresh.main([]))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1 and "pip install -e '.[notebooks]'" in done.stderr


def test_a_png_keeps_its_pixels_and_nothing_else(rng):
    picture = Image.fromarray(rng.integers(0, 255, (9, 7, 4), dtype=np.uint8), "RGBA")
    notes = PngImagePlugin.PngInfo()
    notes.add_text("Software", "any version")
    buffer = io.BytesIO()
    picture.save(buffer, "png", pnginfo=notes)
    stripped = refresh.pixels(buffer.getvalue())
    assert b"Software" in buffer.getvalue() and b"Software" not in stripped
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(stripped))), picture)
    (length,) = struct.unpack(">I", stripped[8:12])
    assert (
        zlib.crc32(stripped[12 : 16 + length])
        == struct.unpack(">I", stripped[16 + length : 20 + length])[0]
    )


def test_pieces_of_a_stream_are_one():
    nbformat = pytest.importorskip("nbformat")

    def stream(name, text):
        return nbformat.v4.new_output("stream", name=name, text=text)

    joined = refresh._joined([stream("stdout", "a"), stream("stdout", "b"), stream("stderr", "c")])
    assert [(o.name, o.text) for o in joined] == [("stdout", "ab"), ("stderr", "c")]
