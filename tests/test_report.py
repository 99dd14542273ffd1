"""A notebook goes in, one file that can be sent to anybody comes out."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import re
import stat
import sys
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import nbformat
import pandas as pd
import pytest
from bs4 import BeautifulSoup
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from hypothesis import given
from hypothesis import strategies as st
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from kalshi_research.errors import InputError, ReportError
from kalshi_research.provenance import KEY, provenance
from kalshi_research.report import typed_parameters, write_report
from kalshi_research.report.formulas import markdown
from kalshi_research.report.leaks import refuse_secrets
from kalshi_research.report.markup import cleaned
from kalshi_research.report.notebook import Run
from kalshi_research.report.page import render
from kalshi_research.report.pdf import find_browser
from kalshi_research.report.sources import found_sources
from kalshi_research.report.views import view


def code(source: str, *tags: str):
    return new_code_cell(source, metadata={"tags": list(tags)} if tags else {})


def write_notebook(path: Path, *cells) -> Path:
    made = [new_markdown_cell(cell) if isinstance(cell, str) else cell for cell in cells]
    nbformat.write(new_notebook(cells=made), path)
    return path


FORBIDDEN = frozenset("script iframe object embed link base form video audio svg".split())  # noqa: SIM905


class Page(HTMLParser):
    """What a browser would see of a page, read by the parser of the standard library."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self.styles = ""
        self._open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag == "style":
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag == "style" and self._open:
            self._open.pop()

    def handle_data(self, data: str) -> None:
        if self._open:
            self.styles += data
        else:
            self.text += data

    def dangers(self) -> list[str]:
        """Everything that could run, or make a browser fetch something."""
        found = []
        for tag, attributes in self.tags:
            if tag in {
                "script",
                "iframe",
                "object",
                "embed",
                "link",
                "base",
                "form",
                "video",
                "audio",
                "svg",
            }:
                found.append(tag)
            for name, value in attributes.items():
                fetches = name in {"src", "srcset", "data", "action", "background", "poster"}
                if name.startswith("on") or (fetches and not value.startswith("data:image/")):
                    found.append(f"{tag} {name}={value}")
                if name == "href" and (tag != "a" or not re.match(r"https?:|mailto:|#", value)):
                    found.append(f"{tag} {name}={value}")
                if name == "style" and re.search(r"url|expression|@|\\", value):
                    found.append(f"{tag} style={value}")
        found += re.findall(r"url\s*\(|@import|expression\s*\(", self.styles)
        return found


