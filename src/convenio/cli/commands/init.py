"""`convenio init`: a new node."""

from __future__ import annotations

import ipaddress
import shlex
from pathlib import Path
from urllib.parse import urlsplit

import click

from convenio.cli.command import command as declare
from convenio.cli.options import (
    PASSPHRASE_FILE,
    ROOT_PASSPHRASE_FILE,
    in_directory,
    root_passphrase,
    working_passphrase,
)
from convenio.cli.phrases import new_passphrase
from convenio.cli.shell import Shell
from convenio.core.card import Card, Text, is_party
from convenio.core.errors import MalformedError
from convenio.node.setup import (
    CARD,
    MIN_PASSPHRASE,
    ROOTS,
    Setup,
    make_node,
    require_long,
    require_room,
)
from convenio.node.wiring import system_clock, system_random
from convenio.words import N_
from convenio.words.errors import sentences

_OPTIONS = {
    "note.key_name": "--domain",
    "trust.desk": "--desk",
    "trust.domain": "--domain",
    "trust.text": "--name",
    "trust.url": "--url",
}
_PORTS = {"http": 80, "https": 443}


@declare(
    "init",
    help=N_(
        "Make a node in DIR: its keys, its card, its databases. Nothing is ever made over an "
        "existing node. The root keys are made in DIR/roots and are meant to be carried away."
    ),
    example=[
        "convenio init mx --party mx --name Mexico --name-es México --url http://127.0.0.1:8471",
        'convenio init us --party us --name "United States" --name-es "Estados Unidos" '
        "--url https://us.example.org:8472 --desk liaison=Liaison/Enlace",
    ],
)
@in_directory
@click.option(
    "--party", required=True, metavar="mx", help=N_("Short name of the party, such as mx or us.")
)
@click.option("--name", required=True, help=N_("Name of the party in English."))
@click.option("--name-es", help=N_("Its name in Spanish, if it is another one."))
@click.option("--url", required=True, metavar="URL", help=N_("Where partners reach this node."))
@click.option(
    "--domain", metavar=N_("DOMAIN"), help=N_("The name its keys carry. [otherwise: from the URL]")
)
@click.option(
    "--desk",
    "desks",
    multiple=True,
    metavar=N_("ALIAS=ENGLISH/SPANISH"),
    default=["liaison=Liaison desk/Mesa de enlace"],
    help=N_("A desk: what people type, and its names. Can be given several times."),
)
@click.option(
    "--roots",
    default="2/3",
    show_default=True,
    metavar=N_("NEEDED/MADE"),
    help=N_("How many root keys there are, and how many of them must sign together."),
)
@click.option("--keeper", default="keeper", show_default=True, help=N_("The first keeper's name."))
@click.option("--host", help=N_("Address to listen on. [otherwise: from the URL]"))
@click.option(
    "--port", type=click.IntRange(1, 65535), help=N_("Port to listen on. [otherwise: from the URL]")
)
@click.option(
    "--web-port",
    type=click.IntRange(0, 65535),
    default=0,
    help=N_("Port of the pages for people here; 0: none."),
)
@working_passphrase
@root_passphrase
@click.pass_obj
def command(
    shell: Shell,
    directory: Path,
    party: str,
    name: str,
    name_es: str | None,
    url: str,
    domain: str | None,
    desks: tuple[str, ...],
    roots: str,
    keeper: str,
    host: str | None,
    port: int | None,
    web_port: int,
    passphrase_file: Path | None,
    root_passphrase_file: Path | None,
) -> None:
    require_room(directory)  # before anybody has typed two passphrases twice
    _check_party(shell, party)
    needed, made = _roots(shell, roots)
    at, there = _place(shell, url)
    setup = Setup(
        party=party,
        name=Text(name, name_es or name),
        url=url.rstrip("/"),
        domain=domain or (f"{party}.localhost" if _is_loopback(at) else at),
        host=host or ("127.0.0.1" if _is_loopback(at) else "0.0.0.0"),  # noqa: S104 - said in help
        port=port or there,
        desks=dict(_desk(shell, each) for each in desks),
        keeper=keeper,
        roots_needed=needed,
        roots_made=made,
        web_port=web_port,
    )
    phrase = new_passphrase(
        shell,
        passphrase_file,
        shell.text(
            "Passphrase for the node's working keys ({least} characters or more)",
            least=MIN_PASSPHRASE,
        ),
        PASSPHRASE_FILE,
        require_long,
    )
    root_phrase = new_passphrase(
        shell,
        root_passphrase_file,
        shell.text("Passphrase for the root keys, another one"),
        ROOT_PASSPHRASE_FILE,
        require_long,
    )
    if phrase == root_phrase and root_passphrase_file is None:
        raise click.UsageError(
            shell.text("The root keys need a passphrase of their own: they can replace all others.")
        )
    try:
        with shell.waiting(shell.text("Making the keys")):
            card = make_node(
                directory, setup, phrase, root_phrase, int(system_clock()), system_random
            )
    except MalformedError as error:
        raise _misused(shell, error) from error
    _answer(shell, directory, card, keeper)


