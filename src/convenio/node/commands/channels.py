"""Charters: listed, proposed, accepted, confirmed."""

from __future__ import annotations

from dataclasses import asdict
from typing import Final

from convenio.core.errors import MalformedError
from convenio.core.trust import Text, fingerprint
from convenio.node.commands.args import (
    Args,
    Command,
    number_of,
    opened,
    text_of,
)
from convenio.node.control import Answer, Progress
from convenio.node.keys import open_root
from convenio.node.local import Channel
from convenio.node.wiring import Node


def channel_json(node: Node, channel: Channel) -> Answer:
    """split: the parties of which evidence is kept that they have signed two histories."""
    charter = channel.signed.charter
    return {
        "name": channel.name,
        "ch": channel.ch,
        "fingerprint": fingerprint(channel.ch),
        "title": asdict(charter.title),
        "access": charter.access,
        "purpose": charter.purpose,
        "signed": channel.signed.signed_by(),
        "missing": list(channel.signed.missing()),
        "confirmed_at": channel.confirmed_at,
        "confirmed_by": channel.confirmed_by,
        "frozen_at": channel.frozen_at,
        "split": split_parties(node, channel),
        "in_force": channel.in_force and not channel.frozen_at,
        "parties": [
            {
                "party": card.party,
                "name": asdict(card.name),
                "domain": card.domain,
                "url": card.roster.url,
                "origin": charter.origin(card.party),
                "desks": [
                    {"id": d.id, "alias": d.alias, "name": asdict(d.name)}
                    for d in card.roster.desks
                ],
            }
            for card in charter.parties
        ],
    }


def split_parties(node: Node, channel: Channel) -> list[str]:
    return [log.party for log in node.registry.logs(channel.ch) if log.split]


def _channels(node: Node, _args: Args, _files: list[int], _progress: Progress) -> Answer:
    return {"channels": [channel_json(node, channel) for channel in node.registry.channels()]}


def _channel_show(node: Node, args: Args, files: list[int], _progress: Progress) -> Answer:
    channel = node.local.channel(text_of(args, "channel"))
    if files:
        with opened(files, 0, "wb") as out:
            out.write(channel.signed.note.encode())
    return channel_json(node, channel)


def _propose(node: Node, args: Args, files: list[int], _progress: Progress) -> Answer:
    """Files: the other members' cards, then our root keys, `cards` says how many cards."""
    cards = number_of(args, "cards", 1, 15)
    contents = _contents(files)
    phrase = text_of(args, "root_passphrase")
    signed = node.channels.propose(
        text_of(args, "as"),
        name=text_of(args, "name"),
        title=Text(text_of(args, "title_en"), text_of(args, "title_es")),
        cards=contents[:cards],
        access=text_of(args, "access", "members"),
        purpose=text_of(args, "purpose", "cooperation"),
        roots=[open_root(each, phrase) for each in contents[cards:]],
    )
    return _with_note(node, signed.charter.ch)


def _accept(node: Node, args: Args, files: list[int], _progress: Progress) -> Answer:
    """Files: the charter, then our root keys (none if only signatures are brought home)."""
    charter, *roots = _contents(files)
    phrase = text_of(args, "root_passphrase", "")
    signed = node.channels.accept(
        text_of(args, "as"), charter, [open_root(each, phrase) for each in roots]
    )
    return _with_note(node, signed.charter.ch)


def _with_note(node: Node, ch: str) -> Answer:
    channel = node.local.channel(ch)
    return {**channel_json(node, channel), "charter": channel.signed.note.encode().decode()}


def _contents(files: list[int]) -> list[bytes]:
    contents = []
    for place in range(len(files)):
        with opened(files, place, "rb") as file:
            contents.append(file.read(1 << 20))
    if not contents:
        raise MalformedError("command.argument", argument="file")
    return contents


def _confirm(node: Node, args: Args, _files: list[int], _progress: Progress) -> Answer:
    return channel_json(
        node,
        node.channels.confirm(
            text_of(args, "as"), text_of(args, "channel"), text_of(args, "fingerprint")
        ),
    )


def _route(node: Node, args: Args, _files: list[int], _progress: Progress) -> Answer:
    channel, party, url = (text_of(args, key) for key in ("channel", "party", "url"))
    node.channels.route(text_of(args, "as"), channel, party, url)
    return channel_json(node, node.local.channel(channel))


COMMANDS: Final[dict[str, Command]] = {
    "channel.list": _channels,
    "channel.show": _channel_show,
    "channel.propose": _propose,
    "channel.accept": _accept,
    "channel.confirm": _confirm,
    "channel.route": _route,
}
