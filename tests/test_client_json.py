"""Strict JSON: one meaning or a `DecodeError`, whatever arrives."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kalshi_research.client.strict_json import check_object, parse_object
from kalshi_research.errors import DecodeError

REFUSED = {
    "nan": (b'{"a": {"b": [1, NaN]}}', "$.a.b[1]"),
    "infinity": (b'{"a": -Infinity}', "$.a"),
    "overflow": (b'{"a": [1e999]}', "$.a[0]"),
    "duplicate": (b'{"a": [{"p": 1, "q": 2, "p": 3}]}', "$.a[0].p"),
    "duplicate-same": (b'{"x": 1, "x": 1}', "$.x"),
    "digits": (b'{"a": ' + b"9" * 5_000 + b"}", "$.a"),
    "deep-objects": (b'{"a":' * 200_000 + b"1" + b"}" * 200_000, ""),
    "deep-lists": (b'{"a":' + b"[" * 200_000 + b"]" * 200_000 + b"}", ""),
    "not-closed": (b'{"a":' + b"[" * 200_000 + b"}", ""),
    "surrogate": (b'{"a": "\\ud800"}', ""),
    "surrogate-key": (b'{"\\uDFFF": 1}', ""),
    "latin-1": ('{"a": "é"}'.encode("latin-1"), ""),
    "raw-surrogate": (b'{"a": "\xed\xa0\x80"}', ""),
    "bom": (b'\xef\xbb\xbf{"a": 1}', ""),
    "utf-16": ('{"a": 1}'.encode("utf-16"), ""),
    "list": (b"[1, 2]", ""),
    "null": (b"null", ""),
    "number": (b"42", ""),
    "string": (b'"{}"', ""),
    "empty": (b"", ""),
    "blank": (b"  \n ", ""),
    "two": (b'{"a": 1} {"b": 2}', ""),
    "comma": (b'{"a": 1,}', ""),
    "single": (b"{'a': 1}", ""),
    "control": (b'{"a": "x\ny"}', ""),
    "cut": (b'{"a": [1, 2', ""),
    "html": (b"<html></html>", ""),
    "nothing": (b"{", ""),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_has_no_single_meaning_is_refused_naming_the_place(name) -> None:
    body, where = REFUSED[name]
    with pytest.raises(DecodeError) as caught:
        parse_object(body)
    assert caught.value.where == where
    assert len(str(caught.value)) < 300
    assert caught.value.__context__ is None


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b" {} \n", {}),
        (
            b'{"a": "\\u0000\\ud83d\\ude00[{", "b": [null, true, -0.5]}',
            {"a": "\0😀[{", "b": [None, True, -0.5]},
        ),
        (b'{"a": "\\"]]]]"}', {"a": '"]]]]'}),
        ('{"a": "é\u202e"}'.encode(), {"a": "é\u202e"}),
        (b'{"big": 1234567890123456789}', {"big": 1234567890123456789}),
        (b'{"a":' * 60 + b"1" + b"}" * 60, None),
    ],
)
def test_plain_json_is_read(body, value) -> None:
    assert parse_object(body) == (json.loads(body) if value is None else value)


def test_every_recorded_answer_is_read(shared: Path) -> None:
    bodies = [
        path.read_bytes()
        for path in sorted((shared / "real/rest_demo_2026_06").glob("*.json"))
        if not path.name.endswith(".meta.json")
    ]
    assert len(bodies) > 40
    for body in bodies:
        assert parse_object(body) == json.loads(body)


def test_a_long_list_of_keys_with_one_repeated_is_refused_quickly() -> None:
    body = "{" + ",".join(f'"k{i}": 1' for i in range(50_000)) + ',"k49999": 2}'
    with pytest.raises(DecodeError) as caught:
        parse_object(body.encode())
    assert caught.value.where == "$.k49999"


@given(st.binary(max_size=60))
def test_no_bytes_bring_out_another_error(noise) -> None:
    for body in (noise, b'{"a": ' + noise + b"}", b'{"a": "' + noise + b'"}'):
        try:
            parse_object(body)
        except DecodeError:
            continue
        assert isinstance(json.loads(body), dict)


texts = st.text(st.characters(codec="utf-8"), max_size=8)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**18), 10**18)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(texts, values, max_size=4), st.booleans())
def test_what_python_writes_is_read_back(value, ascii_only) -> None:
    assert parse_object(json.dumps(value, ensure_ascii=ascii_only).encode()) == value


def test_the_quick_check_looks_at_the_ends_only() -> None:
    check_object(b'{"a": NaN, "a": 1}')
    check_object(b'{"a": 1}', "text/html")  # a wrong label on a right answer
    with pytest.raises(DecodeError, match="HTML"):
        check_object(b"hello", "text/html; charset=utf-8")
