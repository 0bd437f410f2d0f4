"""The local socket: how commands and pages reach the one process that holds the keys.

One request a connection: a JSON line, with open files passed beside it, answered by JSON lines:
any number of progress lines, then one result or one error. Who may connect is the operating
system's matter: the socket lies in a directory only its owner can enter, and the peer's user id is
checked. What a person may do is `core.decide`'s.
"""

from __future__ import annotations

import array
import contextlib
import hashlib
import os
import socket
import struct
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, cast

import orjson

from convenio.core import errors
from convenio.core.errors import ConvenioError, UnavailableError

MAX_LINE: Final = 4 << 20
MAX_FILES: Final = 8
MAX_CALLERS: Final = 32
Answer = dict[str, Any]
Progress = Callable[[int, int], None]
Handler = Callable[[str, dict[str, Any], list[int], Progress], Answer]


def socket_path(directory: Path) -> Path:
    """Where the socket of the node in `directory` is: a short path, whatever the directory's."""
    real = directory.resolve()
    plain = real / "node.sock"
    if len(os.fsencode(plain)) < 100:
        return plain
    base = Path(os.environ.get("XDG_RUNTIME_DIR") or "/tmp")  # noqa: S108 - private directory below
    return (
        base / f"convenio-{os.getuid()}" / f"{hashlib.sha256(os.fsencode(real)).hexdigest()[:16]}"
    )


class ControlServer:
    """Serves `handler` on the node's local socket until `close`."""

    def __init__(self, directory: Path, handler: Handler) -> None:
        self._handler = handler
        self._slots = threading.BoundedSemaphore(MAX_CALLERS)
        self._path = socket_path(directory)
        self._path.parent.mkdir(mode=0o700, exist_ok=True)
        self._path.unlink(missing_ok=True)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        old = os.umask(0o177)
        try:
            self._socket.bind(str(self._path))
        finally:
            os.umask(old)
        self._socket.listen(MAX_CALLERS)
        self._thread = threading.Thread(target=self._accept, name="control", daemon=True)
        self._thread.start()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join(timeout=5)
        self._path.unlink(missing_ok=True)

    def _accept(self) -> None:
        while True:
            try:
                caller, _ = self._socket.accept()
            except OSError:
                return
            self._slots.acquire()
            threading.Thread(target=self._serve, args=(caller,), daemon=True).start()

    def _serve(self, caller: socket.socket) -> None:
        files: list[int] = []
        try:
            with caller, contextlib.suppress(OSError):
                caller.settimeout(600)
                if _peer_uid(caller) not in (os.getuid(), 0):
                    return
                line, files = _receive(caller)
                self._answer(caller, line, files)
        finally:
            for each in files:
                os.close(each)
            self._slots.release()

    def _answer(self, caller: socket.socket, line: bytes, files: list[int]) -> None:
        def progress(done: int, total: int) -> None:
            _send(caller, {"progress": [done, total]})

        try:
            request = orjson.loads(line)
            result = self._handler(request["do"], request["args"], files, progress)
            _send(caller, {"result": result})
        except ConvenioError as error:
            _send(caller, {"error": describe(error)})
        except (orjson.JSONDecodeError, KeyError, TypeError, ValueError) as error:
            _send(caller, {"error": describe(UnavailableError("control.fault", kind=repr(error)))})


class ControlClient:
    """Calls the node that runs in `directory`."""

    def __init__(self, directory: Path, timeout_s: float = 600) -> None:
        self._path = socket_path(directory)
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
        with self._connect() as link:
            try:
                _send(link, {"do": do, "args": args}, files)
                return _result(link, progress)
            except OSError as error:
                raise UnavailableError("control.lost") from error

    def _connect(self) -> socket.socket:
        link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        link.settimeout(self._timeout_s)
        try:
            link.connect(str(self._path))
        except OSError as error:
            link.close()
            raise UnavailableError("control.no_node") from error
        return link


def describe(error: ConvenioError) -> Answer:
    """The error as JSON: kind, code, parameters."""
    return {"kind": type(error).__name__, "code": error.code, "parameters": error.parameters}


def revive(value: Answer) -> ConvenioError:
    """The error that `describe` wrote."""
    kind = getattr(errors, str(value["kind"]), UnavailableError)
    return cast(ConvenioError, kind(value["code"], **value["parameters"]))


def _result(link: socket.socket, progress: Progress | None) -> Answer:
    reader = link.makefile("rb")
    while line := reader.readline(MAX_LINE):
        message = orjson.loads(line)
        if "progress" in message:
            if progress is not None:
                progress(*message["progress"])
        elif "error" in message:
            raise revive(message["error"])
        else:
            return cast(Answer, message["result"])
    raise UnavailableError("control.lost")


def _send(link: socket.socket, message: Answer, files: Sequence[int] = ()) -> None:
    data = orjson.dumps(message) + b"\n"
    if files:
        rights = array.array("i", files).tobytes()
        sent = link.sendmsg([data], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])
        data = data[sent:]
    if data:  # sending nothing fails too, when the other end has answered and gone by now
        link.sendall(data)


def _receive(caller: socket.socket) -> tuple[bytes, list[int]]:
    """One line and the files that came with it."""
    data, files = b"", array.array("i")
    room = socket.CMSG_SPACE(MAX_FILES * files.itemsize)
    while not data.endswith(b"\n"):
        chunk, ancillary, _, _ = caller.recvmsg(65536, room)
        for level, kind, raw in ancillary:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                files.frombytes(raw[: len(raw) - len(raw) % files.itemsize])
        data += chunk
        if not chunk or len(data) > MAX_LINE:
            for each in files:
                os.close(each)
            raise OSError("the caller went away")
    return data, list(files)


def _peer_uid(caller: socket.socket) -> int:
    raw = caller.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return int(struct.unpack("3i", raw)[1])
