"""How the node fares, whether its store is sound, and its logs as plain files."""

from __future__ import annotations

from dataclasses import asdict
from typing import Final

from convenio.node import setup
from convenio.node.commands.args import (
    Args,
    Command,
    number_of,
    opened,
    text_of,
    viewer_of,
)
from convenio.node.commands.channels import split_parties
from convenio.node.commands.doors import audits, governs, tends
from convenio.node.control import Answer, Progress
from convenio.node.doctor import examine
from convenio.node.local import Channel
from convenio.node.registry import Log
from convenio.node.viewing import may_look_at
from convenio.node.wiring import Node
from convenio.store.durable import write_file
from convenio.store.export import CHECKPOINT, export_log


def _status(node: Node, args: Args, _files: list[int], _progress: Progress) -> Answer:
    """How each channel stands: our log, each partner's log here, what waits, what is wrong.

    Names, counts and codes. A person who is named is told of the channels they may look at.
    """
    person, channels = viewer_of(node, args), node.registry.channels()
    if person is not None:
        channels = [channel for channel in channels if may_look_at(person, channel)]
    return {
        "party": node.party,
        "url": node.card.roster.url,
        "now": int(node.clock()),
        "channels": [channel_status(node, channel) for channel in channels],
        "evidence": [
            {"origin": e.origin, "kind": e.kind, "at": e.at} for e in node.store.evidence()
        ],
    }


def channel_status(node: Node, channel: Channel) -> Answer:
    feeds = {feed.party: feed for feed in node.feeds() if feed.ch == channel.ch}
    ch, cut = channel.ch, node.folding.cut(channel.ch)
    waits, members = node.folding.waits(ch), []
    for log in node.registry.logs(ch):
        head, feed = node.store.head(log.origin), feeds.get(log.party)
        members.append(
            {
                "party": log.party,
                "own": log.own,
                "origin": log.origin,
                "entries": head.size,
                "folded": cut.get(log.party, 0),
                "unfit": len(node.folding.unfit(ch, log.party)),
                "cosigned": _latest_cosignature(node, channel, log),
                "waits_for": asdict(waits[log.party]) if log.party in waits else None,
                "feed": asdict(feed) if feed else None,
            }
        )
    return {
        "name": channel.name,
        "in_force": channel.in_force,
        "missing": list(channel.signed.missing()),
        "confirmed_at": channel.confirmed_at,
        "frozen_at": channel.frozen_at,
        "split": split_parties(node, channel),
        "alarms": [
            {"by": a.place.party, "about": a.about, "size": a.size} for a in node.folding.alarms(ch)
        ],
        "differ": node.folding.differ(ch),
        "members": members,
    }


def _latest_cosignature(node: Node, channel: Channel, log: Log) -> Answer | None:
    """How much of our log this member's mirror has cosigned, and when it says it did."""
    if log.own:
        return None
    own = node.registry.own_log(channel.ch)
    name = log.charter.member(log.party).mirror_verifiers()[0].name
    latest = node.store.latest_cosignature(own.origin, name)
    return {"size": latest.size, "at": latest.at} if latest else {"size": 0, "at": 0}


def _fsck(node: Node, _args: Args, _files: list[int], progress: Progress) -> Answer:
    """Everything derived again from the entries, and every blob hashed."""
    findings = [
        {"origin": f.origin, "code": f.code, "index": f.index}
        for f in node.store.check(lambda _origin, done, total: progress(done, total))
    ]
    findings += [
        {"origin": "", "code": "check.blob", "blob": str(place)} for place in node.blobs.check()
    ]
    return {"findings": findings, "clean": not findings}


def _doctor(node: Node, _args: Args, _files: list[int], _progress: Progress) -> Answer:
    found = [asdict(finding) for finding in examine(node)]
    return {"findings": found, "grave": sum(finding["grave"] for finding in found)}


def _card(node: Node, _args: Args, files: list[int], _progress: Progress) -> Answer:
    """Our card, as a file to be given to a partner."""
    with opened(files, 0, "wb") as out:
        out.write((node.path / setup.CARD).read_bytes())
    return {"party": node.party, "url": node.card.roster.url}


def _export(node: Node, args: Args, _files: list[int], progress: Progress) -> Answer:
    """Every log and mirror of a channel (or of all) as plain files other people's tools read."""
    name = text_of(args, "channel", "")
    logs = node.registry.logs(node.registry.channel(name).ch if name else None)
    made = []
    for done, log in enumerate(logs):
        progress(done, len(logs))
        made.append(_exported(node, log))
    return {"logs": made}


def _exported(node: Node, log: Log) -> Answer:
    folder = node.path / setup.TILES / log.key
    if log.own:
        node.publisher.publish(log.origin)
    head = export_log(node.store, log.origin, folder)
    if head.size:
        checkpoint = log_checkpoint(node, log)
        write_file(folder / CHECKPOINT, checkpoint, 0o644)
        write_file(folder / "charter.note", log.channel.signed.note.encode(), 0o644)
    return {"folder": str(folder), "origin": log.origin, "party": log.party, "entries": head.size}


def log_checkpoint(node: Node, log: Log) -> bytes:
    """The head with every cosignature over it that we have: ours, or those of the partners."""
    if not log.own:
        return node.mirror.checkpoint(log)
    head = node.store.head(log.origin)
    taken = node.store.cosignatures(log.origin, head.size, max_size=head.size)
    lines = {c.key_id: c.line for c in taken if c.size == head.size and c.name != log.origin}
    return head.checkpoint + b"".join(lines.values())


def _acts(node: Node, args: Args, _files: list[int], _progress: Progress) -> Answer:
    """Who did what here: for keepers and auditors."""
    return {"acts": [asdict(act) for act in node.local.acts(number_of(args, "limit", 100, 10_000))]}


COMMANDS: Final[dict[str, Command]] = {
    "status": Command(tends, _status),
    "fsck": Command(tends, _fsck, lasts=True),
    "doctor": Command(tends, _doctor),
    "card": Command(tends, _card),
    "export": Command(governs, _export, lasts=True),
    "acts": Command(audits, _acts),
}
