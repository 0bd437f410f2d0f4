"""`convenio say`: one record, or a batch of them."""

from __future__ import annotations

import os
import secrets
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click

from convenio.cli.command import command as declare
from convenio.cli.files import DASH, input_file, media_of
from convenio.cli.link import Link
from convenio.cli.options import Duration, Hex, acting, in_channel, on_node
from convenio.cli.shell import Answer, Shell
from convenio.cli.showing import delivery_text
from convenio.core.errors import RefusedError, UnavailableError
from convenio.instruments.builtin import BUILTIN
from convenio.words import N_

_FILE = click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path)
_CAVEATS = ("clear", "green", "amber", "amber_strict", "red")


@declare(
    "say",
    help=N_(
        "Say something in a channel. When this returns the record is signed and safe in this "
        "party's log; the partner's countersignature follows when its node is reached. Saying the "
        "same again under the same id is said once."
    ),
    example=[
        "convenio say mx --as ana --channel framework --to us:liaison --type notice.v1 "
        "--body notice.txt --wait-receipt 30",
        "echo Hello | convenio say mx --as ana --channel framework --to us:liaison --body -",
        "convenio say mx --as ana --channel plan --type figure.v1 --open --batch figures.ndjson",
    ],
)
@on_node
@acting
@in_channel
@click.option(
    "--to",
    multiple=True,
    metavar=N_("PARTY:DESK"),
    help=N_("A desk it is for. Can be given several times."),
)
@click.option(
    "--type",
    "type_",
    default="statement.v1",
    show_default=True,
    metavar=N_("TYPE"),
    help=N_("What kind of record it is."),
)
@click.option(
    "--body", type=_FILE, metavar=N_("FILE"), help=N_("The content; - is standard input.")
)
@click.option(
    "--attach",
    type=_FILE,
    multiple=True,
    metavar=N_("FILE"),
    help=N_("A further content, kept with its file name. Can be given several times."),
)
@click.option(
    "--batch",
    type=_FILE,
    metavar=N_("FILE"),
    help=N_(
        'One record a line: {"text": …} or {"json": …}, and what differs from the options. '
        "The same file said twice is said once."
    ),
)
@click.option(
    "--open", "open_", is_flag=True, help=N_("Plain to the channel instead of sealed to the desks.")
)
@click.option(
    "--media",
    metavar=N_("MEDIA-TYPE"),
    help=N_("Kind of the content, such as text/plain. [otherwise: from the file name]"),
)
@click.option(
    "--body-lang",
    default="",
    metavar=N_("LANGUAGE"),
    help=N_("Language of the content, such as es."),
)
@click.option(
    "--desk",
    default="",
    metavar=N_("DESK"),
    help=N_("The desk that speaks, for a person with several."),
)
@click.option(
    "--id",
    "id_",
    type=Hex(32),
    metavar="HEX",
    help=N_("32 hex digits of your own, so that trying again is safe."),
)
@click.option(
    "--case",
    default="",
    metavar=N_("RECORD"),
    help=N_("The record that opened the case this belongs to."),
)
@click.option(
    "--instrument",
    type=click.Choice([each.name for each in BUILTIN]),
    help=N_("Opens a case of this kind."),
)
@click.option(
    "--act",
    default="",
    metavar=N_("ACT"),
    help=N_("What this does in the case, such as ask or answer."),
)
@click.option(
    "--due-in",
    type=Duration(),
    default=0,
    metavar=N_("TIME"),
    help=N_("How long the other side has, such as 12h or 3d."),
)
@click.option(
    "--caveat", type=click.Choice(_CAVEATS), default=None, help=N_("How it may be handled.")
)
@click.option(
    "--wait-receipt",
    type=click.IntRange(1, 86_400),
    metavar=N_("SECONDS"),
    help=N_("Wait until every addressee has all of it."),
)
def command(
    shell: Shell,
    link: Link,
    person: str,
    channel: str,
    to: tuple[str, ...],
    type_: str,
    body: Path | None,
    attach: tuple[Path, ...],
    batch: Path | None,
    open_: bool,
    media: str | None,
    body_lang: str,
    desk: str,
    id_: str | None,
    case: str,
    instrument: str | None,
    act: str,
    due_in: int,
    caveat: str | None,
    wait_receipt: int | None,
) -> None:
    _check(shell, body, attach, batch, id_)
    if wait_receipt:
        link.require_running()
    args = {
        "as": person,
        "channel": channel,
        "to": list(to),
        "type": type_,
        "desk": desk,
        "open": open_,
        "case": _case(link, person, channel, case),
        "inst": next((each.hash for each in BUILTIN if each.name == instrument), ""),
        "act": act,
        "due_in": due_in,
        "cav": caveat or "",
    }
    if batch is not None:
        _say_batch(shell, link, args, batch)
    else:
        args["id"] = id_ or secrets.token_hex(16)
        said = _say(shell, link, args, _contents(body, attach, media, body_lang))
        _answer(shell, link, args, said, wait_receipt)


