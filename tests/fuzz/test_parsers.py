"""Whatever the bytes: a parser refuses with a code that has words, or understands them whole.

`./run soak` goes on with one seed after another for as long as it is told.
"""

from __future__ import annotations

import ast
import os
import re
import time
import tracemalloc
from collections.abc import Iterator
from typing import Final

import pytest
from tests.conftest import ROOT
from tests.fuzz.mutate import MAX_BYTES, mutants
from tests.fuzz.targets import TARGETS
from tests.fuzz.targets.table import Target

from convenio.core.errors import ConvenioError
from convenio.words.errors import HAPPENED

COUNT: Final = int(os.environ.get("CONVENIO_FUZZ_COUNT", "1200"))
CPU_S: Final = 2.0  # for one input of at most 128 KiB; what is usual is a thousandth of it
MEMORY: Final = 48 << 20  # at most, for the largest inputs

# A tile is nothing but a length; the linter finds and refuses nothing.
LEAST_BROKEN: Final = {"tile": 6, "instrument linted": 0}

named = pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)


def check(target: Target, data: bytes) -> bool:
    """Whether `data` is accepted. What is accepted prints back; what is not has a known code."""
    start, code, value = time.thread_time(), "", None
    try:
        value = target.parse(data)
    except ConvenioError as error:
        code = error.code
    except Exception as error:
        raise AssertionError(f"{type(error).__name__} left {target.name}: {data!r}") from error
    assert time.thread_time() - start < CPU_S, data[:200]
    if code:
        assert code in HAPPENED, (code, data)
    else:
        assert target.form is None or target.form(value) == data, data
    return not code


@named
def test_its_seeds_are_accepted(target: Target) -> None:
    for data in target.seeds():
        assert check(target, data), data


@named
def test_what_is_known_to_be_broken_is_refused_by_its_code(target: Target) -> None:
    for code, inputs in target.broken().items():
        for data in inputs:
            with pytest.raises(ConvenioError) as refused:
                target.parse(data)
            assert refused.value.code == code, data


