"""`convenio channel`: proposed by one party, accepted by the others, confirmed by voice."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import click

from convenio.cli import exits
from convenio.cli.command import Group, examples
from convenio.cli.command import command as declare
from convenio.cli.files import DASH, input_file, output, to_file
from convenio.cli.link import Link
from convenio.cli.options import (
    EXISTING,
    ROOT_PASSPHRASE_FILE,
    Function,
    acting_keeper,
    looking,
    on_node,
    root_keys,
)
from convenio.cli.phrases import passphrase
from convenio.cli.shell import Answer, Shell
from convenio.core.errors import QuorumError
from convenio.core.trust import is_channel_name
from convenio.node.setup import ROOTS
from convenio.words import N_

_CARDS = N_("The card of another member. Can be given several times.")
_CHARTER_OUT = N_("Write the charter there, to be given to the others; - is standard output.")


_other_roots = click.option(
    "--other-roots",
    multiple=True,
    metavar=N_("PARTY"),
    help=N_(
        "This party has told you by voice that it has new root keys: other ones than in a channel "
        "that is confirmed here. Can be given several times."
    ),
)


_member = click.argument("party", metavar=N_("PARTY"))


def _on_channel(function: Function) -> Function:
    """`on_node`, and CHANNEL as `channel`."""
    return on_node(click.argument("channel", metavar=N_("CHANNEL"))(function))


@click.group(
    "channel",
    cls=Group,
    help=N_(
        "Channels. One party proposes a charter, the others accept it, and people of both compare "
        "its fingerprint by voice before anything is said."
    ),
    epilog=examples("convenio channel list mx"),
)
def command() -> None:
    pass


@declare(
    "propose",
    help=N_("A new charter with the members' cards, signed by this party's root keys."),
    example=[
        "convenio channel propose mx --name framework --card us.card -o framework.charter",
        'convenio channel propose mx --name plan --title "The plan" --title-es "El plan" '
        "--card us.card --access public -o plan.charter",
    ],
)
@on_node
@click.option(
    "--name",
    required=True,
    metavar=N_("NAME"),
    help=N_("What people type: letters a to z, digits, hyphens."),
)
@click.option("--title", metavar=N_("TEXT"), help=N_("Title in English. [otherwise: the name]"))
@click.option(
    "--title-es", metavar=N_("TEXT"), help=N_("Title in Spanish. [otherwise: the English one]")
)
@click.option(
    "--card", "cards", type=EXISTING, multiple=True, required=True, metavar=N_("FILE"), help=_CARDS
)
@click.option(
    "--access",
    type=click.Choice(["members", "public"]),
    default="members",
    show_default=True,
    help=N_("Who may read the log and open contents."),
)
@click.option(
    "--purpose",
    type=click.Choice(["cooperation", "humanitarian", "test"]),
    default="cooperation",
    show_default=True,
    help=N_("What the channel is for; purposes are never mixed."),
)
@to_file(_CHARTER_OUT)
@_other_roots
@root_keys
@acting_keeper
def propose(
    shell: Shell,
    link: Link,
    name: str,
    title: str | None,
    title_es: str | None,
    cards: tuple[Path, ...],
    access: str,
    purpose: str,
    target: Path,
    other_roots: tuple[str, ...],
    root: tuple[Path, ...],
    root_passphrase_file: Path | None,
    person: str,
) -> None:
    if not is_channel_name(name):
        raise click.BadParameter(
            shell.text("1 to 40 letters a to z, digits and hyphens, beginning with a letter"),
            param_hint="--name",
        )
    title = title or name
    args = {
        "as": person,
        "name": name,
        "title_en": title,
        "title_es": title_es or title,
        "access": access,
        "purpose": purpose,
        "cards": len(cards),
        "other_roots": list(other_roots),
    }
    answer = _signed(shell, link, "channel.propose", args, cards, (root, root_passphrase_file))
    _give(shell, link, answer, target)


@declare(
    "accept",
    help=N_(
        "Take a charter, add this party's signatures if they are missing, and write it for the "
        "others. The proposer accepts it once more when all have signed."
    ),
    example=[
        "convenio channel accept us framework.charter -o framework.signed",
        "convenio channel accept mx framework.signed",
    ],
)
@on_node
@click.argument("charter", metavar=N_("CHARTER"), type=EXISTING)
@to_file(_CHARTER_OUT, required=False)
@_other_roots
@root_keys
@acting_keeper
def accept(
    shell: Shell,
    link: Link,
    charter: Path,
    target: Path | None,
    other_roots: tuple[str, ...],
    root: tuple[Path, ...],
    root_passphrase_file: Path | None,
    person: str,
) -> None:
    args: Answer = {"as": person, "other_roots": list(other_roots)}
    keys = (root, root_passphrase_file)
    answer = _signed(shell, link, "channel.accept", args, (charter,), keys)
    _give(shell, link, answer, target)


@declare(
    "confirm",
    help=N_(
        "Say that FINGERPRINT is what a person of the partner read to you, by telephone or face to "
        "face. Type what you heard, not what you see here: that is all that stops somebody who has "
        "exchanged keys on the way."
    ),
    example="convenio channel confirm mx framework 12345 67890 …",
)
@_on_channel
@click.argument("fingerprint", metavar=N_("FINGERPRINT"), nargs=-1)
@_other_roots
@acting_keeper
def confirm(
    shell: Shell,
    link: Link,
    channel: str,
    fingerprint: tuple[str, ...],
    other_roots: tuple[str, ...],
    person: str,
) -> None:
    typed = " ".join(fingerprint) or _ask_fingerprint(shell)
    args = {
        "as": person,
        "channel": channel,
        "fingerprint": typed,
        "other_roots": list(other_roots),
    }
    answer = link.call("channel.confirm", args)
    shell.answer(answer, lambda: shell.line(_confirmed(shell, answer["name"])))


@declare(
    "show",
    help=N_("A channel: its members, its signatures, its fingerprint and how to compare it."),
    example=[
        "convenio channel show mx framework",
        "convenio channel show mx framework -o framework.charter",
    ],
)
@_on_channel
@to_file(_CHARTER_OUT, required=False)
@looking
def show(shell: Shell, link: Link, channel: str, target: Path | None, person: str) -> None:
    args = {"as": person, "channel": channel}
    if target is None:
        answer = link.call("channel.show", args)
    else:
        with output(target) as file:
            answer = link.call("channel.show", args, [file.fileno()])
    if target != DASH:
        shell.answer(answer, lambda: _render(shell, link, answer))


@declare("list", help=N_("The channels of this node."), example="convenio channel list mx")
@on_node
@looking
def list_(shell: Shell, link: Link, person: str) -> None:
    answer = link.call("channel.list", {"as": person})
    rows = [
        [
            c["name"],
            _title(shell, c),
            ", ".join(p["party"] for p in c["parties"]),
            _access(shell, c),
            _state(shell, c),
        ]
        for c in answer["channels"]
    ]
    headings = [
        shell.text("Channel"),
        shell.text("Title"),
        shell.text("Members"),
        shell.text("Readers"),
        shell.text("State"),
    ]
    shell.answer(
        answer,
        lambda: shell.table(headings, rows) if rows else shell.line(shell.text("No channels yet.")),
    )


@declare(
    "route",
    help=N_(
        "Reach a member at another address than its card says. Who answers there must still have "
        "the keys of the card."
    ),
    example="convenio channel route mx framework us http://127.0.0.1:9000",
)
@_on_channel
@_member
@click.argument("url", metavar="URL")
@acting_keeper
def route(shell: Shell, link: Link, channel: str, party: str, url: str, person: str) -> None:
    args = {"as": person, "channel": channel, "party": party, "url": url}
    answer = link.call("channel.route", args)
    done = shell.text("{party} is reached at {url} from now on.", party=party, url=url)
    shell.answer(answer, lambda: shell.line(done))


@declare(
    "unroute",
    help=N_("Reach a member where its card says again, in place of another address."),
    example="convenio channel unroute mx framework us",
)
@_on_channel
@_member
@acting_keeper
def unroute(shell: Shell, link: Link, channel: str, party: str, person: str) -> None:
    args = {"as": person, "channel": channel, "party": party}
    answer = link.call("channel.unroute", args)
    url = next(each["url"] for each in answer["parties"] if each["party"] == party)
    done = shell.text("{party} is reached at {url} from now on.", party=party, url=url)
    shell.answer(answer, lambda: shell.line(done))


@declare(
    "compare",
    help=N_(
        "Hand the node a checkpoint or a proof that was found elsewhere: a signed checkpoint that "
        "somebody published, a receipt, a bundle, or the proof that a party has signed two "
        "histories. It is held against the log of that party here, as if the node had met it "
        "itself. If it is of another history, the proof is kept and the channel is frozen."
    ),
    example=[
        "convenio channel compare mx us.checkpoint",
        "convenio channel compare mx notice.zip",
    ],
)
@on_node
@click.argument("file", metavar=N_("FILE"), type=EXISTING)
@acting_keeper
def compare(shell: Shell, link: Link, file: Path, person: str) -> int:
    with input_file(file) as given, shell.waiting(shell.text("Comparing")):
        answer = link.call("channel.compare", {"as": person}, [given.fileno()])
    lines = [_compared(shell, each) for each in answer["compared"]]
    shell.answer(answer, lambda: shell.line("\n".join(lines)))
    split = any(each["found"] == "split" for each in answer["compared"])
    return exits.NOT_VERIFIED if split else exits.HOLDS


for each in (propose, accept, confirm, show, list_, route, unroute, compare):
    command.add_command(each)


# --- helpers -------------------------------------------------------------------------------------


def _roots(link: Link, given: Sequence[Path]) -> list[Path]:
    """The root keys given, else those that still lie in the node's directory."""
    return list(given) or sorted((link.directory / ROOTS).glob("*.age"))


