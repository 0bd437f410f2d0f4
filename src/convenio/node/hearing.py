"""Who has connected to the local socket, until each has said what it wants.

One thread hears all of them side by side. So a caller that connects and says nothing, or a byte a
second, or more than it may, costs nobody else a place: whoever speaks is heard. What all of them
together may hold of ours is bounded; when there are too many, the one that has been silent the
longest goes, and when they have said too much without coming to an end, the one that said most.
"""

from __future__ import annotations

import array
import contextlib
import logging
import os
import selectors
import socket
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from convenio.core.errors import MalformedError

_log = logging.getLogger("convenio.control")
MAX_LINE: Final = 4 << 20
MAX_FILES: Final = 8
MAX_UNHEARD: Final = 256  # callers that have not said all; each may have files open here
MAX_UNHEARD_BYTES: Final = 64 << 20  # that all of them together have said
LINE_S: Final = 10.0  # for a caller to say what it wants
_AT_ONCE: Final = 64  # welcomed before those who are here are heard again
_BREATH_S: Final = 0.1
_ROOM: Final = socket.CMSG_SPACE(MAX_FILES * array.array("i").itemsize)

Request = tuple[socket.socket, bytes, list[int]]
"""A caller, its line, and the files that came with it; who takes it closes them."""


class Caller:
    """One that has connected. line: what it has said. files: open, and ours to close."""

    __slots__ = ("files", "line", "link", "until")

    def __init__(self, link: socket.socket, until: float) -> None:
        self.link, self.until = link, until
        self.line = bytearray()
        self.files: list[int] = []

    def hear(self) -> bool:
        """Takes what has come: whether its line is whole now.

        Raises:  MalformedError: control.request, too long or too many files · OSError, it has gone.
        """
        chunk, ancillary, flags, _ = self.link.recvmsg(65536, _ROOM)
        for level, kind, raw in ancillary:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                handles = array.array("i")
                handles.frombytes(raw[: len(raw) - len(raw) % handles.itemsize])
                self.files.extend(handles)
        self.line += chunk
        if not chunk:
            raise ConnectionResetError
        too_many = len(self.files) > MAX_FILES or flags & socket.MSG_CTRUNC
        if len(self.line) > MAX_LINE or too_many:
            raise MalformedError("control.request")
        return self.line.endswith(b"\n")


class Hearing:
    """Hears callers of `listener` until `close`.

    Args:    heard: is given each request that is whole, in the hearing thread: while it waits for a
             place, nobody is heard and nobody's time runs. refused: a caller that is sent away; it
             tells it why if it likes, without waiting. Both close what they are given.
    """

    def __init__(
        self,
        listener: socket.socket,
        heard: Callable[[Request], None],
        refused: Callable[[Caller], None],
    ) -> None:
        self._listener, self._heard, self._refused = listener, heard, refused
        self._selector = selectors.DefaultSelector()
        self._callers: OrderedDict[Caller, None] = OrderedDict()  # the longest silent first
        self._bytes = 0
        self._waited_s = 0.0
        self._ended = threading.Event()
        listener.setblocking(False)
        self._selector.register(listener, selectors.EVENT_READ, None)
        self._thread = threading.Thread(target=self._run, name="control", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._ended.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes it
        self._thread.join(timeout=5)
        self._listener.close()

    @property
    def alive(self) -> bool:
        """Whether anybody is heard; if not, before `close`, something is wrong with the program."""
        return self._thread.is_alive()

    def _now(self) -> float:
        """Seconds that have passed for callers: not those in which nobody could be heard."""
        return time.monotonic() - self._waited_s

    def _run(self) -> None:
        try:
            while not self._ended.is_set():
                for key, _ in self._selector.select(1.0 if self._callers else None):
                    if key.data is None:
                        self._welcome()
                    elif key.data in self._callers:
                        self._hear(key.data)
                self._send_away_the_late()
        finally:
            for caller in list(self._callers):
                self._refused(self._let_go(caller))
            self._selector.close()

    def _welcome(self) -> None:
        for _ in range(_AT_ONCE):
            try:
                link, _address = self._listener.accept()
            except BlockingIOError:
                return
            except OSError:  # no file left for it, or it has gone; only `close` ends the hearing
                if not self._ended.wait(_BREATH_S):
                    _log.warning("control_accept")
                return
            link.setblocking(False)
            caller = Caller(link, self._now() + LINE_S)
            self._callers[caller] = None
            self._selector.register(link, selectors.EVENT_READ, caller)
            if len(self._callers) > MAX_UNHEARD:
                self._refused(self._let_go(next(iter(self._callers))))

    def _hear(self, caller: Caller) -> None:
        before = len(caller.line)
        try:
            whole = caller.hear()
        except BlockingIOError:
            return
        except OSError:
            close(self._let_go(caller, before))
            return
        except MalformedError:
            self._refused(self._let_go(caller, before))
            return
        self._bytes += len(caller.line) - before
        self._callers.move_to_end(caller)
        if whole:
            self._pass_on(self._let_go(caller))
        elif self._bytes > MAX_UNHEARD_BYTES:
            self._refused(self._let_go(max(self._callers, key=lambda each: len(each.line))))

    def _pass_on(self, caller: Caller) -> None:
        start = time.monotonic()
        self._heard((caller.link, bytes(caller.line), caller.files))
        self._waited_s += time.monotonic() - start

    def _send_away_the_late(self) -> None:
        now = self._now()
        for caller in [each for each in self._callers if each.until < now]:
            self._refused(self._let_go(caller))

    def _let_go(self, caller: Caller, counted: int = -1) -> Caller:
        """counted: how much of its line is in the sum, if not all."""
        del self._callers[caller]
        self._bytes -= len(caller.line) if counted < 0 else counted
        self._selector.unregister(caller.link)
        return caller


def close(caller: Caller) -> None:
    """Everything of a caller that is nobody's any more."""
    caller.link.close()
    close_files(caller.files)


def close_files(files: list[int]) -> None:
    for each in files:
        with contextlib.suppress(OSError):
            os.close(each)
