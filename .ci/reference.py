"""Build the API reference: ``python .ci/reference.py FOLDER``.

pdoc renders the docstrings of the public names. It does not know the tables in which
they describe columns, so those are taken out before and put back as HTML.
"""

from __future__ import annotations

import html
import re
import sys
import warnings
from pathlib import Path

import pdoc
from pdoc import docstrings

RULE = re.compile(r"^ *=+(?: +=+)+ *$")
MARK = "TABLE-OF-COLUMNS-{}-"


class Tables:
    """The tables found so far; each leaves a mark in the text."""

    def __init__(self) -> None:
        self.found: list[str] = []

    def taken_out(self, text: str) -> str:
        """The text with a mark in the place of each table."""
        lines = text.splitlines()
        kept: list[str] = []
        at = 0
        while at < len(lines):
            end = self._end(lines, at)
            if end:
                indent = lines[at][: len(lines[at]) - len(lines[at].lstrip())]
                kept.append(indent + MARK.format(len(self.found)))
                self.found.append(as_html(lines[at:end]))
                at = end
            else:
                kept.append(lines[at])
                at += 1
        return "\n".join(kept)

    @staticmethod
    def _end(lines: list[str], at: int) -> int:
        """One behind the third rule of the table that starts here; 0 where none starts."""
        if not RULE.match(lines[at]):
            return 0
        rules = [i for i in range(at, len(lines)) if RULE.match(lines[i])][:3]
        return rules[2] + 1 if len(rules) == 3 and rules[1] == at + 2 else 0

    def put_back(self, page: str) -> str:
        """The page with the tables in their places."""
        for number, table in enumerate(self.found):
            page = page.replace(MARK.format(number), table)
        return page


def as_html(lines: list[str]) -> str:
    """A simple table of reStructuredText as an HTML table."""
    spans = [match.span() for match in re.finditer(r"=+", lines[0])]
    spans[-1] = (spans[-1][0], max(map(len, lines)))
    rows: list[list[str]] = []
    for line in lines[3:-1]:
        cells = [line[begin:end].strip() for begin, end in spans]
        if cells[0] or not rows:
            rows.append(cells)
        else:
            rows[-1] = [f"{above} {cell}".strip() for above, cell in zip(rows[-1], cells, strict=True)]
    head = [lines[1][begin:end].strip() for begin, end in spans]
    return f"</p>{table(head, rows)}<p>"


def table(head: list[str], rows: list[list[str]]) -> str:
    """An HTML table; what stands in backticks is code."""

    def row(cells: list[str], tag: str) -> str:
        shown = (re.sub(r"`+([^`]+)`+", r"<code>\1</code>", html.escape(cell)) for cell in cells)
        return "<tr>" + "".join(f"<{tag}>{cell}</{tag}>" for cell in shown) + "</tr>"

    body = "".join(row(cells, "td") for cells in rows)
    return f"<table><thead>{row(head, 'th')}</thead><tbody>{body}</tbody></table>"


def main(folder: Path) -> None:
    """Write the reference into `folder`."""
    tables = Tables()
    convert = docstrings.convert

    def with_tables(docstring: str, *arguments: object) -> str:
        return convert(tables.taken_out(docstring), *arguments)

    docstrings.convert = with_tables
    pdoc.render.configure(docformat="numpy", show_source=False)
    with warnings.catch_warnings():
        # Names that only type checkers import stay as they are written.
        warnings.simplefilter("ignore", UserWarning)
        pdoc.pdoc("kalshi_research", output_directory=folder)
    for page in folder.rglob("*.html"):
        page.write_text(tables.put_back(page.read_text(encoding="utf-8")), encoding="utf-8")
    index = folder / "search.js"
    index.write_text(
        re.sub(MARK.format(r"\d+"), "", index.read_text(encoding="utf-8")), encoding="utf-8"
    )
    print(f"API reference: {(folder / 'index.html').resolve()}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
