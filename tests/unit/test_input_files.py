"""What a person names as a content may have no end, or be nothing to read."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path

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
