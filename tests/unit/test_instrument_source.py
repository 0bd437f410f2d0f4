"""The strict reader of what people write: what it takes, what it refuses, and at which line."""

from __future__ import annotations

import pytest

from convenio.core.errors import MalformedError
from convenio.instruments.source import MAX_SOURCE_BYTES, read_source


def test_everything_is_text_and_has_a_line() -> None:
    source = read_source("x.yaml", b"a: yes\nb:\n  - 1.0\n  - {c: null}\nd: >\n  two\n  lines\n")
    assert source.tree == {"a": "yes", "b": ["1.0", {"c": "null"}], "d": "two lines"}
    assert source.line(("b", 1, "c")) == 4
    assert source.line(("d",)) == 5
    assert source.line(("b", 7, "not there")) == 2
    assert source.line(("nowhere",)) == 1


@pytest.mark.parametrize(
    ("code", "line", "text"),
    [
        ("source.size", 1, "a: " + "x" * MAX_SOURCE_BYTES),
        ("source.encoding", 2, b"a: b\nc: \xff\n"),
        ("source.character", 2, "a: b\nc:\td\n"),
        ("source.character", 2, "a: b\nc: d\u202ee\n"),
        ("source.character", 1, "a: cafe\u0301\n"),
        ("source.character", 2, 'a: b\nc: "\\u202e"\n'),
        ("source.character", 2, 'a: b\nc: "\\ud800"\n'),
        ("source.syntax", 3, "a: b\nc: 'd\n"),
        ("source.syntax", 2, "a: b\n  c: d\n"),
        ("source.syntax", 1, "- a\n"),
        ("source.syntax", 1, 'a: "\\UFFFFFFFF"\n'),
        ("source.alias", 1, "a: &x b\n"),
        ("source.alias", 2, "a: b\nc: *x\n"),
        ("source.tag", 2, "a: b\nc: !!int 1\n"),
        ("source.tag", 1, "a: ! b\n"),
        ("source.document", 1, "---\na: b\n"),
        ("source.document", 2, "a: b\n---\nc: d\n"),
        ("source.document", 2, "a: b\n...\n"),
        ("source.depth", 1, "a: [[[[[[b]]]]]]\n"),
        ("source.key", 2, "a: b\nC: d\n"),
        ("source.key", 1, "[a]: b\n"),
        ("source.key", 2, "a: b\n<<: {c: d}\n"),
        ("source.twice", 3, "a: b\nc: d\na: e\n"),
        ("source.empty", 1, ""),
        ("source.empty", 2, "# only words\n"),
        ("source.empty", 1, "a:\nb: c\n"),
        ("source.empty", 2, "a: b\nc: ''\n"),
        ("source.empty", 2, "a: b\nc: []\n"),
        ("source.empty", 2, "a: b\nc: {}\n"),
    ],
    ids=lambda value: str(value)[:24],
)
def test_what_is_refused(code: str, line: int, text: str | bytes) -> None:
    data = text if isinstance(text, bytes) else text.encode()
    with pytest.raises(MalformedError) as caught:
        read_source("x.yaml", data)
    error = caught.value
    assert (error.code, error.parameters["line"]) == (code, line)
    assert error.parameters["file"] == "x.yaml"
