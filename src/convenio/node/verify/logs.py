"""A log read whole: every entry, every tile, the root, and every record judged in its place.

One pass in order, in constant memory: at any time one bundle, one open tile a level and the right
edge are held. Entries that break a rule are counted and named; that is no fault of the log.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from convenio.core.checkpoint import MAX_CHECKPOINT_BYTES
from convenio.core.errors import ConvenioError, MalformedError, ProofError, UnverifiedError
from convenio.core.fit import (
    CORE_TYPES,
    LogState,
    Member,
    Rules,
    Spread,
    Unfit,
    judge,
    open_entries,
)
from convenio.core.merkle import RightEdge, leaf_hash, tree_root
from convenio.core.record import Header
from convenio.core.tiles import (
    ENTRIES,
    FULL_TILE_BYTES,
    MAX_BUNDLE_BYTES,
    WIDTH,
    TileReader,
    parse_bundle,
    split_tile,
    tile_path,
    tile_width,
)
from convenio.node.cores import Cores
from convenio.node.verify.checkpoints import Checkpoints, Signed
from convenio.node.verify.files import LogFiles
from convenio.node.verify.keys import Keys
from convenio.node.verify.report import Check, Findings, LogFact

Progress = Callable[[str, int, int], None]  # origin, entries done, entries in all
MAX_NAMED: Final = 20  # findings of one kind about one log that are spelled out
_OTHER_TYPES: Final = "other"


@dataclass(frozen=True, slots=True)
class OpenLog:
    """A log whose checkpoint was read. where: folder or address."""

    where: str
    files: LogFiles
    signed: Signed

    @property
    def size(self) -> int:
        return self.signed.checkpoint.size

    def tile(self, level: int, index: int, width: int) -> bytes:
        return self.files.read(tile_path(level, index, width), FULL_TILE_BYTES)

    def reader(self) -> TileReader:
        return TileReader(self.tile, self.size)


def open_log(
    where: str, files: LogFiles, checkpoints: Checkpoints, findings: Findings
) -> OpenLog | None:
    """The log, if its checkpoint is signed as it must be."""
    try:
        data = files.read("checkpoint", MAX_CHECKPOINT_BYTES)
    except MalformedError as error:
        findings.fails(Check.LOG, where, error)
        return None
    signed = checkpoints.check(data, where)
    return OpenLog(where, files, signed) if signed else None


def note_uncosigned(log: OpenLog, keys: Keys, findings: Findings) -> None:
    """Which members nothing here shows to hold this log: no fault, but no receipt either."""
    have = {log.signed.party, *(each.party for each in log.signed.held)}
    for party in keys.charter.members() if keys.charter else ():
        if party not in have:
            findings.notes(Check.UNCOSIGNED, log.where, party=party)


def read_log(
    log: OpenLog, keys: Keys, others: Mapping[str, OpenLog], findings: Findings, progress: Progress
) -> tuple[LogFact, bool]:
    """What the log holds, and whether its tree is whole and is the one that was signed.

    others: party -> its log, where one is at hand, for what records say they have seen.
    """
    with Cores() as cores:
        return _read_log(log, _judging(log, keys, others, findings, cores), findings, progress)


def _read_log(
    log: OpenLog, judging: _Judging | None, findings: Findings, progress: Progress
) -> tuple[LogFact, bool]:
    tiles = _Tiles(log)
    edge, done = RightEdge(), 0
    good = False
    with findings.checking(Check.ENTRIES, log.where):
        for index in range(-(-log.size // WIDTH)):
            width = min(WIDTH, log.size - index * WIDTH)
            data = log.files.read(tile_path(ENTRIES, index, width), MAX_BUNDLE_BYTES)
            entries = parse_bundle(data, width)
            leaves = [leaf_hash(entry) for entry in entries]
            edge = edge.extend(leaves)
            tiles.add_leaves(leaves)
            if judging:
                judging.take(index * WIDTH, entries)
            done += width
            progress(log.signed.checkpoint.origin, done, log.size)
        if edge.root() != log.signed.checkpoint.root:
            raise ProofError("verify.root_differs", size=log.size)
        good = True
    with findings.checking(Check.TILES, log.where):
        tiles.finish()
    if judging:
        judging.finish()
    return _fact(log, judging), good and not tiles.wrong


def _fact(log: OpenLog, judging: _Judging | None) -> LogFact:
    return LogFact(
        where=log.where,
        origin=log.signed.checkpoint.origin,
        party=log.signed.party,
        size=log.size,
        root=log.signed.checkpoint.root.hex(),
        cosigned=log.signed.held,
        unfit=judging.unfit if judging else 0,
        types=dict(sorted(judging.types.items())) if judging else {},
        first_at=judging.first_at if judging else 0,
        last_at=max(judging.state.at, 0) if judging else 0,
    )


class _Tiles:
    """The tiles that the entries give, held against those that are there."""

    def __init__(self, log: OpenLog) -> None:
        self._log = log
        self._rows: list[list[bytes]] = []  # for each level the hashes of its open tile
        self._done: list[int] = []  # for each level how many tiles are complete
        self.wrong = 0
        self._first: ConvenioError | None = None

    def add_leaves(self, leaves: list[bytes]) -> None:
        """Up to 256 leaf hashes, beginning at a tile's start."""
        self._row(0).extend(leaves)
        level = 0
        while len(row := self._row(level)) == WIDTH:
            self._compare(level, row)
            self._row(level + 1).append(RightEdge().extend(row).root())
            self._done[level] += 1
            row.clear()
            level += 1

    def finish(self) -> None:
        """Compare the partial tiles too.  Raises:  the first difference, once all were seen."""
        for level, row in enumerate(self._rows):
            if row:
                self._compare(level, row)
        if self._first:
            raise self._first

    def _row(self, level: int) -> list[bytes]:
        if level == len(self._rows):
            self._rows.append([])
            self._done.append(0)
        return self._rows[level]

    def _compare(self, level: int, row: list[bytes]) -> None:
        index, width = self._done[level], len(row)
        try:
            if self._log.tile(level, index, width) != b"".join(row):
                raise UnverifiedError("verify.tile_differs", file=tile_path(level, index, width))
        except (MalformedError, UnverifiedError) as error:
            self.wrong += 1
            self._first = self._first or error


