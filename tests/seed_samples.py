"""The code samples of the two documents of late 2025, as they stand there.

A fenced block is a Python sample if it parses as Python and does more than name a value, and a
JavaScript sample if it declares a constant in that language. The second document has no fences
and lost its indentation: its samples lie between lines that name them, and are indented anew by
one rule: a line that ends with a colon opens a block, which lasts to the end of its sample, but
for `except`, which goes back to its `try`.
"""

from __future__ import annotations

import ast
import io
import itertools
import re
import tokenize
from dataclasses import dataclass
from pathlib import Path

HOSTS = (
    ("https://api.elections.kalshi.com", "{root}"),
    ("https://demo-api.kalshi.co", "{root}"),
    ("wss://demo-api.kalshi.co", "{socket}"),
)
KEY_IDS = (
    "your-api-key-id-here",
    "your-api-key-id",
    "your_api_key_id",
    "a952bcbe-ec3b-4b5b-b8f9-11dae589608c",
    "a952bafb-12dd-4955-9e7c-3895265e812d",
    "164c4e3e-f653-4847-b962-bc4975b91ddc",
)
KEY_PATHS = (
    "path/to/your/kalshi-key.key",
    "path/to/your/private-key.pem",
    "path/to/private_key.pem",
    "kalshi-key-2.key",
    "baseKey.txt",
)


@dataclass(frozen=True)
class Place:
    """What takes the place of the names in a sample: nothing else of it is changed."""

    root: str
    socket: str
    key_id: str
    key_path: Path

    def put_into(self, code: str) -> str:
        for host, ours in HOSTS:
            code = code.replace(host, ours.format(root=self.root, socket=self.socket))
        for text in KEY_IDS:
            code = re.sub(rf"(['\"]){re.escape(text)}\1", lambda _: repr(self.key_id), code)
        for text in KEY_PATHS:
            code = re.sub(rf"(['\"]){re.escape(text)}\1", lambda _: repr(str(self.key_path)), code)
        return code


@dataclass(frozen=True)
class Samples:
    """All samples in the order of the documents."""

    python: tuple[str, ...]
    javascript: tuple[str, ...]
    book: str
    """The order book that the first document works through."""


def read_samples(seeds: Path) -> Samples:
    """Take the samples out of both documents."""
    first = next(seeds.glob("000_*.txt")).read_text("utf-8")
    second = next(seeds.glob("001_*.txt")).read_text("utf-8")
    blocks = re.findall(r"^```\n(.*?)^```", first, re.MULTILINE | re.DOTALL)
    book = next(block for block in blocks if block.lstrip().startswith('{\n  "orderbook"'))
    return Samples(
        (*filter(_is_python, blocks), *_python_of(second)),
        (*(block for block in blocks if re.match(r"const \w+ = ", block)), _between(second, "JS", None)),
        re.sub(r"\s*//.*", "", book),
    )


def _is_python(block: str) -> bool:
    try:
        tree = compile(block, "sample", "exec", ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    except SyntaxError:
        return False
    return any(not isinstance(node, ast.Expr) for node in tree.body)


def _between(text: str, begin: str, end: str | None) -> str:
    lines = text.splitlines()
    first = lines.index(begin) + 1
    return "\n".join(lines[first : None if end is None else lines.index(end, first)]) + "\n"


def _python_of(text: str) -> list[str]:
    names = (
        "Load the private key stored in a file",
        "Sign text with private key",
        "Send request",
        "JS",
    )
    return [_indented(_between(text, *pair)) for pair in itertools.pairwise(names)]


def _indented(flat: str) -> str:
    """The rule above."""
    depth, tries, lines, open_brackets = 0, [], [], 0
    for line in flat.splitlines():
        code = _without_comment(line)
        if not open_brackets and code.startswith("except"):
            depth = tries.pop()
        lines.append("    " * depth + line)
        open_brackets += sum(map(code.count, "([{")) - sum(map(code.count, ")]}"))
        if not open_brackets and code.endswith(":"):
            if code == "try:":
                tries.append(depth)
            depth += 1
    return "\n".join(lines) + "\n"


def _without_comment(line: str) -> str:
    """A line of code, its comment and the texts in it taken away."""
    kept = []
    try:
        for token in tokenize.generate_tokens(io.StringIO(line.strip()).readline):
            if token.type not in (tokenize.COMMENT, tokenize.STRING):
                kept.append(token.string)  # noqa: PERF401 - keeps what came before an open bracket
    except tokenize.TokenError:  # the line leaves a bracket open
        pass
    return "".join(kept).strip()
