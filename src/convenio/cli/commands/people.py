"""`convenio people`: who works at a node, and what they may do."""

from __future__ import annotations

import click

from convenio.cli.command import Group, examples
from convenio.cli.command import command as declare
from convenio.cli.link import Link
from convenio.cli.options import Function, acting_keeper, looking, on_node
from convenio.cli.shell import Answer, Shell
from convenio.core.errors import UnavailableError
from convenio.node.config import read_config
from convenio.words import N_
from convenio.words.names import ROLES, name_of

_ROLE = N_("What the person may do. Can be given several times.")
_DESK = N_("A desk where the person sits. Can be given several times.")


def _roles_and_desks(function: Function) -> Function:
    """`--role` and `--desk`, as `roles` and `desks`."""
    function = click.option("--desk", "desks", multiple=True, metavar=N_("DESK"), help=_DESK)(
        function
    )
    return click.option(
        "--role", "roles", type=click.Choice(tuple(ROLES)), multiple=True, required=True, help=_ROLE
    )(function)


def _on_person(function: Function) -> Function:
    """`on_node`, and PERSON as `name`."""
    return on_node(click.argument("name", metavar=N_("PERSON"))(function))


@click.group(
    "people",
    cls=Group,
    help=N_(
        "People of a node. Clerks read and open; officers and approvers also say; releasers also "
        "disclose; auditors see who did what; keepers keep channels, people and keys."
    ),
    epilog=examples("convenio people list mx"),
)
def command() -> None:
    pass


@declare(
    "add",
    help=N_("Add a person."),
    example="convenio people add mx ana --role officer --desk liaison",
)
@_on_person
@_roles_and_desks
@acting_keeper
def add(
    shell: Shell, link: Link, name: str, roles: tuple[str, ...], desks: tuple[str, ...], person: str
) -> None:
    args = {"as": person, "person": name, "roles": list(roles), "desks": list(desks)}
    _show(shell, link.call("people.add", args))


@declare(
    "role",
    help=N_(
        "Give a person these roles, and these desks if any are named, in place of those they had."
    ),
    example="convenio people role mx ana --role officer --role releaser",
)
@_on_person
@_roles_and_desks
@acting_keeper
def role(
    shell: Shell, link: Link, name: str, roles: tuple[str, ...], desks: tuple[str, ...], person: str
) -> None:
    args = {"as": person, "person": name, "roles": list(roles), "desks": list(desks)}
    _show(shell, link.call("people.role", args))


@declare(
    "disable",
    help=N_("From now on the person may do nothing. What they did stays theirs."),
    example="convenio people disable mx ana",
)
@_on_person
@acting_keeper
def disable(shell: Shell, link: Link, name: str, person: str) -> None:
    _show(shell, link.call("people.disable", {"as": person, "person": name}))


@declare(
    "enable",
    help=N_("A disabled person may do again what their roles say, and signs in anew."),
    example="convenio people enable mx ana",
)
@_on_person
@acting_keeper
def enable(shell: Shell, link: Link, name: str, person: str) -> None:
    _show(shell, link.call("people.enable", {"as": person, "person": name}))


@declare("list", help=N_("The people of this node."), example="convenio people list mx")
@on_node
@looking
def list_(shell: Shell, link: Link, person: str) -> None:
    answer = link.call("people.list", {"as": person})
    shell.answer(answer, lambda: _table(shell, answer["people"]))


@declare(
    "link",
    help=N_("A link that signs a person in to the pages of the running node, once, soon."),
    example="convenio people link mx ana",
)
@_on_person
@acting_keeper
def link_(shell: Shell, link: Link, name: str, person: str) -> None:
    link.require_running()
    config = read_config(link.directory)
    if not config.web_port:
        raise UnavailableError("people.no_pages")
    given = link.call("web.link", {"as": person, "person": name})
    url = f"http://{config.domain}:{config.web_port}/enter/{given['secret']}"
    value = {"person": name, "url": url, "until": given["until"]}
    until = shell.text("Good once, until {at}.", at=shell.words.time(given["until"]))
    shell.answer(value, lambda: shell.line(f"{url}\n{until}"))


for each in (add, role, disable, enable, link_, list_):
    command.add_command(each)


def _show(shell: Shell, person: Answer) -> None:
    shell.answer(person, lambda: _table(shell, [person]))


def _table(shell: Shell, people: list[Answer]) -> None:
    headings = [shell.text("Person"), shell.text("Roles"), shell.text("Desks"), shell.text("State")]
    rows = [
        [
            each["person"],
            ", ".join(name_of(ROLES, name, shell.words) for name in each["roles"]),
            ", ".join(each["desks"]),
            shell.text("active") if each["active"] else shell.text("disabled"),
        ]
        for each in people
    ]
    shell.table(headings, rows)
