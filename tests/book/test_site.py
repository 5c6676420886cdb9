"""The book as a site: it builds without a warning, and its pages ask nobody for anything."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

for name in ("sphinx", "myst_nb", "furo", "sphinxcontrib.katex"):
    pytest.importorskip(name, reason="needs the extra 'book'")

ROOT = Path(__file__).parents[2]
pytestmark = [
    pytest.mark.book,
    pytest.mark.skipif(not shutil.which("node"), reason="formulas are set by node"),
]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Where a copy of the book was built, so that nothing is written here; and what was said."""
    folder = tmp_path_factory.mktemp("site")
    for part in ("chapters", "notebooks"):
        ignore = shutil.ignore_patterns("made")
        shutil.copytree(ROOT / part, folder / part, ignore=ignore)
    (folder / "minigan").symlink_to(ROOT / "minigan")
    command = [sys.executable, "-m", "sphinx", "-q", "chapters", "built"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder / "built", done.stderr


def pages(site):
    return sorted(site[0].rglob("*.html"))


def test_sphinx_has_nothing_to_complain_of(site):
    assert not site[1].strip()


def test_every_chapter_and_every_table_has_its_page(site):
    names = {p.stem for p in pages(site)}
    assert {p.stem for p in (ROOT / "notebooks").glob("[0-9]*.ipynb")} <= names
    assert {"index", "search", "glossary", "inventory", "reference", "minigan.nn"} <= names


def test_no_page_asks_for_anything_from_outside(site):
    loading = re.compile(
        r"<(?:script|img|iframe|source|video|audio|embed)\b[^>]*\bsrc\s*=\s*[\"']?(?:https?:)?//"
        r"|<link\b[^>]*\bhref\s*=\s*[\"']?(?:https?:)?//"
        r"|@import|url\([\"']?(?:https?:)?//"
    )
    for path in [*pages(site), *site[0].rglob("*.css")]:
        found = loading.search(path.read_text(encoding="utf-8"))
        assert not found, f"{path.name}: {found[0]}"


def test_what_pages_ask_for_is_there(site):
    loads = re.compile(r"<(?:script|img)\b[^>]*\bsrc=\"([^\"]+)\"|<link\b[^>]*\bhref=\"([^\"]+)\"")
    for page in pages(site):
        for match in loads.finditer(page.read_text(encoding="utf-8")):
            address = (match[1] or match[2]).split("?")[0].split("#")[0]
            if address and not address.startswith("data:"):
                assert (page.parent / address).is_file(), f"{page.name}: {address}"
    style = site[0] / "_static" / "katex" / "katex.min.css"
    fonts = re.findall(r"url\(([^)]+)\)", style.read_text())
    assert len(fonts) == 20 and all((style.parent / font).is_file() for font in fonts)


def test_formulas_are_set_and_solutions_are_folded(site):
    page = (site[0] / "made" / "04_mathematics.html").read_text(encoding="utf-8")
    assert page.count('class="katex"') > 100
    assert not [p.name for p in pages(site) if "katex-error" in p.read_text(encoding="utf-8")]
    assert 'class="math' in page and "\\(" not in re.sub(r"<[^>]*>", "", page)[:20000]
    assert page.count("<details>") == page.count("</details>") >= 2
