"""HTML from a notebook, reduced to what can neither run nor fetch anything.

What is not listed here is taken out; the page's security policy stands behind this.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator

from bs4 import BeautifulSoup
from bs4.element import PageElement, PreformattedString, Tag

__all__ = ["cleaned", "data_uri", "svg_image"]

_TEXT = """
a abbr b blockquote br caption cite code col colgroup dd del details dfn div dl dt em figcaption
figure h1 h2 h3 h4 h5 h6 hr i img ins kbd li mark ol p pre q s samp section small span strong sub
summary sup table tbody td tfoot th thead time tr tt u ul var wbr
"""
_MATH = """
math maction menclose merror mfrac mi mmultiscripts mn mo mover mpadded mphantom mprescripts mroot
mrow ms mspace msqrt mstyle msub msubsup msup mtable mtd mtext mtr munder munderover none
"""
_WHOLE = """
annotation applet audio base button canvas embed form frame frameset head iframe input link meta
noscript object option script select source style template textarea title track video
"""
_KNOWN = """
align class colspan rowspan scope start type open alt title width height id datetime dir lang
display mathvariant mathsize stretchy fence separator accent accentunder columnalign columnspacing
rowspacing columnlines rowlines linethickness lspace rspace depth minsize maxsize movablelimits
notation
"""
_ALLOWED = frozenset((*_TEXT.split(), *_MATH.split()))
_REMOVED_WHOLE = frozenset(_WHOLE.split())
_ATTRIBUTES = frozenset(_KNOWN.split())
_LINK = re.compile(r"(?:https?://|mailto:|#)[^\x00-\x20\x7f]*", re.IGNORECASE)
_IMAGE = re.compile(r"data:image/(?:png|jpeg|gif|webp|svg\+xml);base64,[A-Za-z0-9+/=\s]*")
_PROPERTY = re.compile(
    r"(?:color|background(?:-color)?|opacity|width|min-width|max-width|height|white-space|vertical-align"
    r"|display|font(?:-[a-z]+)?|text-[a-z-]+|border(?:-[a-z-]+)?|padding(?:-[a-z]+)?|margin(?:-[a-z]+)?)"
)
_VALUE = re.compile(
    r"(?!.*(?:url|expression|image|src)\s*\()[\w\s.,%#()+!*/\-'\"]*", re.IGNORECASE | re.ASCII
)
_RULE = re.compile(r"([^{}]+)\{([^{}]*)\}")
_SELECTOR = re.compile(r"#[\w\s.:>()#-]+", re.ASCII)
_SVG = re.compile(r"<svg\b.*?</svg\s*>", re.DOTALL | re.IGNORECASE)
_SVG_NAMESPACE = "http://www.w3.org/2000/svg"


def cleaned(markup: str) -> BeautifulSoup:
    """Parse HTML and take out all that is not known to be harmless.

    Drawings become images, so that nothing inside them can act on the page.

    Examples
    --------
    >>> print(cleaned('<p onclick="x()">a <b>b</b></p><script>x()</script>'))
    <p>a <b>b</b></p>
    """
    # The outer element keeps the parser from taking short texts for addresses and warning of it.
    soup = BeautifulSoup(f"<div>{_SVG.sub(_drawing, markup)}</div>", "html.parser")
    if soup.div is not None:
        soup.div.unwrap()
    kept_styles = list(_own_styles(soup))
    for tag in list(soup.find_all(True)):
        if tag.decomposed:
            continue
        if tag.name in _REMOVED_WHOLE:
            tag.decompose()
        elif tag.name not in _ALLOWED:
            tag.unwrap()
        else:
            _clean_attributes(tag)
    for odd in [node for node in soup.descendants if _is_odd(node)]:
        odd.extract()
    for rules in kept_styles:
        style = soup.new_tag("style")
        style.string = rules
        soup.insert(0, style)
    return soup


def data_uri(kind: str, content: bytes) -> str:
    """An image as the text of an address that holds it."""
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"


def svg_image(drawing: str, alt: str = "figure") -> str:
    """An SVG drawing as an image: it keeps its look and loses its power."""
    text = drawing[drawing.lower().find("<svg") :]
    if "xmlns=" not in text.partition(">")[0]:
        text = f'<svg xmlns="{_SVG_NAMESPACE}"{text[4:]}'
    return f'<img alt="{alt}" src="{data_uri("image/svg+xml", text.encode("utf-8"))}">'


def _drawing(match: re.Match[str]) -> str:
    return svg_image(match.group(), "drawing")


def _is_odd(node: PageElement) -> bool:
    """Comments, declarations, CDATA and processing instructions."""
    return isinstance(node, PreformattedString)


def _clean_attributes(tag: Tag) -> None:
    for name in list(tag.attrs):
        value = tag[name]
        text = " ".join(value) if isinstance(value, list) else str(value)
        if name == "style":
            tag["style"] = _declarations(text)
            keep = bool(tag["style"])
        elif name == "href":
            keep = tag.name == "a" and bool(_LINK.fullmatch(text.strip()))
        elif name == "src":
            keep = tag.name == "img" and bool(_IMAGE.fullmatch(text))
        else:
            keep = name in _ATTRIBUTES
        if not keep:
            del tag[name]
    if tag.name == "a" and not str(tag.get("href", "#")).startswith("#"):
        tag["rel"] = "noopener noreferrer"
    if tag.name == "img" and not tag.get("src"):
        tag.name = "span"
        tag.string = f"[image left out: {tag.get('alt') or 'it is not part of the notebook'}]"
        tag.attrs = {"class": "left-out"}


def _declarations(text: str) -> str:
    kept = []
    for declaration in text.split(";"):
        name, _, value = declaration.partition(":")
        if _PROPERTY.fullmatch(name.strip().lower()) and _VALUE.fullmatch(value.strip()):
            kept.append(f"{name.strip().lower()}: {value.strip()}")
    return "; ".join(kept)


def _own_styles(soup: BeautifulSoup) -> Iterator[str]:
    """The rules of style elements that speak of one element by its id, as pandas' Styler writes them."""
    for element in soup.find_all("style"):
        rules = []
        for selectors, body in _RULE.findall(element.get_text()):
            named = [selector.strip() for selector in selectors.split(",")]
            declarations = _declarations(body)
            if declarations and all(_SELECTOR.fullmatch(selector) for selector in named):
                rules.append(f"{', '.join(named)} {{ {declarations} }}")
        if rules:
            yield "\n".join(rules)
