"""A road between two nodes that a test can cut: before a request, within it, before its answer.

One request a connection. What it does with a request is asked of `judge`, by method and path.
"""

from __future__ import annotations

import contextlib
import re
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Final

PASS: Final = "pass"
REFUSE: Final = "refuse"  # the connection ends before the request is passed on
LOSE: Final = "lose"  # the node gets the request and answers; the answer is lost
HALF: Final = "half"  # the node gets half of the request, then the road ends
Judge = Callable[[str, str], str]
_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)


class Proxy:
    """Listens on `port` and passes on to `target`; `seen` is what came by, in order."""

    def __init__(self, target: int, judge: Judge | None = None) -> None:
        self.target = target
        self.judge: Judge = judge or (lambda _method, _path: PASS)
        self.seen: list[tuple[str, str, str, int]] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._threads: list[threading.Thread] = []
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def count(self, what: str) -> int:
        return sum(what in path for _, path, _, _ in self.seen)

    def bytes_of(self, what: str) -> int:
        return sum(size for _, path, _, size in self.seen if what in path)

    def close(self) -> None:
        self._listener.close()
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
            pass
        self._thread.join(5)
        for thread in self._threads:
            thread.join(5)

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            self._threads.append(threading.Thread(target=self._serve, args=(near,), daemon=True))
            self._threads[-1].start()

    def _serve(self, near: socket.socket) -> None:
        with near, contextlib.suppress(OSError, ValueError):
            near.settimeout(30)
            head, body = _read_request(near)
            method, path = head.split(b" ", 2)[:2]
            fate = self.judge(method.decode(), path.decode())
            self.seen.append((method.decode(), path.decode(), fate, len(body)))
            if fate == REFUSE:
                return
            with socket.create_connection(("127.0.0.1", self.target), 5) as far:
                far.settimeout(30)
                whole = head + b"\r\nconnection: close\r\n\r\n" + body
                far.sendall(whole[: len(whole) - len(body) // 2] if fate == HALF else whole)
                if fate == HALF:
                    return
                answer = b"".join(iter(lambda: far.recv(65536), b""))
                if fate != LOSE:
                    near.sendall(answer)


def _read_request(near: socket.socket) -> tuple[bytes, bytes]:
    data = b""
    while b"\r\n\r\n" not in data:
        if not (chunk := near.recv(65536)):
            raise ValueError("it went away")
        data += chunk
    head, _, body = data.partition(b"\r\n\r\n")
    length = _LENGTH.search(head)
    wanted = int(length[1]) if length else 0
    parts, held = [body], len(body)
    while held < wanted:
        if not (chunk := near.recv(1 << 20)):
            raise ValueError("it went away")
        parts.append(chunk)
        held += len(chunk)
    return head, b"".join(parts)


@contextlib.contextmanager
def road(target: int, judge: Judge | None = None) -> Iterator[Proxy]:
    made = Proxy(target, judge)
    try:
        yield made
    finally:
        made.close()
