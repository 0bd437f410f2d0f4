"""The two nodes of the demo: their directory, their processes, commands to them."""

from __future__ import annotations

import contextlib
import os
import secrets
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import orjson

from convenio.cli.demo.content import CHARACTERS
from convenio.cli.shell import Answer
from convenio.core.card import Text
from convenio.core.errors import ConflictError, UnavailableError
from convenio.node.config import read_config
from convenio.node.control import ControlClient
from convenio.node.setup import ROOTS, Setup, make_node
from convenio.node.wiring import system_clock, system_random
from convenio.store.durable import write_file

PARTIES: Final = ("mx", "us")
NAMES: Final = {"mx": Text("Mexico", "México"), "us": Text("United States", "Estados Unidos")}
IN_PROSE: Final = {
    "mx": Text("Mexico", "México"),
    "us": Text("the United States", "Estados Unidos"),
}
DESKS: Final = {"liaison": Text("Liaison desk", "Mesa de enlace")}
MARK: Final = "DEMO"  # a file that says this directory is the demo's, to be used again
PHRASE: Final = "passphrase"
_FIRST_PORT: Final = 8471
_TO_PAGES: Final = 10  # pages listen from here on above the first port
_LAST_PORT: Final = 65535
_WORK: Final = 12  # nobody guesses at a passphrase that lies beside what it opens
_READY_S: Final = 60.0
_STOP_S: Final = 20.0


@dataclass(slots=True)
class Pair:
    """Two nodes under one directory. As a context: both processes have ended when it is left."""

    directory: Path
    _running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def __enter__(self) -> Pair:
        return self

    def __exit__(self, *_: object) -> None:
        for party in tuple(self._running):
            self.stop(party)

    # --- the directory ---

    def prepare(self) -> bool:
        """Both nodes are made; False if they were there from an earlier demo.

        Raises:  ConflictError: init.exists, the directory holds something else.
        """
        mark = self.directory / MARK
        if mark.exists():
            return False
        if self.directory.exists() and any(self.directory.iterdir()):
            raise ConflictError("init.exists", directory=str(self.directory))
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        phrase = secrets.token_urlsafe(18)
        write_file(self.directory / PHRASE, f"{phrase}\n".encode())
        first = int(os.environ.get("CONVENIO_DEMO_PORT", _FIRST_PORT))
        ports = iter(free_ports(first, len(PARTIES)))
        pages = iter(free_ports(first + _TO_PAGES, len(PARTIES)))
        for party in PARTIES:
            self._make(party, phrase, next(ports), next(pages))
        write_file(mark, b"Made by convenio demo. Nothing here is real; delete it at will.\n")
        return True

    def _make(self, party: str, phrase: str, port: int, web_port: int) -> None:
        setup = Setup(
            party=party,
            name=NAMES[party],
            url=f"http://127.0.0.1:{port}",
            domain=f"{party}.localhost",
            host="127.0.0.1",
            port=port,
            desks=DESKS,
            keeper="keeper",
            web_port=web_port,
            work=_WORK,
        )
        make_node(self.node(party), setup, phrase, phrase, int(system_clock()), system_random)

    def node(self, party: str) -> Path:
        return self.directory / party

    def phrase_file(self) -> Path:
        return self.directory / PHRASE

    def phrase(self) -> str:
        return self.phrase_file().read_text("utf-8").strip()

    def url(self, party: str) -> str:
        config = read_config(self.node(party))
        return f"http://{config.host}:{config.port}"

    def page(self, party: str) -> str:
        """Where the pages of a node are; a name of its own, so that cookies never mix."""
        return f"http://{party}.localhost:{read_config(self.node(party)).web_port}"

    # --- the processes ---

    def start(self, party: str) -> None:
        """The node's process runs and is ready.

        Raises:  UnavailableError: demo.no_start, it ended or was not ready in time; what it said
                 is in its log file.
        """
        log = self.directory / f"{party}.log"
        command = [sys.executable, "-P", "-m", "convenio.cli.main", "serve", str(self.node(party))]
        command += ["--json", "--passphrase-file", str(self.phrase_file())]
        command += ["--parent", str(os.getpid())]
        with log.open("ab") as errors:
            process = subprocess.Popen(  # noqa: S603 - our own program
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors
            )
        self._running[party] = process
        if _first_line(process) != "ready":
            self.stop(party)
            raise UnavailableError("demo.no_start", party=party, log=str(log))

    def stop(self, party: str) -> None:
        """The node's process has ended."""
        process = self._running.pop(party, None)
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        try:
            process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()

    def pids(self) -> list[int]:
        """The processes of the nodes that run."""
        return [run.pid for run in self._running.values()]

    def pid(self, party: str) -> int:
        """The number of the node's process; 0 if it does not run."""
        return self._running[party].pid if party in self._running else 0

    def ended(self) -> str:
        """The party whose process has ended by itself, or nothing."""
        return next((party for party, run in self._running.items() if run.poll() is not None), "")

    # --- commands ---

    def call(
        self, party: str, do: str, args: dict[str, Any], content: tuple[bytes, ...] = ()
    ) -> Answer:
        """A command to a running node. content: what is in the files that go with it."""
        with contextlib.ExitStack() as stack:
            files = [stack.enter_context(tempfile.TemporaryFile()) for _ in content]
            for file, data in zip(files, content, strict=True):
                file.write(data)
                file.seek(0)
            handles = [file.fileno() for file in files]
            return ControlClient(self.node(party)).call(do, args, handles)

    def fetch(self, party: str, do: str, args: dict[str, Any], target: Path) -> Answer:
        """A command whose answer is a file."""
        with target.open("w+b") as file:
            return ControlClient(self.node(party)).call(do, args, [file.fileno()])

    def roots(self, party: str) -> tuple[bytes, ...]:
        """Two of the party's root keys, which in life lie in two safes."""
        files = sorted((self.node(party) / ROOTS).glob("*.age"))
        return tuple(path.read_bytes() for path in files[:2])

    def sign_in_links(self) -> list[str]:
        """For each node with pages, a link that signs one of its demo people in."""
        links = []
        for party in PARTIES:
            if not read_config(self.node(party)).web_port:
                continue
            person = next(each.id for each in CHARACTERS if each.party == party)
            secret = self.call(party, "web.link", {"as": person})["secret"]
            links.append(f"{self.page(party)}/enter/{secret}")
        return links

    def add_people(self) -> None:
        """The demo's characters sit at their desks."""
        for each in CHARACTERS:
            args = {"as": "keeper", "person": each.id, "roles": list(each.roles)}
            try:
                self.call(each.party, "people.add", {**args, "desks": list(DESKS)})
            except ConflictError as error:
                if error.code != "people.exists":
                    raise


def _first_line(process: subprocess.Popen[bytes]) -> str:
    """What `serve --json` says when it is ready; nothing if it ends or takes too long."""
    if process.stdout is None:
        raise RuntimeError("the process was started without a pipe")
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        if not selector.select(_READY_S):
            return ""
    line = process.stdout.readline()
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError:
        return ""
    return str(value.get("event", ""))


def free_ports(first: int, count: int) -> list[int]:
    """Ports nobody listens on, from `first` upwards."""
    found: list[int] = []
    for port in range(first, _LAST_PORT):
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                probe.bind(("127.0.0.1", port))
                found.append(port)
        if len(found) == count:
            return found
    raise UnavailableError("demo.no_port")
