"""A real node process, and callers who send whatever bytes they like to its two doors.

The node lives, in bounded memory and threads, answers the next one who asks, and says nothing about
any of it in its log: `Commands.serving` holds what it printed, and how it ended, against nothing.
"""

from __future__ import annotations

import contextlib
import resource
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import orjson
import pytest
from tests.fuzz.mutate import Chance, mutants
from tests.support.commands import Commands

from convenio.node import control
from convenio.node.config import read_config
from convenio.node.control import MAX_CALLERS, MAX_LASTING, ControlClient
from convenio.node.hearing import MAX_LINE, MAX_UNHEARD, MAX_UNHEARD_BYTES

PATIENCE_S: Final = 20.0
HEALTH: Final = b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
CALL: Final = b'{"do":"status","args":{}}\n'
HELLO: Final = bytes.fromhex("16030100c8010000c40303") + bytes(190)  # of TLS, to a plain port


@dataclass(frozen=True, slots=True)
class Alive:
    """A node that runs."""

    directory: Path
    process: subprocess.Popen[str]
    port: int

    def local(self) -> socket.socket:
        link = socket.socket(socket.AF_UNIX)
        link.connect(str(control.socket_path(self.directory)))
        link.settimeout(PATIENCE_S)
        return link

    def partner(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), PATIENCE_S)

    def answers(self) -> bool:
        """At both doors."""
        asked = ControlClient(self.directory, PATIENCE_S).call("status", {})
        until = time.monotonic() + PATIENCE_S
        while time.monotonic() < until:  # turned away while hundreds are still being seen off
            with contextlib.suppress(OSError), self.partner() as link:
                link.sendall(HEALTH)
                if link.recv(100).startswith(b"HTTP/1.1 200"):
                    return bool(asked)
        return False

    def told(self, name: str) -> int:
        """`VmHWM` (the most memory it ever had, in KiB) or `Threads` of the process."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith(name)).split()[1])


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Alive]:
    commands = Commands(tmp_path_factory.mktemp("bytes"))
    commands.make("mx", "Mexico")
    directory = commands.folder / "mx"
    with commands.serving("mx") as process:
        alive = Alive(directory, process, read_config(directory).port)
        assert alive.answers()
        most, threads = alive.told("VmHWM"), alive.told("Threads")
        yield alive
        assert alive.answers()
        grown = alive.told("VmHWM") - most
        assert grown << 10 < 2 * MAX_UNHEARD_BYTES + (64 << 20), f"{grown >> 10} MiB more"
        assert alive.told("Threads") <= threads + MAX_CALLERS + MAX_LASTING


def noise(seed: int, size: int) -> bytes:
    chance = Chance(seed)
    return bytes(chance.below(256) for _ in range(size))


def send(link: socket.socket, data: bytes) -> None:
    """The other end may hang up while it is spoken to."""
    with link, contextlib.suppress(OSError):
        link.sendall(data)


DOORS: Final = {"local": Alive.local, "partner": Alive.partner}
Door = Callable[[Alive], socket.socket]


@pytest.mark.parametrize("door", DOORS.values(), ids=DOORS)
def test_noise(node: Alive, door: Door) -> None:
    for seed in range(150):
        send(door(node), noise(seed, 1 + 7 * seed))
        send(door(node), noise(seed, seed) + b"\n")
    assert node.answers()


ARGS: Final = {"as": "keeper", "channel": "framework", "record": "mx/0", "limit": 5}
ASKED: Final = ("log", "record", "say", "people.list", "channel.show", "web.channels", "status")


def test_requests_with_faults(node: Alive) -> None:
    """`export` and the like would do what they are told, so that they are not among them."""
    calls = [orjson.dumps({"do": do, "args": ARGS}) + b"\n" for do in ASKED]
    for data in mutants(calls, 1, 300):
        send(node.local(), data)
    for data in mutants([HEALTH, HEALTH.replace(b"GET", b"POST"), HELLO], 1, 300):
        send(node.partner(), data)
    assert node.answers()


DEEP: Final = b'{"do":"status","args":' + b'{"a":' * 100_000 + b"1" + b"}" * 100_000 + b"}\n"


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(DEEP, id="deep objects"),
        pytest.param(b"[" * MAX_LINE + b"\n", id="deep lists"),
        pytest.param(b"9" * (MAX_LINE - 1) + b"\n", id="a number of four million digits"),
        pytest.param(b'{"do":"\xff\xfe","args":{}}\n', id="no text"),
        pytest.param(b'{"do":"\xed\xa0\x80","args":{}}\n', id="half a character"),
        pytest.param(b'{"do":"\\ud800","args":{}}\n', id="half a character, spelled"),
        pytest.param("{}\n".encode("utf-16"), id="another encoding"),
        pytest.param(b"x" * (MAX_LINE + 1), id="a line too long"),
        pytest.param(b"\0" * (3 * MAX_LINE), id="nothing, and much of it"),
        pytest.param(b"\n" * 1000, id="empty lines"),
        pytest.param(HEALTH, id="HTTP"),
        pytest.param(HELLO, id="TLS"),
    ],
)
def test_lines_that_are_none(node: Alive, data: bytes) -> None:
    with node.local() as link:
        with contextlib.suppress(OSError):
            link.sendall(data)
            link.shutdown(socket.SHUT_WR)
        with contextlib.suppress(ConnectionResetError):
            answer = link.recv(1000)
            assert not answer or b"control.request" in answer
    assert node.answers()


def test_a_list_of_a_million_lists_is_a_bounded_matter(node: Alive) -> None:
    inside = b"[]," * ((MAX_LINE - 100) // 3) + b"[]"
    send(node.local(), b'{"do":"status","args":{"a":[' + inside + b"]}}\n")
    assert node.answers()


@pytest.mark.parametrize("said", [b"", b'{"do":"sta', b'{"do":"' + b"x" * 200_000], ids=len)
def test_a_thousand_who_come_and_stay(node: Alive, said: bytes) -> None:
    """They do not say to the end what they want, and do not go: others are answered at once."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, before[1]), before[1]))
    links = []
    try:
        for number in range(1000):
            links.append(node.local())
            with contextlib.suppress(OSError):  # it was sent away to make room
                links[-1].sendall(said)
            if number % 100 == 99:
                assert node.answers()
        held = len(list(Path(f"/proc/{node.process.pid}/fd").iterdir()))
        assert held < MAX_UNHEARD + MAX_CALLERS + 100
    finally:
        for link in links:
            link.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    assert node.answers()


def test_a_few_hundred_connections_of_strangers_that_stay(node: Alive) -> None:
    with contextlib.ExitStack() as stay:
        for number in range(300):
            link = stay.enter_context(node.partner())
            with contextlib.suppress(OSError):
                link.sendall((b"", b"G", b"GET / HTTP/1.1\r\nhost: x\r\n", HELLO)[number % 4])
        assert ControlClient(node.directory, PATIENCE_S).call("status", {})
    assert node.answers()
