"""Files that commands read and write. What is written is whole or absent."""

from __future__ import annotations

import mimetypes
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Final, cast

import click

from convenio.store.durable import os_errors, sync_folder
from convenio.store.passing import kept
from convenio.words import N_

DASH: Final = Path("-")
_PIECE: Final = 1 << 20
_MEDIA: Final = {".md": "text/markdown", ".ndjson": "application/x-ndjson"}


class _OutputPath(click.Path):
    """A file to write, in a folder that exists, or `-`."""

    def __init__(self) -> None:
        super().__init__(dir_okay=False, allow_dash=True, path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        target = cast(Path, super().convert(value, param, ctx))
        if target != DASH and not target.parent.is_dir():
            click.Path(exists=True).convert(str(target.parent), param, ctx)
        return target


OUTPUT: Final = _OutputPath()
Function = Callable[..., Any]


def to_file(help_: str, *, required: bool = True) -> Callable[[Function], Function]:
    """`-o FILE`, as `target`."""
    return click.option(
        "-o",
        "--output",
        "target",
        type=OUTPUT,
        required=required,
        metavar=N_("FILE"),
        help=help_,
    )


@contextmanager
def output(target: Path) -> Iterator[BinaryIO]:
    """A file to write into; when the block ends well `target` holds it durably, or stdout has it.

    If the block raises, `target` is as it was.
    Raises:  UnavailableError: store.disk_full · file.io.
    """
    if target == DASH:
        with tempfile.TemporaryFile() as whole:
            yield cast(BinaryIO, whole)
            whole.seek(0)
            for piece in iter(lambda: whole.read(_PIECE), b""):
                sys.stdout.buffer.write(piece)
            sys.stdout.buffer.flush()
        return
    with os_errors(target):
        handle, name = tempfile.mkstemp(prefix=".tmp-", dir=target.parent)
    made = Path(name)
    try:
        with os.fdopen(handle, "w+b") as file:
            yield file
            with os_errors(target):
                file.flush()
                os.fsync(handle)
        with os_errors(target):
            made.replace(target)
            sync_folder(target.parent)
    finally:
        made.unlink(missing_ok=True)


@contextmanager
def input_file(source: Path) -> Iterator[BinaryIO]:
    """A regular file with the bytes of `source`, whose size is known; `-` is standard input.

    Raises:  UnavailableError: file.io.
    """
    with os_errors(source):
        opened = sys.stdin.buffer if source == DASH else source.open("rb")
    try:
        if source != DASH and source.is_file():
            yield opened
            return
        with kept(iter(lambda: opened.read(_PIECE), b"")) as whole:
            yield whole
    finally:
        if source != DASH:
            opened.close()


def media_of(name: str) -> str:
    """The kind of content a file name promises."""
    suffix = Path(name).suffix.lower()
    guessed = _MEDIA.get(suffix) or mimetypes.types_map.get(suffix)
    return guessed or ("text/plain" if suffix in ("", ".txt") else "application/octet-stream")