DEMO = [
    "# Rain in *New York*\n\n"
    "From $0.42 to $0.58. The mid is $m = \\frac{b+a}{2}$.\n\n$$\\hat p = 1$$\n\n"
    "[the documents](https://docs.kalshi.com) [bad](javascript:alert(1)) ![far](https://example.com/a.png)",
    code('ENVIRONMENT = "sandbox"\nROWS = 5\nTICKER = "KXHIGHNY"', "parameters"),
    code(
        "import warnings\nfrom datetime import UTC, datetime\n"
        "import pandas as pd\nfrom kalshi_research.provenance import provenance\n"
        "unmistakable_name = ROWS\n"
        'frame = pd.DataFrame({"ticker": [f"T-{i}" for i in range(ROWS)], "bid": [0.25] * ROWS})\n'
        'frame.loc[1, "bid"] = float("nan")\n'
        'frame.attrs["kalshi"] = provenance(environment="sandbox", host="h", endpoint="/markets",'
        " fetched_at=datetime(2026, 11, 20, 15, tzinfo=UTC), rows=ROWS, pages=1, complete=True,"
        ' schema="markets/1")\n'
        "frame"
    ),
    code(
        "import matplotlib.pyplot as plt\n"
        "figure, axes = plt.subplots()\naxes.plot([1, 2], [3, 4])\nplt.show()"
    ),
    code('print("printed numbers <b>")'),
    code('warnings.warn("3 of 1,200 rows were dropped")'),
    code(
        "from IPython.display import HTML\n"
        'HTML(\'<b onclick="x()">bold</b><script>alert(1)</script><iframe src="https://example.com"></iframe>'
        '<img src=x onerror="alert(1)"><link rel=stylesheet href="https://example.com/a.css">\')'
    ),
    code('frame.style.set_uuid("abc").map(lambda v: "color: red", subset=["bid"])'),
    code(
        "import ipywidgets\n"
        'ipywidgets.VBox([ipywidgets.HTML("<b>Order</b><script>x</script>"), ipywidgets.Dropdown('
        'options=["buy", "sell"], value="sell", description="Side"),'
        ' ipywidgets.Button(description="Place")])'
    ),
    code(
        "from kalshi_research.panels.views import Ladder, Link, Plain, Table\n"
        'columns = [{"label": "Strike", "kind": "text"}, {"label": "Paid", "kind": "number"},'
        ' {"label": "", "kind": "action"}]\n'
        'rows = [{"key": str(i), "cells": [f"<b>{i}°</b>", "0.42", "Press"]} for i in range(20)]\n'
        'hidden = Plain("out of sight")\n'
        'hidden.layout.display = "none"\n'
        'book = {"bids": [["0.41", "13", "5", False]], "asks": [["0.44", "17", "", False]],'
        ' "mid": "mid 0.425", "live": True}\n'
        'ipywidgets.VBox([Plain("costs $5 <i>or</i> $6", role="warn"), hidden,'
        ' Table(columns=columns, rows=rows), Table(columns=columns, empty="No row at all."),'
        ' Ladder(book=book), Ladder(), Link(href="javascript:alert(1)", text="Page")])'
    ),
    code(
        'weeks = [[0.25, None, 0.75, 0.5], [0.3], ["<b>", "0.2", None], [0.4, 0.4], "text"]\n'
        'rows = [{"key": str(i), "cells": [f"week {i}", week]} for i, week in enumerate(weeks)]\n'
        'columns = [{"label": "Market", "kind": "text"}, {"label": "Week", "kind": "spark"}]\n'
        "Table(columns=columns, rows=rows)"
    ),
    code('pd.DataFrame([["x" * 30] * 12], columns=[f"wide_{i}" for i in range(12)])'),
    code('print("left out")', "remove-cell"),
    code('print("also left out")', "remove-output"),
    code('print("folded")', "hide-output"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("with a space")


@pytest.fixture(scope="module")
def demo(folder: Path) -> str:
    """The text of a report that has a bit of everything."""
    notebook = write_notebook(folder / "rain_report.ipynb", *DEMO)
    before = notebook.read_bytes()
    written = write_report(notebook, parameters={"ROWS": 7}, output=folder / "out" / "rain.html")
    assert written == (folder / "out" / "rain.html").resolve()
    assert notebook.read_bytes() == before, "the notebook itself must not change"
    assert [path.name for path in written.parent.iterdir()] == ["rain.html"]
    return written.read_text(encoding="utf-8")


def test_nothing_in_a_report_runs_or_fetches(demo: str) -> None:
    assert Page(demo).dangers() == []
    assert "https://example.com" not in demo


def test_the_security_policy_comes_before_all_content(demo: str) -> None:
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', demo)
    assert policy
    assert "default-src 'none'" in policy.group(1)
    assert demo.index("Content-Security-Policy") < demo.index("<style") < demo.index("<body")


def test_code_is_hidden_and_output_shown(demo: str) -> None:
    page = Page(demo)
    assert "unmistakable_name" not in demo
    assert "import" not in page.text
    assert "printed numbers <b>" in page.text
    assert "T-6" in page.text, "the parameter ROWS=7 did not reach the notebook"


def test_the_first_heading_is_the_title(demo: str) -> None:
    assert "<title>SIMULATED · Rain in New York</title>" in demo
    assert demo.count("<h1>") == 1


def test_simulated_data_is_marked_at_the_top_and_on_every_printed_page(demo: str) -> None:
    assert "Simulated data" in Page(demo).text.strip()[:400]
    assert re.search(r"@page \{ @bottom-left \{ content: \"SIMULATED", demo)


def test_provenance_names_source_parameters_and_versions(demo: str) -> None:
    text = Page(demo).text
    for said in (
        "sandbox (simulated)",
        "/markets",
        "2026-11-20T15:00:00",
        "ENVIRONMENT = 'sandbox', ROWS = 7, TICKER = 'KXHIGHNY'",
        f"pandas {pd.__version__}",
        "rain_report.ipynb",
    ):
        assert said in text


def test_figures_are_drawings_inside_the_page(demo: str) -> None:
    images = [a for tag, a in Page(demo).tags if tag == "img"]
    figures = [a["src"] for a in images if a.get("alt") == "figure"]
    drawings = [source for source in figures if source.startswith("data:image/svg+xml;base64,")]
    assert len(drawings) == 1
    drawing = base64.b64decode(drawings[0].partition(",")[2]).decode()
    assert drawing.startswith("<svg")
    assert "viewBox" in drawing, "without it the drawing does not scale"
    assert all(a.get("alt") for a in images)


def test_formulas_are_drawn_and_dollar_prices_are_not_formulas(demo: str) -> None:
    page = Page(demo)
    assert "From $0.42 to $0.58." in page.text
    assert [a.get("display") for tag, a in page.tags if tag == "math"] == ["inline", "block"]
    assert any(tag == "mfrac" for tag, _ in page.tags)


def test_only_harmless_links_stay_links(demo: str) -> None:
    links = [a.get("href") for tag, a in Page(demo).tags if tag == "a"]
    assert [link for link in links if link and link[0] != "#"] == ["https://docs.kalshi.com"]
    assert "[image left out: far]" in Page(demo).text


def test_a_warning_is_shown_without_the_place_in_the_code(demo: str) -> None:
    assert "UserWarning: 3 of 1,200 rows were dropped" in Page(demo).text
    assert "ipykernel" not in demo


def test_tables_mark_numbers_and_missing_values_and_keep_styles(demo: str) -> None:
    assert '<td class="missing">NaN</td>' in demo
    assert '<td class="number">0.25</td>' in demo
    assert re.search(r"#T_abc_row0_col1\b[^{]*\{ color: red \}", demo)


def test_a_very_wide_table_gets_a_page_on_its_side(demo: str) -> None:
    sideways = demo.partition('<section class="result sideways">')[2].partition("</section>")[0]
    assert "wide_11" in sideways
    assert '<div class="table wide full" style="--chars: ' in sideways
    assert demo.count('class="result sideways"') == 1


def test_widgets_stand_still(demo: str) -> None:
    text = Page(demo).text
    assert "Order" in text
    assert re.search(r"Side\s+sell", text)
    assert "VBox(" not in text


def test_panels_are_lines_and_tables_of_what_they_showed(demo: str) -> None:
    text = Page(demo).text
    assert "costs $5 <i>or</i> $6" in text
    assert "out of sight" not in text
    assert re.search(r"Strike\s*Paid\s*<b>0°</b>\s*0\.42\s*<b>1°</b>", text), "and no column of buttons"
    assert "<b>11°</b>" in text
    assert "<b>12°</b>" not in text
    assert "and 8 more" in text
    assert "No row at all." in text
    assert re.search(r"0\.44\s*17\s*mid 0\.425\s*5\s*13\s*0\.41", text)
    assert "The book was not current." in text
    assert "javascript" not in demo


def test_points_of_a_column_stand_above_each_other() -> None:
    digit, point = "\u2007", "\u2008"
    columns = [{"label": "Market", "kind": "text"}, {"label": "Price", "kind": "number"}]
    shown = {"0.43": digit, "-$0.427": "", "1,500": point + 3 * digit, "–": "", "0 of 20": "", "<b>": ""}
    rows = [{"key": price, "cells": ["0.1", price]} for price in shown]
    state = {"_anywidget_id": "kalshi_research.panels.views.Table", "columns": columns, "rows": rows}
    drawn = BeautifulSoup(view(state) or "", "html.parser").select("td.number")
    assert [cell.get_text() for cell in drawn] == [price + pad for price, pad in shown.items()]
    book = {"bids": [["0.4", "1.50", "", False]], "asks": [["0.427", "17", "", False]], "live": True}
    state = {
        "_anywidget_id": "kalshi_research.panels.views.Ladder",
        "book": book,
        "heads": ["a", "b", "c"],
    }
    texts = [
        cell.get_text() for cell in BeautifulSoup(view(state) or "", "html.parser").select("td.number")
    ]
    assert texts == ["", "0.427", "17", "1.50", "0.4" + 2 * digit, ""]


def test_spark_lines_are_drawn_from_their_numbers(demo: str) -> None:
    """Only numbers make a line: x from 0 to 100, the lowest value at 20, the highest at 2."""
    soup = BeautifulSoup(demo, "html.parser")
    rows = {
        row.td.get_text(): row.find("img")
        for row in soup.find_all("tr")
        if row.td and row.td.get_text().startswith("week ")
    }
    assert [name for name, image in rows.items() if image is None] == ["week 1", "week 2", "week 4"]
    drawing = base64.b64decode(rows["week 0"]["src"].partition(",")[2]).decode()
    (line,) = BeautifulSoup(drawing, "html.parser").find_all("polyline")
    assert line["points"] == "0,20 66.7,2 100,11"
    assert rows["week 0"]["alt"] == "from 0.25 to 0.50, lowest 0.25, highest 0.75"
    flat = base64.b64decode(rows["week 3"]["src"].partition(",")[2]).decode()
    assert "0,20 100,20" in flat


def test_widgets_stand_as_threads_left_them_after_their_cells_had_ended(tmp_path: Path) -> None:
    """What changes between two cells reaches nobody who listens to cells: the kernel is asked."""
    notebook = write_notebook(
        tmp_path / "late.ipynb",
        code(
            "import threading, ipywidgets\n"
            'field, kernel = ipywidgets.Text("early"), get_ipython().kernel\n'
            "publish = kernel._publish_status\n"
            "def told(status, *more, **named):\n"
            "    publish(status, *more, **named)\n"
            '    if status == "idle":\n'
            "        kernel._publish_status = publish\n"
            '        change = lambda: field.set_trait("value", "as it ended")\n'
            "        thread = threading.Thread(target=change)\n"
            "        thread.start()\n"
            "        thread.join()\n"
            "kernel._publish_status = told\n"
            "captured = ipywidgets.Output()\n"
            'with captured:\n    print("what was captured")\n'
            "ipywidgets.VBox([field, captured])"
        ),
        code("field.value"),
    )
    text = Page(write_report(notebook, output=tmp_path / "late.html").read_text("utf-8")).text
    assert text.count("as it ended") == 2
    assert "early" not in text
    assert "what was captured" in text


def test_tags_leave_out_or_fold(demo: str) -> None:
    assert "left out\n" not in Page(demo).text
    assert re.search(r"<details><summary>Details</summary><pre class=\"stdout\">folded", demo)


def test_a_report_may_be_read_by_others(folder: Path, demo: str) -> None:
    assert stat.S_IMODE((folder / "out" / "rain.html").stat().st_mode) == 0o644


# Parameters


def parameter_notebook(tmp_path: Path) -> Path:
    return write_notebook(
        tmp_path / "p.ipynb",
        code(
            'TEXT = "a"\nCOUNT = 3\nSHARE = 0.5\nFLAG = False\nNAMES = ["x"]\nLATER = None', "parameters"
        ),
        code("print(repr((TEXT, COUNT, SHARE, FLAG, NAMES, LATER)))"),
    )


def test_parameters_replace_the_defaults(tmp_path: Path) -> None:
    values = {
        "TEXT": "it's \\ \"",
        "COUNT": 4,
        "SHARE": 0.25,
        "FLAG": True,
        "NAMES": ["y", "z"],
        "LATER": {"k": 1},
    }
    written = write_report(parameter_notebook(tmp_path), parameters=values, output=tmp_path / "p.html")
    assert repr(tuple(values.values())) in Page(written.read_text()).text


def test_an_unknown_parameter_is_refused_with_the_list(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no parameter COUNTS(?s:.*)TEXT, COUNT, SHARE"):
        write_report(parameter_notebook(tmp_path), parameters={"COUNTS": 1}, output=tmp_path / "p.html")
    bare = write_notebook(tmp_path / "bare.ipynb", code("1"))
    with pytest.raises(InputError, match="no cell is tagged"):
        write_report(bare, parameters={"X": 1}, output=tmp_path / "p.html")
    assert not (tmp_path / "p.html").exists()


@pytest.mark.parametrize(
    "value", [datetime(2026, 1, 1, tzinfo=UTC), float("nan"), object(), {1: object()}]
)
def test_a_parameter_that_cannot_be_written_down_is_refused(tmp_path: Path, value: object) -> None:
    with pytest.raises(InputError, match="COUNT is a"):
        write_report(
            parameter_notebook(tmp_path), parameters={"COUNT": value}, output=tmp_path / "p.html"
        )


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("TEXT", "2026", "2026"),
        ("TEXT", "True", "True"),
        ("COUNT", "12", 12),
        ("SHARE", "1", 1),
        ("FLAG", "true", True),
        ("FLAG", "False", False),
        ("NAMES", "['a', 'b']", ["a", "b"]),
        ("LATER", "2026-11-20", "2026-11-20"),
        ("LATER", "7", 7),
    ],
)
def test_typed_values_take_the_kind_of_the_default(
    tmp_path: Path, name: str, text: str, value: object
) -> None:
    found = typed_parameters(parameter_notebook(tmp_path), [(name, text)])[name]
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(("name", "text"), [("COUNT", "many"), ("FLAG", "3"), ("SHARE", "half")])
def test_typed_values_that_do_not_fit_are_refused(tmp_path: Path, name: str, text: str) -> None:
    with pytest.raises(InputError, match=f"{name} takes a value like"):
        typed_parameters(parameter_notebook(tmp_path), [(name, text)])


# Failure


def test_a_failing_cell_is_named_and_nothing_is_written(tmp_path: Path) -> None:
    notebook = write_notebook(
        tmp_path / "bad.ipynb", "# T", code("x = 1"), code("y = 2\nz = x / 0\nw = 3"), code("print(1)")
    )
    output = tmp_path / "out" / "bad.html"
    output.parent.mkdir()
    output.write_text("an earlier report")
    with pytest.raises(ReportError) as caught:
        write_report(notebook, output=output)
    message = str(caught.value)
    assert "code cell 2" in message
    assert "ZeroDivisionError: division by zero" in message
    assert "z = x / 0" in message
    assert "No report was written" in message
    assert len(message.splitlines()) <= 3
    assert output.read_text() == "an earlier report"
    assert [path.name for path in output.parent.iterdir()] == ["bad.html"]


def test_a_cell_that_is_expected_to_fail_does_not_stop_the_report(tmp_path: Path) -> None:
    notebook = write_notebook(
        tmp_path / "a.ipynb", code("1 / 0", "raises-exception"), code("print('went on')")
    )
    text = Page(write_report(notebook, output=tmp_path / "a.html").read_text()).text
    assert "ZeroDivisionError: division by zero" in text
    assert "went on" in text


def test_a_cell_that_takes_too_long_is_named(tmp_path: Path) -> None:
    notebook = write_notebook(tmp_path / "slow.ipynb", code("import time\ntime.sleep(30)"))
    with pytest.raises(ReportError, match=r"code cell 1 ran longer than 1 s"):
        write_report(notebook, output=tmp_path / "a.html", timeout=1)


def test_a_dying_kernel_is_named(tmp_path: Path) -> None:
    notebook = write_notebook(tmp_path / "dies.ipynb", code("import os\nos._exit(3)"))
    with pytest.raises(ReportError, match=r"kernel died in dies.ipynb: code cell 1"):
        write_report(notebook, output=tmp_path / "a.html")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "there is no notebook"),
        (b"print(1)", "not a Jupyter notebook"),
        (b"[]", "not a Jupyter notebook"),
        (b'{"cells": 3, "nbformat": 4, "nbformat_minor": 5, "metadata": {}}', "not a Jupyter notebook"),
        (b"\xff\xfe\x00", "cannot be read as text"),
        (
            b'{"cells": [], "nbformat": 4, "nbformat_minor": 5, "metadata": {"kernelspec": '
            b'{"name": "ir", "display_name": "R", "language": "R"}}}',
            "not Python",
        ),
    ],
)
def test_what_is_no_notebook_is_refused(tmp_path: Path, content: bytes | None, said: str) -> None:
    path = tmp_path / "a.ipynb"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ReportError, match=said):
        write_report(path, output=tmp_path / "a.html")


