"""The one door of verification: sees what was given by its content, and has it checked."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from convenio.core import canon
from convenio.core.bundle import CHARTER, Kind
from convenio.core.card import parse_card
from convenio.core.checkpoint import Checkpoint, parse_signed_checkpoint
from convenio.core.errors import (
    ConvenioError,
    MalformedError,
    RefusedError,
    UnverifiedError,
)
from convenio.core.fields import MAX_TRUST_BYTES
from convenio.core.note import Verifier
from convenio.core.proof import MAX_PROOF_BYTES
from convenio.core.record import MAX_RECORD_BYTES
from convenio.core.split import parse_split, verify_split
from convenio.node.verify.bundles import brought_charter, check_members
from convenio.node.verify.checkpoints import Checkpoints
from convenio.node.verify.files import (
    Fetch,
    Files,
    FileSource,
    FolderFiles,
    FolderLog,
    LogFiles,
    WebLog,
    ZipFiles,
    read_file,
)
from convenio.node.verify.keys import (
    Keys,
    Trusted,
    channel_fact,
    names_other,
    parse_trust,
    settle,
)
from convenio.node.verify.logs import Progress, note_uncosigned, open_log, read_log
from convenio.node.verify.records import RecordChecker
from convenio.node.verify.report import Check, Findings, Grade, LogFact, Report, Statement

_URL: Final = re.compile(r"(https?://[^?#\s]+)/(?:log|mirror)/[0-9a-f]{64}", re.ASCII)
_HASH: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)
_PROOF: Final = b"c2sp.org/tlog-proof@v1\n"
_KINDS: Final = ("record", "charter", "card", "split")
MAX_LOGS: Final = 64
MAX_PROOFS: Final = 64
_WORST: Final = (Grade.FAILED, Grade.UNDECIDED, Grade.CONSISTENT, Grade.VOUCHED)


def verify(  # noqa: PLR0913 - what, by whose word, and what it may use
    given: Path | str,
    *,
    trust: bytes | str | None = None,
    now: int,
    fetch: Fetch | None = None,
    record: Path | None = None,
    charter: bytes | None = None,
    progress: Progress = lambda _origin, _done, _all: None,
) -> Report:
    """Everything that can be found out about `given`. What does not hold is reported, not raised.

    Args:    given: a file, a folder, or the address of a public log. Its kind is seen from its
             content: bundle, packed or not · .tlog-proof · record · log, or folder of logs ·
             charter · card · split.
             trust: the bytes of a charter or tlog-policy that is trusted, or a charter's hash or
             60 digits; None: everything is checked, and nobody vouches for the keys.
             now: seconds UTC; a cosignature dated more than 300 s later fails.
             fetch: reads addresses (`web.public_fetch`).  record: the record of a lone
             .tlog-proof, if it does not lie beside it.  charter: of the channel, where none comes
             with `given`; like one that does, it counts only if it is what is trusted.
             progress: (origin, entries read, in all).
    Raises:  MalformedError: verify.trust · verify.kind, nothing we know · verify.too_long ·
             bundle.* · what a given charter or policy is refused for · RefusedError:
             verify.address, not a log's · UnavailableError: verify.unreadable · peer.*.
    """
    work = _Work(str(given), parse_trust(trust), charter, now, progress)
    if isinstance(given, str) and given.startswith(("http://", "https://")):
        return work.address(given, fetch)
    path = Path(given)
    return work.folder(path) if path.is_dir() else work.file(path, record)


@dataclass(frozen=True, slots=True)
class _Work:
    """One verification: what it is, then what it comes to."""

    given: str
    trusted: Trusted
    handed: bytes | None
    now: int
    progress: Progress

    def file(self, path: Path, record: Path | None) -> Report:
        source = FileSource(path)
        try:
            head = source.read(0, 64)
            if head.startswith(b"PK"):
                return self.bundle(ZipFiles(source))
        finally:
            source.close()
        if head.startswith(_PROOF):
            record = record or _record_beside(path)
            return self.record("proof", record, [path]) if record else self.lone_proof(path)
        data = read_file(path, MAX_TRUST_BYTES) if head.startswith(b"{") else b""
        kind = _kind_of(data)
        if not kind:
            raise MalformedError("verify.kind", file=str(path))
        if kind == "record":
            return self.record("record", path, _proofs_beside(path))
        findings = Findings()
        if kind == "charter":
            return self.charter(data, findings)
        keys = settle(self.trusted, self.charter_near(path.parent), findings)
        if kind == "card":
            return self.card(data, keys, findings)
        return self.split(data, keys, findings)

    def folder(self, folder: Path) -> Report:
        if places := _logs_in(folder):
            return self.channels(folder, places)
        files = FolderFiles(folder)
        if not any(name.kind is Kind.RECORD for name in files.names.values()):
            raise MalformedError("verify.kind", file=str(folder))
        return self.bundle(files)

    def address(self, url: str, fetch: Fetch | None) -> Report:
        found = _URL.fullmatch(url.rstrip("/"))
        if not found:
            raise RefusedError("verify.address")
        if fetch is None:
            raise RuntimeError("an address needs something that fetches")
        charter = None
        if _HASH.fullmatch(self.trusted.typed):
            charter = fetch(f"{found[1]}/charter/{self.trusted.typed}", MAX_TRUST_BYTES)
        return self.logs({url: WebLog(found[0], fetch)}, charter or self.handed)

    def charter_near(self, *folders: Path) -> bytes | None:
        """The charter that was handed over, else the first that lies in a folder or beside it."""
        found = (_charter_near(folder) for folder in folders)
        return self.handed or next((charter for charter in found if charter), None)

    def keys(self, charter: bytes | None, findings: Findings) -> Keys:
        """What to check signatures with; where there is nothing, that is what is missing."""
        keys = settle(self.trusted, charter, findings)
        if charter is None and self.trusted.how == "none":
            findings.lacks(Check.CHARTER, CHARTER, "verify.no_charter")
        return keys

    # --- records with their proofs ---

    def bundle(self, files: Files) -> Report:
        findings = Findings()
        keys = self.keys(brought_charter(files) or self.handed, findings)
        checkpoints = Checkpoints(keys, self.now, findings)
        checker = RecordChecker(keys, checkpoints, findings)
        said = check_members(files, keys.charter, checker, findings)
        return self._report("bundle", keys, findings, checkpoints, statements=said)

    def record(self, kind: str, record: Path, proofs: list[Path]) -> Report:
        """A record with the proofs that lie beside it."""
        findings = Findings()
        keys = self.keys(self.charter_near((*proofs, record)[0].parent), findings)
        checkpoints = Checkpoints(keys, self.now, findings)
        read = {path.name: ("", read_file(path, MAX_PROOF_BYTES)) for path in proofs}
        entry = read_file(record, MAX_RECORD_BYTES)
        said = RecordChecker(keys, checkpoints, findings).check(record.name, entry, read)
        return self._report(kind, keys, findings, checkpoints, statements=(said,) if said else ())

    def lone_proof(self, path: Path) -> Report:
        """A proof of which nobody gave the record."""
        findings = Findings()
        keys = self.keys(self.charter_near(path.parent), findings)
        checkpoints = Checkpoints(keys, self.now, findings)
        checker = RecordChecker(keys, checkpoints, findings)
        checker.check_without_record(path.name, read_file(path, MAX_PROOF_BYTES))
        return self._report("proof", keys, findings, checkpoints)

    # --- whole logs ---

    def channels(self, folder: Path, places: Iterable[Path]) -> Report:
        """Logs in files, those of each channel by themselves.

        What is trusted is of one channel; nobody vouches here for the others, and that is no fault
        of theirs. Trust that fits none of them fits nothing.
        """
        channels: dict[bytes | None, dict[str, LogFiles]] = defaultdict(dict)
        for place in places:
            channels[self.charter_near(place, folder)][str(place)] = FolderLog(place)
        others = [charter for charter in channels if names_other(self.trusted, charter)]
        if len(others) == len(channels):
            others = []
        untrusting = replace(self, trusted=Trusted())
        parts = [
            (untrusting if charter in others else self).logs(logs, charter)
            for charter, logs in channels.items()
        ]
        return parts[0] if len(parts) == 1 else self._whole(parts)

    def _whole(self, parts: list[Report]) -> Report:
        """One verdict over all: the worst of them."""
        grade = next(grade for grade in _WORST if grade in {part.grade for part in parts})
        return Report("logs", self.given, self.trusted.how, grade, None, (), parts=tuple(parts))

    def logs(self, logs: Mapping[str, LogFiles], charter: bytes | None) -> Report:
        findings = Findings()
        keys = self.keys(charter, findings)
        checkpoints = Checkpoints(keys, self.now, findings)
        opened = [open_log(where, files, checkpoints, findings) for where, files in logs.items()]
        held = sorted((log for log in opened if log), key=lambda log: log.size)
        others = {log.signed.party: log for log in held}  # of two copies the longer
        facts: list[LogFact] = []
        for log in held:
            fact, whole = read_log(log, keys, others, findings, self.progress)
            facts.append(fact)
            note_uncosigned(log, keys, findings)
            if whole:
                checkpoints.compare_with_tree(log.signed, log.reader(), log.where)
        return self._report(
            "log",
            keys,
            findings,
            checkpoints,
            logs=tuple(sorted(facts, key=lambda fact: (fact.party, fact.where))),
        )

    # --- what people sign ---

    def charter(self, data: bytes, findings: Findings) -> Report:
        keys = settle(self.trusted, data, findings)
        return self._report("charter", keys, findings)

    def card(self, data: bytes, keys: Keys, findings: Findings) -> Report:
        """Signed by its own root keys; whose they are, only a charter says."""
        with findings.checking(Check.CARD, self.given):
            card = parse_card(data)
            if keys.charter and card not in keys.charter.parties:
                raise UnverifiedError("verify.other_card", party=card.party)
        return self._report("card", keys, findings)

    def split(self, data: bytes, keys: Keys, findings: Findings) -> Report:
        """If it holds, one party has signed two histories."""
        try:
            proof = parse_split(data)
            checkpoint, _ = parse_signed_checkpoint(proof.larger)
            if key := _log_key(keys, checkpoint):
                verify_split(proof, key)
                findings.holds(Check.SPLIT, self.given)
            else:
                origin = checkpoint.origin
                findings.lacks(Check.SPLIT, self.given, "verify.no_keys", origin=origin)
        except ConvenioError as error:
            findings.fails(Check.SPLIT, self.given, error)
        return self._report("split", keys, findings)

    def _report(  # noqa: PLR0913 - what a report is made of
        self,
        kind: str,
        keys: Keys,
        findings: Findings,
        checkpoints: Checkpoints | None = None,
        *,
        statements: tuple[Statement, ...] = (),
        logs: tuple[LogFact, ...] = (),
    ) -> Report:
        covered = keys.charter is not None or kind in {"bundle", "proof", "record", "log", "split"}
        return Report(
            kind=kind,
            given=self.given,
            trust=self.trusted.how,
            grade=findings.grade(vouched=keys.vouched and covered),
            channel=channel_fact(keys.charter) if keys.charter else None,
            findings=tuple(findings),
            statements=statements,
            logs=logs,
            evidence=tuple(checkpoints.evidence) if checkpoints else (),
        )


def _log_key(keys: Keys, checkpoint: Checkpoint) -> Verifier | None:
    """The key whose two signatures contradict each other; None if it is not at hand."""
    if keys.charter:
        party = keys.charter.party_of(checkpoint.origin)
        if party is None:
            raise UnverifiedError("verify.other_log", origin=checkpoint.origin)
        return keys.charter.log_verifiers(party)[0]
    for log in keys.policy.logs if keys.policy else ():
        if log.verifier.name == checkpoint.origin:
            return log.verifier
    return None


def _kind_of(data: bytes) -> str:
    """What a signed note or a line of JSON says it is; '' for nothing we know."""
    try:
        kind = canon.loads(data.partition(b"\n")[0], MAX_TRUST_BYTES).get("kind")
    except ConvenioError:
        return ""
    return str(kind) if kind in _KINDS else ""


def _record_beside(proof: Path) -> Path | None:
    """`X.record` of `X.tlog-proof` or `X.us.tlog-proof`; None if there is none."""
    stem = proof.name.removesuffix(".tlog-proof")
    for name in (stem, stem.rpartition(".")[0]):
        if name and (path := proof.with_name(f"{name}.record")).is_file():
            return path
    return None


def _proofs_beside(record: Path) -> list[Path]:
    stem = record.name.removesuffix(".record")
    beside = (path for path in record.parent.iterdir() if path.name.endswith(".tlog-proof"))
    mine = (path for path in beside if path.name.startswith(f"{stem}."))
    return sorted(mine)[:MAX_PROOFS]


def _charter_near(folder: Path) -> bytes | None:
    """The charter that lies in a folder, or beside it."""
    for place in (folder / CHARTER, folder.parent / CHARTER):
        if place.is_file():
            return read_file(place, MAX_TRUST_BYTES)
    return None


def _logs_in(folder: Path) -> list[Path]:
    """The folder itself if it is a log, else the logs in it, at most two levels down."""
    for pattern in ("checkpoint", "*/checkpoint", "*/*/checkpoint"):
        if found := sorted(path.parent for path in folder.glob(pattern) if path.is_file()):
            if len(found) > MAX_LOGS:
                raise MalformedError("verify.too_many_logs", most=MAX_LOGS)
            return found
    return []
