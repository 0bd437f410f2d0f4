"""Tables as wide as there is room; where they would not be read, each row as a block of lines."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Sequence
from typing import Final

_BETWEEN: Final = 3  # columns of a table, in characters
_MOST_FOLDS: Final = 3  # lines that one line of a cell may take before a row is no row any more
_INDENT: Final = "  "


def lay_out(
    headings: Sequence[str], rows: Sequence[Sequence[str]], room: int, *, on_screen: bool
) -> str:
    """The rows as text, its lines ended.

    No word is broken, so that an address or a path can be copied, even if a line is then longer
    than `room`.  room: in characters. on_screen: with the signs a terminal obeys.
    """
    widths = _widths(list(zip(headings, *rows, strict=True)), room)
    if not _is_readable(rows, widths, room):
        return _stacked(headings, rows, room)
    return _table(headings, rows, widths, on_screen=on_screen)


def _widths(columns: Sequence[Sequence[str]], room: int) -> list[int]:
    """How wide each column is: as its text, narrower while all do not fit into `room`, and never
    narrower than its longest word."""
    wide = [max(len(line) for cell in c for line in cell.split("\n")) for c in columns]
    least = [max(len(word) for cell in c for word in cell.split() or [""]) for c in columns]
    while sum(wide) + _BETWEEN * len(wide) > room and wide != least:
        slack = [width - word for width, word in zip(wide, least, strict=True)]
        wide[slack.index(max(slack))] -= 1
    return wide


def _is_readable(rows: Sequence[Sequence[str]], widths: Sequence[int], room: int) -> bool:
    if sum(widths) + _BETWEEN * (len(widths) - 1) > room:
        return False
    return all(
        len(_folded(line, width)) <= _MOST_FOLDS
        for cells in rows
        for cell, width in zip(cells, widths, strict=True)
        for line in cell.split("\n")
    )


def _folded(line: str, width: int, indent: str = "", then: str = "") -> list[str]:
    return textwrap.wrap(
        line,
        max(width, 1),
        initial_indent=indent,
        subsequent_indent=then,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _table(
    headings: Sequence[str],
    rows: Sequence[Sequence[str]],
    widths: Sequence[int],
    *,
    on_screen: bool,
) -> str:
    from rich import box, console, table, text  # noqa: PLC0415 - a fifth of a second

    shown = table.Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading, width in zip(headings, widths, strict=True):
        shown.add_column(text.Text(heading), overflow="fold", width=width)
    for row in rows:
        shown.add_row(*map(text.Text, row))
    seen = io.StringIO()
    console.Console(
        file=seen,
        width=sum(widths) + _BETWEEN * len(widths),
        force_terminal=on_screen,
        highlight=False,
        emoji=False,
    ).print(shown)
    return seen.getvalue()


def _stacked(headings: Sequence[str], rows: Sequence[Sequence[str]], room: int) -> str:
    """The first cell of each row as a heading, below it the others by name; an empty one is left
    out. Blank lines around, as a table has them."""
    blocks = []
    for first, *others in rows:
        lines = first.split("\n")
        for heading, cell in zip(headings[1:], others, strict=True):
            if cell:
                lines += _named(heading, cell.split("\n"), room)
        blocks.append("".join(f"{line}\n" for line in lines))
    return "\n".join(["", *blocks, ""])


def _named(heading: str, lines: Sequence[str], room: int) -> list[str]:
    """A cell of one line stands beside its name; one of several below it."""
    if len(lines) == 1:
        return _folded(f"{heading}: {lines[0]}", room, _INDENT, _INDENT * 2)
    folded = [_folded(line, room, _INDENT * 2, _INDENT * 3) for line in lines]
    return [f"{_INDENT}{heading}:", *(line for each in folded for line in each)]
