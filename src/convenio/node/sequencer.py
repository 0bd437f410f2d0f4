"""The sequencer: the only writer of our logs. Dates, signs and appends drafts, in groups.

What waits is taken together, at most `group_entries`, and lands in one commit with one signed
checkpoint; an idle sequencer does not wait for company. A future resolves after the commit, never
before. Steps: docs/record-life.md.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass

from convenio.core.checkpoint import Checkpoint
from convenio.core.draft import Draft, Seen, seen_json
from convenio.core.errors import ConflictError, ConvenioError, UnavailableError
from convenio.core.merkle import leaf_hash
from convenio.core.note import Ed25519Signer, sign_note
from convenio.core.record import parse_record
from convenio.node.clock import Clock, stamp
from convenio.node.config import Limits
from convenio.node.keys import NodeKeys
from convenio.node.registry import Log
from convenio.store.api import LogStore, Stored


@dataclass(frozen=True, slots=True)
class Accepted:
    """A record is durable in our log. leaf: 32 bytes. known: it was there already, unchanged."""

    index: int
    leaf: bytes
    known: bool = False


@dataclass(frozen=True, slots=True)
class Saying:
    """A draft, the desks whose keys sign it, and what it says it has seen if not the usual."""

    draft: Draft
    desks: tuple[str, ...]
    seen: Seen | None


@dataclass(frozen=True, slots=True)
class _Job(Saying):
    log: Log
    done: Future[Accepted]


class Sequencer:
    """One thread that appends. `seen` says how much of each other log is folded right now."""

    def __init__(  # noqa: PLR0913, PLR0917 - joined once, in wiring
        self,
        store: LogStore,
        keys: NodeKeys,
        clock: Clock,
        limits: Limits,
        seen: Callable[[str], Seen],
        appended: Callable[[Log], None],
        failed: Callable[[Exception], None],
    ) -> None:
        self._store, self._keys, self._clock, self._limits = store, keys, clock, limits
        self._seen, self._appended, self._failed = seen, appended, failed
        self._queue: queue.Queue[_Job | None] = queue.Queue(maxsize=4096)
        self._last_at: dict[str, int] = {}
        self._sizes: dict[str, int] = {}  # of our logs, as long as all goes well
        self._signers: dict[tuple[str, ...], list[Ed25519Signer]] = {}
        self._log_signers: dict[str, Ed25519Signer] = {}
        self._closing = threading.Lock()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="sequencer", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Finish what was submitted, then end. What is submitted later is refused."""
        with self._closing:
            self._closed = True
        if self._thread.is_alive():
            self._queue.put(None)
            self._thread.join()
        while not self._queue.empty():  # it was never started
            if job := self._queue.get_nowait():
                job.done.set_exception(UnavailableError("node.stopping"))

    def submit(
        self, log: Log, draft: Draft, desks: tuple[str, ...], seen: Seen | None = None
    ) -> Future[Accepted]:
        """Append `draft` to our log, signed by the author keys of `desks`, in that order.

        seen: what this record says it has seen, if not what any record of now may say.
        The future raises:  ConflictError: record.id_taken, this id stands for another record ·
        UnavailableError: clock.backwards · store.* · node.stopping.
        """
        job = _Job(draft, desks, seen, log, Future())
        with self._closing:
            if self._closed:
                job.done.set_exception(UnavailableError("node.stopping"))
            else:
                self._queue.put(job)
        return job.done

    def said(self, log: Log, record_id: bytes) -> Stored | None:
        """What our log has under this id."""
        return self._store.find(log.origin, record_id)

    def _run(self) -> None:
        while (job := self._queue.get()) is not None:
            group, ending = self._gather(job)
            by_log: dict[str, list[_Job]] = {}
            for each in group:
                by_log.setdefault(each.log.origin, []).append(each)
            for jobs in by_log.values():
                self._commit(jobs)
            if ending:
                return

    def _gather(self, first: _Job) -> tuple[list[_Job], bool]:
        group = [first]
        while len(group) < self._limits.group_entries:
            try:
                job = self._queue.get_nowait()
            except queue.Empty:
                break
            if job is None:
                return group, True
            group.append(job)
        return group, False

    def _commit(self, jobs: list[_Job]) -> None:
        """Append the group; whatever happens, everybody who waits is answered."""
        try:
            self._append(jobs)
        except ConvenioError as error:
            _answer(jobs, error)
        except Exception as error:
            # Our own fault: whoever waits is told, and the process must not go on as if well.
            _answer(jobs, UnavailableError("node.fault", kind=type(error).__name__))
            self._failed(error)

    def _append(self, jobs: list[_Job]) -> None:
        """The group in one commit; if one of it spoils the group, each alone."""
        try:
            appended = self.append_group(jobs[0].log, jobs)
        except ConflictError as error:
            if len(jobs) == 1:
                self._settle_known(jobs[0], error)
            else:
                for job in jobs:
                    self._commit([job])
        else:
            self._settle(jobs, appended)

    def append_group(self, log: Log, jobs: Sequence[Saying]) -> tuple[int, list[bytes]]:
        """Date, sign, insert, checkpoint: one commit. Returns the first index and the entries.

        (1) one time and one `seen` for the group · (2) each record signed · (3) the store inserts,
        re-reads, recomputes the root, has it signed, commits · (4) only now anybody hears of it.
        """
        origin = log.origin
        size = self._sizes.pop(origin, -1)
        if size < 0:
            size = self._store.head(origin).size
        at = stamp(self._clock(), self._last(origin, size), self._limits.clock_slack_s)  # (1)
        usual = seen_json(self._seen(log.channel.ch))
        entries = []
        for job in jobs:  # (2)
            seen = usual if job.seen is None else seen_json(job.seen)
            entries.append((job.draft.id, job.draft.sign(at, seen, self._signers_of(job.desks))))
        head = self._store.append(
            origin, size, entries, lambda n, root: self._sign(origin, n, root)
        )  # (3)
        self._sizes[origin], self._last_at[origin] = head.size, at
        return size, [entry for _, entry in entries]

    def _settle(self, jobs: list[_Job], appended: tuple[int, list[bytes]]) -> None:
        first, entries = appended
        for offset, job in enumerate(jobs):
            job.done.set_result(Accepted(first + offset, leaf_hash(entries[offset])))
        self._appended(jobs[0].log)  # (4)

    def _settle_known(self, job: _Job, error: ConflictError) -> None:
        """Saying the same again is no error; saying another thing under the same id is."""
        stored = self._store.find(job.log.origin, job.draft.id)
        if stored is None:
            job.done.set_exception(error)
            return
        was = parse_record(stored.entry).header
        same = job.draft.text(was.at, seen_json(was.seen))
        if parse_record(stored.entry).note.text == same:
            job.done.set_result(Accepted(stored.index, stored.leaf, known=True))
        else:
            taken = ConflictError("record.id_taken", id=job.draft.id.hex(), index=stored.index)
            job.done.set_exception(taken)

    def _last(self, origin: str, size: int) -> int:
        if origin not in self._last_at and size:
            (last,) = self._store.entries(origin, size - 1, size)
            self._last_at[origin] = parse_record(last.entry).header.at
        return self._last_at.get(origin, 0)

    def _signers_of(self, desks: tuple[str, ...]) -> list[Ed25519Signer]:
        if desks not in self._signers:
            self._signers[desks] = [self._keys.author(desk) for desk in desks]
        return self._signers[desks]

    def _sign(self, origin: str, size: int, root: bytes) -> bytes:
        if origin not in self._log_signers:
            self._log_signers[origin] = self._keys.log_signer(origin)
        text = Checkpoint(origin, size, root).text()
        return sign_note(text, self._log_signers[origin]).encode()


def _answer(jobs: Sequence[_Job], error: ConvenioError) -> None:
    for job in jobs:
        if not job.done.done():
            job.done.set_exception(error)
