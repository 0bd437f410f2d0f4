"""Reading exact amounts from chunks of any size, holding no more than what was asked for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from convenio.core.errors import MalformedError

Piece = bytes | memoryview


class Source:
    """The bytes of `chunks`, in order, each given once. Use from one thread."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks: Iterator[bytes] = iter(chunks)
        self._chunk = b""
        self._at = 0

    def read(self, size: int) -> Piece:
        """The next `size` bytes; fewer only when the end has come. Large chunks are not copied."""
        available = self._fill()
        if available >= size or not available:
            return self._take(size)
        parts = []
        while size and self._fill():
            parts.append(self._take(size))
            size -= len(parts[-1])
        return b"".join(parts)

    def read_line(self, max_bytes: int, code: str) -> bytes:
        """The next line with its newline, or what is left when the end comes first.

        Raises:  MalformedError: `code`, there is no newline in the next `max_bytes` bytes.
        """
        end = self._chunk.find(b"\n", self._at, self._at + max_bytes)
        if end >= 0:  # nearly always: the line lies within one chunk
            return bytes(self._take(end + 1 - self._at))
        line = bytearray()
        while len(line) < max_bytes and self._fill():
            end = self._chunk.find(b"\n", self._at, self._at + max_bytes - len(line))
            if end >= 0:
                return bytes(line + self._take(end + 1 - self._at))
            line += self._take(max_bytes - len(line))
        if self._fill():
            raise MalformedError(code)
        return bytes(line)

    def _fill(self) -> int:
        """How many bytes are at hand; 0 at the end."""
        while self._at == len(self._chunk):
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._chunk, self._at = chunk, 0
        return len(self._chunk) - self._at

    def _take(self, size: int) -> memoryview:
        taken = memoryview(self._chunk)[self._at : self._at + size]
        self._at += len(taken)
        return taken