# By what was found of a checkpoint that came from outside.
_COMPARED: Final = {
    "same": N_(
        "{channel}: the checkpoint of {party} at size {size} is of the history that is here."
    ),
    "ahead": N_(
        "{channel}: the checkpoint of {party} at size {size} is ahead of what is here, at size "
        "{held}. It is kept, and judged when the log has come so far; “status” shows an alarm if "
        "it is of another history."
    ),
    "crowded": N_(
        "{channel}: the checkpoint of {party} at size {size} is far ahead of what is here, at size "
        "{held}, and as many nearer ones as can be are kept already. It is not kept: give it again "
        "later."
    ),
    "split": N_(
        "{channel}: ALARM: {party} has signed two histories. The proof is kept, and the channel is "
        "frozen: what comes now is kept and countersigned, and changes nothing. Call the other "
        "members by voice."
    ),
}


def _compared(shell: Shell, each: Answer) -> str:
    shown = {**each, "size": f"{each['size']:,}", "held": f"{each['held']:,}"}
    return shell.text(_COMPARED[each["found"]], **shown)


def _signed(
    shell: Shell,
    link: Link,
    do: str,
    args: Answer,
    given: Sequence[Path],
    keys: tuple[Sequence[Path], Path | None],
) -> Answer:
    """What the node answers, our root keys having signed if they must.

    It is asked without them first: what it refuses, it refuses before anybody is asked for their
    passphrase.  keys: the files that were named, and that of the passphrase.
    """
    root, file = keys
    try:
        return _with_files(shell, link, do, args, given)
    except QuorumError as error:
        if error.code != "channel.roots":
            raise
    signing = {**args, "root_passphrase": _root_phrase(shell, file)}
    return _with_files(shell, link, do, signing, [*given, *_roots(link, root)])


