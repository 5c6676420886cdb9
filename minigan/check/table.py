"""A small table that prints as text, as Markdown and, in Jupyter, as HTML."""

from __future__ import annotations

import html
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

GOOD, BAD, OPEN = "#1a7f37", "#b42318", "#777"  # the colours of a verdict
_STYLES = {"bad": "background:#fde2dd", "good": "", "note": "color:#777"}


class Table:
    """Rows of named cells.

    Parameters
    ----------
    rows : iterable of mappings
        Column name → value. Numbers are shown with six digits; everything else as ``str`` does.
    columns : iterable of str, optional
        Which columns, in which order; else all, in the order in which they first appear.
    title, note : str
        A line above and one below.
    marks : mapping, optional
        Row number → "bad" (red in HTML, ``!`` in text) or "note" (grey in HTML).
    """

    def __init__(
        self,
        rows: Iterable[Mapping[str, Any]],
        columns: Iterable[str] | None = None,
        title: str = "",
        note: str = "",
        marks: Mapping[int, str] | None = None,
    ) -> None:
        self.rows = [dict(row) for row in rows]
        self.columns = list(columns or dict.fromkeys(name for row in self.rows for name in row))
        self.title, self.note, self.marks = title, note, dict(marks or {})

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return iter(self.rows)

    def __getitem__(self, column: str) -> list[Any]:
        """One column's values."""
        return [row.get(column, "") for row in self.rows]

    def _cells(self) -> list[list[str]]:
        return [[cell(row.get(name, "")) for name in self.columns] for row in self.rows]

    def _is_number(self, column: str) -> bool:
        return all(isinstance(v, (int, float)) or v == "" for v in self[column])

    # ----------------------------------------------------------------------------- the three forms

    def text(self) -> str:
        """Aligned columns: words to the left, numbers to the right."""
        lines = [self.columns, *self._cells()]
        widths = [max(len(line[i]) for line in lines) for i in range(len(self.columns))]
        right = [self._is_number(name) for name in self.columns]

        def aligned(line: list[str]) -> str:
            parts = zip(line, widths, right, strict=True)
            return "  ".join(c.rjust(w) if r else c.ljust(w) for c, w, r in parts).rstrip()

        flags = {i: "!" for i, mark in self.marks.items() if mark == "bad"}
        margin = "  " if flags else ""
        body = [(flags.get(i, "").ljust(len(margin)) + aligned(c)) for i, c in enumerate(lines[1:])]
        rule = margin + "  ".join("-" * w for w in widths)
        table = [margin + aligned(lines[0]), rule, *body] if self.columns else []
        return "\n".join(part for part in [self.title, *table, self.note] if part)

    def markdown(self) -> str:
        """A pipe table; cells in ``$…$`` stay LaTeX."""
        lines = ["| " + " | ".join(map(_pipe_safe, self.columns)) + " |"]
        lines.append(
            "|" + "|".join("---:" if self._is_number(c) else "---" for c in self.columns) + "|"
        )
        lines += ["| " + " | ".join(map(_pipe_safe, line)) + " |" for line in self._cells()]
        parts = [self.title, "\n".join(lines) if self.columns else "", self.note]
        return "\n\n".join(part for part in parts if part)

    def html(self) -> str:
        """One ``<table>`` that needs nothing from outside: no script, no style sheet."""
        pad = "padding:2px 10px"
        align = ["right" if self._is_number(name) else "left" for name in self.columns]

        def line(cells: list[str], tag: str, style: str = "") -> str:
            inner = "".join(
                f'<{tag} style="{pad};text-align:{side}">{_html_cell(c)}</{tag}>'
                for c, side in zip(cells, align, strict=True)
            )
            return f'<tr style="{style}">{inner}</tr>'

        body = "".join(
            line(cells, "td", _STYLES[self.marks.get(i, "good")])
            for i, cells in enumerate(self._cells())
        )
        head = f"<thead>{line(self.columns, 'th')}</thead>" if self.columns else ""
        table = f'<table style="border-collapse:collapse">{head}<tbody>{body}</tbody></table>'
        title = f"<p><strong>{_html_cell(self.title)}</strong></p>" if self.title else ""
        note = f"<p>{_html_cell(self.note)}</p>" if self.note else ""
        return f"<div>{title}{table}{note}</div>"

    __str__ = __repr__ = text
    _repr_html_ = html


def framed(message: str, table: Table, colour: str) -> str:
    """A verdict in HTML: a message above a table, with a bar in ``colour`` on the left."""
    style = f"border-left:4px solid {colour};padding-left:8px"
    return f'<div style="{style}">{Table([], note=message).html()}{table.html()}</div>'


def cell(value: Any) -> str:
    """How a value is shown in a table."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}"
    return "" if value is None else str(value)


def _pipe_safe(text: str) -> str:
    bar = r"\vert " if text.startswith("$") else r"\|"  # in LaTeX, \| would be a double bar
    return text.replace("|", bar).replace("\n", "<br>")


def _html_cell(text: str) -> str:
    return html.escape(text).replace("\n", "<br>")
