"""What CONTRIBUTING, README and the other pages tell a reader to type and to open is there."""

import re

import numpy as np
import pytest
from lines import ROOT
from numeric import check_gradients

from minigan.ops import elementwise

PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "tests").rglob("*.md")]
PAGES.remove(ROOT / "CHANGELOG.md")  # tells of what was
PATH = re.compile(r"(?<![\w./-])(?:minigan|tests|docs|chapters|\.ci)/[\w./-]*\w")


@pytest.mark.parametrize("page", sorted(PAGES), ids=lambda p: p.relative_to(ROOT).as_posix())
def test_the_paths_on_a_page_exist(page):
    missing = [path for path in PATH.findall(page.read_text()) if not (ROOT / path).exists()]
    assert not missing


def test_paths_are_found():
    assert PATH.findall("see `minigan/nn/conv.py`, (docs/gpu.md); a/minigan/x") == [
        "minigan/nn/conv.py",
        "docs/gpu.md",
    ]


def test_the_operation_that_is_added_in_ten_minutes():
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "CONTRIBUTING.md").read_text(), re.S)
    names = vars(elementwise).copy()
    exec("\n".join(line.removeprefix("   ") for line in code.splitlines()), names)
    x = np.linspace(-2, 2, 5)
    np.testing.assert_allclose(names["atan"](x), np.arctan(x), rtol=1e-12)
    check_gradients(names["atan"], x)
