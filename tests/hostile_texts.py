"""What a title may say when somebody means harm: markup, mathematics, directions, escapes.

Each text tells on itself: what runs sets ``window.hit`` or asks for an address at `BAIT`.
"""

from __future__ import annotations

from typing import Final

__all__ = ["BAIT", "MARK", "TEXTS", "hurt"]

MARK: Final = "Q7"
"""Every text begins with it, so that it can be searched for."""
BAIT: Final = "http://127.0.0.1:9/hit"
_HIT = f"window.hit=1;fetch('{BAIT}')"

_MARKUP = (
    f"<script>{_HIT}</script>",
    f"</script><script>{_HIT}</script>",
    f'<img src=x onerror="{_HIT}">',
    f"<img src={BAIT}>",
    f'<svg onload="{_HIT}"><animate onbegin="{_HIT}" attributeName=x dur=1s></svg>',
    f'<iframe srcdoc="<script>parent.{_HIT}</script>"></iframe>',
    f'<iframe src="javascript:{_HIT}">',
    f'<details open ontoggle="{_HIT}">',
    f'<body onload="{_HIT}">',
    f'<input autofocus onfocus="{_HIT}">',
    f'<video><source onerror="{_HIT}"></video>',
    f"<link rel=stylesheet href={BAIT}><style>@import '{BAIT}';</style>",
    f'<base href={BAIT}><meta http-equiv=refresh content="0;url={BAIT}">',
    f"<object data={BAIT}><embed src={BAIT}></object>",
    f'<form action={BAIT}><button formaction="javascript:{_HIT}">Confirm</button></form>',
    f'<!--><img src=x onerror="{_HIT}">-->',
    f']]><img src=x onerror="{_HIT}">',
    f"<noscript><p title=\"</noscript><img src=x onerror='{_HIT}'>\"></noscript>",
    f'<math><mtext><table><mglyph><style><img src=x onerror="{_HIT}">',
    f"&lt;script&gt;{_HIT}&lt;/script&gt; &amp; &#60;b&#62;",
    "</textarea></title></style></pre></td></table></div><h1>broken out",
)
_ATTRIBUTES = (
    f'" onmouseover="{_HIT}" x="',
    f"' onfocus='{_HIT}' autofocus='",
    f"` onerror=`{_HIT}`",
    f"x style=background:url({BAIT})",
    f'" style="position:fixed;inset:0;background:url({BAIT})',
)
_ADDRESSES = (
    f"javascript:{_HIT}",
    f"java\tscript:{_HIT}",
    f"data:text/html,<script>{_HIT}</script>",
    f"[a link](javascript:{_HIT}) ![]({BAIT})",
    "https://kalshi.com@evil.example/markets http://169.254.169.254/latest/meta-data /etc/key.pem",
)
_MATHS = (
    "costs $5 or $6",
    r"$\href{javascript:window.hit=1}{x}$ and $$\frac{1}{2}$$",
    r"\(\unicode{x3c}script\unicode{x3e}\) \[x^2\]",
    r"$\undefined{$ \begin{equation} }$ $",
    r"$x_{$",
)
_LETTERS = (
    "\u202eevil\u202c \u2066isolated \u200fmarked",
    "no end of it \u202e\u2067\u202d",
    "zero\u200bwidth\u2060joined\ufeff Y\u0395S is not YES",
    "a\u0300\u0301\u0302\u0303\u0304 stacked " + "\u0300" * 60,
    "\x1b[31mred\x1b[0m \x1b]0;title\x07 \x1b[2J",
    "two\nlines\rand a return\x0bor more, "
    "nul \x00 bell \x07 delete \x7f next \x85 line \u2028 paragraph \u2029",
    "{{ window.hit=1 }} ${window.hit=1} <%= 1 %> #{1} %s %(name)s {0} {name!r} \\N{BULLET}",
    "🏴\u200d☠\ufe0f 👩\u200d🚀",
    "long " + "<b>W</b>" * 1280,
)
TEXTS: Final = tuple(
    f"{MARK} {text}" for text in (*_MARKUP, *_ATTRIBUTES, *_ADDRESSES, *_MATHS, *_LETTERS)
)


def hurt(world: object) -> dict[str, str]:
    """Give the markets that are open, their events and all series hostile titles.

    Returns
    -------
    dict
        What each market is called, by ticker.
    """
    called = {}
    opened = [
        market
        for market in world.markets.values()  # type: ignore[attr-defined]
        if not market.event.series.combo and world.state(market.ticker).status == "active"
    ]
    assert len(opened) >= len(TEXTS), "there are too few markets for all texts"
    for number, market in enumerate(opened):
        text = TEXTS[number % len(TEXTS)]
        market.title = market.yes_sub_title = called[market.ticker] = text
        market.event.title = market.event.sub_title = text
        object.__setattr__(market.event.series, "title", text)
    return called
