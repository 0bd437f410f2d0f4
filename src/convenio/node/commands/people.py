"""The people of this node."""

from __future__ import annotations

from typing import Final

from convenio.core.decide import Person
from convenio.node.commands.args import (
    Args,
    Command,
    text_of,
    texts_of,
)
from convenio.node.commands.doors import audits, governs
from convenio.node.control import Answer, Progress
from convenio.node.wiring import Node


def person_json(node: Node, person: Person) -> Answer:
    aliases = {desk.id: desk.alias for desk in node.keys.desks}
    return {
        "person": person.id,
        "roles": sorted(person.roles),
        "desks": sorted(aliases.get(desk, desk) for desk in person.desks),
        "active": person.active,
    }


def _people(node: Node, _args: Args, _files: list[int], _progress: Progress) -> Answer:
    return {"people": [person_json(node, person) for person in node.local.people()]}


def _people_add(node: Node, args: Args, _files: list[int], _progress: Progress) -> Answer:
    person = node.people.add(
        text_of(args, "as"),
        text_of(args, "person"),
        texts_of(args, "roles"),
        texts_of(args, "desks"),
        int(node.clock()),
    )
    return person_json(node, person)


def _people_role(node: Node, args: Args, _files: list[int], _progress: Progress) -> Answer:
    person = node.people.change(
        text_of(args, "as"),
        text_of(args, "person"),
        texts_of(args, "roles"),
        texts_of(args, "desks"),
        int(node.clock()),
    )
    return person_json(node, person)


def _people_disable(node: Node, args: Args, _files: list[int], _progress: Progress) -> Answer:
    person = node.people.disable(text_of(args, "as"), text_of(args, "person"), int(node.clock()))
    return person_json(node, person)


def _people_enable(node: Node, args: Args, _files: list[int], _progress: Progress) -> Answer:
    person = node.people.enable(text_of(args, "as"), text_of(args, "person"), int(node.clock()))
    return person_json(node, person)


COMMANDS: Final[dict[str, Command]] = {
    "people.list": Command(audits, _people),
    "people.add": Command(governs, _people_add),
    "people.role": Command(governs, _people_role),
    "people.disable": Command(governs, _people_disable),
    "people.enable": Command(governs, _people_enable),
}
