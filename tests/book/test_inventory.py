"""Everything that the five documents treat has its place in a chapter."""

import csv
import re
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "chapters"
CHAPTERS = {p.stem[:2]: p for p in sorted(FOLDER.glob("[0-9]*_*.md"))}
LISTS = sorted((FOLDER / "inventory").glob("[0-9]*.csv"))


def rows(path):
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def anchors(text):
    """The names of a text's headings, as GitHub makes them."""
    text = re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S)
    titles = re.findall(r"^#+ (.*?)\s*$", text, flags=re.M)
    found = []
    for title in titles:
        slug = re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")
        again = sum(1 for other in found if re.fullmatch(re.escape(slug) + r"(-\d+)?", other))
        found.append(f"{slug}-{again}" if again else slug)
    return found


@pytest.mark.parametrize("path", LISTS, ids=lambda p: p.stem)
def test_every_item_has_a_heading_in_its_chapter(path):
    there = anchors(CHAPTERS[path.stem].read_text(encoding="utf-8"))
    table = rows(path)
    assert table and list(table[0]) == ["document", "item", "English", "anchor"]
    lost = [(r["item"], r["anchor"]) for r in table if r["anchor"] not in there]
    assert not lost, f"{len(lost)} rows lead nowhere"
    assert all(r["item"] and r["English"] for r in table)
    assert {r["document"] for r in table} <= {"000", "001", "002", "003", "004"}


@pytest.mark.skipif(len(LISTS) < 9, reason="chapters are missing")
def test_every_heading_of_the_documents_is_treated():
    def key(document, heading):
        bare = re.sub(r"^(#+|[\d.]+|[Qq附录])[\s:：.]*", "", heading.strip())
        return document, re.sub(r"\s", "", bare)

    treated = {key(r["document"], r["item"]) for path in LISTS for r in rows(path)}
    wanted = rows(FOLDER / "inventory" / "headings.csv")
    lost = [f"{r['document']} {r['heading']}" for r in wanted
            if key(r["document"], r["heading"]) not in treated]  # fmt: skip
    assert len(wanted) > 100 and not lost


@pytest.mark.skipif(not (FOLDER / "glossary.md").is_file(), reason="no glossary yet")
@pytest.mark.parametrize("path", CHAPTERS.values(), ids=lambda p: p.stem)
def test_every_chinese_term_stands_in_the_glossary(path):
    glossary = (FOLDER / "glossary.md").read_text(encoding="utf-8")
    brackets = re.findall(r"\(([^()]*[\u4e00-\u9fff][^()]*)\)", path.read_text(encoding="utf-8"))
    terms = {term for inside in brackets for term in re.findall(r"[\u4e00-\u9fff]+", inside)}
    assert terms and not {t for t in terms if t not in glossary}