def test_the_kind_of_file_follows_from_its_name_and_must_agree(tmp_path: Path) -> None:
    notebook = write_notebook(tmp_path / "a.ipynb", code("1"))
    with pytest.raises(InputError, match=r"does not end in \.html"):
        write_report(notebook, to="html", output=tmp_path / "a.pdf")
    with pytest.raises(InputError, match="docx"):
        write_report(notebook, output=tmp_path / "a.docx")


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    notebook = write_notebook(tmp_path / "a.ipynb", code("1"))
    with pytest.raises(ReportError, match="cannot be written"):
        write_report(notebook, output=tmp_path / "file" / "a.html")


# The kernel


def test_the_kernel_is_this_environment_whatever_the_user_has_set_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stale = tmp_path / "jupyter" / "kernels" / "python3"
    stale.mkdir(parents=True)
    (stale / "kernel.json").write_text(
        json.dumps({"argv": ["/nowhere/python"], "display_name": "stale", "language": "python"})
    )
    startup = tmp_path / "ipython" / "profile_default" / "startup"
    startup.mkdir(parents=True)
    (startup / "00.py").write_text("FROM_STARTUP = 1")
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("MPLBACKEND", "agg")
    (tmp_path / "here").mkdir()
    notebook = write_notebook(
        tmp_path / "here" / "a.ipynb",
        code("import os, sys\nprint(sys.executable, os.getcwd(), 'FROM_STARTUP' in globals())"),
        code("import matplotlib.pyplot as plt\nplt.plot([1]);"),
    )
    written = write_report(notebook, output=tmp_path / "a.html").read_text()
    assert f"{sys.executable} {tmp_path / 'here'} False" in Page(written).text
    assert "data:image/svg+xml" in written


