"""Panels for those who have no mouse, see little, or see no colours: rules of WCAG, and keys alone."""

from __future__ import annotations

import importlib.resources
import io
from pathlib import Path
from typing import Any

import pytest
from lab import Lab, repaint, resize, run_all
from PIL import Image

TICKER = "KXHIGHNY-26NOV21-B46.5"
PANELS = {
    "browser": """import kalshi_research as kr
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
sandbox = kr.start_sandbox(users=2)
client = kr.connect(sandbox)
ticker = "KXHIGHNY-26NOV21-B46.5"
kr.create_order(client, ticker, quantity=25, price="0.19")
kr.create_order(client, ticker, quantity=40, price="0.12")
browser = kr.MarketBrowser(client, height="230px")
browser.model.go(("KXHIGHNY", "KXHIGHNY-26NOV21"))
browser.ticker = ticker
browser""",
    "book": "book = kr.BookPanel(client, ticker, depth=6)\nbook",
    "order": """order = kr.OrderPanel(client, ticker)
order.jobs.wait(20)
order.model.ticket.edit(quantity="10", price="0.10")
order.model.check()
order""",
    "portfolio": "portfolio = kr.PortfolioPanel(client)\nportfolio",
    "locked": """prod = kr.connect("prod", key_id="k", private_key=Ed25519PrivateKey.generate())
prod._caller.call = kr.connect(sandbox)._caller.call  # its wire leads to the simulated exchange
prod.clock = lambda: sandbox.now
locked = kr.OrderPanel(prod, ticker)
locked""",
    "unknown": """unknown = kr.OrderPanel(client, ticker)
unknown.jobs.wait(20)
unknown.model._not_sent(kr.errors.OrderUnknown(
    "It is not known whether the order was placed: the answer was lost.\\n"
    "Nothing is sent again by itself. Look for it again.", resolver=lambda _: None))
unknown""",
    "refused": """refused = kr.OrderPanel(client, ticker)
refused.jobs.wait(20)
refused.model.ticket.edit(quantity="10", price="1.2", outcome="no")
refused""",
    "filled": """filled = kr.OrderPanel(client, ticker)
filled.jobs.wait(20)
filled.model.ticket.edit(quantity="2", price="0.20")
filled.model.check(); filled.jobs.wait(20)
filled.model.send(); filled.jobs.wait(20)
filled""",
}
TO_BE_SEEN = (
    "46° to 47°", "takes YES", "Buy 10 YES of", "46° to 47°", "Locked: this is real money",
    "It is not known whether the order was placed", "does not lie between", "Filled: buy 2 YES",
)  # fmt: skip
"""Of each of them what comes last."""
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
ABOUT_PAGES = ["region", "page-has-heading-one", "landmark-one-main", "heading-order", "bypass"]
AUDIT = """async ([rules, pages]) => {
  const off = Object.fromEntries(pages.map(name => [name, { enabled: false }]));
  const options = { runOnly: { type: 'tag', values: rules }, rules: off };
  const found = await axe.run({ include: [['.kr-panel']] }, options);
  const wrong = found.violations.flatMap(
    ({ id, nodes }) => nodes.map(({ html, failureSummary }) => `${id}: ${html}\n${failureSummary}`));
  return [wrong, found.passes.map(({ id, nodes }) => `${id} ${nodes.length}`)];
}"""


def audit(page: Any) -> list[str]:
    script = importlib.resources.files("axe_playwright_python") / "axe.min.js"
    page.evaluate(script.read_text("utf-8"))
    wrong, held = page.evaluate(AUDIT, [RULES, ABOUT_PAGES])
    for rule in ("color-contrast", "label", "button-name", "aria-required-children", "target-size"):
        assert any(each.startswith(f"{rule} ") for each in held), f"{rule} found nothing to judge"
    found: list[str] = wrong
    return found


