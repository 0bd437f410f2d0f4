"""Files that commands read and write. What is written is whole or absent."""

from __future__ import annotations

import errno
import mimetypes
import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Final, cast

import click

from convenio.core.errors import RefusedError
from convenio.node.config import FILE_NAME
from convenio.store.durable import os_errors, sync_folder
from convenio.store.passing import kept
from convenio.words import N_

DASH: Final = Path("-")
MAX_STREAM_BYTES: Final = 4 << 30  # of what has no size of its own, and may have no end
_PIECE: Final = 1 << 20
_MEDIA: Final = {".md": "text/markdown", ".ndjson": "application/x-ndjson"}


class _OutputPath(click.Path):
    """A file to write, in a folder that exists, or `-`."""

    def __init__(self) -> None:
        super().__init__(dir_okay=False, allow_dash=True, path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        target = cast(Path, super().convert(value, param, ctx))
        if not target.name:  # nothing was typed
            click.Path(exists=True).convert("", param, ctx)
        # `Path` would raise for a name that is too long.
        if target != DASH and not os.path.isdir(target.parent):  # noqa: PTH112
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

    If the block raises, `target` is as it was. What is there and is no file (a pipe, a device) is
    given the bytes and never replaced; no more is a file that a node lives from.
    Raises:  RefusedError: file.of_a_node · UnavailableError: store.disk_full · file.io.
    """
    with os_errors(target):
        stream = target == DASH or (target.exists() and not target.is_file())
        if target.exists() and any((p / FILE_NAME).is_file() for p in target.resolve().parents):
            raise RefusedError("file.of_a_node", file=str(target))
    if stream:
        with tempfile.TemporaryFile() as whole:
            yield cast(BinaryIO, whole)
            whole.seek(0)
            _give(cast(BinaryIO, whole), target)
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


def _give(whole: BinaryIO, target: Path) -> None:
    if target == DASH:
        shutil.copyfileobj(whole, sys.stdout.buffer)
        sys.stdout.buffer.flush()
        return
    with os_errors(target), target.open("wb") as stream:
        shutil.copyfileobj(whole, stream)


@contextmanager
def input_file(source: Path) -> Iterator[BinaryIO]:
    """A regular file with the bytes of `source`, whose size is known; `-` is standard input.

    Raises:  UnavailableError: file.io, also a device that never ends · store.disk_full ·
             RefusedError: blob.too_large, a stream of more than 4 GiB.
    """
    with os_errors(source):
        opened = _opened(source)
        try:
            regular = source != DASH and stat.S_ISREG(os.fstat(opened.fileno()).st_mode)
            file = opened if regular and _is_readable(opened) else kept(_pieces(opened))
        except BaseException:
            _close(source, opened)
            raise
    try:
        yield file
    finally:
        file.close()
        _close(source, opened)


def _opened(source: Path) -> BinaryIO:
    if source == DASH:
        if sys.stdin is None:  # whoever started us has closed it
            raise OSError(errno.EBADF, "no standard input")
        return sys.stdin.buffer
    opened = source.open("rb")
    if stat.S_ISCHR(os.fstat(opened.fileno()).st_mode) and not _may_end(opened):
        opened.close()
        raise OSError(errno.ENODEV, "a device")
    return opened


def _may_end(device: BinaryIO) -> bool:
    return device.isatty() or os.path.samestat(os.fstat(device.fileno()), Path(os.devnull).stat())


def _is_readable(file: BinaryIO) -> bool:
    """True, or an OSError now: some files that can be opened cannot be read."""
    os.pread(file.fileno(), 1, 0)
    return True


def _pieces(opened: BinaryIO) -> Iterator[bytes]:
    size = 0
    for piece in iter(lambda: opened.read(_PIECE), b""):
        size += len(piece)
        if size > MAX_STREAM_BYTES:
            raise RefusedError("blob.too_large", max_bytes=MAX_STREAM_BYTES)
        yield piece


def _close(source: Path, opened: BinaryIO) -> None:
    if source != DASH:
        opened.close()


def media_of(name: str) -> str:
    """The kind of content a file name promises."""
    suffix = Path(name).suffix.lower()
    guessed = _MEDIA.get(suffix) or mimetypes.types_map.get(suffix)
    return guessed or ("text/plain" if suffix in ("", ".txt") else "application/octet-stream")