def test_a_kernel_that_does_not_start_is_explained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ipykernel_launcher.py").write_text("raise ImportError('broken here')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    notebook = write_notebook(tmp_path / "a.ipynb", code("1"))
    with pytest.raises(ReportError, match="no kernel could be started: ImportError: broken here"):
        write_report(notebook, output=tmp_path / "a.html")


def test_it_works_where_an_event_loop_runs(tmp_path: Path) -> None:
    notebook = write_notebook(tmp_path / "a.ipynb", code("print(6 * 7)"))

    async def inside() -> Path:
        return write_report(notebook, output=tmp_path / "a.html")

    assert "42" in Page(asyncio.run(inside()).read_text()).text


# Sources


def frame_from(environment: str, endpoint: str = "/markets") -> pd.DataFrame:
    frame = pd.DataFrame({"x": [1, 2]})
    at = datetime(2026, 11, 20, tzinfo=UTC)
    frame.attrs[KEY] = provenance(
        environment=environment, host="h", endpoint=endpoint, fetched_at=at, rows=2, pages=1,
        complete=True, schema="x/1",
    )  # fmt: skip
    return frame


def test_sources_are_found_where_notebooks_keep_frames() -> None:
    namespace = {
        "frame": frame_from("prod"),
        "part": frame_from("prod").head(1),
        "several": [frame_from("demo", "/events")],
        "Out": {3: frame_from("sandbox", "/series")},
        "plain": pd.DataFrame({"x": [1]}),
        "other": "text",
    }
    found = found_sources(namespace)
    assert [(row["environment"], row["endpoint"]) for row in found["frames"]] == [
        ("demo", "/events"),
        ("prod", "/markets"),
        ("sandbox", "/series"),
    ]
    assert found["simulated"] is True
    json.dumps(found)


