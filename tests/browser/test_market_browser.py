"""The market browser, by clicks."""

from __future__ import annotations

from pathlib import Path

import pytest
from lab import Lab, run_all, texts

CELLS = (
    "import kalshi_research as kr",
    'browser = kr.MarketBrowser(kr.connect("sandbox"))\nbrowser',
    "print('chosen', browser.ticker)",
)


@pytest.mark.parametrize(("dark", "width"), [(False, 1200), (True, 560)], ids=["light", "narrow"])
def test_from_series_to_a_market(lab: Lab, pictures: Path, dark: bool, width: int) -> None:
    lab.write("market_browser", *CELLS)
    with lab.page("market_browser", dark=dark, width=width) as page:
        run_all(page, len(CELLS))
        page.locator("tr[data-key=KXHIGHNY]").click()
        page.locator("tr[data-key=KXHIGHNY-26NOV21]").click()
        page.locator(".kr .spark polyline").first.wait_for(state="attached")
        page.locator("tr[data-key^=KXHIGHNY-26NOV21-]").nth(1).click()
        page.wait_for_selector("tr[aria-selected=true]")
        chosen = page.locator("tr[aria-selected=true]").get_attribute("data-key")
        page.screenshot(path=pictures / f"market-browser-{'dark' if dark else 'light'}-{width}.png")
        assert texts(page, ".kr-text.badge")[0].startswith("SIMULATED")
        assert page.locator(".kr a").get_attribute("href") == "https://kalshi.com/markets/kxhighny"
        page.locator(".jp-CodeCell").last.click()
        page.evaluate("() => window.jupyterapp.commands.execute('notebook:run-cell')")
        page.get_by_text(f"chosen {chosen}").wait_for()