def _judging(
    log: OpenLog, keys: Keys, others: Mapping[str, OpenLog], findings: Findings, cores: Cores
) -> _Judging | None:
    """None where no charter says who may write: then only the tree is checked."""
    if keys.charter is None:
        findings.notes(Check.NO_CHARTER, log.where)
        if keys.policy:  # it vouches for these bytes; who said them, only a charter's keys show
            findings.lacks(Check.RECORD, log.where, "verify.no_authors")
        return None
    rules = Rules.of(keys.charter)
    member = next(each for each in rules.members if each.party == log.signed.party)
    return _Judging(log.where, member, rules, others, findings, cores.spread)


class _Judging:
    """Judges entries in order, as every node does, and compares what they say they have seen."""

    def __init__(  # noqa: PLR0913, PLR0917 - joined once, in `_judging`
        self,
        where: str,
        member: Member,
        rules: Rules,
        others: Mapping[str, OpenLog],
        findings: Findings,
        spread: Spread,
    ) -> None:
        self._where, self._member, self._rules, self._findings = where, member, rules, findings
        self._spread = spread
        self._roots = {party: _Roots(log) for party, log in others.items() if party != member.party}
        self._seen: dict[str, tuple[int, str]] = {}
        self._beyond: dict[str, int] = {}
        self._compared = self._false = 0
        self.state = LogState()
        self.unfit = 0
        self.first_at = 0
        self.types: Counter[str] = Counter()

    def take(self, first: int, entries: list[bytes]) -> None:
        """The entries from index `first` on."""
        all_opened = open_entries(entries, self._member.authors, spread=self._spread)
        for index, opened in enumerate(all_opened, first):
            verdict = judge(opened, self._member, self.state, self._rules)
            if isinstance(verdict, Unfit):
                self._count_unfit(index, verdict.code)
            else:
                self._count(index, verdict.header)
                self.state.take(verdict)

    def _count_unfit(self, index: int, code: str) -> None:
        self.unfit += 1
        if self.unfit <= MAX_NAMED:
            self._findings.notes(Check.UNFIT, f"{self._member.party}/{index}", code)

    def _count(self, index: int, header: Header) -> None:
        known = header.type in self._rules.types or header.type in CORE_TYPES
        self.types[header.type if known else _OTHER_TYPES] += 1
        if self.state.at < 0:
            self.first_at = header.at
        for party, claim in header.seen.items():
            if self._seen.get(party) != claim:
                self._seen[party] = claim
                self._compare(index, party, *claim)

    def _compare(self, index: int, party: str, size: int, root: str) -> None:
        """A root that the other log never had: somebody invented it, or shows two histories."""
        roots = self._roots.get(party)
        if roots is None:
            return
        if size > roots.size:
            self._beyond[party] = max(size, self._beyond.get(party, 0))
            return
        try:
            held = roots.at(size)
        except MalformedError:
            del self._roots[party]  # that log's own reading says what is wrong with it
            return
        self._compared += 1
        if held.hex() != root:
            self._false += 1
            if self._false <= MAX_NAMED:
                place = f"{self._member.party}/{index}"
                error = UnverifiedError("verify.seen_differs", party=party, size=size)
                self._findings.fails(Check.SEEN, place, error)

    def finish(self) -> None:
        if self._compared and not self._false:
            self._findings.holds(Check.SEEN, self._where, compared=self._compared)
        for party, size in self._beyond.items():
            self._findings.notes(Check.BEYOND, self._where, party=party, size=size)


class _Roots:
    """The roots of a log at sizes that mostly grow: one pass over its lowest tiles."""

    def __init__(self, log: OpenLog) -> None:
        self._log, self._edge = log, RightEdge()
        self._index, self._tile = -1, [b""]

    @property
    def size(self) -> int:
        return self._log.size

    def at(self, size: int) -> bytes:
        """The root of the first `size` leaves.  Raises:  MalformedError: a tile is not there."""
        if size < self._edge.size:
            return tree_root(size, self._log.reader())
        while self._edge.size < size:
            index, offset = divmod(self._edge.size, WIDTH)
            self._edge = self._edge.extend(self._hashes(index)[offset : size - index * WIDTH])
        return self._edge.root()

    def _hashes(self, index: int) -> list[bytes]:
        if index != self._index:
            width = tile_width(0, index, self._log.size)
            self._tile, self._index = split_tile(self._log.tile(0, index, width), width), index
        return self._tile
