"""What a keeper should look at: each finding a stable code, how grave it is, and parameters.

Nothing is repaired here. Codes have their sentences in `words`; grave means that something is not
being delivered, or must not be trusted, until somebody acts.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from convenio.node import setup
from convenio.node.local import Channel
from convenio.node.wiring import Node
from convenio.store.derived import kept_aside

MIN_FREE_BYTES: Final = 1 << 30
STALE_S: Final = 86_400


@dataclass(frozen=True, slots=True)
class Finding:
    """code: doctor.*. grave: act now; else a piece of advice."""

    code: str
    grave: bool
    parameters: dict[str, str | int] = field(default_factory=dict)


def examine(node: Node) -> list[Finding]:
    """All findings, the grave ones first."""
    found = [*_directory(node), *_evidence(node), *_people(node)]
    for channel in node.registry.channels():
        found += _channel(node, channel)
    return sorted(found, key=lambda finding: not finding.grave)


def _directory(node: Node) -> Iterator[Finding]:
    free = shutil.disk_usage(node.path).free
    if free < MIN_FREE_BYTES:
        yield Finding("doctor.disk", True, {"free_mb": free >> 20})
    if (node.path / setup.ROOTS).is_dir() and any((node.path / setup.ROOTS).iterdir()):
        yield Finding("doctor.roots_here", False, {"folder": setup.ROOTS})
    for name in kept_aside(node.path):
        yield Finding("doctor.set_aside", False, {"file": name})
    for name in (setup.KEYS, setup.LOG, setup.LOCAL):
        if (node.path / name).stat().st_mode & 0o077:
            yield Finding("doctor.open_file", True, {"file": name})


def _evidence(node: Node) -> Iterator[Finding]:
    for piece in node.store.evidence():
        yield Finding("doctor.evidence", True, {"origin": piece.origin, "kind": piece.kind})


def _people(node: Node) -> Iterator[Finding]:
    if not any(person.active and person.desks for person in node.local.people()):
        yield Finding("doctor.nobody_at_a_desk", False)


def _channel(node: Node, channel: Channel) -> Iterator[Finding]:
    name = channel.name
    if missing := channel.signed.missing():
        yield Finding("doctor.unsigned", False, {"channel": name, "party": ", ".join(missing)})
        return
    if not channel.confirmed_at:
        yield Finding("doctor.unconfirmed", not channel.in_force, {"channel": name})
    if channel.frozen_at:
        split = (log.party for log in node.registry.logs(channel.ch) if log.split)
        yield Finding("doctor.frozen", True, {"channel": name, "party": ", ".join(split)})
    for alarm in node.folding.alarms(channel.ch):
        parties: dict[str, str | int] = {"by": alarm.place.party, "about": alarm.about}
        yield Finding("doctor.alarm", True, {"channel": name, **parties})
    for member in node.folding.differ(channel.ch):
        yield Finding("doctor.states_differ", True, {"channel": name, "party": member})
    for party, wait in node.folding.waits(channel.ch).items():
        yield Finding("doctor.waits", False, {"party": party, "for": wait.party})
    for log in node.registry.logs(channel.ch):
        if unfit := len(node.folding.unfit(channel.ch, log.party)):
            yield Finding("doctor.unfit", False, {"party": log.party, "entries": unfit})
    yield from _feeds(node, channel)


def _feeds(node: Node, channel: Channel) -> Iterator[Finding]:
    now, size = int(node.clock()), node.store.head(node.registry.own_log(channel.ch).origin).size
    for feed in node.feeds():
        if feed.ch != channel.ch:
            continue
        said: dict[str, str | int] = {"party": feed.party, "channel": channel.name}
        if feed.failures:
            waiting = size - feed.cosigned
            said = {**feed.parameters, **said, "why": feed.error}
            if waiting:
                yield Finding("doctor.undelivered", True, {**said, "entries": waiting})
            else:
                yield Finding("doctor.unreached", False, said)
            if skew := feed.parameters.get("skew_s"):
                yield Finding("doctor.clock", True, {**said, "skew_s": skew})
        elif feed.answered_at and now - feed.answered_at > STALE_S and size > feed.cosigned:
            yield Finding("doctor.stale", True, said)