def crop(page: Any, wanted: dict[str, Path]) -> None:
    """A picture of each panel alone, all out of one."""
    whole = Image.open(io.BytesIO(page.screenshot(animations="disabled")))
    for at, path in enumerate(wanted.values()):
        box = page.locator(".jp-CodeCell").nth(at).locator(".kr-panel").bounding_box()
        left, top = box["x"] - 8, box["y"] - 4
        whole.crop((left, top, left + box["width"] + 16, top + box["height"] + 8)).save(path)


@pytest.fixture(scope="module")
def all_panels(lab: Lab) -> str:
    lab.write("all_panels", *PANELS.values())
    return "all_panels"


def test_rules_of_accessibility_hold_in_light_and_dark(
    lab: Lab, pictures: Path, all_panels: str
) -> None:
    found = {}
    with lab.page(all_panels, height=6000) as page:
        run_all(page, len(PANELS))
        for at, words in enumerate(TO_BE_SEEN):  # each panel is drawn as soon as its parts are loaded
            panel = page.locator(".jp-CodeCell").nth(at).locator(".kr-panel")
            panel.get_by_text(words).first.wait_for()
        page.locator(".kr-ladder .row", has_text="mine").first.wait_for()
        page.locator(".kr .spark polyline").first.wait_for(state="attached")
        for dark in (False, True):
            theme = "dark" if dark else "light"
            repaint(page, dark=dark)
            for width in (1200, 420):
                resize(page, width, 6000)
                crop(page, {name: pictures / f"panel-{name}-{theme}-{width}.png" for name in PANELS})
                found[theme, width] = audit(page)
    assert found == {place: [] for place in found}


def test_an_order_by_keys_alone(lab: Lab) -> None:
    """Tab, arrows, Enter and the space bar: from the first field to an order that rests."""
    lab.write("keys", "\n".join([PANELS["browser"].partition("browser =")[0], PANELS["order"]]).replace(
        'order.model.ticket.edit(quantity="10", price="0.10")\norder.model.check()\n', ""))  # fmt: skip
    with lab.page("keys") as page:
        run_all(page, 1)
        page.get_by_text("you hold 25 YES").wait_for()
        page.get_by_role("radio", name="buy").focus()
        stops = ["Outcome", "Contracts", "Price $", "One tick lower", "One tick higher", "Order"]
        passed = [_named(page)]
        for _ in stops:
            page.keyboard.press("Tab")
            passed.append(_named(page))
        assert passed == ["Buy or sell", *stops]
        for _ in range(4):
            page.keyboard.press("Shift+Tab")
        page.keyboard.type("3")
        page.keyboard.press("Tab")
        page.keyboard.type("0.05")
        page.keyboard.press("Tab")
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")  # one tick higher
        page.get_by_text("Would rest").wait_for()
        _tab_to(page, "Preview")
        page.keyboard.press("Space")
        page.get_by_text(f"Buy 3 YES of {TICKER} at $0.06?").wait_for()
        _tab_to(page, "Confirm")
        outline = page.evaluate("() => getComputedStyle(document.activeElement).outlineStyle")
        assert outline == "solid", "one can see where one is"
        page.keyboard.press("Enter")
        said = page.get_by_role("status").filter(has_text="Resting: buy 3 YES at $0.06.")
        said.wait_for()


def _named(page: Any) -> str:
    """What a screen reader calls the place of the keyboard, of radio buttons the group."""
    name: str = page.evaluate(
        """() => {
          const here = document.activeElement;
          const group = here.type === 'radio' && here.closest('[role=radiogroup]');
          return group ? group.getAttribute('aria-label')
            : here.labels?.[0]?.textContent || here.title || here.textContent;
        }"""
    )
    return name.strip()


def _tab_to(page: Any, name: str) -> None:
    for _ in range(20):
        page.keyboard.press("Tab")
        if _named(page) == name or page.evaluate("() => document.activeElement.textContent") == name:
            return
    pytest.fail(f"the tabulator does not come to {name}")
