"""Where the parts of a node are joined, and nowhere else. The only real clock and dice are here."""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import secrets
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from convenio.core.card import Card, parse_card
from convenio.core.draft import Draft, Seen
from convenio.core.errors import (
    ConvenioError,
    MalformedError,
    SplitViewError,
    UnavailableError,
    UnverifiedError,
)
from convenio.core.record import PartyId
from convenio.node import setup
from convenio.node.answering import Answering
from convenio.node.channels import Channels
from convenio.node.clock import Clock
from convenio.node.comparing import Comparing
from convenio.node.config import NodeConfig, read_config
from convenio.node.feed import Feed, FeedState
from convenio.node.folding import Folding
from convenio.node.index import Index
from convenio.node.keys import NodeKeys, open_keys
from convenio.node.local import LocalStore
from convenio.node.mirror import Mirror
from convenio.node.outbox import Outbox
from convenio.node.partnering import Partnering
from convenio.node.people import People
from convenio.node.publish import Publisher
from convenio.node.quotas import Quotas
from convenio.node.receipts import Bundles, Receipts
from convenio.node.records import Records
from convenio.node.registry import SPLIT_VIEW, Log, Registry
from convenio.node.sequencer import Sequencer
from convenio.node.signin import SignIns
from convenio.node.speaking import Speaking
from convenio.node.splits import Splits
from convenio.node.sweeping import Sweeping
from convenio.peer.client import Partner, PartnerConfig
from convenio.peer.wire import Limits as PeerLimits
from convenio.store.backfill import Backfill
from convenio.store.objects import BlobLimits, DiskBlobs
from convenio.store.sqlite import SqliteStore

_T = TypeVar("_T")
Progress = Callable[[int, int], None]
_log = logging.getLogger("convenio.node")


def system_clock() -> float:
    """Seconds UTC by this machine."""
    return time.time()  # noqa: TID251 - the one place


def system_random(size: int) -> bytes:
    """`size` unpredictable bytes."""
    return secrets.token_bytes(size)


