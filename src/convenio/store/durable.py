"""Files that are whole or absent, also after a power cut.

Write a temporary file beside the target, fsync it, rename it, fsync the folder. After a failed
fsync nobody may trust the file (the kernel may have dropped the pages), so it is removed and the
error raised; nothing is retried here.
"""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from convenio.core.errors import UnavailableError

_FULL: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@contextmanager
def os_errors(named: Path | None = None) -> Iterator[None]:
    """OSError inside becomes UnavailableError: store.disk_full · store.io, with `errno` · file.io,
    about a file that a person has `named`."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise UnavailableError("store.disk_full") from error
        if named is not None:
            raise UnavailableError("file.io", file=str(named)) from error
        raise UnavailableError("store.io", errno=error.errno or 0) from error


def write_file(path: Path, data: bytes, mode: int = 0o600) -> None:
    """`path` holds exactly `data`, durably, in place of what was there.

    A reader sees the old bytes or the new, never a mixture.
    Raises:  UnavailableError: store.disk_full · store.io; then `path` is as before.
    """
    with os_errors():
        temporary = _write_beside(path, data, mode)
        try:
            temporary.replace(path)
        except OSError:
            temporary.unlink(missing_ok=True)
            raise
        sync_folder(path.parent)


def _write_beside(path: Path, data: bytes, mode: int) -> Path:
    handle, name = tempfile.mkstemp(prefix=".tmp-", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            os.fchmod(handle, mode)
            file.write(data)
            file.flush()
            os.fsync(handle)
    except BaseException:
        with suppress(OSError):
            Path(name).unlink()
        raise
    return Path(name)


def sync_folder(folder: Path) -> None:
    """Names added to or removed from `folder` are so on the disk."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def make_folders(folder: Path, mode: int = 0o700) -> None:
    """`folder` and its parents exist, durably."""
    if folder.is_dir():
        return
    make_folders(folder.parent, mode)
    folder.mkdir(mode, exist_ok=True)
    sync_folder(folder.parent)
