"""What a person names as a content may have no end, or be nothing to read."""

from __future__ import annotations

import io
import os
import socket
import stat
import sys
from pathlib import Path

import click
import pytest

from convenio.cli import files
from convenio.cli.files import DASH, input_file
from convenio.core.errors import RefusedError, UnavailableError


@pytest.mark.parametrize("device", ["/dev/zero", "/dev/full", "/dev/urandom"])
def test_a_device_that_never_ends_is_not_read(device: str) -> None:
    with pytest.raises(UnavailableError) as refused, input_file(Path(device)):
        pass
    assert (refused.value.code, refused.value.parameters) == ("file.io", {"file": device})


def test_nothing_can_be_read_from_where_there_is_nothing() -> None:
    with input_file(Path("/dev/null")) as file:
        assert file.read() == b""


@pytest.mark.parametrize("path", ["/proc/self/mem", "/tmp"])
def test_what_cannot_be_read_is_named(path: str) -> None:
    """Open, and refused at the first read: a node would be given it as a file."""
    with pytest.raises(UnavailableError, match=r"file\.io"), input_file(Path(path)) as file:
        file.read(1)


def test_a_stream_is_taken_up_to_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MAX_STREAM_BYTES", 10)
    for size, good in ((10, True), (11, False)):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(bytes(size))))
        if good:
            with input_file(DASH) as file:
                assert os.fstat(file.fileno()).st_size == size
        else:
            with pytest.raises(RefusedError, match=r"blob\.too_large"), input_file(DASH):
                pass


def test_without_a_standard_input_there_is_none_to_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Closed by who started the command: Python has no object for it then."""
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(UnavailableError, match=r"file\.io"), input_file(DASH):
        pass


def test_what_is_no_file_is_written_into_and_stays_what_it_is(tmp_path: Path) -> None:
    """`-o` of root at a device would have put a file in its place, and at a node's socket too."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        with files.output(pipe) as file:
            file.write(b"whole")
        assert os.read(reader, 100) == b"whole"
    finally:
        os.close(reader)
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert [each.name for each in tmp_path.iterdir()] == ["pipe"]


def test_a_socket_is_not_replaced(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(str(tmp_path / "node.sock"))
        with (
            pytest.raises(UnavailableError, match=r"file\.io"),
            files.output(tmp_path / "node.sock") as file,
        ):
            file.write(b"whole")
    assert stat.S_ISSOCK((tmp_path / "node.sock").stat().st_mode)


@pytest.mark.parametrize("typed", ["", ".", "/", "x" * 300 + "/out"])
def test_no_name_is_no_file_to_write(typed: str) -> None:
    with pytest.raises(click.BadParameter):
        files.OUTPUT.convert(typed, None, None)


def test_a_name_that_is_too_long_is_said_to_be_no_file(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match=r"file\.io"), files.output(tmp_path / ("x" * 300)):
        pass
