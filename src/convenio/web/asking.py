"""Asking the node, always in somebody's name: the signed-in person's, or a stranger's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from django.http import HttpRequest

from convenio.core.errors import UnavailableError
from convenio.node.control import Answer, ControlClient
from convenio.words import Words

PATIENCE_S: Final = 60


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who looks at a page. person: '' for a stranger. desks: aliases of this node's desks."""

    person: str = ""
    roles: tuple[str, ...] = ()
    desks: tuple[str, ...] = ()


@dataclass(slots=True)
class Asking:
    """One request's questions to the node. now: by the node's clock; 0 while it does not answer."""

    directory: Path
    viewer: Viewer = field(default_factory=Viewer)
    now: int = 0
    name: dict[str, str] = field(default_factory=dict)
    down: bool = False

    def introduce(self, session: str) -> None:
        """Who holds `session` is the viewer from here on; nobody, if it does not stand."""
        try:
            answer = self.call("web.who", session=session)
        except UnavailableError:
            self.down = True
            return
        self.now, self.name = answer["now"], answer["name"]
        if person := answer["person"]:
            self.viewer = Viewer(person["person"], tuple(person["roles"]), tuple(person["desks"]))

    def call(self, do: str, *, files: Sequence[int] = (), **args: Any) -> Answer:
        """The node's answer.  Raises:  whatever the node raised · UnavailableError: control.*."""
        client = ControlClient(self.directory, PATIENCE_S)
        return client.call(do, args, files)

    def ask(self, do: str, *, files: Sequence[int] = (), **args: Any) -> Answer:
        """The same, in the name of who looks."""
        if self.viewer.person:
            args["as"] = self.viewer.person
        return self.call(do, files=files, **args)


class PageRequest(HttpRequest):
    """What a request carries once it has come through the middleware."""

    words: Words
    asking: Asking