@named
def test_the_table_of_what_is_broken_has_no_gaps(target: Target) -> None:
    """Nothing at all, and a seed that is cut short or has more behind it: refused by each, or (a
    format that may end there) understood."""
    known = {data for inputs in target.broken().values() for data in inputs}
    seeds = target.seeds()
    assert b"" in known or check(target, b""), "nothing at all"
    assert len(known) >= LEAST_BROKEN.get(target.name, 12)
    for seed in seeds:
        for cut in (1, len(seed) // 2, len(seed) - 1):
            check(target, seed[:cut])
        for more in (b"\0", b"\n", b"\r\n", b" ", seed):
            check(target, seed + more)
        check(target, b"\xef\xbb\xbf" + seed)


@named
def test_broken_bytes_are_refused_or_print_back(target: Target) -> None:
    for data in mutants(target.corpus(), 1, max(COUNT // target.share, 20)):
        check(target, data)


@pytest.mark.soak
def test_broken_bytes_for_long(soak_s: float) -> None:
    until, seed, done = time.monotonic() + soak_s, 2, 0
    while time.monotonic() < until:
        for target in TARGETS:
            count = max(200 // target.share, 20)
            for data in mutants(target.corpus(), seed, count):
                check(target, data)
            done += count
        seed += 1
    print(f"{done} broken inputs, seeds 2 to {seed - 1}")


# --- what is only large ---


def large(target: Target) -> Iterator[bytes]:
    """Inputs that ask for more than they are."""
    seed = target.seeds()[0]
    yield b"[" * MAX_BYTES
    yield b'{"a":' * (MAX_BYTES // 6) + b"1" + b"}" * (MAX_BYTES // 6)
    yield b"9" * MAX_BYTES
    yield b"\n" * MAX_BYTES
    yield b" " * MAX_BYTES
    yield seed + bytes(MAX_BYTES)
    yield (seed * (1 + MAX_BYTES // (1 + len(seed))))[:MAX_BYTES]
    yield b"\xff" * MAX_BYTES


@named
def test_a_large_input_takes_little_time_and_memory(target: Target) -> None:
    inputs = list(large(target))
    check(target, target.seeds()[0])  # what is made once is made
    tracemalloc.start()
    try:
        for data in inputs:
            tracemalloc.reset_peak()
            before, _ = tracemalloc.get_traced_memory()
            check(target, data)
            _, peak = tracemalloc.get_traced_memory()
            assert peak - before < MEMORY, data[:50]
    finally:
        tracemalloc.stop()


# --- the same for everybody ---


def test_the_same_seed_gives_the_same_inputs() -> None:
    seeds = [b"one 1 two", b'{"a":2}\n']
    assert list(mutants(seeds, 7, 50)) == list(mutants(seeds, 7, 50))
    assert list(mutants(seeds, 7, 50)) != list(mutants(seeds, 8, 50))


def test_the_fuzzer_finds_a_parser_that_is_too_lenient() -> None:
    """It would notice `int`, which takes "1_0", " 1" and digits of other scripts."""

    def lenient(data: bytes) -> int:
        return int(data.decode())

    target = Target("lenient", (), lambda: [b"12"], lenient, lambda number: b"%d" % number)
    with pytest.raises(AssertionError):
        [check(target, data) for data in mutants(target.seeds(), 1, 400)]


# --- no parser without a target ---

PARSER: Final = re.compile(r"(parse|read|decode|loads?|open|revive|unpack)(_.*)?|verifier_of")
_STORE, _PART = "our own files and rows", "a part of a parser that has a target"
_SERVICE = "a service: its arguments are checked where they come in, by the node target"
ELSEWHERE: Final[dict[str, str]] = {  # a name, or a room with its dot
    "store.": _STORE,
    "core.age.source.Source.read": _PART,
    "core.age.source.Source.read_line": _PART,
    "core.bundle.Memory.read": _PART,
    "core.bundle.Source.read": _PART,
    "node.config.read_config": "a file opened for `parse_config`",
    "node.control.revive": "what our own node says over the local socket",
    "node.index.Index.open": _STORE,
    "node.local.LocalStore.open": _STORE,
    "node.outside._Opened.read": _PART,
    "node.quotas.Quotas.open": _STORE,
    "node.speaking.Speaking.open": _SERVICE,
    "node.verify.files.FileSource.read": _PART,
    "node.verify.files.FolderLog.read": _PART,
    "node.verify.files.LogFiles.read": _PART,
    "node.verify.files.WebLog.read": "the bytes of an answer, for the same parsers as a folder's",
    "node.verify.files.read_file": _PART,
    "node.viewing.read_open": _SERVICE,
    "web.serve._Application.load": "starts the pages",
    "web.serve._Application.load_config": "starts the pages",
    "web.views.records.open_sealed": "a page: tests/web asks it",
}


def parsers() -> Iterator[str]:
    """Functions and methods that by their names read something, as `core.note.parse_note`."""
    for path in sorted((ROOT / "src" / "convenio").rglob("*.py")):
        module = ".".join(path.relative_to(ROOT / "src" / "convenio").with_suffix("").parts)
        yield from named_in(ast.parse(path.read_text()), module)


def named_in(tree: ast.AST, prefix: str) -> Iterator[str]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            if PARSER.fullmatch(node.name):
                yield f"{prefix}.{node.name}"
        elif isinstance(node, ast.ClassDef):
            yield from named_in(node, f"{prefix}.{node.name}")


def test_every_parser_has_a_target_or_a_reason() -> None:
    covered = {name for target in TARGETS for name in target.covers}
    rooms = tuple(name for name in ELSEWHERE if name.endswith("."))
    left = set(parsers()) - covered - set(ELSEWHERE)
    missing = sorted(name for name in left if not name.startswith(rooms))
    assert not missing, "\n".join(missing)


def test_the_table_names_nothing_that_is_not_there() -> None:
    defined = set()
    for path in (ROOT / "src" / "convenio").rglob("*.py"):
        module = ".".join(path.relative_to(ROOT / "src" / "convenio").with_suffix("").parts)
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                defined.add((module, node.name))
    single = [name for name in ELSEWHERE if not name.endswith(".")]
    for name in [*single, *(name for target in TARGETS for name in target.covers)]:
        parts = name.split(".")
        assert any((".".join(parts[:end]), parts[-1]) in defined for end in range(1, len(parts)))
