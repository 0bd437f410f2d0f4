"""Records as people read them: desks by alias, how far a record has come, in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from convenio.cli.shell import Answer, Shell
from convenio.core.record import SPLIT
from convenio.words.names import kind_of

if TYPE_CHECKING:  # `verify` shows records too, and starts without the way to a node
    from convenio.cli.link import Link

_SHORT = 12  # digits of a leaf hash: enough to name it, short enough for a table


class Desks:
    """Addresses in a channel, by alias instead of opaque id."""

    def __init__(self, channel: Answer) -> None:
        self._names = {
            f"{party['party']}:{desk['id']}": f"{party['party']}:{desk['alias']}"
            for party in channel["parties"]
            for desk in party["desks"]
        }

    @classmethod
    def of(cls, link: Link, channel: str, person: str | None) -> Desks:
        return cls(link.call("channel.show", {"as": person, "channel": channel}))

    def name(self, address: str) -> str:
        return self._names.get(address, address)

    def names(self, addresses: Sequence[str]) -> str:
        return ", ".join(self.name(each) for each in addresses)


def short(leaf: str) -> str:
    """The digits people use to name a record."""
    return leaf[:_SHORT]


def delivery_text(shell: Shell, delivered: Answer) -> str:
    """How far a record has come with one member."""
    party, at = delivered["party"].upper(), delivered["cosigned_at"]
    since = shell.words.time(at) if at else ""
    if delivered["state"] == "received":
        received = shell.words.time(delivered["received_at"])
        return shell.text("{party}: there, all of it, {at}", party=party, at=received)
    if delivered["state"] == "cosigned":
        return shell.text("{party}: stored and countersigned {at}", party=party, at=since)
    if delivered["state"] == "lacking":
        return shell.text(
            "{party}: countersigned {at}, content still missing", party=party, at=since
        )
    return shell.text("{party}: not yet countersigned", party=party)


def kind_text(shell: Shell, record: Answer) -> str:
    """What a record is, with its act if it has one; an alarm says about whom."""
    if record["type"] == SPLIT:
        party = record["data"]["of"]
        return shell.text("ALARM: proof that {party} has signed two histories", party=party)
    return kind_of(record["type"], record["act"], shell.words)


def record_lines(shell: Shell, record: Answer, desks: Desks) -> list[str]:
    """A record in full."""
    words = shell.words
    code = f"{record['type']} {record['act']}".strip()
    authors = desks.names([f"{record['from']}:{desk}" for desk in record["desks"]])
    lines = [
        shell.text(
            "Record {place} in {channel}, {leaf}",
            place=record["place"],
            channel=record["channel"],
            leaf=record["leaf"],
        ),
        shell.text(
            "Said {at} by {author} to {to}",
            at=words.time(record["at"]),
            author=authors,
            to=desks.names(record["to"]) or "–",
        ),
        shell.text("Type: {type}", type=f"{kind_text(shell, record)} [{code}]"),
    ]
    if record["case"] and record["case"] != record["leaf"]:
        lines.append(shell.text("Case: {case}", case=short(record["case"])))
    lines += [_body_line(shell, part, body, desks) for part, body in enumerate(record["bodies"])]
    return lines + [delivery_text(shell, each) for each in record["delivery"]]


def _body_line(shell: Shell, part: int, body: Answer, desks: Desks) -> str:
    size = f"{body['bytes']:,}"
    here = shell.text("here") if body["here"] else shell.text("not here")
    if body["form"] == "open":
        return shell.text(
            "Content {part}: {size} bytes, open to the channel, {here}",
            part=part,
            size=size,
            here=here,
        )
    return shell.text(
        "Content {part}: {size} bytes, sealed to {to}, {here}",
        part=part,
        size=size,
        to=desks.names(body["to"]),
        here=here,
    )
