"""Orders by clicks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lab import Lab, repaint, resize, run_all

if TYPE_CHECKING:
    from playwright.sync_api import Page

CELLS = (
    """import kalshi_research as kr
sandbox = kr.start_sandbox()
client = kr.connect(sandbox)
panel = kr.OrderPanel(client, "KXHIGHNY-26NOV21-B46.5")
panel""",
    """orders = kr.get_orders(client)
print("on the exchange:", [f"{row.status} {row.initial_count:g} at {row.yes_price:g}"
                           for row in orders.itertuples()])""",
)


def fill(page: Page, label: str, text: str) -> None:
    field = page.locator(f".widget-text:has(label:text-is('{label}')) input")
    field.fill(text)
    field.press("Tab")


def asked(page: Page) -> str:
    """What the exchange has, by running the last cell again."""
    last = page.locator(".jp-CodeCell").last
    last.locator(".jp-InputArea").click()
    before = last.locator(".jp-InputPrompt").inner_text()
    page.evaluate("() => { window.jupyterapp.commands.execute('notebook:run-cell'); }")
    page.wait_for_function(
        """before => {
          const prompt = [...document.querySelectorAll('.jp-CodeCell .jp-InputPrompt')].at(-1);
          return prompt.textContent !== before && /\\d/.test(prompt.textContent);
        }""",
        arg=before,
    )
    return str(last.locator(".jp-OutputArea-output").inner_text())


def test_place_amend_and_cancel(lab: Lab, pictures: Path) -> None:
    lab.write("order_panel", *CELLS)
    with lab.page("order_panel") as page:
        run_all(page, len(CELLS))
        page.get_by_text("you hold nothing").wait_for()
        fill(page, "Contracts", "10")
        fill(page, "Price $", "0.10")
        page.get_by_text("Would rest: nothing in the book meets it").wait_for()
        page.locator(".kr-preview").dblclick()
        page.get_by_text("Buy 10 YES of KXHIGHNY-26NOV21-B46.5 at $0.10?").wait_for()
        for theme, width in (("light", 1200), ("dark", 560), ("light", 420)):
            repaint(page, dark=theme == "dark")
            resize(page, width, 1000)
            page.screenshot(path=pictures / f"order-panel-{theme}-{width}.png")
        resize(page, 1200, 1000)
        assert asked(page).strip() == "on the exchange: []", "two clicks on Preview send nothing"
        page.locator(".kr-confirm").dblclick()
        page.get_by_text("Resting: buy 10 YES at $0.10.").wait_for()
        assert asked(page).strip() == "on the exchange: ['resting 10 at 0.1']"
        page.locator(".kr tbody tr").click()
        fill(page, "New price", "0.11")
        page.get_by_role("button", name="Amend").click()
        page.get_by_text("Resting: buy 10 YES at $0.11.").wait_for()
        page.screenshot(path=pictures / "order-panel-resting-light-1200.png")
        assert asked(page).strip() == "on the exchange: ['resting 10 at 0.11']"
        page.get_by_role("button", name="Cancel buy yes at 0.11").click()
        page.get_by_text("Canceled: buy 10 YES at $0.11; nothing was filled.").wait_for()
        assert asked(page).strip() == "on the exchange: ['canceled 10 at 0.11']"


def test_enter_held_down_on_confirm_is_one_order(lab: Lab) -> None:
    lab.write("order_enter", *CELLS)
    with lab.page("order_enter") as page:
        run_all(page, len(CELLS))
        page.get_by_text("you hold nothing").wait_for()
        fill(page, "Contracts", "3")
        fill(page, "Price $", "0.05")
        page.locator(".kr-preview").click()
        confirm = page.locator(".kr-confirm")
        confirm.wait_for()
        confirm.focus()
        for _ in range(10):
            page.keyboard.press("Enter")
        page.get_by_text("Resting: buy 3 YES at $0.05.").wait_for()
        assert asked(page).strip() == "on the exchange: ['resting 3 at 0.05']"


def test_a_second_view_and_a_busy_kernel_make_no_second_order(lab: Lab) -> None:
    again = "panel"
    busy = "import time\ntime.sleep(3)"
    lab.write("order_twice", CELLS[0], again, busy, CELLS[1])
    with lab.page("order_twice") as page:
        run_all(page, 4)
        page.get_by_text("you hold nothing").first.wait_for()
        fill_in = page.locator(".kr-panel").first
        for label, text in (("Contracts", "4"), ("Price $", "0.06")):
            field = fill_in.locator(f".widget-text:has(label:text-is('{label}')) input")
            field.fill(text)
            field.press("Tab")
        page.locator(".kr-preview").first.click()
        confirm = page.locator(".kr-confirm:visible")
        confirm.nth(1).wait_for()
        assert confirm.count() == 2, "one panel in two places"
        page.locator(".jp-CodeCell").nth(2).locator(".jp-InputArea").click()
        page.evaluate("() => { window.jupyterapp.commands.execute('notebook:run-cell'); }")
        page.wait_for_function(
            "() => document.querySelectorAll('.jp-InputPrompt')[2].textContent.includes('*')"
        )
        # All at one moment, while the cell runs: they wait in the kernel until it has ended.
        clicked = confirm.evaluate_all("all => [1, 2, 3].map(() => all.map(one => one.click())).length")
        assert clicked == 3
        page.get_by_text("Resting: buy 4 YES at $0.06.").first.wait_for()
        assert asked(page).strip() == "on the exchange: ['resting 4 at 0.06']"