def _misused(shell: Shell, error: MalformedError) -> click.UsageError:
    """What a part of a node cannot be, said of the option it came from."""
    happened, _ = sentences(error)
    said = shell.text(happened, **error.parameters)
    option = _OPTIONS.get(error.code)
    return click.BadParameter(said, param_hint=option) if option else click.UsageError(said)


def _answer(shell: Shell, directory: Path, card: Card, keeper: str) -> None:
    roots = sorted(str(path) for path in (directory / ROOTS).iterdir())
    value = {
        "directory": str(directory),
        "party": card.party,
        "domain": card.domain,
        "url": card.roster.url,
        "card": str(directory / CARD),
        "roots": roots,
        "roots_needed": card.roots.k,
        "keeper": keeper,
        "desks": [desk.alias for desk in card.roster.desks],
    }

    def render() -> None:
        shell.line(
            shell.text(
                "The node of {name} is in {directory}.",
                name=_name(shell, card),
                directory=directory,
            )
        )
        shell.line()
        shell.line(
            shell.text(
                "1. Carry the root keys away, each to another place: {roots}. Any {needed} of them "
                "together speak for {name}; whoever has them can replace every other key. The node "
                "does not need them.",
                roots=", ".join(roots),
                needed=card.roots.k,
                name=_name(shell, card),
            )
        )
        shell.line(
            shell.text(
                "2. Give your partners {card}. It holds nothing secret.", card=directory / CARD
            )
        )
        shell.line(shell.text("3. Add the people who work here, then propose or accept a channel:"))
        desk = card.roster.desks[-1].alias
        typed = shlex.quote(str(directory))
        shell.line(f"     convenio people add {typed} ana --role officer --desk {desk}")
        propose = f"convenio channel propose {typed} --name framework"
        shell.line(f"     {propose} --card PARTNER.card -o framework.charter")

    shell.answer(value, render)


def _check_party(shell: Shell, party: str) -> None:
    if not is_party(party):
        raise click.BadParameter(
            shell.text("2 to 16 letters a to z and digits, beginning with a letter"),
            param_hint="--party",
        )


def _name(shell: Shell, card: Card) -> str:
    return card.name.es if shell.words.lang == "es" else card.name.en


def _roots(shell: Shell, text: str) -> tuple[int, int]:
    needed, _, made = text.partition("/")
    if not (needed.isdecimal() and made.isdecimal() and 1 <= int(needed) <= int(made) <= 9):
        raise click.BadParameter(
            shell.text("write it as 2/3: two of three keys needed, at most nine"),
            param_hint="--roots",
        )
    return int(needed), int(made)


def _desk(shell: Shell, text: str) -> tuple[str, Text]:
    alias, _, names = text.partition("=")
    english, _, spanish = names.partition("/")
    if not (alias and english):
        raise click.BadParameter(
            shell.text("write it as liaison=Liaison desk/Mesa de enlace"), param_hint="--desk"
        )
    return alias, Text(english, spanish or english)


def _place(shell: Shell, url: str) -> tuple[str, int]:
    """Host and port that a URL names."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port or _PORTS.get(parts.scheme)
    except ValueError:
        host, port = None, None
    if not host or not port:
        raise click.BadParameter(shell.text("write it as https://HOST:PORT"), param_hint="--url")
    return host, port


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
