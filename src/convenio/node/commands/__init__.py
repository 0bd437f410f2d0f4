"""Every command a person or a page can give a node, by name: what the local socket dispatches.

A command takes plain values and open files, asks the services, and returns plain values. It decides
nothing itself: its door asks `core.decide` before it runs, and the services ask again of what they
are about to do.
"""

from __future__ import annotations

from convenio.core.errors import MalformedError
from convenio.node.commands import channels, giving, pages, people, reading, saying, upkeep
from convenio.node.commands.args import Args, Command
from convenio.node.control import Answer, Handler, Progress
from convenio.node.wiring import Node

COMMANDS: dict[str, Command] = {
    **saying.COMMANDS,
    **reading.COMMANDS,
    **giving.COMMANDS,
    **channels.COMMANDS,
    **people.COMMANDS,
    **upkeep.COMMANDS,
    **pages.COMMANDS,
}


LASTING: frozenset[str] = frozenset(do for do, command in COMMANDS.items() if command.lasts)
"""What may take minutes: counted apart by `control.ControlServer`."""


def dispatcher(node: Node) -> Handler:
    """What `control.ControlServer` calls for each request."""

    def handle(do: str, args: Args, files: list[int], progress: Progress) -> Answer:
        command = COMMANDS.get(do)
        if command is None:
            raise MalformedError("command.unknown", command=do[:40])
        command.door(node, args)
        return command.run(node, args, files, progress)

    return handle
