"""One plan of the house: pyproject's layers, the table in README and minigan's docstring agree."""

import pkgutil
import re

import lines

import minigan


def table(readme):
    """The floors in README, from the top."""
    section = readme.partition("\n## The house\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (`.*?) \|", section, re.M)
    return [re.findall(r"`(\w+)`", row) for row in rows]


def block(docstring):
    """The floors in the docstring, from the top."""
    text = docstring.partition("The house")[2].partition("::\n")[2]
    return [line.partition("#")[0].split(" | ") for line in text.split("\n") if line.strip()]


def test_readme_shows_the_house():
    assert table((lines.ROOT / "README.md").read_text()) == lines.floors()


def test_the_docstring_shows_the_house():
    floors = [[name.strip() for name in floor] for floor in block(minigan.__doc__)]
    assert floors == lines.floors()


def test_every_module_has_a_floor():
    there = {module.name for module in pkgutil.iter_modules(minigan.__path__)} - {"__main__"}
    assert there == {name for floor in lines.floors() for name in floor}