@dataclass(frozen=True, slots=True)
class Directory:
    """A node's directory, locked: no other process writes here until `release`."""

    path: Path
    lock: int

    @classmethod
    def take(cls, path: Path) -> Directory:
        """Raises:  RefusedError: config.no_node · UnavailableError: node.running."""
        read_config(path)
        lock = os.open(path / setup.LOCK, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(lock)
            raise UnavailableError("node.running", directory=str(path)) from error
        return cls(path, lock)

    def release(self) -> None:
        os.close(self.lock)


def _read(path: Path) -> bytes:
    """Raises:  UnavailableError: node.incomplete, naming the file."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise UnavailableError("node.incomplete", file=path.name) from error


def _truth(path: Path, opening: Callable[[Path], _T]) -> _T:
    """What cannot be made again: if it is damaged the node does not start, and changes nothing.

    Raises:  UnavailableError: node.damaged · store.*
    """
    try:
        return opening(path)
    except UnavailableError as error:
        if error.code in ("store.corrupt", "store.foreign"):
            raise UnavailableError("node.damaged", file=path.name, why=error.code) from error
        raise


def _unseen(_done: int, _total: int) -> None:
    pass


class Node:
    """A node with its keys unlocked. `start` sets its threads going, `stop` ends them."""

    def __init__(
        self,
        directory: Directory,
        passphrase: str,
        clock: Clock = system_clock,
    ) -> None:
        path = directory.path
        self.directory, self.path, self.clock = directory, path, clock
        self.config: NodeConfig = read_config(path)
        self.limits = self.config.limits
        self.keys: NodeKeys = open_keys(_read(path / setup.KEYS), passphrase)
        self.card: Card = parse_card(_read(path / setup.CARD))
        self._check_whose()
        self.party = PartyId(self.config.party)
        self.store = _truth(path / setup.LOG, SqliteStore.open)
        self.local = _truth(path / setup.LOCAL, lambda file: LocalStore.open(file, self.party))
        self.index, view_kept = Index.open(path / setup.VIEW)
        self.quotas, quota_kept = Quotas.open(path / setup.COUNTS)
        self.set_aside = tuple(filter(None, (view_kept, quota_kept)))
        for kept in self.set_aside:
            _log.warning("set_aside %s", kept)
        self.blobs = DiskBlobs(
            path / setup.BLOBS, clock, BlobLimits(max_blob_bytes=self.limits.max_body_bytes)
        )
        self.failure: Exception | None = None
        self._join()

    def _check_whose(self) -> None:
        """Configuration, keys and card are of one node: else we would sign what nobody can check.

        Raises:  MalformedError: config.bad_value · UnverifiedError: keys.other_node.
        """
        for key in ("party", "domain"):
            if getattr(self.config, key) != getattr(self.card, key):
                raise MalformedError("config.bad_value", key=key)
        roster = self.card.roster
        known = {desk.public() for desk in self.keys.desks} == set(roster.desks)
        ours = (self.keys.public_log(), self.keys.public_mirror(), self.keys.node_signer().public)
        if not known or ours != (roster.log, roster.mirror, roster.node):
            raise UnverifiedError("keys.other_node")

    def _join(self) -> None:
        clock, limits = self.clock, self.limits
        scratch = self.path / setup.SCRATCH
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir(mode=0o700)
        self.backfill = Backfill(self.store, self._failed)
        self.registry = Registry(self.local, self.store, self.party)
        self.publisher = Publisher(self.store, self.keys, clock)
        self.sequencer = Sequencer(
            self.store, self.keys, clock, limits, self._seen, self._appended, self._failed
        )
        self.mirror = Mirror(
            self.store, self.keys, clock, limits, self.quotas, self._mirrored, self._alarm
        )
        histories = self.mirror.histories
        splits = Splits(self.registry, self.store, self.index, histories)
        self.answering = Answering(
            self.registry,
            self.store,
            self.blobs,
            self.index,
            splits,
            clock,
            limits,
            system_random,
            self.keys.node_desk(),
            self._say_as_node,
        )
        self.folding = Folding(
            self.registry,
            self.store,
            self.index,
            self.answering,
            splits,
            clock,
            self._folded,
            self._failed,
        )
        self.comparing = Comparing(self.registry, self.folding, histories, clock)
        self.partnering = Partnering(
            self.registry,
            self.store,
            self.blobs,
            self.mirror,
            self.publisher,
            limits,
            self.quotas,
            clock,
            self.folding.citing,
            self._heard,
            self.folding.came,
            self.healthy,
        )
        self.sweeping = Sweeping(
            self.registry,
            self.store,
            self.blobs,
            self.index,
            self.folding.taking_in,
            clock,
            limits,
        )
        self.records = Records(self.registry, self.store, self.index, self.folding)
        self.speaking = Speaking(
            self.registry,
            self.local,
            self.blobs,
            self.keys,
            self.sequencer,
            clock=clock,
            rng=system_random,
            limits=limits,
            scratch=scratch,
        )
        self.receipts = Receipts(self.store)
        self.bundles = Bundles(
            self.registry,
            self.local,
            self.blobs,
            self.receipts,
            self.speaking,
            self.sequencer,
            clock=clock,
            rng=system_random,
        )
        desks = {desk.alias: desk.id for desk in self.keys.desks}
        self.signins = SignIns(self.local, clock, system_random)
        self.people = People(self.local, desks, self.signins.forget)
        self.outbox = Outbox(self.registry, self._feed)
        self.channels = Channels(self.local, self.card, clock, system_random, self.refresh)

    # --- life ---

    def start(self, *, feeding: bool, progress: Progress = _unseen) -> None:
        """Set the threads going. feeding: also bring our logs to the partners.

        progress: of reading what the logs say, in entries, until all are folded and indexed.
        """
        self._freeze_split()
        self.backfill.start()
        self.sequencer.start()
        self.folding.start(progress)
        if feeding:
            self.outbox.start()

    def stop(self) -> None:
        """Stop in order: nothing new goes out, what was accepted is finished, all is closed."""
        self.outbox.stop()
        self.folding.stop()
        self.sequencer.stop()
        self.backfill.stop()
        self.quotas.close()
        self.index.close()
        self.local.close()
        self.store.close()
        self.directory.release()

    def tick(self) -> None:
        """What is due with time, about once a minute: proofs, and what lies here for nothing."""
        self._freeze_split()
        self.folding.wake()
        self.sweeping.sweep()

    def healthy(self) -> bool:
        """Whether to go on; if not, end the process and start it again."""
        return self.failure is None and not self.store.dead and not self.index.damaged

    def refresh(self) -> None:
        """The channels have changed."""
        self.registry.refresh()
        self.outbox.renew()
        self.folding.wake()

    def feeds(self) -> list[FeedState]:
        return self.outbox.states()

    def _feed(self, log: Log, party: PartyId, route: str) -> Feed:
        card = log.charter.member(party)
        limits = PeerLimits(
            connect_s=self.limits.connect_s,
            silence_s=self.limits.answer_s,
            read_s=self.limits.answer_s,
            write_s=self.limits.total_s,
        )
        roster, signer = card.roster, self.keys.node_signer()
        config = PartnerConfig(roster.url, roster.tls, card.node_verifier(), limits, via=route)
        return Feed(
            log,
            party,
            lambda: Partner(config, signer, lambda: int(self.clock()), system_random),
            self.store,
            self.blobs,
            self.publisher,
            self.folding,
            self.clock,
            self.limits,
            self._cosigned,
            lambda connect: self.comparing.ask(log.channel.ch, party, connect),
            self._failed,
        )

    # --- what one part tells another ---

    def _say_as_node(self, log: Log, draft: Draft, seen: Seen) -> object:
        desk = self.keys.node_desk()
        return self.sequencer.submit(log, draft, (desk,), seen).result()

    def _failed(self, error: Exception) -> None:
        """A fault of our own in a thread of ours: `healthy` says no from here on."""
        _log.critical("node_fault", exc_info=error)
        self.failure = error

    def _seen(self, ch: str) -> Seen:
        return self.folding.seen(ch)

    def _appended(self, log: Log) -> None:
        self.folding.wake(log.channel.ch)
        self.outbox.wake(log.channel.ch)

    def _mirrored(self, log: Log) -> None:
        self.folding.wake(log.channel.ch)

    def _folded(self, log: Log) -> None:
        """Another's log has moved: what it lacks may have changed."""
        self.outbox.wake(log.channel.ch, log.party)

    def _cosigned(self, log: Log, _party: PartyId) -> None:
        self.folding.wake(log.channel.ch)

    def _heard(self, ch: str, party: PartyId) -> None:
        """The partner is up: waiting any longer to send would be idle."""
        self.outbox.heard(ch, party)

    def _alarm(self, log: Log, kind: str) -> None:
        """A party has signed two histories: fold the channel no further, keep serving.

        The evidence is stored already. What counts is written down before anybody hears of it.
        """
        _log.error("alarm", extra={"kind": kind, "party": log.party})
        ch = log.channel.ch
        self.local.freeze(ch, int(self.clock()), self.folding.freeze(ch))
        try:
            self.refresh()
        except ConvenioError as error:
            _log.error("refresh_failed", extra={"code": error.code})

    def _freeze_split(self) -> None:
        """Freeze what evidence says must be, and judge what waits, if we were stopped before, or
        if it could not be written down."""
        split = {piece.origin for piece in self.store.evidence() if piece.kind == SPLIT_VIEW}
        for log in self.registry.logs():
            if log.origin in split and not log.channel.frozen_at:
                self._alarm(log, SPLIT_VIEW)
            elif not log.own:
                with contextlib.suppress(SplitViewError):
                    self.mirror.histories.reached(log)
