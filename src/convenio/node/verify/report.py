"""What verification found, as plain values: shells turn them into words, exit codes and JSON."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum

from convenio.core.card import Text
from convenio.core.errors import ConvenioError, Parameter, UnavailableError


class Grade(StrEnum):
    """What all of it comes to."""

    VOUCHED = "vouched"  # everything holds, under keys the caller trusts
    CONSISTENT = "consistent"  # everything holds, but nobody vouches for the keys
    UNDECIDED = "undecided"  # nothing contradicts it; what ties its keys to anything is not here
    FAILED = "failed"


class Outcome(StrEnum):
    """What one check came to. MISSING: what it needs is not among what was given. NOTED: a fact
    the reader should know; it speaks for nobody."""

    HOLDS = "holds"
    FAILS = "fails"
    MISSING = "missing"
    NOTED = "noted"


class Check(StrEnum):
    """What was checked, or what is noted."""

    TRUST = "trust"  # the charter or policy is the one the caller trusts
    CHARTER = "charter"  # enough root keys of every member signed the charter
    CARD = "card"  # enough of its own root keys signed the card
    RECORD = "record"  # canonical, of this channel and party, signed by its desk
    LOG = "log"  # both keys of the log signed the checkpoint, under the party's origin
    QUORUM = "quorum"  # those whom the trusted policy asks for signed the checkpoint
    COSIGNATURE = "cosignature"  # a member's mirror cosigned the checkpoint, dated
    INCLUSION = "inclusion"  # the record is in the tree, at its place
    README = "readme"  # undamaged; nobody signs it
    POLICY = "policy"  # the policy beside it is the one the charter gives
    BODY = "body"  # the blob is the one the record names
    DISCLOSED = "disclosed"  # the content is the one the record commits to
    ENTRIES = "entries"  # every entry is there, and their root is the one signed
    TILES = "tiles"  # every tile is what the entries give
    SEEN = "seen"  # what records say they saw is what the other log has
    SPLIT = "split"  # a proof that a party signed two histories
    UNFIT = "unfit"  # noted: an entry breaks a rule and changes nothing
    UNCOSIGNED = "uncosigned"  # noted: nothing here shows that this member holds it
    UNKNOWN_KEY = "unknown_key"  # noted: a signature line of nobody we know
    BODY_ABSENT = "body_absent"  # noted: a content is not in the bundle
    NO_KEYS = "no_keys"  # noted: no charter or policy is here, so no signature was checked
    NO_CHARTER = "no_charter"  # noted: no charter is here, so no author was checked
    BEYOND = "beyond"  # noted: records claim to have seen more of a log than is here


@dataclass(frozen=True, slots=True)
class Finding:
    """One check. subject: a file, a record (`mx/12`) or an origin. reason: an error code, or ''."""

    check: Check
    outcome: Outcome
    subject: str
    reason: str = ""
    parameters: dict[str, Parameter] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        return self.outcome is not Outcome.FAILS


@dataclass(frozen=True, slots=True)
class DeskFact:
    """A desk as the charter names it. name: None without a charter, or if it has no such desk."""

    address: str
    party: str
    name: Text | None


@dataclass(frozen=True, slots=True)
class HeldFact:
    """Who cosigned, and when they said they did, seconds UTC."""

    party: str
    at: int


@dataclass(frozen=True, slots=True)
class BodyFact:
    """One body. shown: absent · sealed · open · disclosed: what of it is here, and was checked.

    media, called: what whoever disclosed a content says it is. The record proves the bytes, and
    neither of these.
    """

    part: int
    form: str
    size: int
    shown: str = "absent"
    file: str = ""
    media: str = ""
    called: str = ""


@dataclass(frozen=True, slots=True)
class Statement:
    """Who said what to whom, when, and who had it when. Times in seconds UTC.

    holds: every check of this record and of what goes with it held (trust in the keys apart).
    place: `mx/12`. leaf: hex. at: what the author says; cosigned: what the others say.
    sender: party. by: the desks that signed. to: the desks named; none means the whole channel.
    """

    place: str
    leaf: str
    type: str
    at: int
    sender: str
    sender_name: Text | None
    by: tuple[DeskFact, ...]
    to: tuple[DeskFact, ...]
    cosigned: tuple[HeldFact, ...]
    bodies: tuple[BodyFact, ...]
    case: str = ""
    act: str = ""
    holds: bool = True


@dataclass(frozen=True, slots=True)
class LogFact:
    """A log that was read whole. unfit: how many entries break a rule. types: how many of each.

    first_at, last_at: what fit records say, seconds UTC; 0 if there is none.
    """

    where: str
    origin: str
    party: str
    size: int
    root: str
    cosigned: tuple[HeldFact, ...]
    unfit: int
    types: dict[str, int]
    first_at: int
    last_at: int


@dataclass(frozen=True, slots=True)
class ChannelFact:
    """The channel of the charter that was used. members: party -> name."""

    ch: str
    fingerprint: str
    name: str
    title: Text
    access: str
    purpose: str
    members: dict[str, Text]


@dataclass(frozen=True, slots=True)
class Report:
    """Everything found. kind: of what was given. trust: none · charter · fingerprint · policy.

    evidence: proofs that a party signed two histories (docs/spec/split.md), made of what was met.
    parts: of logs of several channels a report each; then this one has only the kind and grade of
    all of it.
    """

    kind: str
    given: str
    trust: str
    grade: Grade
    channel: ChannelFact | None
    findings: tuple[Finding, ...]
    statements: tuple[Statement, ...] = ()
    logs: tuple[LogFact, ...] = ()
    evidence: tuple[bytes, ...] = ()
    parts: tuple[Report, ...] = ()

    @property
    def failed(self) -> tuple[Finding, ...]:
        return tuple(each for each in self.findings if not each.ok)


class Findings:
    """Collects findings in the order they are made."""

    def __init__(self) -> None:
        self._all: list[Finding] = []
        self.failures = self.gaps = 0

    def __iter__(self) -> Iterator[Finding]:
        return iter(self._all)

    def holds(self, check: Check, subject: str, **parameters: Parameter) -> None:
        self._all.append(Finding(check, Outcome.HOLDS, subject, "", parameters))

    def notes(self, check: Check, subject: str, reason: str = "", **parameters: Parameter) -> None:
        self._all.append(Finding(check, Outcome.NOTED, subject, reason, parameters))

    def fails(
        self, check: Check, subject: str, error: ConvenioError, **parameters: Parameter
    ) -> None:
        said = {**parameters, **error.parameters}
        self._all.append(Finding(check, Outcome.FAILS, subject, error.code, said))
        self.failures += 1

    def lacks(self, check: Check, subject: str, reason: str, **parameters: Parameter) -> None:
        """This cannot be decided with what was given; reason: an error code, what is missing."""
        self._all.append(Finding(check, Outcome.MISSING, subject, reason, parameters))
        self.gaps += 1

    @contextmanager
    def checking(self, check: Check, subject: str, **parameters: Parameter) -> Iterator[None]:
        """What is done inside holds, or fails for the reason raised. Not being able to look is
        neither, and passes through."""
        try:
            yield
        except UnavailableError:
            raise
        except ConvenioError as error:
            self.fails(check, subject, error, **parameters)
        else:
            self.holds(check, subject, **parameters)

    def grade(self, *, vouched: bool) -> Grade:
        if self.failures:
            return Grade.FAILED
        if self.gaps:
            return Grade.UNDECIDED
        return Grade.VOUCHED if vouched else Grade.CONSISTENT
