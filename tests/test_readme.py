"""What README shows as source is the source: the code of each block that a file is named for."""

import re
import textwrap

import pytest
from lines import ROOT

README = (ROOT / "README.md").read_text()
SHOWN = re.findall(r"\(`(minigan/[\w/]+\.py)`\)[^`]*?:\n\n```python\n(.*?)```", README, re.S)
PYTHON = re.findall(r"```python\n(.*?)```", README, re.S)


def stands_in(block, source):
    """Whether the block's lines follow each other in the source, at any depth of indentation."""
    return any(textwrap.indent(block, " " * depth) in source for depth in (0, 4, 8))


@pytest.mark.parametrize(("path", "block"), SHOWN, ids=[path for path, _ in SHOWN])
def test_what_is_shown_is_the_source(path, block):
    assert stands_in(block, (ROOT / path).read_text())


def test_the_step_and_a_function_are_shown():
    assert [path for path, _ in SHOWN] == ["minigan/gan/steps.py", "minigan/ops/elementwise.py"]


def test_a_changed_word_is_noticed():
    source = "class A:\n    def f(self):\n        return 1\n"
    assert stands_in("def f(self):\n    return 1\n", source)
    assert not stands_in("def f(self):\n    return 2\n", source)


@pytest.mark.parametrize("block", PYTHON, ids=[block.split("\n")[0] for block in PYTHON])
def test_every_block_is_python(block):
    compile("def readme():\n" + textwrap.indent(block, "    "), "README.md", "exec")
