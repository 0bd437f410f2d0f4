"""The pages' process, waited for by what it says: a line when it listens, an end when it ends."""

from __future__ import annotations

import contextlib
import os
import select
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Final

from convenio.web.serve import command

PATIENCE_S: Final = 30.0  # far beyond what anything here takes; a failure, not a wait


def pages_command(directory: Path, port: int, *more: str) -> list[str]:
    return [*command(directory, port), "--tell", *more]


def heard(stream: IO[bytes] | None, patience_s: float = PATIENCE_S) -> bytes:
    """What a process says next; empty once it and all who could speak for it have ended."""
    assert stream is not None
    ready, _, _ = select.select([stream], [], [], patience_s)
    assert ready, "it says nothing, and does not end"
    return os.read(stream.fileno(), 4096)


@contextlib.contextmanager
def serving_pages(
    line: Sequence[str], folder: Path | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """The process, listening, started in `folder`; it is stopped at the end."""
    process = subprocess.Popen(line, stdout=subprocess.PIPE, cwd=folder)
    try:
        said = heard(process.stdout)
        assert said == b"ready\n", said
        yield process
    finally:
        process.terminate()
        process.wait(10)
        if process.stdout is not None:
            process.stdout.close()