@pytest.mark.parametrize(
    ("environments", "banner"),
    [
        (["prod"], None),
        (["demo"], "Demo data"),
        (["sandbox"], "Simulated data"),
        (["prod", "sandbox"], "Partly simulated data"),
        ([], None),
    ],
)
def test_the_banner_follows_the_sources(
    tmp_path: Path, environments: list[str], banner: str | None
) -> None:
    sources = found_sources({name: frame_from(name) for name in environments})
    run = Run(new_notebook(), sources, datetime(2026, 11, 20, tzinfo=UTC), 1.0)
    page = render(run, name="a.ipynb", stem="a", parameters={}, folder=tmp_path)
    found = re.search(r'<p class="banner">([^.]*)\.', page)
    assert (found.group(1) if found else None) == banner
    assert ("source unknown" in page) == (not environments)


def test_text_from_outside_cannot_leave_its_place(tmp_path: Path) -> None:
    hostile = '</style><script>alert(1)</script>"}*{display:none}'
    frame = frame_from("prod", endpoint=hostile)
    run = Run(
        new_notebook(cells=[new_markdown_cell("# " + hostile)]),
        found_sources({"f": frame}),
        datetime(2026, 11, 20, tzinfo=UTC),
        1.0,
    )
    page = render(run, name=hostile, stem="a", parameters={"X": hostile}, folder=tmp_path)
    assert Page(page).dangers() == []
    assert "{display:none}" not in Page(page).styles


