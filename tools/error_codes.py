"""Every error code the source can raise, found by reading the source.

A code is the first argument of an error class, or a literal handed to a helper that raises it:
any string of the shape `family.what` whose family some error class names. A code that is put
together at run time cannot be read here; COMPOSED says what each such shape stands for, and the
test fails on one that is not listed.
"""

from __future__ import annotations

import ast
import functools
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from convenio.core import errors

CLASSES: Final = {
    name
    for name, thing in vars(errors).items()
    if isinstance(thing, type) and issubclass(thing, errors.ConvenioError)
}
_CODE: Final = re.compile(r"[a-z]+\.[a-z][a-z0-9_]*", re.ASCII)
_TYPE: Final = re.compile(r".*\.v[0-9]+", re.ASCII)
# `decide` returns its codes; `require` raises what it returned.
_RETURNED: Final = {"decide"}
# Calls whose strings look like codes: acts in a node's journal, log events, commands to the node,
# templates, demo characters.
_OTHERS: Final = {"ActOnRecord", "_keep", "_note", "note_act", "call", "render", "Character"}.union(
    ("debug", "info", "warning", "error", "critical")
)
# Names of files, which look like codes.
FILES: Final = frozenset({"node.toml", "node.sock", "keys.age", "card.note"})
# Codes put together at run time: the shape, and what it can become.
COMPOSED: Final[dict[str, tuple[str, ...]]] = {
    "record.{}": ("record.inst", "record.case", "record.act"),
}


@functools.cache
def codes_in(source: Path) -> dict[str, set[str]]:
    """Each code with the names of the parameters every literal raise of it gives."""
    nodes = [node for tree in _trees(source) for node in ast.walk(tree)]
    raised = [node for node in nodes if isinstance(node, ast.Call) and _raises(node)]
    families = {
        text.partition(".")[0]
        for call in raised
        for text in _strings(call.args[:1])
        if _CODE.fullmatch(text)
    } | _RETURNED
    found: dict[str, set[str]] = {}
    for node in nodes:
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            if _is_code(node.value, families):
                found.setdefault(node.value, set())
        elif isinstance(node, ast.JoinedStr) and _shape(node).partition(".")[0] in families:
            found |= {code: set() for code in COMPOSED.get(_shape(node), ())}
    others = FILES.union(text for node in nodes for text in _other_names(node))
    return {code: found[code] for code in found if code not in others} | _parameters(raised)


def _other_names(node: ast.AST) -> Iterator[str]:
    """Strings of the calls above, and keys of tables of functions."""
    if isinstance(node, ast.Call) and called(node) in _OTHERS:
        yield from _strings(node.args)
    elif isinstance(node, ast.Dict):
        named = zip(node.keys, node.values, strict=True)
        yield from _strings([key for key, value in named if key and isinstance(value, ast.Name)])


def called(call: ast.Call) -> str:
    if isinstance(call.func, ast.Attribute):
        return call.func.attr
    return call.func.id if isinstance(call.func, ast.Name) else ""


def _is_code(text: str, families: set[str]) -> bool:
    looks = _CODE.fullmatch(text) and not _TYPE.fullmatch(text)
    return bool(looks) and text.partition(".")[0] in families


def unknown_shapes(source: Path) -> list[str]:
    """Codes made at run time that COMPOSED does not list."""
    shapes = {
        _shape(call.args[0])
        for tree in _trees(source)
        for call in ast.walk(tree)
        if isinstance(call, ast.Call) and call.args and isinstance(call.args[0], ast.JoinedStr)
        if _raises(call)
    }
    return sorted(shapes - COMPOSED.keys())


def _trees(source: Path) -> Iterator[ast.Module]:
    for path in sorted(source.rglob("*.py")):
        if "words" not in path.relative_to(source).parts:
            yield ast.parse(path.read_text("utf-8"))


def _raises(call: ast.Call) -> bool:
    return called(call) in CLASSES and bool(call.args)


def _strings(nodes: Sequence[ast.expr]) -> Iterator[str]:
    """The literals an argument can be, also through `a if c else b`."""
    for node in nodes:
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
        elif isinstance(node, ast.IfExp):
            yield from _strings([node.body, node.orelse])


def _shape(node: ast.expr) -> str:
    parts = node.values if isinstance(node, ast.JoinedStr) else []
    return "".join(str(p.value) if isinstance(p, ast.Constant) else "{}" for p in parts)


def _parameters(raised: list[ast.Call]) -> dict[str, set[str]]:
    """What a sentence may name: only what every raise of the code brings."""
    given: dict[str, list[set[str]]] = defaultdict(list)
    for call in raised:
        for code in _strings(call.args[:1]):
            given[code].append({keyword.arg for keyword in call.keywords if keyword.arg})
    return {code: set.intersection(*names) for code, names in given.items()}
