"""The market browser, by clicks."""

from __future__ import annotations

from pathlib import Path

from lab import Lab, repaint, resize, run_all, texts

CELLS = (
    "import kalshi_research as kr",
    'browser = kr.MarketBrowser(kr.connect("sandbox"))\nbrowser',
    "print('chosen', browser.ticker)",
)


def test_from_series_to_a_market(lab: Lab, pictures: Path) -> None:
    lab.write("market_browser", *CELLS)
    with lab.page("market_browser") as page:
        run_all(page, len(CELLS))
        page.locator("tr[data-key=KXHIGHNY]").click()
        page.locator("tr[data-key=KXHIGHNY-26NOV21]").click()
        page.locator(".kr .spark polyline").first.wait_for(state="attached")
        page.locator("tr[data-key^=KXHIGHNY-26NOV21-]").nth(1).click()
        page.wait_for_selector("tr[aria-selected=true]")
        chosen = page.locator("tr[aria-selected=true]").get_attribute("data-key")
        page.screenshot(path=pictures / "market-browser-light-1200.png")
        assert texts(page, ".kr-text.badge")[0].startswith("SIMULATED")
        assert page.locator(".kr a").get_attribute("href") == "https://kalshi.com/markets/kxhighny"
        page.locator(".jp-CodeCell").last.click()
        page.evaluate("() => window.jupyterapp.commands.execute('notebook:run-cell')")
        page.get_by_text(f"chosen {chosen}").wait_for()
        for theme, width in (("dark", 560), ("light", 420)):
            repaint(page, dark=theme == "dark")
            resize(page, width, 1000)
            page.locator("th", has_text="Week").wait_for(state="hidden")
            assert page.locator(".kr-scroll").evaluate("box => box.scrollWidth <= box.clientWidth")
            page.screenshot(path=pictures / f"market-browser-{theme}-{width}.png")


def test_by_keyboard_from_series_to_a_market_and_back(lab: Lab) -> None:
    lab.write("market_keys", *CELLS)
    with lab.page("market_keys") as page:
        run_all(page, len(CELLS))
        page.locator("tr[data-key=KXHIGHNY]").wait_for()
        page.locator("tr[tabindex='0']").focus()
        page.keyboard.press("ArrowDown")
        page.keyboard.press("ArrowUp")
        page.keyboard.press("Enter")
        page.locator("tr[data-key=KXHIGHNY-26NOV21]").wait_for()
        page.keyboard.press("Space")
        page.locator("tr[data-key^=KXHIGHNY-26NOV21-]").first.wait_for()
        page.keyboard.press("End")
        page.keyboard.press("Enter")
        page.wait_for_selector("tr[aria-selected=true]:last-child")
        for _ in range(30):
            page.keyboard.press("Shift+Tab")
            if page.evaluate("() => document.activeElement.textContent") == "Up":
                break
        page.keyboard.press("Enter")
        page.locator("tr[data-key=KXHIGHNY-26NOV21]").wait_for()
