"""The local socket: how commands and pages reach the one process that holds the keys.

One request a connection: a JSON line, with open files passed beside it, answered by JSON lines:
any number of progress lines, then one result or one error. Who may connect is the operating
system's matter: the socket lies in a directory only its owner can enter, and the peer's user id is
checked. What a person may do is `core.decide`'s.

Callers are heard side by side (`node.hearing`): who has connected and says nothing takes nobody's
place. Who has said what it wants is served, 32 at a time, and the next ones queue. What may last
minutes (a wait for a receipt, a check of everything) gives its place back as soon as it is known
for what it is, and is counted apart, so that however many wait, there is a place for who asks or
says something.
"""

from __future__ import annotations

import array
import contextlib
import logging
import os
import socket
import struct
import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, cast

import orjson

from convenio.core import errors
from convenio.core.errors import ConvenioError, MalformedError, UnavailableError
from convenio.node.hearing import MAX_FILES, Caller, Hearing, Request, close, close_files

_log = logging.getLogger("convenio.control")
MAX_ANSWER: Final = 64 << 20
MAX_CALLERS: Final = 32
MAX_LASTING: Final = 64
SILENCE_S: Final = 600.0  # for a caller to take how far its request has come
TAKE_S: Final = 30.0  # for a caller to take the answer; its place is taken until then
Answer = dict[str, Any]
Progress = Callable[[int, int], None]
Handler = Callable[[str, dict[str, Any], list[int], Progress], Answer]


def socket_path(directory: Path) -> Path:
    """Where the socket of the node in `directory` is."""
    return Path(os.path.realpath(directory)) / "node.sock"  # where `resolve` raises, for a loop


@contextlib.contextmanager
def _address(directory: Path) -> Iterator[str]:
    """A name of the socket that is short enough for the system, however long its path is."""
    path = socket_path(directory)
    if len(os.fsencode(path)) < 100:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


class ControlServer:
    """Serves `handler` on the node's local socket until `close`."""

    def __init__(
        self, directory: Path, handler: Handler, lasting: Collection[str] = frozenset()
    ) -> None:
        """lasting: the requests that may last minutes, by name."""
        self._handler, self._lasting = handler, lasting
        self._slots = threading.BoundedSemaphore(MAX_CALLERS)
        self._lasting_slots = threading.BoundedSemaphore(MAX_LASTING)
        self._path = socket_path(directory)
        self._path.unlink(missing_ok=True)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        old = os.umask(0o177)
        try:
            with _address(directory) as address:
                self._socket.bind(address)
        finally:
            os.umask(old)
        self._socket.listen(MAX_CALLERS)
        self._hearing = Hearing(self._socket, self._heard, _send_away)

    @property
    def alive(self) -> bool:
        return self._hearing.alive

    def close(self) -> None:
        self._hearing.close()
        self._path.unlink(missing_ok=True)

    def _heard(self, request: Request) -> None:
        """Serves a caller in a thread of its own, as soon as there is a place."""
        self._slots.acquire()
        place = _Place(self._slots)
        try:
            threading.Thread(target=self._serve, args=(request, place), daemon=True).start()
        except RuntimeError:  # the system has no thread for us: later, perhaps
            _log.warning("control_no_thread")
            _release(request, place)

    def _serve(self, request: Request, place: _Place) -> None:
        try:
            # An OSError here is the caller's going away: nobody is left to be told.
            with contextlib.suppress(OSError):
                self._answer(request, place)
        finally:
            _release(request, place)

    def _answer(self, request: Request, place: _Place) -> None:
        """One request done and answered; what goes wrong on the way is the answer."""
        caller, line, files = request
        try:
            if _peer_uid(caller) not in (os.getuid(), 0):
                return
            caller.settimeout(SILENCE_S)
            do, args = _request(line)
            if do in self._lasting:
                place.change(self._lasting_slots)
            message = self._do(caller, do, args, files)
        except ConvenioError as error:
            message = _printed({"error": describe(error)})
        caller.settimeout(TAKE_S)
        caller.sendall(message)

    def _do(self, caller: socket.socket, do: str, args: dict[str, Any], files: list[int]) -> bytes:
        def progress(done: int, total: int) -> None:
            try:
                caller.sendall(_printed({"progress": [done, total]}))
            except OSError as error:
                raise _CallerGoneError from error

        try:
            return _printed({"result": self._handler(do, args, files, progress)})
        except (ConvenioError, _CallerGoneError):
            raise
        except Exception as error:
            _log.exception("control_fault")
            raise UnavailableError("control.fault", kind=type(error).__name__) from error