def _check(
    shell: Shell, body: Path | None, attach: tuple[Path, ...], batch: Path | None, id_: str | None
) -> None:
    """What Click cannot say of several options together."""
    if batch is not None and (body is not None or attach or id_):
        raise click.UsageError(shell.text("--batch brings its own contents and ids."))
    if [body, *attach].count(DASH) > 1:
        raise click.UsageError(shell.text("Standard input can be read once."))


def _case(link: Link, person: str, channel: str, name: str) -> str:
    """The full hash of the record that opened a case."""
    if not name:
        return ""
    record = link.call("record", {"as": person, "record": name, "channel": channel})
    return str(record["case"] or record["leaf"])


def _contents(
    body: Path | None, attach: tuple[Path, ...], media: str | None, lang: str
) -> list[tuple[Path, Answer]]:
    contents = []
    if body is not None:
        contents.append((body, {"media": media or media_of(body.name), "name": "", "lang": lang}))
    contents += [
        (path, {"media": media_of(path.name), "name": path.name, "lang": ""}) for path in attach
    ]
    return contents


def _say(
    shell: Shell, link: Link, args: dict[str, Any], contents: list[tuple[Path, Answer]]
) -> Answer:
    if not contents and not args.get("act"):
        raise RefusedError("say.empty")
    with ExitStack() as stack:
        files = [stack.enter_context(input_file(path)).fileno() for path, _ in contents]
        if any(os.fstat(file).st_size == 0 for file in files):
            raise RefusedError("say.empty")
        link.ready()
        try:
            with shell.waiting(shell.text("Saying")):
                return link.call("say", {**args, "bodies": [label for _, label in contents]}, files)
        except UnavailableError as error:
            # Whether it was said is not known; under this id it can be said again and is once.
            error.parameters.setdefault("id", args["id"])
            raise


def _answer(
    shell: Shell, link: Link, args: dict[str, Any], said: Answer, wait_s: int | None
) -> None:
    value = {**said, "id": args["id"]}
    if wait_s:
        waiting = shell.text("Waiting for the receipt")
        try:
            with shell.progress(waiting):
                asked = {"as": args["as"], "channel": args["channel"], "leaf": said["leaf"]}
                waited = link.call("wait", {**asked, "seconds": wait_s}, patience_s=wait_s + 60)
        except KeyboardInterrupt:  # only the waiting has ended
            _said_so_far(shell, value)
            shell.advise(
                shell.text("It is said and will be delivered; it cannot be taken back by stopping.")
            )
            raise
        except UnavailableError as error:
            _said_so_far(shell, value)
            error.parameters.setdefault("record", said["place"])
            error.parameters.setdefault("leaf", said["leaf"])
            raise
        if not waited["done"]:
            _said_so_far(shell, value)
            raise UnavailableError(
                "say.no_receipt", record=said["place"], leaf=said["leaf"], seconds=wait_s
            )
        value["delivery"] = waited["record"]["delivery"]
    shell.answer(value, lambda: _render(shell, value, running=bool(wait_s) or link.running()))


def _said_so_far(shell: Shell, said: Answer) -> None:
    """What a person must know of a record though the command fails. Scripts have the error."""
    if not shell.as_json:
        _render(shell, said, running=True)


def _render(shell: Shell, said: Answer, *, running: bool) -> None:
    place, leaf = said["place"], said["leaf"]
    if said["known"]:
        shell.line(shell.text("It was said before, as {place}: {leaf}", place=place, leaf=leaf))
    else:
        shell.line(shell.text("Said, as {place}: {leaf}", place=place, leaf=leaf))
    for each in said.get("delivery", []):
        shell.line(delivery_text(shell, each))
    if not running:
        shell.advise(
            shell.text("The node is not running: it is delivered when “convenio serve” runs.")
        )


def _say_batch(shell: Shell, link: Link, args: dict[str, Any], batch: Path) -> None:
    with input_file(batch) as file, shell.progress(shell.text("Saying")) as progress:
        answer = link.call("say.batch", args, [file.fileno()], progress)
    shell.answer(answer, lambda: _render_batch(shell, answer))


def _render_batch(shell: Shell, answer: Answer) -> None:
    said = shell.words.plural(
        "{n} record is in the log", "{n} records are in the log", answer["accepted"]
    )
    known = shell.words.plural("{n} was there before", "{n} were there before", answer["known"])
    shell.line(
        f"{said}: {answer['first']} – {answer['last']} ({known})" if answer["accepted"] else said
    )
