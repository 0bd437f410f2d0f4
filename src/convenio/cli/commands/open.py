"""`convenio open`: the content of a record."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from convenio.cli.command import command as declare
from convenio.cli.files import DASH, output, to_file
from convenio.cli.link import Link
from convenio.cli.options import acting, named_record, on_node, one_part
from convenio.cli.shell import Answer, Shell
from convenio.store.passing import memory_file
from convenio.words import N_
from convenio.words.contents import Line, lines_of

_SHOWN_BYTES = 1 << 20
_MOST_BYTES = 2 * _SHOWN_BYTES  # with what sealing adds


@declare(
    "open",
    help=N_(
        "Read a content of a record. That this person opened it is on record before the first byte "
        "is shown, and nothing is shown before all of it is proved to be what the record speaks of."
    ),
    example=[
        "convenio open us mx/12 --as john --channel framework",
        "convenio open us 8f3a91c2 --as john --part 1 -o map.pdf",
    ],
)
@on_node
@named_record
@acting
@one_part
@click.option("--reason", default="", metavar=N_("TEXT"), help=N_("Why; it stays on this node."))
@to_file(N_("Write it there; - is standard output, as it is."), required=False)
def command(
    shell: Shell,
    link: Link,
    record: str,
    person: str,
    channel: str,
    part: int,
    reason: str,
    target: Path | None,
) -> None:
    args = {"as": person, "record": record, "channel": channel, "part": part, "reason": reason}
    link.ready()
    opening = shell.text("Opening")
    if target is not None:
        with output(target) as file, shell.waiting(opening):
            answer = link.call("open", args, [file.fileno()])
        if target != DASH:
            done = shell.text("Written to {file} ({media}).", file=target, media=answer["media"])
            shell.answer({**answer, "file": str(target)}, lambda: shell.line(done))
        return
    with memory_file() as file:
        with shell.waiting(opening):
            answer = link.call("open", {**args, "most": _MOST_BYTES}, [file.fileno()])
        file.seek(0)
        _show(shell, answer, file.read(_SHOWN_BYTES + 1))


def _show(shell: Shell, label: Answer, data: bytes) -> None:
    """On the screen, if it is text: a terminal must not obey what a partner wrote."""
    text = _as_text(data)
    if text is None:
        raise click.UsageError(
            shell.text(
                "This is not a short text ({media}): name a file with -o.", media=label["media"]
            )
        )
    value: dict[str, Any] = {**label, "text": text}
    if sys.stdout.isatty():
        shell.answer(value, lambda: _to_person(shell, label, text))
    else:
        shell.answer(value, lambda: click.echo(text, nl=False))


def _to_person(shell: Shell, label: Answer, text: str) -> None:
    """Text as it was written; JSON as a list of what it says."""
    is_json = label["media"] == "application/json"
    lines = lines_of(text.encode(), shell.words) if is_json else ()
    if lines:
        _show_lines(shell, lines, "")
    else:
        shell.line(text.removesuffix("\n"))


def _show_lines(shell: Shell, lines: tuple[Line, ...], indent: str) -> None:
    for line in lines:
        shell.line(f"{indent}{line.key}: {line.text}".rstrip())
        _show_lines(shell, line.lines, indent + "  ")


def _as_text(data: bytes) -> str | None:
    try:
        return data.decode("utf-8") if len(data) <= _SHOWN_BYTES and b"\x00" not in data else None
    except UnicodeDecodeError:
        return None