def _root_phrase(shell: Shell, file: Path | None) -> str:
    return passphrase(shell, file, shell.text("Passphrase of the root keys"), ROOT_PASSPHRASE_FILE)


def _with_files(shell: Shell, link: Link, do: str, args: Answer, paths: Sequence[Path]) -> Answer:
    with ExitStack() as stack:
        files = [stack.enter_context(input_file(path)) for path in paths]
        link.ready()
        with shell.waiting(shell.text("Signing the charter")):
            return link.call(do, args, [file.fileno() for file in files])


def _give(shell: Shell, link: Link, answer: Answer, target: Path | None) -> None:
    """The charter goes to its file; the person hears what comes next."""
    if target is not None:
        with output(target) as file:
            file.write(answer["charter"].encode())
    if target == DASH:
        return
    shell.answer(answer, lambda: _render_given(shell, link, answer, target))


def _render_given(shell: Shell, link: Link, answer: Answer, target: Path | None) -> None:
    if target is not None:
        shell.line(shell.text("The charter is in {file}.", file=target))
    if answer["missing"]:
        shell.line(
            shell.text(
                "Signatures are missing of: {parties}. Give them the file; they answer with "
                "“convenio channel accept”.",
                parties=", ".join(answer["missing"]),
            )
        )
    elif target is not None:
        shell.line(
            shell.text(
                "All have signed. Give the file back to the others, who take it with “convenio "
                "channel accept”."
            )
        )
    if answer["missing"]:
        return
    if answer["confirmed_at"]:
        shell.line(_confirmed(shell, answer["name"]))
    else:
        _render_fingerprint(shell, link, answer)


