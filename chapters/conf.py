"""The book as a site: ``sphinx-build chapters build/book``.

Chapters come from the executed notebooks as they are committed; nothing is executed here. Pages
that are made, not written, go to ``chapters/made/``: copies of the notebooks, the inventory, and
the reference from the docstrings.
"""

import csv
import pkgutil
import re
import shutil
import sys
from pathlib import Path

from docutils import nodes
from sphinx.errors import ConfigError

if not shutil.which("node"):
    raise ConfigError("formulas are set by Node.js while the book is built: install `node`")

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

import minigan  # noqa: E402

project = "minigan"
author = "the authors of minigan"
project_copyright = "text CC BY-SA 4.0, code MIT"
version = release = minigan.__version__
language = "en"

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinxcontrib.katex",
]
source_suffix = {".rst": "restructuredtext", ".md": "myst-nb", ".ipynb": "myst-nb"}
exclude_patterns = ["[0-9]*.md", "_template.md"]  # a chapter's notebook stands for it
suppress_warnings = [
    "myst.header",  # a heading may skip a level
    "ref.python",  # a parameter's type is prose: "a pair (mean, covariance)"
]

nb_execution_mode = "off"
nb_merge_streams = True
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 4

autodoc_default_options = {"members": True, "show-inheritance": True, "ignore-module-all": True}
autodoc_member_order = "bysource"
autodoc_typehints = "none"
napoleon_google_docstring = False
napoleon_use_ivar = True
napoleon_use_rtype = False
default_role = "code"

katex_prerender = True  # formulas are set while building, by node
katex_css_path = "katex/katex.min.css"

html_theme = "furo"
html_title = "minigan"
html_static_path = ["_static"]
html_css_files = ["book.css"]
html_show_sourcelink = False
html_copy_source = False


def write(path, text):
    """Write a made page, unless it is there already: Sphinx reads again what is newer."""
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def make_chapters(made):
    """Copies of the notebooks, which lie outside of this folder."""
    for notebook in sorted((HERE.parent / "notebooks").glob("[0-9]*.ipynb")):
        write(made / notebook.name, notebook.read_text(encoding="utf-8"))


def make_inventory(made):
    """A table of all that the book treats, with links to where."""
    lines = [
        "# Inventory",
        "",
        "Where each subject is treated, with the name that it has in Chinese texts.",
    ]
    for path in sorted((HERE / "inventory").glob("[0-9]*.csv")):
        chapter = next((made / "x").parent.glob(f"{path.stem}_*.ipynb"), None)
        if chapter is None:
            continue
        lines += ["", f"## Chapter {int(path.stem)}", "", "| subject | in Chinese |", "|---|---|"]
        with open(path, encoding="utf-8", newline="") as file:
            rows = [(r["English"], r["anchor"], r["item"]) for r in csv.DictReader(file)]
        for english, anchor, item in dict.fromkeys(rows):
            name, item = (s.replace("|", r"\|").replace("$", r"\$") for s in (english, item))
            lines.append(f"| [{name}]({chapter.name}#{anchor}) | {item} |")
    write(made / "inventory.md", "\n".join(lines) + "\n")


def make_reference(made):
    """A page for each public module or package of minigan, with all that it defines."""
    names = ["minigan"]
    for module in pkgutil.iter_modules(minigan.__path__):
        if module.name == "__main__":
            continue
        name = f"minigan.{module.name}"
        names.append(name)
    for name in names:
        folder = HERE.parent / name.replace(".", "/")
        parts = [name]
        if folder.is_dir() and name != "minigan":
            parts += [
                f"{name}.{m.name}"
                for m in pkgutil.iter_modules([str(folder)])
                if m.name != "cli" and not m.name.startswith(("_", "chapter_"))
            ]
        lines = [name, "=" * len(name), ""]
        for part in parts:
            if part != name:
                lines += [part, "-" * len(part), ""]
            lines += [f".. automodule:: {part}", ""]
        write(made / "reference" / f"{name}.rst", "\n".join(lines))
    listing = ["Reference", "=========", "", "Every public name, from its docstring.", ""]
    listing += [".. toctree::", ""] + [f"   reference/{name}" for name in names]
    write(made / "reference.rst", "\n".join(listing) + "\n")


def escape(app, what, name, obj, options, lines):
    """In docstrings |x| is an absolute value and (N, *) a shape, not markup, but for code."""
    literal = None  # how far the line is indented that opened a literal block
    for i, line in enumerate(lines):
        indent = len(line) - len(line.lstrip())
        if literal is not None and line.strip() and indent <= literal:
            literal = None
        if literal is not None:
            continue
        if line.rstrip().endswith("::"):
            literal = indent
        parts = re.split(r"(``.*?``)", line)
        for k in range(0, len(parts), 2):
            parts[k] = re.sub(
                r"(?<!\\)\||(?<![\w*\\])\*(?=[,) ]|[\w.]+[^\w*.])", r"\\\g<0>", parts[k]
            )
        lines[i] = "".join(parts)


def align(app, doctree):
    """KaTeX wants several lines, or an &, within an environment; docstrings leave it out."""
    for block in doctree.findall(nodes.math_block):
        latex = block.astext()
        if ("&" in latex or "\\\\" in latex) and "\\begin" not in latex:
            block.children = [nodes.Text(f"\\begin{{aligned}}{latex}\\end{{aligned}}")]


def setup(app):
    """Make the pages before Sphinx looks for its sources."""
    app.connect("autodoc-process-docstring", escape, priority=900)  # after napoleon
    app.connect("doctree-read", align)
    made = HERE / "made"
    if made.is_dir() and not (HERE.parent / "notebooks").is_dir():
        shutil.rmtree(made)
    make_chapters(made)
    make_inventory(made)
    make_reference(made)
