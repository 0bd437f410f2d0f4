"""Broken bytes at the doors of a whole node: its partners' HTTP, its own calls, its local socket.

Nothing of a stranger's making is a fault of ours: no answer 500, no traceback, and the next
caller is served.
"""

from __future__ import annotations

import contextlib
import gzip
import logging
import os
import socket
from collections.abc import Callable, Iterator
from typing import Any, Final

import orjson
import pytest
from tests.fuzz.mutate import mutants
from tests.fuzz.targets.bundles import bundles
from tests.fuzz.targets.seeds import checkpoint, proofs, splits
from tests.fuzz.test_parsers import COUNT
from tests.support.nodes import CHANNEL, KEEPER, OFFICER, Home, world
from tests.support.partners import CH, SHORT, Running, log_name, lying_server, running

from convenio.core.errors import ConvenioError, MalformedError
from convenio.core.mirrorwire import Package, UploadHeader
from convenio.node.commands import dispatcher
from convenio.node.control import _printed, _request
from convenio.peer.client import Partner, PartnerConfig
from convenio.words.errors import HAPPENED

NAME: Final = log_name("mx.localhost/c/1")
BLOB: Final = "d" * 64


def known(act: Callable[[], object], data: bytes) -> None:
    """`act` succeeds, or is refused with a code that has words."""
    code = ""
    try:
        act()
    except ConvenioError as error:
        code = error.code
    except Exception as error:
        raise AssertionError(f"{type(error).__name__} came of {data!r}") from error
    assert not code or code in HAPPENED, (code, data)


# --- what a partner's node may send us ---


def requests(at: Running) -> list[bytes]:
    return [
        at.signed("GET", f"/log/{NAME}/checkpoint"),
        at.signed("GET", f"/mirror/{NAME}/tile/entries/x001/234.p/56"),
        at.signed("GET", f"/charter/{CH}"),
        at.signed("GET", f"/blob/{CH}/{BLOB}"),
        at.signed("PUT", f"/blob/{CH}/{BLOB}?offset=0&size=9", content=b"content"),
        at.signed("POST", "/mirror/add-checkpoint", content=b"old 0\n\no\n1\n"),
        at.signed("POST", "/mirror/add-entries", content=bytes(30), encoding="gzip"),
        b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n",
    ]


