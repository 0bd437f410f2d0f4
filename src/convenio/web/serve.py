"""The pages' process: `python -m convenio.web.serve DIR PORT --host mx.localhost`.

One gunicorn worker with a few threads, on loopback only. Started beside the node by
`convenio serve`, which names this module and does not import it; ends when its parent has gone,
however that happened.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter

from convenio.node.config import read_config

ADDRESS: Final = "127.0.0.1"
THREADS: Final = 8


def command(directory: Path, port: int, host: str = "") -> list[str]:
    """The command line of the pages of the node in `directory`; they end when the caller does.

    host: the one name they answer to; empty: the party's domain, as the node's configuration says.
    """
    # -P: what lies in the folder somebody stands in is not imported in place of a library.
    line = [sys.executable, "-P", "-m", "convenio.web.serve", str(directory), str(port)]
    line += ["--host", host] if host else []
    return [*line, "--parent", str(os.getpid())]


def main(arguments: list[str] | None = None) -> None:
    """Serve until a signal, or until the parent named has gone.

    --https: a web server with TLS stands in front, and browsers know only that one. --tell: the
    line "ready" on standard output once it listens.
    """
    parser = argparse.ArgumentParser(prog="convenio.web.serve")
    parser.add_argument("directory", type=Path)
    parser.add_argument("port", type=int)
    parser.add_argument("--host", default="")
    parser.add_argument("--https", action="store_true")
    parser.add_argument("--tell", action="store_true")
    parser.add_argument("--parent", type=int, default=0)
    given = parser.parse_args(arguments)
    logging.basicConfig(level="ERROR", format="%(asctime)s %(name)s %(message)s")
    directory = given.directory.resolve()
    host = given.host or read_config(directory).domain

    def load() -> Any:
        from convenio.web.site import make_application  # noqa: PLC0415 - only in the worker

        return make_application(directory, host, https=given.https)

    application = _Application(f"{ADDRESS}:{given.port}", load, tell=given.tell)
    _Arbiter(application, given.parent).run()


class _Application(BaseApplication):
    """What gunicorn asks of an application. The arbiter never loads it, only the worker does."""

    def __init__(self, bind: str, load: Callable[[], Any], *, tell: bool) -> None:
        self._bind, self._load, self._tell = bind, load, tell
        super().__init__()

    def load_config(self) -> None:
        settings: dict[str, object] = {
            "bind": self._bind,
            "workers": 1,
            "worker_class": "gthread",
            "threads": THREADS,
            "worker_connections": 200,
            "timeout": 120,
            "graceful_timeout": 5,
            "keepalive": 5,
            "limit_request_line": 2048,
            "limit_request_fields": 50,
            "limit_request_field_size": 8190,
            "forwarded_allow_ips": "",
            "loglevel": "warning",
            "control_socket_disable": True,
            "proc_name": "convenio-pages",
        }
        if self._tell:
            settings["when_ready"] = _say_ready
        for name, value in settings.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        return self._load()


def _say_ready(_arbiter: Arbiter) -> None:
    """The socket listens: whoever connects now waits for the worker, and is answered."""
    os.write(sys.stdout.fileno(), b"ready\n")  # in one piece, buffered or not


class _Arbiter(Arbiter):
    """Gunicorn's own, which also ends when its parent is another process than it was."""

    def __init__(self, app: BaseApplication, parent: int) -> None:
        super().__init__(app)
        self._parent = parent

    def murder_workers(self) -> None:
        """Called about once a second."""
        super().murder_workers()
        if self._parent and os.getppid() != self._parent:
            raise StopIteration  # as after SIGTERM: gunicorn lets requests end, then stops


if __name__ == "__main__":
    main()