# Secrets


def keys() -> list[bytes]:
    formats, none = serialization.PrivateFormat, serialization.NoEncryption()
    made = rsa.generate_private_key(65537, 2048)
    edwards = ed25519.Ed25519PrivateKey.generate()
    pem = serialization.Encoding.PEM
    return [
        made.private_bytes(pem, formats.PKCS8, none),
        made.private_bytes(pem, formats.TraditionalOpenSSL, none),
        made.private_bytes(pem, formats.PKCS8, serialization.BestAvailableEncryption(b"x")),
        edwards.private_bytes(pem, formats.PKCS8, none),
    ]


def test_a_shown_private_key_is_refused_in_any_dress() -> None:
    for pem in keys():
        text = pem.decode()
        bare = "".join(text.splitlines()[1:-1])
        dresses = [
            text,
            repr(pem),
            text.replace("\n", "<br>"),
            text.replace(" ", "&#32;"),
            f"<td>{text}</td>",
        ]
        if b"ENCRYPTED" not in pem:
            dresses.append(bare)
        for dress in dresses:
            with pytest.raises(ReportError, match="private key"):
                refuse_secrets(f"<p>{dress}</p>", "a.ipynb")


def test_public_keys_and_pictures_are_no_secrets() -> None:
    public = rsa.generate_private_key(65537, 2048).public_key()
    spki = serialization.PublicFormat.SubjectPublicKeyInfo
    refuse_secrets(public.public_bytes(serialization.Encoding.PEM, spki).decode(), "a.ipynb")
    picture = base64.b64encode(b"\x00MII").decode()
    refuse_secrets(f'<img src="data:image/png;base64,{picture}ADANBgkqhkiG9w0BAQEFAASC">', "a.ipynb")


