"""The one node process: lock, keys, sequencer, outbox, partner HTTP, local socket, pages beside it.

Started by `convenio serve`. Ends in order on a signal; ends at once, with an error, when the store
or a thread of ours says that nobody can vouch for what it holds.
"""

from __future__ import annotations

import itertools
import logging
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from convenio.api.partner import PartnerApiConfig, partner_app
from convenio.api.serve import PartnerServer, Tls, serve_partner
from convenio.core.errors import UnavailableError
from convenio.node import setup
from convenio.node.commands import LASTING, dispatcher
from convenio.node.control import ControlServer
from convenio.node.wiring import Directory, Node, Progress

_log = logging.getLogger("convenio.process")
POLL_S = 1.0
TICK_S = 60
STOP_S = 10


def run(  # noqa: PLR0913 - each has a name and a default
    directory: Path,
    passphrase: str,
    *,
    opened: Callable[[Node], Progress] = lambda _node: _unseen,
    ready: Callable[[Node], None],
    pages: Sequence[str] = (),
    parent: int = 0,
) -> None:
    """Serve the node in `directory` until SIGTERM or SIGINT, or until the parent has gone.

    Args:    opened: called once the node's stores are open; what it gives is told how far the logs
             are read. ready: called once everything listens. pages: the command line of the pages'
             process. parent: the process that started this one and that it must not outlive; 0
             for none.
    Raises:  UnavailableError: node.running · serve.* · node.failed · store.*, when it must not go
             on · UnverifiedError: age.wrong_passphrase.
    """
    stopping = _Stopping(parent)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    locked = Directory.take(directory)
    try:
        node = Node(locked, passphrase)
    except BaseException:
        locked.release()
        raise
    try:
        _serve(node, stopping, opened(node), ready, pages)
    finally:
        node.stop()


class _Stopping(threading.Event):
    """That the process is to end: it was told so, or who started it has gone."""

    def __init__(self, parent: int) -> None:
        super().__init__()
        self._parent = parent

    def wait(self, timeout: float | None = None) -> bool:
        return super().wait(timeout) or bool(self._parent and os.getppid() != self._parent)


def _unseen(_done: int, _total: int) -> None:
    pass


def _serve(
    node: Node,
    stopping: _Stopping,
    progress: Progress,
    ready: Callable[[Node], None],
    pages: Sequence[str],
) -> None:
    """(1) partners can reach us · (2) our own people can · (3) our words go out · (4) pages."""
    partners = _partner_server(node)  # (1)
    control = ControlServer(node.path, dispatcher(node), LASTING)  # (2)
    web: subprocess.Popen[bytes] | None = None
    try:
        node.start(feeding=True, progress=progress)  # (3)
        web = subprocess.Popen(pages) if pages else None  # noqa: S603 - our own program  (4)
        ready(node)
        _watch(node, stopping, (partners, control), web)
    finally:
        if web is not None:
            _end(web)
        control.close()
        partners.stop()


def _partner_server(node: Node) -> PartnerServer:
    config = PartnerApiConfig(
        node.card.roster.url, node.keys.node_signer(), lambda: int(node.clock())
    )
    tls = None
    if node.config.tls:
        certificate, key = node.path / setup.CERTIFICATE, node.path / setup.TLS_KEY
        tls = Tls(certificate, key, node.keys.tls_passphrase)
    app = partner_app(node.partnering, config)
    return serve_partner(app, node.config.host, node.config.port, tls=tls)


def _watch(
    node: Node,
    stopping: _Stopping,
    servers: Sequence[PartnerServer | ControlServer],
    web: subprocess.Popen[bytes] | None,
) -> None:
    for second in itertools.count(1):
        if stopping.wait(POLL_S):
            return
        if second % TICK_S == 0:
            node.tick()
        if not node.healthy() or not all(server.alive for server in servers):
            raise UnavailableError("node.failed")
        if web is not None and web.poll() is not None:
            _log.error("pages_ended", extra={"status": web.returncode})
            raise UnavailableError("node.pages")


def _end(web: subprocess.Popen[bytes]) -> None:
    web.terminate()
    try:
        web.wait(STOP_S)
    except subprocess.TimeoutExpired:
        web.kill()
        web.wait()