def test_no_request_is_a_fault_of_the_partner_door(caplog: pytest.LogCaptureFixture) -> None:
    with running() as at, caplog.at_level(logging.ERROR):
        for number, data in enumerate(mutants(requests(at), 1, COUNT // 6)):
            with socket.create_connection(("127.0.0.1", at.server.port), 10) as sock:
                with contextlib.suppress(OSError):
                    sock.sendall(data)
                    sock.shutdown(socket.SHUT_WR)
                answer = b""
                with contextlib.suppress(OSError):
                    answer = sock.recv(65_536)
                assert not answer.startswith(b"HTTP/1.1 500"), data
            if not number % 20:
                whole = at.raw(b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
                assert whole.startswith(b"HTTP/1.1 200"), data
            assert not [r.getMessage() for r in caplog.records if r.levelno >= logging.ERROR], data


SIGNED: Final = [
    *(f"/log/{NAME}/checkpoint", f"/mirror/{NAME}/tile/entries/x001/234.p/56", f"/charter/{CH}"),
    *(f"/log/{NAME}/tile/0/000", f"/blob/{CH}/{BLOB}", f"/blob/{CH}/{BLOB}?offset=0&size=9"),
]
UPLOAD: Final = UploadHeader("us.localhost/c/1", 0, 1).encode() + Package(0, (b"a",), ()).encode()
CONTENTS: Final = [
    *(b"content", b"old 0\n\n" + checkpoint(), UPLOAD, gzip.compress(UPLOAD, mtime=0)),
    gzip.compress(bytes(1 << 22), mtime=0),
]


def test_no_request_that_a_partner_has_signed_is_a_fault_either(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The signature is good, so what is wrong gets further in."""
    paths = [path.encode() for path in SIGNED]
    with running() as at, caplog.at_level(logging.ERROR):
        for path in mutants(paths, 1, COUNT // 12):
            for method in ("GET", "PUT", "POST"):
                with contextlib.suppress(MalformedError):  # no signer would sign that target
                    asked = at.signed(method, path.decode("latin-1"), content=b"content")
                    assert not at.raw(asked).startswith(b"HTTP/1.1 500"), path
        for content in mutants(CONTENTS, 1, COUNT // 12):
            for method, to in (("POST", "add-checkpoint"), ("POST", "add-entries")):
                for encoding in ("identity", "gzip"):
                    path_ = f"/mirror/{to}"
                    asked = at.signed(method, path_, content=content, encoding=encoding)
                    assert not at.raw(asked).startswith(b"HTTP/1.1 500"), content
        assert not [r.getMessage() for r in caplog.records if r.levelno >= logging.ERROR]


# --- what a partner's node may answer us ---

ANSWERS: Final = [
    b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 4\r\n\r\nown\n",
    b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nown\n\r\n0\r\n\r\n",
    b"HTTP/1.1 409 Conflict\r\ncontent-type: text/x.tlog.size\r\ncontent-length: 3\r\n\r\n12\n",
    b"HTTP/1.1 206 Partial\r\ncontent-range: bytes 0-3/9\r\ncontent-length: 4\r\n\r\nabcd",
    b"HTTP/1.1 403 Forbidden\r\ncontent-length: 13\r\n\r\nblob.absent\n\n",
    b"HTTP/1.1 404 Not Found\r\nupload-offset: 7\r\ncontent-length: 0\r\n\r\n",
]


def test_no_answer_of_a_partner_is_a_fault_of_our_calls() -> None:
    at: list[bytes] = []

    def behave(sock: socket.socket, _request: bytes) -> None:
        sock.sendall(at[0])

    with lying_server(behave) as url:
        for data in mutants(ANSWERS, 1, COUNT // 6):
            at[:] = [data]
            for ask in (
                lambda us: us.get_checkpoint("mx.localhost/c/1"),
                lambda us: us.get_blob_range(CH, BLOB, 0, 4),
                lambda us: us.blob_held(CH, BLOB),
            ):
                us = Partner(PartnerConfig(url, limits=SHORT), None, lambda: 1, bytes)
                known(lambda us=us, ask=ask: ask(us), data)  # type: ignore[misc]
                us.close()


# --- the local socket: commands, and files said line by line ---


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    with world(tmp_path_factory.mktemp("fuzz"), serving=False) as made:
        mx = made["mx"]
        mx.say(b"to be found")
        yield mx


def commands() -> list[bytes]:
    by: dict[str, object] = {"as": OFFICER, "channel": CHANNEL}
    said: dict[str, object] = {**by, "record": "mx/0", "part": 0, "purpose": "p", "reason": "r"}
    asked: dict[str, dict[str, Any]] = {
        "say": {
            **by,
            "to": ["us:liaison"],
            "bodies": [{"media": "text/plain", "name": "a"}],
            "data": {},
        },
        "log": {**by, "limit": 50, "before": "1800000000.mx.0"},
        "record": said,
        "case": said,
        "open": said,
        "receipt": {**said, "party": "us"},
        "bundle": {**by, "records": ["mx/0"], "with_bodies": True},
        "disclose": {**said, "code": "court"},
        "channel.show": by,
        "channel.route": {"as": KEEPER, "channel": CHANNEL, "party": "us", "url": "http://[::1]:1"},
        "channel.confirm": {"as": KEEPER, "channel": CHANNEL, "fingerprint": "12345"},
        "channel.accept": {"as": KEEPER},
        "channel.compare": {"as": KEEPER},
        "people.add": {"as": KEEPER, "person": "bea", "roles": ["clerk"], "desks": ["liaison"]},
        "web.read": said,
        "web.whose": {"token": "x", "secret": "x"},
        "status": {},
        "acts": {"as": KEEPER, "limit": 5},
        "export": {**by, "directory": "x"},
    }
    return [orjson.dumps({"do": do, "args": args}) for do, args in asked.items()]


def do(home: Home, data: bytes, file: bytes) -> bytes:
    handle = os.memfd_create("given")
    try:
        os.write(handle, file)
        os.lseek(handle, 0, os.SEEK_SET)
        name, args = _request(data)
        if name in ("wait", "export"):  # what they are told, they do: wait, and write where told
            return b""
        return _printed(dispatcher(home.node)(name, args, [handle], lambda _done, _all: None))
    finally:
        os.close(handle)


ODD: Final[list[Any]] = [
    *(None, True, 0, -1, 1, 1.5, 2**31, 2**63, 10**19, "", " ", "x" * 20_000, "\0", "\u202e", "é"),
    *("mx/0", "mx/99999999999999999999", "ab" * 32, "../..", "us:liaison", [], [None], [[]], [1]),
    *({}, {"a": None}, {"a": {"a": {}}}, ["us:liaison"] * 99, ["mx:none"], [""], ["x" * 9999]),
]


def with_one_odd(call: bytes) -> Iterator[bytes]:
    """The same command with each of its arguments left out, or something else, in turn."""
    whole = orjson.loads(call)
    for key in whole["args"]:
        rest = {name: value for name, value in whole["args"].items() if name != key}
        yield orjson.dumps({**whole, "args": rest})
        for odd in ODD:
            yield orjson.dumps({**whole, "args": {**rest, key: odd}})


def test_no_argument_is_a_fault_of_the_node(home: Home) -> None:
    for call in commands():
        for data in with_one_odd(call):
            known(lambda data=data: do(home, data, b""), data)  # type: ignore[misc]
    assert home.node.failure is None


def test_no_field_of_a_line_is_a_fault_of_the_node(home: Home) -> None:
    args = {"as": OFFICER, "channel": CHANNEL, "to": ["us:liaison"]}
    call = orjson.dumps({"do": "say.batch", "args": args})
    fields: dict[str, Any] = {"text": "a", "json": {}, "lang": "es", "id": "ab" * 16, "open": False}
    more: dict[str, Any] = {"to": [], "type": "x", "desk": "", "case": "", "act": "", "inst": ""}
    for line in with_one_odd(orjson.dumps({"args": {**fields, **more, "due_in": 0, "data": {}}})):
        data = orjson.dumps(orjson.loads(line)["args"]) + b"\n"
        known(lambda data=data: do(home, call, data), data)  # type: ignore[misc]


def test_no_command_is_a_fault_of_the_node(home: Home) -> None:
    for data in mutants(commands(), 1, COUNT // 3):
        known(lambda data=data: do(home, data, b""), data)  # type: ignore[misc]
    assert home.node.failure is None
    assert home.findings() == []


LINES: Final = [
    b'{"text":"uno","to":["us:liaison"]}\n{"json":{"a":1},"lang":"es"}\n',
    b'{"text":"dos","open":true,"type":"statement.v1","data":{},"due_in":0,"id":"' + b"ab" * 16,
    b'{"text":"tres","case":"' + b"ab" * 32 + b'","act":"ask","inst":"","cav":"red","desk":"x"}',
]


def test_no_file_of_lines_is_a_fault_of_the_node(home: Home) -> None:
    args = {"as": OFFICER, "channel": CHANNEL, "to": ["us:liaison"]}
    call = orjson.dumps({"do": "say.batch", "args": args})
    for data in mutants(LINES, 1, COUNT // 6):
        known(lambda data=data: do(home, call, data), data)  # type: ignore[misc]
    assert home.node.failure is None


def test_no_charter_is_a_fault_of_the_node(home: Home) -> None:
    note = home.node.registry.channel(CHANNEL).signed.note.encode()
    call = orjson.dumps({"do": "channel.accept", "args": {"as": KEEPER}})
    for data in mutants([note], 1, COUNT // 12):
        known(lambda data=data: do(home, call, data), data)  # type: ignore[misc]


def test_no_file_from_outside_is_a_fault_of_the_node(home: Home) -> None:
    call = orjson.dumps({"do": "channel.compare", "args": {"as": KEEPER}})
    own = home.node.store.head(home.origin()).checkpoint
    for data in mutants([own, checkpoint(), *proofs(), *splits(), *bundles()], 1, COUNT // 12):
        known(lambda data=data: do(home, call, data), data)  # type: ignore[misc]
    assert home.node.failure is None