def test_a_notebook_that_prints_a_key_leaves_no_report(tmp_path: Path) -> None:
    notebook = write_notebook(
        tmp_path / "a.ipynb", code("print('-----BEGIN ' + 'PRIVATE KEY-----\\nMIIE')"), "text"
    )
    with pytest.raises(ReportError, match="shows a private key"):
        write_report(notebook, output=tmp_path / "out" / "a.html")
    assert not (tmp_path / "out").exists()


# Markup

HOSTILE = [
    "<script>alert(1)</script>",
    "<scr<script>ipt>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg onload=alert(1)><script>alert(1)</script></svg>",
    "<svg><a xlink:href='javascript:alert(1)'>x</a>",
    "<a href='java\nscript:alert(1)'>x</a>",
    "<a href=' javascript:alert(1)'>x</a>",
    "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
    "<style>@import url(https://example.com)</style>",
    "<style>body{background:url(https://example.com)}#a{background:url(//e.com)}</style>",
    "<p style='background:url(https://example.com)'>x</p>",
    "<p style='background:\\75rl(https://example.com)'>x</p>",
    "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>",
    "<!--><img src=x onerror=alert(1)>-->",
    "<![CDATA[<script>alert(1)</script>]]>",
    "<?xml version='1.0'?><script>alert(1)</script>",
    "<form action='https://example.com'><input name=a></form>",
    "<object data='https://example.com'></object><embed src='https://example.com'>",
    "<link rel=stylesheet href='https://example.com/a.css'><base href='https://example.com'>",
    "<meta http-equiv=refresh content='0;url=https://example.com'>",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'></noscript>",
    "<textarea><img src=x onerror=alert(1)></textarea>",
    "</div></section></main><script>alert(1)</script>",
    "<table background='https://example.com'><td>x</table>",
    "<video poster='https://example.com'></video><a ping='https://example.com' href='#x'>x</a>",
]


