"""Charters: listed, proposed, accepted, confirmed."""

from __future__ import annotations

from dataclasses import asdict
from typing import Final

from convenio.core.card import Text
from convenio.core.errors import MalformedError
from convenio.core.trust import fingerprint
from convenio.node.commands.args import (
    Args,
    Command,
    number_of,
    opened,
    text_of,
    texts_of,
    viewer_of,
)
from convenio.node.commands.doors import enters, governs, looks_at_channel
from convenio.node.control import Answer, Progress
from convenio.node.keys import open_root
from convenio.node.local import ActOnRecord, Channel
from convenio.node.outside import Outside
from convenio.node.viewing import may_look_at
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


def _channels(node: Node, args: Args, _files: list[int], _progress: Progress) -> Answer:
    """The channels this person may look at."""
    person = viewer_of(node, args)
    shown = [each for each in node.registry.channels() if may_look_at(person, each)]
    return {"channels": [channel_json(node, channel) for channel in shown]}


def _channel_show(node: Node, args: Args, files: list[int], _progress: Progress) -> Answer:
    channel = node.local.channel(text_of(args, "channel"))
    if files:
        with opened(files, 0, "wb") as out:
            out.write(channel.signed.note.encode())
    return {**channel_json(node, channel), "routes": _routes(node, channel)}


def _routes(node: Node, channel: Channel) -> dict[str, str]:
    """The members that are reached elsewhere than their cards say, and where."""
    known = node.local.routes()
    return {party: url for (ch, party), url in known.items() if ch == channel.ch}


def _propose(node: Node, args: Args, files: list[int], _progress: Progress) -> Answer:
    """Files: the other members' cards, then our root keys (none if it is only asked whether all
    else is well), `cards` says how many cards."""
    cards = number_of(args, "cards", 1, 15)
    contents = _contents(files)
    phrase = text_of(args, "root_passphrase", "")
    signed = node.channels.propose(
        text_of(args, "as"),
        name=text_of(args, "name"),
        title=Text(text_of(args, "title_en"), text_of(args, "title_es")),
        cards=contents[:cards],
        access=text_of(args, "access", "members"),
        purpose=text_of(args, "purpose", "cooperation"),
        roots=[open_root(each, phrase) for each in contents[cards:]],
        other_roots=texts_of(args, "other_roots"),
    )
    return _with_note(node, signed.charter.ch)


def _accept(node: Node, args: Args, files: list[int], _progress: Progress) -> Answer:
    """Files: the charter, then our root keys (none if only signatures are brought home)."""
    charter, *roots = _contents(files)
    phrase = text_of(args, "root_passphrase", "")
    signed = node.channels.accept(
        text_of(args, "as"),
        charter,
        [open_root(each, phrase) for each in roots],
        texts_of(args, "other_roots"),
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
            text_of(args, "as"),
            text_of(args, "channel"),
            text_of(args, "fingerprint"),
            texts_of(args, "other_roots"),
        ),
    )


def _route(node: Node, args: Args, _files: list[int], _progress: Progress) -> Answer:
    channel, party, url = (text_of(args, key) for key in ("channel", "party", "url"))
    node.channels.route(text_of(args, "as"), channel, party, url)
    return channel_json(node, node.local.channel(channel))


def _unroute(node: Node, args: Args, _files: list[int], _progress: Progress) -> Answer:
    channel, party = text_of(args, "channel"), text_of(args, "party")
    node.channels.unroute(text_of(args, "as"), channel, party)
    return channel_json(node, node.local.channel(channel))


def _compare(node: Node, args: Args, files: list[int], _progress: Progress) -> Answer:
    """Files: a checkpoint, a receipt, a bundle or a split-view proof, from anywhere."""
    person, now = text_of(args, "as"), int(node.clock())
    outside = Outside(node.registry, node.store, node.mirror.histories)
    with opened(files, 0, "rb") as file:
        compared = outside.compare(file)
    for each in compared:
        ch, origin = each.log.channel.ch, each.log.origin
        node.local.note_act(ActOnRecord(now, person, "channel.compare", ch, origin, each.found))
    return {
        "compared": [
            {
                "channel": each.log.channel.name,
                "party": each.log.party,
                "origin": each.log.origin,
                "size": each.size,
                "held": each.held,
                "found": each.found,
            }
            for each in compared
        ]
    }


COMMANDS: Final[dict[str, Command]] = {
    "channel.list": Command(enters, _channels),
    "channel.show": Command(looks_at_channel, _channel_show),
    "channel.propose": Command(governs, _propose),
    "channel.accept": Command(governs, _accept),
    "channel.confirm": Command(governs, _confirm),
    "channel.route": Command(governs, _route),
    "channel.unroute": Command(governs, _unroute),
    "channel.compare": Command(governs, _compare, lasts=True),
}
