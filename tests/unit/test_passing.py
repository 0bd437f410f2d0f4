"""What contents pass through: memory while they are small, a nameless file when they are not."""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO

import pytest

from convenio.core.errors import RefusedError
from convenio.store.passing import MEMORY_BYTES, kept, passing


def in_memory(file: BinaryIO) -> bool:
    return "memfd:" in str(Path(f"/proc/self/fd/{file.fileno()}").readlink())


@pytest.mark.parametrize(("length", "memory"), [(0, True), (5, True), (MEMORY_BYTES + 1, False)])
def test_what_is_kept_is_read_from_its_start(length: int, memory: bool) -> None:
    pieces = [b"x" * min(1 << 20, length - at) for at in range(0, length, 1 << 20)]
    with kept(pieces) as file:
        assert in_memory(file) == memory
        assert file.read() == b"".join(pieces)


def test_a_small_content_is_asked_for_once_and_gone_behind_the_block(tmp_path: Path) -> None:
    def ask(file: BinaryIO, most: int) -> int:
        file.write(b"hola")
        return most

    with passing(ask, tmp_path) as (file, most):
        assert in_memory(file)
        assert most == MEMORY_BYTES
        file.flush()
        assert os.pread(file.fileno(), 9, 0) == b"hola"
    assert file.closed


def test_a_large_one_lies_in_the_folder_that_is_named(tmp_path: Path) -> None:
    def ask(file: BinaryIO, most: int) -> str:
        if most:
            raise RefusedError("open.too_large", most=most)
        return str(Path(f"/proc/self/fd/{file.fileno()}").readlink())

    with passing(ask, tmp_path) as (_, place):
        assert place.startswith(str(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_another_refusal_is_passed_on() -> None:
    def ask(_file: BinaryIO, _most: int) -> None:
        raise RefusedError("decide.not_a_recipient")

    with pytest.raises(RefusedError, match=r"decide\.not_a_recipient"), passing(ask):
        pass
