"""Files without a name that contents pass through on their way to a person.

In memory as long as they are not large, so that what is sealed on our disk does not come to lie
there in plain; a large one takes a file that nobody else can open and that is gone when closed.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final, TypeVar, cast

from convenio.core.errors import RefusedError

MEMORY_BYTES: Final = 32 << 20

_T = TypeVar("_T")


def memory_file() -> BinaryIO:
    """An empty file in memory; where the system has none such, one on the disk without a name."""
    if hasattr(os, "memfd_create"):
        return os.fdopen(os.memfd_create("content", os.MFD_CLOEXEC), "w+b")
    return cast(BinaryIO, tempfile.TemporaryFile())


@contextmanager
def passing(
    ask: Callable[[BinaryIO, int], _T], folder: Path | None = None
) -> Iterator[tuple[BinaryIO, _T]]:
    """The file that `ask` wrote into, and what it answered. The file is gone behind the block.

    ask: is given the file, and the most bytes that may be written there, 0 for any number; refuses
    with open.too_large before it writes. folder: where a large file lies.
    """
    file = memory_file()
    try:
        try:
            answer = ask(file, MEMORY_BYTES)
        except RefusedError as error:
            if error.code != "open.too_large":
                raise
            file.close()
            file = cast(BinaryIO, tempfile.TemporaryFile(dir=folder))  # noqa: SIM115 - closed below
            answer = ask(file, 0)
        yield file, answer
    finally:
        file.close()


def kept(pieces: Iterable[bytes]) -> BinaryIO:
    """A file with these bytes, to be read from its start and closed by the caller."""
    file, length = memory_file(), 0
    try:
        for piece in pieces:
            if length <= MEMORY_BYTES < length + len(piece):
                file = _on_disk(file)
            file.write(piece)
            length += len(piece)
    except BaseException:
        file.close()
        raise
    file.seek(0)
    return file


def _on_disk(small: BinaryIO) -> BinaryIO:
    with small:
        file = cast(BinaryIO, tempfile.TemporaryFile())  # noqa: SIM115 - the caller closes it
        small.seek(0)
        file.write(small.read())
    return file
