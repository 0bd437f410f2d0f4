"""How the demo speaks: chapters, plain sentences, what is proved. Silent for a script."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import click

from convenio.cli.shell import Shell, printable


class Teller:
    """Prints as the demo goes along."""

    def __init__(self, shell: Shell) -> None:
        self.shell = shell
        self._chapter = 0

    @property
    def lang(self) -> str:
        return self.shell.words.lang

    def chapter(self, title: str) -> None:
        self._chapter += 1
        self._line()
        self._line(click.style(f"{self._chapter}. {title}", bold=True))

    def tell(self, text: str) -> None:
        self._wrapped(text, "   ", "   ")

    def show(self, line: str) -> None:
        """An address or a command: on one line, whatever its length, to be copied."""
        self._line(f"   {line}")

    def proves(self, text: str) -> None:
        """What one side can show to others from now on."""
        self._wrapped(text, " ✓ ", "   ")

    def fails(self, text: str) -> None:
        """What did not go as it must."""
        self._wrapped(text, " ✗ ", "   ")

    def quote(self, lines: Iterable[str]) -> None:
        for line in lines:
            self._wrapped(line, "   | ", "   | ")

    def table(self, headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        if not self.shell.as_json:
            self.shell.table(headings, rows)

    def time(self, at: int) -> str:
        return self.shell.words.time(at)

    @contextmanager
    def working(self, what: str) -> Iterator[None]:
        """A sign of life on a terminal while the block runs, if it takes longer than a moment."""
        with self.shell.waiting(what):
            yield

    def _wrapped(self, text: str, first: str, later: str) -> None:
        width = min(shutil.get_terminal_size().columns, 100)
        self._line(click.wrap_text(printable(text), width, first, later))

    def _line(self, text: str = "") -> None:
        if not self.shell.as_json:
            click.echo(text)
            sys.stdout.flush()