def _confirmed(shell: Shell, name: str) -> str:
    return shell.text("The channel {channel} is confirmed on this node.", channel=name)


def _ask_fingerprint(shell: Shell) -> str:
    return str(click.prompt(shell.text("The digits the other side read to you"), err=True))


def _render(shell: Shell, link: Link, channel: Answer) -> None:
    name, title = channel["name"], _title(shell, channel)
    shell.line(f"{name}: {title}" if title != name else name)
    shell.line(f"{_access(shell, channel)}. {_state(shell, channel)}.")
    rows = [
        [
            party["party"],
            party["name"][shell.words.lang],
            party["url"],
            str(channel["signed"][party["party"]]),
            " ".join(f"{party['party']}:{desk['alias']}" for desk in party["desks"]),
        ]
        for party in channel["parties"]
    ]
    headings = [
        shell.text("Party"),
        shell.text("Name"),
        shell.text("Address"),
        shell.text("Root signatures"),
        shell.text("Desks"),
    ]
    shell.table(headings, rows)
    for party, url in channel["routes"].items():
        shell.line(
            shell.text("{party} is reached at {url}, not as its card says.", party=party, url=url)
        )
    _render_fingerprint(shell, link, channel)


def _render_fingerprint(shell: Shell, link: Link, channel: Answer) -> None:
    shell.line(shell.text("Fingerprint of {channel}:", channel=channel["name"]))
    groups = channel["fingerprint"].split()
    for start in range(0, len(groups), 4):
        shell.line("    " + "  ".join(groups[start : start + 4]))
    if channel["missing"]:
        shell.line(shell.text("It is compared when all have signed."))
        return
    if not channel["confirmed_at"]:
        shell.line(
            shell.text(
                "Call somebody you know at the other party, on a number you had before. Each reads "
                "the digits to the other; each types what was heard:"
            )
        )
        shell.line(
            f"    convenio channel confirm {shlex.quote(str(link.directory))} {channel['name']}"
        )
    shell.line(shell.text("For “verify --trust”: {hash}", hash=channel["ch"]))


def _title(shell: Shell, channel: Answer) -> str:
    return str(channel["title"][shell.words.lang])


def _access(shell: Shell, channel: Answer) -> str:
    public = channel["access"] == "public"
    return shell.text("Everyone may read") if public else shell.text("Only members may read")


def _state(shell: Shell, channel: Answer) -> str:
    if channel["frozen_at"]:
        parties = ", ".join(channel["split"])
        return shell.text("Frozen: two histories are signed by {parties}", parties=parties)
    if channel["missing"]:
        return shell.text("Not signed yet by: {parties}", parties=", ".join(channel["missing"]))
    if channel["confirmed_at"]:
        at = shell.words.time(channel["confirmed_at"])
        return shell.text("Confirmed {at} by {person}", at=at, person=channel["confirmed_by"])
    if channel["in_force"]:
        return shell.text("In force; the fingerprint was not compared")
    return shell.text("Waits for the fingerprint to be compared")