def _send_away(caller: Caller) -> None:
    """Who did not say what it wants, in time and in measure, is told so if it listens."""
    with contextlib.suppress(OSError):
        caller.link.send(_printed({"error": describe(MalformedError("control.request"))}))
    close(caller)


def _release(request: Request, place: _Place) -> None:
    caller, _, files = request
    caller.close()
    close_files(files)
    place.leave()


class _CallerGoneError(OSError):
    """Nobody takes the progress of what is being done."""


class _Place:
    """A place among those who are served, taken already; it is given back once."""

    def __init__(self, slots: threading.BoundedSemaphore) -> None:
        self._slots: threading.BoundedSemaphore | None = slots

    def change(self, slots: threading.BoundedSemaphore) -> None:
        """A place among others instead.  Raises:  UnavailableError: control.busy; it has none."""
        self.leave()
        if not slots.acquire(blocking=False):
            raise UnavailableError("control.busy", max=MAX_LASTING)
        self._slots = slots

    def leave(self) -> None:
        if self._slots is not None:
            self._slots.release()
            self._slots = None


class ControlClient:
    """Calls the node that runs in `directory`."""

    def __init__(self, directory: Path, timeout_s: float = SILENCE_S) -> None:
        self._directory = directory
        self._timeout_s = timeout_s

    def running(self) -> bool:
        try:
            self._connect().close()
        except UnavailableError:
            return False
        return True

    def call(
        self,
        do: str,
        args: dict[str, Any],
        files: Sequence[int] = (),
        progress: Progress | None = None,
    ) -> Answer:
        """The node's answer.

        Raises:  whatever the node raised, as the same error · UnavailableError: control.no_node ·
                 control.lost, the node went away: whether it acted is not known; asking again with
                 the same record id is safe.
        """
        if len(files) > MAX_FILES:
            raise RuntimeError("too many files for one request")
        with self._connect() as link:
            with contextlib.suppress(OSError):  # it may have answered before it heard all
                _send(link, _printed({"do": do, "args": args}), files)
            try:
                return _result(link, progress)
            except (OSError, orjson.JSONDecodeError, KeyError, TypeError) as error:
                raise UnavailableError("control.lost") from error

    def _connect(self) -> socket.socket:
        """Waits in the queue of callers; a socket with a timeout of Python's would not."""
        link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        patience = struct.pack("ll", max(1, int(self._timeout_s)), 0)
        link.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, patience)
        try:
            with _address(self._directory) as address:
                link.connect(address)
        except OSError as error:
            link.close()
            raise UnavailableError("control.no_node") from error
        link.settimeout(self._timeout_s)
        return link


def describe(error: ConvenioError) -> Answer:
    """The error as JSON: kind, code, parameters."""
    return {"kind": type(error).__name__, "code": error.code, "parameters": error.parameters}


def revive(value: Answer) -> ConvenioError:
    """The error that `describe` wrote."""
    kind = getattr(errors, str(value["kind"]), UnavailableError)
    return cast(ConvenioError, kind(value["code"], **value["parameters"]))


def _printed(message: Answer) -> bytes:
    return orjson.dumps(message) + b"\n"


def _request(line: bytes) -> tuple[str, dict[str, Any]]:
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise MalformedError("control.request") from error
    if not isinstance(value, dict) or value.keys() != {"do", "args"}:
        raise MalformedError("control.request")
    do, args = value["do"], value["args"]
    if not isinstance(do, str) or not isinstance(args, dict):
        raise MalformedError("control.request")
    return do, args


def _result(link: socket.socket, progress: Progress | None) -> Answer:
    with link.makefile("rb") as reader:
        while line := reader.readline(MAX_ANSWER):
            message = orjson.loads(line)
            if "progress" in message:
                if progress is not None:
                    progress(*message["progress"])
            elif "error" in message:
                raise revive(message["error"])
            else:
                return cast(Answer, message["result"])
    raise UnavailableError("control.lost")


def _send(link: socket.socket, data: bytes, files: Sequence[int]) -> None:
    sent = 0
    if files:
        rights = array.array("i", files).tobytes()
        sent = link.sendmsg([data], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])
    if sent < len(data):  # sending nothing fails too, when the other end has answered by now
        link.sendall(data[sent:])


def _peer_uid(caller: socket.socket) -> int:
    raw = caller.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return int(struct.unpack("3i", raw)[1])
