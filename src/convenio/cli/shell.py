"""What a command needs to answer a person or a script: words, one place for output, progress.

Answers go to standard output; everything else (progress, advice, errors) to standard error. With
`--json` the answer is one JSON object, never translated, and nothing else is printed.
"""

from __future__ import annotations

import re
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import click
import orjson

from convenio.cli.tables import lay_out
from convenio.words import Words

Answer = dict[str, Any]
Progress = Callable[[int, int], None]
_AFTER_S: Final = 1.0  # what is done sooner shows no progress
# What a partner wrote must not move our cursor, ring our bell or turn our text around.
_CONTROL: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)


class Shell:
    """One command's way of answering."""

    def __init__(self, words: Words, *, as_json: bool) -> None:
        self.words = words
        self.as_json = as_json

    def text(self, msgid: str, /, **parameters: object) -> str:
        """The words for `msgid`, in the person's language."""
        return self.words.text(msgid, **parameters)

    def answer(self, value: Answer, render: Callable[[], None]) -> None:
        """The command's result: as JSON, or as `render` prints it for a person."""
        if self.as_json:
            click.echo(json_line(value))
        else:
            render()

    def line(self, text: str = "") -> None:
        """One line of a rendered answer."""
        click.echo(printable(text))

    def advise(self, text: str) -> None:
        """A line beside the answer: what to do next. A script does not see it."""
        if not self.as_json:
            click.echo(printable(text), err=True)

    def table(self, headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """A table as wide as the terminal; as wide as it needs when it goes to a file."""
        cells = [[printable(cell) for cell in row] for row in rows]
        on_screen = sys.stdout.isatty()
        room = shutil.get_terminal_size().columns if on_screen else 1000
        # Printed by Click as all else: Rich would end the process when a reader goes away.
        click.echo(lay_out(headings, cells, room, on_screen=on_screen), nl=False)

    @contextmanager
    def progress(self, title: str) -> Iterator[Progress]:
        """A bar on standard error for what lasts longer than a second, if somebody looks."""
        bar = _Bar(title, wanted=not self.as_json and sys.stderr.isatty())
        try:
            yield bar.show
        finally:
            bar.close()

    @contextmanager
    def waiting(self, what: str) -> Iterator[None]:
        """A sign of life on standard error, if the block lasts longer than a second."""
        sign = _Sign(what)
        timer = threading.Timer(_AFTER_S, sign.show)
        timer.daemon = True
        if not self.as_json and sys.stderr.isatty():
            timer.start()
        try:
            yield
        finally:
            timer.cancel()
            sign.close()


def say_set_aside(shell: Shell, names: Sequence[str]) -> None:
    """What of a node was damaged and is being made again, as it is opened."""
    for name in names:
        shell.advise(
            shell.text(
                "A file that this program makes from the others was damaged. It is kept as {file} "
                "and is being made again; nothing that was said is lost.",
                file=name,
            )
        )


class _Sign:
    """Rich's spinner, shown from another thread when it turns out to be needed."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._lock = threading.Lock()
        self._closed = False
        self._status: Any = None

    def show(self) -> None:
        from rich import console  # noqa: PLC0415 - only for who waits

        with self._lock:
            if not self._closed:
                self._status = console.Console(stderr=True).status(self._what)
                self._status.start()

    def close(self) -> None:
        with self._lock:
            self._closed = True
            if self._status is not None:
                self._status.stop()


class _Bar:
    """Rich's progress bar, made when it turns out to be needed."""

    def __init__(self, title: str, *, wanted: bool) -> None:
        self._title, self._wanted = title, wanted
        self._since = time.monotonic()
        self._bar: Any = None
        self._task: Any = None

    def show(self, done: int, total: int) -> None:
        if not self._wanted or time.monotonic() - self._since < _AFTER_S:
            return
        if self._bar is None:
            from rich import console, progress  # noqa: PLC0415 - only for who waits

            self._bar = progress.Progress(console=console.Console(stderr=True), transient=True)
            self._task = self._bar.add_task(self._title, total=total)
            self._bar.start()
        self._bar.update(self._task, completed=done, total=total or None)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.stop()


def now() -> int:
    """Seconds UTC by this machine, for commands that need no node."""
    return int(time.time())  # noqa: TID251 - the other clock, in wiring, brings a whole node along


def json_line(value: Any) -> bytes:
    """`value` as JSON. The name of a file may be no text; then what is none in it shows as "?"."""
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except TypeError:
        return orjson.dumps(_as_text(value), option=orjson.OPT_SORT_KEYS)


def _as_text(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {_as_text(key): _as_text(item) for key, item in value.items()}
    return [_as_text(item) for item in value] if isinstance(value, list | tuple) else value


def printable(text: str) -> str:
    """`text` without what a terminal obeys instead of showing."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)


pass_shell = click.make_pass_decorator(Shell)
