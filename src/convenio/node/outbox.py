"""All feeds of a node: one for each other member of each channel in force.

A feed that goes on as before is left running when another one begins or ends, so that one channel,
or one partner that keeps a connection hanging, does not hold up the rest.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

from convenio.core.record import PartyId
from convenio.node.feed import Feed, FeedState
from convenio.node.registry import Log, Registry

STOP_S: Final = 5.0  # feeds are daemons: one stuck exchange does not keep us longer
Key = tuple[str, PartyId]


class Outbox:
    """Starts, wakes and ends feeds. Safe from any thread."""

    def __init__(self, registry: Registry, make: Callable[[Log, PartyId, str], Feed]) -> None:
        """make: a feed for our log in a channel, to a member, reached at a URL ("": as its roster
        says)."""
        self._registry, self._make = registry, make
        self._renewing = threading.Lock()
        self._lock = threading.Lock()
        self._feeds: dict[Key, tuple[str, Feed]] = {}
        self._open = False

    def start(self) -> None:
        self._open = True
        self.renew()

    def stop(self) -> None:
        """No feed begins any more; those that run are ended, within `STOP_S` in all."""
        with self._renewing:
            self._open = False
            ended = self._keep({})
        for feed in ended:
            feed.end()
        for feed in ended:
            feed.join(STOP_S / len(ended))

    def renew(self) -> None:
        """Channels or routes have changed."""
        with self._renewing:
            wanted = self._wanted() if self._open else {}
            for feed in self._keep(wanted):
                feed.end()
            for key, (log, route) in wanted.items():
                if key not in self._feeds:
                    feed = self._make(log, key[1], route)
                    with self._lock:
                        self._feeds[key] = (route, feed)
                    feed.start()

    def _wanted(self) -> dict[Key, tuple[Log, str]]:
        return {
            (log.channel.ch, party): (log, self._registry.route(log.channel.ch, party))
            for log in self._registry.logs()
            if log.own and log.channel.in_force and not log.split
            for party in log.charter.members()
            if party != log.party
        }

    def _keep(self, wanted: dict[Key, tuple[Log, str]]) -> list[Feed]:
        """Keep the feeds that are wanted as they are. Returns the others."""
        with self._lock:
            old = self._feeds
            self._feeds = {
                key: (route, feed)
                for key, (route, feed) in old.items()
                if key in wanted and wanted[key][1] == route
            }
            return [feed for key, (_, feed) in old.items() if key not in self._feeds]

    def states(self) -> list[FeedState]:
        with self._lock:
            return [feed.state for _, feed in self._feeds.values()]

    def wake(self, ch: str, party: PartyId | None = None) -> None:
        """There is something new for a member of a channel, or for all."""
        with self._lock:
            for (channel, member), (_, feed) in self._feeds.items():
                if channel == ch and party in (None, member):
                    feed.wake()

    def heard(self, ch: str, party: PartyId) -> None:
        """The partner is up: a feed that waits after a failure waits no longer."""
        with self._lock:
            _, feed = self._feeds.get((ch, party), ("", None))
        if feed is not None and feed.state.failures:
            feed.wake()
