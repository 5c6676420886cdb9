"""The library stays tiny: the counter, and the limits at the top of lines.py."""

import lines
import pytest
from lines import PACKAGE


def name(path):
    return path.relative_to(PACKAGE).as_posix()


class TestLimits:
    def test_the_reading_path(self):
        assert lines.count(lines.reading_path()) <= lines.LIMITS["reading path"]

    @pytest.mark.xfail(strict=True, reason="being reached")
    def test_the_core(self):
        assert lines.count(lines.core_files()) <= lines.LIMITS["core"]

    def test_recording_and_walking_back(self):
        assert lines.count(lines.RECORDING) <= lines.LIMITS["recording"]

    @pytest.mark.parametrize("path", lines.core_files(), ids=name)
    def test_a_core_file(self, path):
        assert len(path.read_text().splitlines()) <= lines.LINES_OF_A_CORE_FILE

    @pytest.mark.parametrize("path", lines.reading_path(), ids=name)
    def test_the_reading_path_imports_nothing_outside_of_the_core(self, path):
        assert lines.imported(path) <= set(lines.core())


def test_the_core_holds_the_reading_path_and_nothing_of_the_rest():
    assert set(lines.reading_path()) <= set(lines.core_files())
    assert not {"check", "data", "insight", "metrics", "zoo", "fast", "studio", "book"} & set(
        lines.core()
    )


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("", 0),
        ("x = 1\n\n# why\ny = 2  # and how\n", 2),
        ('"""Doc\n\nstring."""\nx = 1\n', 1),
        ('def f():\n    """Doc."""\n    return 1\n', 2),
        ('def f(): "Doc."\n', 1),
        ('class A:\n    r"""Doc\n    string."""\n\n    async def f(self):\n        "Doc."\n', 2),
        ('x = """no\n\ndocstring"""\n', 3),
        ("f(\n    1,\n    # why\n\n    2,\n)\n", 4),
        ("x = [\n    f'{y}\\\n{z}'\n]\n", 4),
    ],
)
def test_what_is_a_code_line(source, expected):
    assert lines.code_lines(source) == expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("from ..data import DataLoader", {"data"}),
        ("from .. import data, random", {"data", "random"}),
        ("from . import conv", {"nn"}),
        ("from .conv import Conv2d", {"nn"}),
        ("import minigan.studio.cli", {"studio"}),
        ("from minigan import fast", {"fast"}),
        ("from ..fast.cuda import kernels", {"fast"}),
        ("if TYPE_CHECKING:\n    from ..gan import Minimax", {"gan"}),
        ("def f():\n    from ..zoo import mlp", {"zoo"}),
        ("import minigan as mg", {"minigan"}),  # all of it
        ("from .. import Tensor", {"minigan"}),
        ("import math\nfrom numpy import exp", set()),
    ],
)
def test_the_reader_of_imports(line, expected, tmp_path, monkeypatch):
    monkeypatch.setattr(lines, "PACKAGE", tmp_path / "minigan")
    path = tmp_path / "minigan" / "nn" / "new.py"
    path.parent.mkdir(parents=True)
    path.write_text(line)
    assert lines.imported(path) == expected