@pytest.mark.parametrize("markup", HOSTILE)
def test_hostile_markup_is_disarmed(markup: str) -> None:
    page = Page(str(cleaned(f"before {markup} after")))
    assert page.dangers() == []
    assert "alert(1)" not in str([a for _, a in page.tags])


@given(
    st.lists(
        st.sampled_from([*HOSTILE, "<p>", "</p>", "<", ">", "'", '"', "<!--", "-->", "text"]), max_size=6
    )
)
def test_any_mixture_of_hostile_markup_is_disarmed(parts: list[str]) -> None:
    once = str(cleaned("".join(parts)))
    assert Page(once).dangers() == []
    assert Page(str(cleaned(once))).dangers() == []


def test_ordinary_markup_is_kept() -> None:
    markup = '<table class="x"><tbody><tr><th>a</th><td style="color: red">1</td></tr></tbody></table>'
    assert str(cleaned(markup)) == markup


@pytest.mark.parametrize(
    ("source", "formulas"),
    [
        ("costs $5 or $6", 0),
        ("between $5-$6 and \\$7", 0),
        ("$a$ and $b$", 2),
        ("pays $1$ dollar", 1),
        ("`$x$` is code", 0),
        ("$$\nx^2\n$$", 1),
        ("Hence $$x^2$$ holds, for $x$", 2),
        ("costs $5 and $$6", 0),
        ("US$ 5 and A$ 6", 0),
    ],
)
def test_a_dollar_sign_is_a_formula_only_where_it_encloses_one(source: str, formulas: int) -> None:
    assert markdown(source).count("<math") == formulas


@pytest.mark.parametrize("formula", ["\\frac", "{", "a_", "\\left(", "\\text", "\\begin{matrix} a"])
def test_a_broken_formula_is_shown_as_it_was_typed(formula: str) -> None:
    assert f"<code>{formula}</code>" in markdown(f"${formula}$")


# PDF


def test_a_pdf_is_printed(folder: Path, demo: str) -> None:
    try:
        find_browser()
    except ReportError as error:
        pytest.skip(str(error))
    written = write_report(folder / "rain_report.ipynb", output=folder / "rain.pdf")
    content = written.read_bytes()
    assert content.startswith(b"%PDF-")
    assert len(content) > 10_000
    assert content.count(b"/MediaBox") >= 2


def test_without_a_browser_nothing_is_executed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    notebook = write_notebook(tmp_path / "a.ipynb", code("open('ran', 'w').close()"))
    monkeypatch.setenv("CHROMIUM", "no-such-browser")
    with pytest.raises(ReportError, match="CHROMIUM=no-such-browser is no program"):
        write_report(notebook, to="pdf", output=tmp_path / "a.pdf")
    monkeypatch.delenv("CHROMIUM")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("kalshi_research.report.pdf._APPLICATIONS", ())
    with pytest.raises(ReportError, match="none is installed"):
        write_report(notebook, to="pdf", output=tmp_path / "a.pdf")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("script", ["echo cannot open display >&2; exit 1", "exit 0"])
def test_a_browser_that_fails_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str
) -> None:
    browser = tmp_path / "browser"
    browser.write_text(f"#!/bin/sh\n{script}\n")
    browser.chmod(0o755)
    monkeypatch.setenv("CHROMIUM", os.fspath(browser))
    notebook = write_notebook(tmp_path / "a.ipynb", code("1"))
    with pytest.raises(ReportError, match="did not print the report"):
        write_report(notebook, to="pdf", output=tmp_path / "out" / "a.pdf")
    assert not (tmp_path / "out").exists()
