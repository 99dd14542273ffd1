"""Hostile titles in everything that makes HTML, pictures or rows of them; a browser looks again."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from decimal import Decimal
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path
from typing import Any

import pandas as pd
import picture_cases
import pytest
from hostile_texts import MARK, TEXTS, hurt
from matplotlib.text import Text

import kalshi_research as kr
from kalshi_research.errors import printable
from kalshi_research.panels.browser_model import BrowserModel
from kalshi_research.panels.jobs import Jobs
from kalshi_research.panels.order_model import OrderModel
from kalshi_research.panels.portfolio_model import PortfolioModel
from kalshi_research.streaming.health import Health

PACKAGE = Path(kr.__file__).parent
PANELS = PACKAGE / "panels"
HARMLESS = {"pre", "code", "strong", "span", "div"}
numbered = pytest.mark.parametrize("text", TEXTS, ids=range(len(TEXTS)))


class Page(HTMLParser):
    """What a browser would make of a piece of HTML."""

    def __init__(self, markup: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.feed(markup)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_comment(self, data: str) -> None:
        self.tags.append("!--")


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Any]:
    with kr.start_sandbox(users=2) as running:
        running.called = hurt(running._exchange.world)
        yield running


@pytest.fixture(scope="module")
def client(sandbox: Any) -> Any:
    return kr.connect(sandbox)


def harmless(markup: str) -> Page:
    page = Page(markup)
    assert set(page.tags) <= HARMLESS
    assert {name for name, _ in page.attributes} <= {"class"}
    return page


@numbered
def test_what_draws_itself_as_html_quotes_it(text: str) -> None:
    report = kr.OrderReport(
        "resting", "c", "o", text, "buy", "yes", Decimal("0.5"), Decimal(1), note=text
    )
    page = harmless(report._repr_html_())
    assert page.text == str(report)
    assert printable(text, 80) in page.text
    assert harmless(kr.KalshiError(text)._repr_html_()).text.endswith(text)
    health = Health(**(dict.fromkeys(Health.__dataclass_fields__, 0) | {"problems": (text,)}))
    assert printable(text) in harmless(health._repr_html_()).text


def test_a_notebook_shows_frames_of_the_exchange_as_text(client: Any) -> None:
    from IPython.core.interactiveshell import InteractiveShell

    shell = InteractiveShell.instance()
    try:
        markets = kr.get_markets(client, series_ticker="KXHIGHNY", status="open")[["title"]]

        def html(frame: pd.DataFrame) -> str:
            return str(shell.display_formatter.format(frame)[0]["text/html"])

        assert "mathjax_ignore" in html(markets.head(2))
        page = Page(html(markets))
        assert {"script", "img", "iframe", "a", "form"}.isdisjoint(page.tags)
        assert "mathjax_ignore" not in html(pd.DataFrame({"formula": ["$x^2$"]}))  # the user's own
    finally:
        InteractiveShell.clear_instance()


@numbered
def test_a_message_is_one_line_without_control_characters(text: str) -> None:
    shown = printable(text)
    assert len(shown) <= 200
    assert not re.search("[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]", shown)


def test_rows_of_the_browser_say_what_the_exchange_says(sandbox: Any, client: Any) -> None:
    model = BrowserModel(client, Jobs("test"))
    model.query = MARK
    model.search()
    assert model._jobs.wait(60)
    shown = {row["key"]: row["cells"][1] for row in model.rows}
    assert shown.items() <= sandbox.called.items()
    assert set(shown.values()) == set(TEXTS)
    assert model.note == ""


def test_a_link_never_comes_from_a_title(sandbox: Any, client: Any) -> None:
    model = BrowserModel(client, Jobs("test"))
    for text in TEXTS:
        model.place = (text,)
        assert model.page == ""


def test_the_order_panel_says_the_title_and_confirms_in_its_own_words(sandbox: Any, client: Any) -> None:
    ticker, text = next(
        (ticker, text) for ticker, text in sandbox.called.items() if ticker.startswith("KXHIGHNY")
    )
    model = OrderModel(client, Jobs("test"))
    model.ticker = ticker
    assert model._jobs.wait(60)
    assert model.title == text
    model.ticket.edit(quantity="1", price="0.01")
    model.check()
    assert model._jobs.wait(60)
    assert model.stage == "confirming"
    assert model.ticket.sentence == f"buy 1 YES of {ticker} at $0.01"
    for name in ("touch", "preview", "blockers", "note", "locked", "result"):
        assert MARK not in getattr(model, name)
    model.close()


def test_positions_say_the_title(sandbox: Any, client: Any) -> None:
    ticker = next(ticker for ticker in sandbox.called if ticker.startswith("KXHIGHNY"))
    ask = kr.quotes(kr.get_orderbook(client, ticker))["yes_ask"].iloc[0]
    bought = kr.create_order(
        client, ticker, quantity=1, price=f"{ask:.2f}", time_in_force="immediate_or_cancel"
    )
    assert bought.filled == 1
    model = PortfolioModel(client, Jobs("test"))
    model.refresh()
    assert model._jobs.wait(60)
    assert [row["cells"][:2] for row in model.positions] == [[ticker, sandbox.called[ticker]]]
    model.close()


@pytest.mark.parametrize("name", picture_cases.PICTURES)
def test_figures_draw_it_letter_by_letter(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = picture_cases.frame

    def hostile(kind: str) -> pd.DataFrame:
        found = whole(kind)
        text = TEXTS[len(name) % len(TEXTS)] + r" $\frac{$ <script>"
        for column in found.columns:
            if column in ("ticker", "title", "yes_sub_title", "event_ticker"):
                found[column] = text
        if found.index.name == "ticker":
            found.index = pd.Index([f"{text} {n}" for n in range(len(found))], name="ticker")
        return found

    monkeypatch.setattr(picture_cases, "frame", hostile)
    ax = picture_cases.draw(name)
    for drawn in ax.figure.findobj(Text):
        assert not (drawn.get_parse_math() and "$" in drawn.get_text())
    for kind in ("svg", "png"):
        ax.figure.savefig(BytesIO(), format=kind)


@numbered
@pytest.mark.filterwarnings("ignore:.*Glyph .* missing from font")
def test_a_ladder_of_markets_keeps_every_letter(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    markets = picture_cases.frame("markets")
    markets.index = pd.Index([f"{text} {n}" for n in range(len(markets))], name="ticker")
    monkeypatch.setattr(picture_cases, "frame", lambda _: markets)
    ax = picture_cases.draw("ladder")
    assert not [t for t in ax.figure.findobj(Text) if t.get_parse_math() and "$" in t.get_text()]
    with BytesIO() as svg:
        ax.figure.savefig(svg, format="svg")
        drawn = svg.getvalue().decode()
    assert "<script" not in drawn.replace("<!--", "")
    assert "window.hit" not in "".join(re.findall(r"<[^!][^>]*>", drawn))


def test_no_panel_makes_markup_of_text() -> None:
    """Widgets and displays that make HTML, mathematics or requests of a text stay out of the package."""
    forbidden = {"HTML", "HTMLMath", "Label", "Markdown", "Latex", "Math", "SVG", "Image", "Audio"}
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and "sandbox" not in path.parts:
                called = ast.unparse(node.func)
                module, _, name = called.rpartition(".")
                display = module in ("widgets", "ipywidgets", "IPython.display", "display", "")
                assert not (display and name in forbidden), f"{path.name}:{node.lineno}: {called}"


def test_the_scripts_of_panels_write_text_nodes_only() -> None:
    doors = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function|DOMParser"
    scripts = list((PANELS / "static").glob("*.js"))
    assert {path.stem for path in scripts} == {
        "choice",
        "facts",
        "ladder",
        "link",
        "plain",
        "presence",
        "table",
    }
    for path in scripts:
        text = path.read_text("utf-8")
        assert not re.search(doors + r"|createContextualFragment|setHTML|setTimeout\('", text), path
        assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", text), path
