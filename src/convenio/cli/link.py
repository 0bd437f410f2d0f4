"""The way of a command to a node: to the process that runs it, else the node is opened here.

Either way the same dispatcher answers. A node opened here says what it is told to, durably, and
delivers it when `convenio serve` runs again.
"""

from __future__ import annotations

import importlib
import logging
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import orjson

from convenio.cli.shell import Answer, Progress
from convenio.core.errors import MalformedError, UnavailableError
from convenio.node.control import ControlClient

_BUSY_S: Final = 15.0  # how long another command may hold the node before we give up
_LOOK_EVERY_S: Final = 0.05
_PATIENCE_S: Final = 600.0  # without any sign of progress


class Link:
    """Commands to the node in one directory. Close it: a node opened here holds the lock."""

    def __init__(
        self,
        directory: Path,
        passphrase: Callable[[], str],
        set_aside: Callable[[Sequence[str]], None] = lambda _names: None,
    ) -> None:
        """passphrase: asked for only if no process runs the node. set_aside: told what was damaged,
        if the node is opened here."""
        self.directory = directory
        self._passphrase, self._set_aside = passphrase, set_aside
        self._opened: _OpenedNode | None = None

    def call(
        self,
        do: str,
        args: dict[str, Any],
        files: Sequence[int] = (),
        progress: Progress | None = None,
        *,
        patience_s: float = _PATIENCE_S,
    ) -> Answer:
        """The node's answer to one command.

        Raises:  whatever the node raised · UnavailableError: control.lost, it went away while it
                 worked · node.running, another process holds it and does not
                 answer.
        """
        _require_text(args)
        while self._opened is None:
            try:
                client = ControlClient(self.directory, patience_s)
                return client.call(do, args, files, progress)
            except UnavailableError as error:
                if error.code != "control.no_node":
                    raise
            self._opened = self._open()  # None: somebody has begun to run it, so ask again
        return self._opened.handle(do, args, list(files), progress or _unseen)

    def ready(self) -> None:
        """The node answers, or is opened here: whatever must be asked has been asked."""
        while self._opened is None and not self.running():
            self._opened = self._open()

    def running(self) -> bool:
        """Whether a process runs this node."""
        return ControlClient(self.directory).running()

    def require_running(self) -> None:
        """Raises:  UnavailableError: control.no_node."""
        if not self.running():
            raise UnavailableError("control.no_node")

    def close(self) -> None:
        if self._opened is not None:
            self._opened.close()
            self._opened = None

    def _open(self) -> _OpenedNode | None:
        """The node, opened here; None if a process runs it by now."""
        wiring = importlib.import_module("convenio.node.wiring")
        # Its events are for who runs a node; here the answer says what matters.
        if not os.environ.get("CONVENIO_TRACEBACK"):
            logging.getLogger("convenio").addHandler(logging.NullHandler())
        until = time.monotonic() + _BUSY_S
        while (directory := self._take(wiring, until)) is None:
            if self.running():
                return None
            time.sleep(_LOOK_EVERY_S)
        try:
            node = wiring.Node(directory, self._passphrase())
            self._set_aside(node.set_aside)
            return _OpenedNode(node)
        except BaseException:
            directory.release()
            raise

    def _take(self, wiring: Any, until: float) -> Any:
        """The directory, locked; None while another command holds it."""
        try:
            return wiring.Directory.take(self.directory)
        except UnavailableError as error:
            if error.code != "node.running" or time.monotonic() > until:
                raise
            return None


class _OpenedNode:
    """A node in this process, which brings nothing to partners."""

    def __init__(self, node: Any) -> None:
        self._node = node
        node.start(feeding=False)
        commands = importlib.import_module("convenio.node.commands")
        self.handle: Callable[[str, dict[str, Any], list[int], Progress], Answer] = (
            commands.dispatcher(node)
        )

    def close(self) -> None:
        self._node.stop()


def _require_text(args: dict[str, Any]) -> None:
    """What was typed in bytes that are no text cannot be told to a node.

    Raises:  MalformedError: command.argument.
    """
    for key, value in args.items():
        try:
            orjson.dumps(value)
        except TypeError as error:
            raise MalformedError("command.argument", argument=key) from error


def _unseen(_done: int, _total: int) -> None:
    pass
