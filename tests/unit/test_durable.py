"""Files that are whole or absent."""

from __future__ import annotations

import errno
import os
import threading
from pathlib import Path

import pytest

from convenio.core.errors import UnavailableError
from convenio.store.durable import make_folders, os_errors, write_file


def test_a_file_holds_what_was_written_last(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_file(path, b"one")
    write_file(path, b"two", 0o644)
    assert path.read_bytes() == b"two"
    assert path.stat().st_mode & 0o777 == 0o644
    assert list(tmp_path.iterdir()) == [path]


def test_only_the_owner_reads_it_unless_said_otherwise(tmp_path: Path) -> None:
    write_file(tmp_path / "file", b"secret")
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o600


def test_a_reader_sees_one_of_the_writings_whole(tmp_path: Path) -> None:
    path = tmp_path / "file"
    writings = [bytes([n]) * 10_000 for n in range(8)]
    write_file(path, writings[0])
    threads = [threading.Thread(target=write_file, args=(path, each)) for each in writings]
    for thread in threads:
        thread.start()
    seen = {path.read_bytes() for _ in range(50)}
    for thread in threads:
        thread.join()
    assert seen <= set(writings)


def test_a_write_that_fails_leaves_the_old_bytes_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    write_file(path, b"old")

    def fail(handle: int) -> None:
        raise OSError(errno.EIO, "the disk says no")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(UnavailableError, match=r"store\.io"):
        write_file(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_is_not_there_is_an_error_of_ours(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError) as caught:
        write_file(tmp_path / "absent" / "file", b"")
    assert caught.value.parameters == {"errno": errno.ENOENT}


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_full_disk_has_its_own_code(number: int) -> None:
    with pytest.raises(UnavailableError, match=r"store\.disk_full"), os_errors():
        raise OSError(number, "full")


def test_folders_are_made_with_their_parents_for_the_owner(tmp_path: Path) -> None:
    make_folders(tmp_path / "a" / "b")
    make_folders(tmp_path / "a" / "b")
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o700
