"""The local socket: a caller that is slow, wrong, too large or gone harms nobody but itself."""

from __future__ import annotations

import array
import contextlib
import os
import resource
import socket
import stat
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import orjson
import pytest

from convenio.core import errors
from convenio.core.errors import (
    ConflictError,
    ConvenioError,
    MalformedError,
    RefusedError,
    UnavailableError,
)
from convenio.node import control, hearing
from convenio.node.control import (
    MAX_CALLERS,
    MAX_LASTING,
    Answer,
    ControlClient,
    ControlServer,
    describe,
    revive,
)
from convenio.node.hearing import MAX_FILES, MAX_LINE, MAX_UNHEARD

PATIENCE_S = 10.0


class Desk:
    """A handler that remembers; `gate` holds whoever asks to wait."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.contents: list[list[bytes]] = []
        self.gate = threading.Event()
        self.inside = threading.Semaphore(0)

    def __call__(
        self, do: str, args: dict[str, Any], files: list[int], progress: control.Progress
    ) -> Answer:
        self.seen.append(do)
        self.contents.append([os.pread(each, 1000, 0) for each in files])
        if do == "echo":
            return {"args": args}
        if do == "wait":
            self.inside.release()
            assert self.gate.wait(PATIENCE_S)
            return {"waited": True}
        if do == "count":
            for number in range(args["to"]):
                progress(number + 1, args["to"])
            return {"done": True}
        if do == "large":
            return {"text": "x" * args["size"]}
        if do == "write":
            os.write(files[0], b"written")
            return {}
        raise {
            "refuse": RefusedError("people.unknown", person="eva"),
            "conflict": ConflictError("store.moved", size=7),
            "fault": ZeroDivisionError("a fault"),
            "gone": OSError("a disk"),
            "assert": AssertionError("a fault"),
            "attribute": AttributeError("a fault"),
        }[do]


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
def served(tmp_path: Path, desk: Desk) -> Iterator[ControlClient]:
    before = open_files()
    server = ControlServer(tmp_path, desk)
    yield ControlClient(tmp_path, PATIENCE_S)
    desk.gate.set()
    server.close()
    assert not ControlClient(tmp_path).running()
    settled = threading.Event()
    for _ in range(200):  # callers' own threads may still be closing their end
        if open_files() <= before:
            break
        settled.wait(0.01)
    assert open_files() <= before, "files were left open"


def raw(path: Path, data: bytes, files: Sequence[int] = ()) -> list[dict[str, Any]]:
    """What the node answers to these very bytes."""
    with socket.socket(socket.AF_UNIX) as link:
        link.settimeout(PATIENCE_S)
        link.connect(str(control.socket_path(path)))
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", files))] if files else []
        with contextlib.suppress(OSError):  # the node need not read all of it
            sent = link.sendmsg([data[:1000]], rights)
            link.sendall(data[sent:])
            link.shutdown(socket.SHUT_WR)
        heard: list[dict[str, Any]] = []
        with link.makefile("rb") as reader, contextlib.suppress(ConnectionResetError):
            for line in reader:
                heard.append(orjson.loads(line))
        return heard


def error_of(path: Path, data: bytes) -> tuple[str, str]:
    (answer,) = raw(path, data)
    return answer["error"]["kind"], answer["error"]["code"]


def test_a_request_is_answered(served: ControlClient) -> None:
    assert served.call("echo", {"a": [1, "é", None]}) == {"args": {"a": [1, "é", None]}}
    assert served.running()


def test_progress_comes_before_the_result(served: ControlClient) -> None:
    seen: list[tuple[int, int]] = []
    assert served.call("count", {"to": 50}, (), lambda d, t: seen.append((d, t))) == {"done": True}
    assert seen == [(n, 50) for n in range(1, 51)]
    assert served.call("count", {"to": 50}) == {"done": True}


def test_an_error_arrives_as_it_was_raised(served: ControlClient) -> None:
    with pytest.raises(RefusedError) as refused:
        served.call("refuse", {})
    assert (refused.value.code, refused.value.parameters) == ("people.unknown", {"person": "eva"})
    with pytest.raises(ConflictError) as conflict:
        served.call("conflict", {})
    assert conflict.value.parameters == {"size": 7}


KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type)]


@pytest.mark.parametrize("kind", [kind for kind in KINDS if issubclass(kind, ConvenioError)])
def test_every_kind_of_error_survives_the_way(kind: type[ConvenioError]) -> None:
    error = kind("a.b", c=1, d="x")
    again = revive(orjson.loads(orjson.dumps(describe(error))))
    assert (type(again), again.code, again.parameters) == (kind, "a.b", {"c": 1, "d": "x"})


@pytest.mark.parametrize("do", ["fault", "gone", "assert", "attribute", "nothing of that name"])
def test_a_fault_of_ours_is_said_and_the_next_caller_is_served(
    served: ControlClient, do: str
) -> None:
    with pytest.raises(UnavailableError) as caught:
        served.call(do, {})
    assert caught.value.code == "control.fault"
    assert served.call("echo", {}) == {"args": {}}


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(b"", id="an empty line"),
        pytest.param(b"hello", id="no JSON"),
        pytest.param(b"\xff\xfe", id="no text"),
        pytest.param(b"[]", id="a list"),
        pytest.param(b"7", id="a number"),
        pytest.param(b'"echo"', id="a string"),
        pytest.param(b"null", id="null"),
        pytest.param(b"{}", id="nothing asked"),
        pytest.param(b'{"do":"echo"}', id="no arguments"),
        pytest.param(b'{"do":7,"args":{}}', id="a number as command"),
        pytest.param(b'{"do":["echo"],"args":{}}', id="a list as command"),
        pytest.param(b'{"do":"echo","args":[]}', id="arguments in a list"),
        pytest.param(b'{"do":"echo","args":null}', id="null for arguments"),
        pytest.param(b'{"do":"echo","args":{},"more":1}', id="something more"),
        pytest.param(b"[" * 5000, id="thousands of brackets"),
    ],
)
def test_a_request_is_malformed_if_it_is(
    served: ControlClient, desk: Desk, tmp_path: Path, line: bytes
) -> None:
    assert error_of(tmp_path, line + b"\n") == ("MalformedError", "control.request")
    assert desk.seen == []


def test_a_line_that_is_too_long_is_refused_before_all_of_it_has_come(
    served: ControlClient, desk: Desk, tmp_path: Path
) -> None:
    line = b'{"do":"echo","args":{"a":"' + b"x" * (MAX_LINE + 100_000) + b'"}}\n'
    assert error_of(tmp_path, line) == ("MalformedError", "control.request")
    assert desk.seen == []


@pytest.mark.parametrize("data", [b"", b'{"do":"echo","args":{}}', b"x" * 100])
def test_a_caller_that_stops_before_the_line_ends_is_forgotten(
    served: ControlClient, desk: Desk, tmp_path: Path, data: bytes
) -> None:
    assert raw(tmp_path, data) == []
    assert desk.seen == []
    assert served.call("echo", {}) == {"args": {}}


def test_a_caller_that_vanishes_while_it_waits_harms_nobody(
    served: ControlClient, desk: Desk, tmp_path: Path
) -> None:
    with socket.socket(socket.AF_UNIX) as link:
        link.connect(str(control.socket_path(tmp_path)))
        link.sendall(b'{"do":"wait","args":{}}\n')
        assert desk.inside.acquire(timeout=PATIENCE_S)
    assert served.call("echo", {}) == {"args": {}}
    desk.gate.set()
    assert served.call("echo", {}) == {"args": {}}


def test_a_caller_that_does_not_read_progress_does_not_stop_others(
    served: ControlClient, desk: Desk, tmp_path: Path
) -> None:
    with socket.socket(socket.AF_UNIX) as link:
        link.connect(str(control.socket_path(tmp_path)))
        link.sendall(b'{"do":"count","args":{"to":100000}}\n')
        assert served.call("echo", {}) == {"args": {}}


def test_a_hundred_callers_at_once_are_all_served(served: ControlClient, desk: Desk) -> None:
    count = 3 * MAX_CALLERS + 8
    with ThreadPoolExecutor(count) as pool:
        waiting = [pool.submit(served.call, "wait", {}) for _ in range(count)]
        for _ in range(MAX_CALLERS):
            assert desk.inside.acquire(timeout=PATIENCE_S)
        assert len(desk.seen) == MAX_CALLERS
        desk.gate.set()
        assert [each.result(PATIENCE_S) for each in waiting] == [{"waited": True}] * count


@pytest.fixture
def connected(tmp_path: Path) -> Iterator[Callable[[], socket.socket]]:
    links: list[socket.socket] = []

    def connect() -> socket.socket:
        links.append(socket.socket(socket.AF_UNIX))
        links[-1].connect(str(control.socket_path(tmp_path)))
        links[-1].settimeout(PATIENCE_S)
        return links[-1]

    yield connect
    for link in links:
        link.close()


def said_to(link: socket.socket) -> bytes:
    with contextlib.suppress(ConnectionResetError):
        return link.recv(1000)
    return b"sent away"


@pytest.mark.parametrize("said", [b"", b'{"do":"echo",', b"x"])
def test_hundreds_that_do_not_come_to_an_end_keep_nobody_out(
    served: ControlClient, connected: Callable[[], socket.socket], said: bytes
) -> None:
    """Within the time that any one of them has to say its line."""
    for _ in range(2 * MAX_UNHEARD):
        with contextlib.suppress(BrokenPipeError):  # sent away as soon as it came
            connected().sendall(said)
    assert served.call("echo", {}) == {"args": {}}


def test_who_is_silent_for_the_longest_is_sent_away_when_there_are_too_many(
    served: ControlClient, connected: Callable[[], socket.socket]
) -> None:
    first = connected()
    others = [connected() for _ in range(MAX_UNHEARD)]
    assert b"control.request" in said_to(first)
    others[0].sendall(b'{"do":"echo","args":{}}\n')
    assert b"result" in others[0].recv(1000)


def test_a_byte_now_and_then_is_no_more_time(
    served: ControlClient, connected: Callable[[], socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hearing, "LINE_S", 0.05)
    link = connected()
    with pytest.raises(OSError):  # noqa: PT011, PT012 - whichever byte it is
        while True:
            link.sendall(b"x")
            served.call("echo", {})


def test_what_all_have_said_together_is_bounded(
    served: ControlClient, connected: Callable[[], socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hearing, "MAX_UNHEARD_BYTES", 100_000)
    links = [connected() for _ in range(4)]
    for link, size in zip(links, (10, 20_000, 40_000, 60_000), strict=True):
        link.sendall(b"x" * size)
    assert said_to(links[3])  # the one that said most
    links[0].sendall(b"\n")
    assert b"control.request" in links[0].recv(1000)
    assert served.call("echo", {}) == {"args": {}}


def test_callers_that_take_no_answer_give_their_places_back(
    served: ControlClient, connected: Callable[[], socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control, "TAKE_S", 0.05)
    for _ in range(MAX_CALLERS):
        connected().sendall(b'{"do":"large","args":{"size":10000000}}\n')
    assert served.call("echo", {}) == {"args": {}}


def test_a_node_that_ran_out_of_files_hears_again_when_there_are_some(
    served: ControlClient, connected: Callable[[], socket.socket]
) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert served.running()
    held = [socket.socket(socket.AF_UNIX) for _ in range(4)]
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(map(socket.socket.fileno, held)) + 1, hard))
        for link in held:
            link.connect(str(control.socket_path(served._directory)))
        held[0].sendall(b'{"do":"echo","args":{}}\n')
        held[0].settimeout(0.3)
        with contextlib.suppress(OSError):
            held[0].recv(10)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for link in held:
            link.close()
    assert served.call("echo", {}) == {"args": {}}


def test_an_answer_of_many_megabytes_arrives(served: ControlClient) -> None:
    size = 3 * MAX_LINE
    assert len(served.call("large", {"size": size})["text"]) == size


# --- files ---


@pytest.fixture
def files(tmp_path: Path) -> Iterator[Callable[[int], list[int]]]:
    handles: list[int] = []

    def make(count: int) -> list[int]:
        for number in range(count):
            path = tmp_path / f"file-{number}"
            path.write_bytes(b"content %d" % number)
            handles.append(os.open(path, os.O_RDWR))
        return handles

    yield make
    for handle in handles:
        os.close(handle)


def test_open_files_travel_with_the_request(
    served: ControlClient, desk: Desk, files: Callable[[int], list[int]]
) -> None:
    served.call("echo", {}, files(MAX_FILES))
    assert desk.contents == [[b"content %d" % n for n in range(MAX_FILES)]]


def test_the_node_writes_into_a_file_of_the_caller(
    served: ControlClient, files: Callable[[int], list[int]]
) -> None:
    (handle,) = files(1)
    served.call("write", {}, [handle])
    assert os.pread(handle, 100, 0).startswith(b"written")


def test_more_files_than_may_be_are_refused_and_closed(
    served: ControlClient, desk: Desk, tmp_path: Path, files: Callable[[int], list[int]]
) -> None:
    line = b'{"do":"echo","args":{}}\n'
    (answer,) = raw(tmp_path, line, files(MAX_FILES + 1))
    assert answer["error"]["code"] == "control.request"
    assert desk.seen == []
    with pytest.raises(RuntimeError):
        served.call("echo", {}, files(1)[:1] * (MAX_FILES + 1))


def test_files_in_many_small_pieces_do_not_pile_up(
    served: ControlClient, desk: Desk, tmp_path: Path, files: Callable[[int], list[int]]
) -> None:
    handles = array.array("i", files(MAX_FILES))
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, handles)]
    with socket.socket(socket.AF_UNIX) as link:
        link.settimeout(PATIENCE_S)
        link.connect(str(control.socket_path(tmp_path)))
        with pytest.raises(OSError):  # noqa: PT011, PT012 - whichever piece it is
            for _ in range(1000):
                link.sendmsg([b"x"], rights)
    assert desk.seen == []


def test_files_of_a_caller_that_stops_are_closed(
    served: ControlClient, tmp_path: Path, files: Callable[[int], list[int]]
) -> None:
    before = open_files()
    handles = files(4)
    for _ in range(5):
        assert raw(tmp_path, b"{", handles) == []
    for _ in range(500):  # the server closes after the caller has gone: let it take its turns
        served.call("echo", {})
        if open_files() <= before + 4:
            break
    assert open_files() <= before + 4 + 1


# --- where the socket is ---


def test_only_the_owner_can_reach_the_socket(served: ControlClient, tmp_path: Path) -> None:
    path = control.socket_path(tmp_path)
    assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0


def test_a_long_path_is_no_hindrance_and_nothing_lies_where_others_can_write(
    tmp_path: Path, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    deep = tmp_path / ("d" * 100) / ("e" * 100)
    deep.mkdir(parents=True)
    server = ControlServer(deep, desk)
    try:
        assert ControlClient(deep).call("echo", {"a": 1}) == {"args": {"a": 1}}
        assert [path.name for path in deep.iterdir()] == ["node.sock"]
    finally:
        server.close()
    assert list(deep.iterdir()) == []


def test_a_socket_left_by_a_killed_process_is_taken_over(tmp_path: Path, desk: Desk) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(control.socket_path(tmp_path)))
    with pytest.raises(UnavailableError) as caught:
        ControlClient(tmp_path).call("echo", {})
    assert caught.value.code == "control.no_node"
    server = ControlServer(tmp_path, desk)
    assert ControlClient(tmp_path).call("echo", {}) == {"args": {}}
    server.close()


def test_a_directory_that_leads_to_itself_has_no_node(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(UnavailableError, match=r"control\.no_node"):
        ControlClient(tmp_path / "loop").call("echo", {})
    assert not ControlClient(tmp_path / "loop" / "x").running()


def test_no_node_is_said_to_be_no_node(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError) as caught:
        ControlClient(tmp_path).call("echo", {})
    assert caught.value.code == "control.no_node"


def node_that_answers(tmp_path: Path, answer: bytes) -> threading.Thread:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(control.socket_path(tmp_path)))
    listener.listen(1)

    def serve() -> None:
        with listener, listener.accept()[0] as link:
            link.recv(1000)
            link.sendall(answer)

    thread = threading.Thread(target=serve)
    thread.start()
    return thread


@pytest.mark.parametrize("answer", [b"", b'{"progress":[1,2]}\n', b'{"resu', b"hello\n", b"[]\n"])
def test_a_node_that_ends_before_its_answer_is_lost(tmp_path: Path, answer: bytes) -> None:
    thread = node_that_answers(tmp_path, answer)
    with pytest.raises((UnavailableError, MalformedError)) as caught:
        ControlClient(tmp_path).call("echo", {})
    thread.join()
    assert caught.value.code == "control.lost"


# --- what lasts ---


@pytest.fixture
def patient(tmp_path: Path, desk: Desk) -> Iterator[ControlClient]:
    """A server that knows `wait` for something that may last."""
    server = ControlServer(tmp_path, desk, {"wait"})
    yield ControlClient(tmp_path, PATIENCE_S)
    desk.gate.set()
    server.close()


def test_however_many_wait_the_next_one_is_answered(patient: ControlClient, desk: Desk) -> None:
    with ThreadPoolExecutor(MAX_LASTING) as pool:
        waiting = [pool.submit(patient.call, "wait", {}) for _ in range(MAX_LASTING)]
        for _ in range(MAX_LASTING):
            assert desk.inside.acquire(timeout=PATIENCE_S)
        assert patient.call("echo", {"a": 1}) == {"args": {"a": 1}}
        with pytest.raises(UnavailableError) as caught:
            patient.call("wait", {})
        assert (caught.value.code, caught.value.parameters) == (
            "control.busy",
            {"max": MAX_LASTING},
        )
        assert patient.call("echo", {}) == {"args": {}}
        desk.gate.set()
        assert [each.result(PATIENCE_S) for each in waiting] == [{"waited": True}] * MAX_LASTING
    assert patient.call("wait", {}) == {"waited": True}


def test_places_given_up_by_those_who_wait_are_taken_again_and_no_more(
    patient: ControlClient, desk: Desk
) -> None:
    """Twice as many requests of either kind as there are places leave all places free."""
    desk.gate.set()
    for _ in range(2 * MAX_LASTING):
        patient.call("wait", {})
        patient.call("echo", {})
    with ThreadPoolExecutor(MAX_CALLERS) as pool:
        assert len(list(pool.map(lambda _: patient.call("echo", {}), range(MAX_CALLERS)))) > 0


def test_who_has_gone_is_noticed_at_the_next_sign_of_life(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    gone, ended = threading.Event(), threading.Event()

    def handler(
        _do: str, _args: dict[str, Any], _files: list[int], progress: control.Progress
    ) -> Answer:
        try:
            assert gone.wait(PATIENCE_S)
            while True:
                progress(1, 2)
        finally:
            ended.set()

    server = ControlServer(tmp_path, handler, {"wait"})
    with socket.socket(socket.AF_UNIX) as link:
        link.connect(str(control.socket_path(tmp_path)))
        link.sendall(b'{"do":"wait","args":{}}\n')
    gone.set()
    assert ended.wait(PATIENCE_S)
    server.close()
    assert "control_fault" not in caplog.text


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_it_is_known_when_nobody_is_heard_any_more(tmp_path: Path) -> None:
    """Not a caller's doing: a fault of the program, here in what is given the requests."""

    def heard(request: hearing.Request) -> None:
        request[0].close()
        raise ZeroDivisionError

    path = tmp_path / "socket"
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as caller:
        listener.bind(str(path))
        listener.listen()
        hearing_ = hearing.Hearing(listener, heard, hearing.close)
        assert hearing_.alive
        caller.connect(str(path))
        caller.sendall(b"{}\n")
        hearing_._thread.join(PATIENCE_S)
        assert not hearing_.alive
