"""Whatever is in a definition's files: a refusal with a code, file and line, or a tree of texts."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from tests.fuzz.mutate import mutants

from convenio import instruments
from convenio.core.errors import MalformedError
from convenio.instruments.source import MAX_SOURCE_BYTES, Tree, read_source
from convenio.words.errors import HAPPENED

DEFINITIONS = Path(instruments.__file__).parent / "definitions"
SEEDS = [
    b"a: one\nb: [x, 'y z', \"q\\u00e9\"]\nc:\n  d: {e: f}\n  g: >\n    folded\n    text\n",
    b"race:\n  - answer\n  - {from: open, to: closed}\ntext: |\n  line\n  line\n",
    *(path.read_bytes()[:3000] for path in sorted(DEFINITIONS.glob("*.yaml"))),
]
CPU_S = 2.0


def only_texts(tree: Tree) -> bool:
    if isinstance(tree, dict):
        return bool(tree) and all(only_texts(item) for item in tree.values())
    if isinstance(tree, list):
        return bool(tree) and all(only_texts(item) for item in tree)
    return isinstance(tree, str) and bool(tree)


def check(data: bytes) -> bool:
    start, refused, source = time.thread_time(), None, None
    try:
        source = read_source("x.yaml", data)
    except MalformedError as error:
        refused = error
    assert time.thread_time() - start < CPU_S, data[:200]
    if refused or source is None:
        assert refused
        assert refused.code in HAPPENED
        assert refused.parameters["file"] == "x.yaml"
        assert 1 <= int(refused.parameters["line"]) <= data.count(b"\n") + 2
        return False
    assert only_texts(source.tree)
    assert all(1 <= line <= data.count(b"\n") + 1 for line in source.lines.values())
    return True


def test_its_seeds_are_read() -> None:
    assert all(check(data) for data in SEEDS[:2])


@pytest.mark.parametrize("seed", range(4))
def test_broken_files_are_refused_with_a_line_or_read(seed: int) -> None:
    for data in mutants(SEEDS, seed, 250):
        check(data)


@pytest.mark.parametrize(
    "data",
    [
        *(b"a: [" * 300, b"[" * 60_000, b"{" * 60_000, b"a: " * 20_000, b"- " * 30_000),
        *(b"? " * 30_000, b"'" * 60_000, b"a: &x " * 9_000, b"a: !!" * 9_000, b"\n" * 60_000),
        *(b"%YAML " + b"9" * 6000 + b".1\n---\na: b\n", b'a: "\\UFFFFFFFF"\n', b"#" * 60_000),
        *(b"a: |9\n b", b"a: >-\n" + b" " * 60_000, b"a" * 60_000, b"%TAG ! x\n---\na: b"),
        b"x" * (MAX_SOURCE_BYTES + 1),
        b"".join(b"k%d: v\n" % n for n in range(6000)),
    ],
    ids=lambda data: repr(data[:12]),
)
def test_large_and_odd_files_take_little_time(data: bytes) -> None:
    check(data)
