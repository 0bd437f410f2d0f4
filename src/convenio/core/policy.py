"""Whom to believe about a log: the trust policy file of C2SP tlog-policy (commit 5ba5ee8).

A policy names logs, cosigners ("witnesses", which for us are mirrors) and how many of them must
have cosigned. It does not fetch, and it does not judge times.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from convenio.core.checkpoint import Checkpoint, parse_signed_checkpoint
from convenio.core.cosign import (
    ML_DSA_44_COSIGNATURE,
    CosignVerifier,
    timestamp_of,
    verifier_of,
)
from convenio.core.encoding import parse_decimal
from convenio.core.errors import MalformedError, QuorumError, SignatureError
from convenio.core.note import Ed25519Verifier, Note, keyring, verify_note

MAX_POLICY_BYTES: Final = 512 * 1024
MAX_LINES_OF_A_KIND: Final = 64
NONE: Final = "none"
_FORBIDDEN = re.compile(rb"[\x00-\x08\x0b-\x1f\x7f]")
_SPACES = re.compile(r"[ \t]+")

LogKey = Ed25519Verifier | CosignVerifier


@dataclass(frozen=True, slots=True)
class Log:
    """A log that is believed. verifier: 0x01 or 0x06, named by the log's origin."""

    verifier: LogKey
    url: str = ""


@dataclass(frozen=True, slots=True)
class Witness:
    """A cosigner. name: what this policy calls it. verifier: 0x04 or 0x06."""

    name: str
    verifier: CosignVerifier
    url: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """Has cosigned if `threshold` of its members have: witnesses, or groups defined before."""

    name: str
    threshold: int
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Verified:
    """What a policy believes. log_keys: vkeys of the log that signed.

    cosigned_at: for each witness that cosigned, by its name in the policy, when; seconds UTC.
    """

    checkpoint: Checkpoint
    log_keys: tuple[str, ...]
    cosigned_at: dict[str, int]


@dataclass(frozen=True, slots=True)
class Policy:
    """Logs, witnesses and the quorum: the name of a witness or group, or `none`."""

    logs: tuple[Log, ...]
    witnesses: tuple[Witness, ...]
    groups: tuple[Group, ...]
    quorum: str

    def format(self) -> bytes:
        """The policy as a file, without comments."""
        lines = [("log", each.verifier.vkey(), each.url) for each in self.logs]
        lines += [("witness", f"{w.name} {w.verifier.vkey()}", w.url) for w in self.witnesses]
        lines += [("group", f"{g.name} {g.threshold}", " ".join(g.members)) for g in self.groups]
        lines += [("quorum", self.quorum, "")]
        text = "".join(" ".join(filter(None, line)) + "\n" for line in lines)
        return text.encode("utf-8", "surrogateescape")

    def verify(self, signed: bytes) -> Verified:
        """The checkpoint in `signed`, once a log of this policy and a quorum have signed it.

        Raises:  MalformedError: note.* · checkpoint.* · SignatureError: policy.no_log, no listed
                 key of this origin has signed · note.bad_signature · cosign.*, a listed key's
                 line fails · QuorumError: policy.quorum.
        """
        checkpoint, note = parse_signed_checkpoint(signed)
        logs = [each.verifier for each in self.logs if each.verifier.name == checkpoint.origin]
        found = _signers(note, *logs, *(witness.verifier for witness in self.witnesses))
        log_keys = tuple(log.vkey() for log in logs if (log.name, log.key_id) in found)
        if not log_keys:
            raise SignatureError("policy.no_log", origin=checkpoint.origin)
        cosigned_at = {
            witness.name: timestamp_of(note.lines[found[key]])
            for witness in self.witnesses
            if (key := (witness.verifier.name, witness.verifier.key_id)) in found
        }
        if not self.is_met_by(cosigned_at):
            raise QuorumError("policy.quorum", needed=self.quorum)
        return Verified(checkpoint, log_keys, cosigned_at)

    def is_met_by(self, witnesses: Mapping[str, object]) -> bool:
        """Whether these witnesses, by their names in the policy, are a quorum."""
        met = {NONE, *witnesses}
        for group in self.groups:
            if sum(member in met for member in group.members) >= group.threshold:
                met.add(group.name)
        return self.quorum in met


def _signers(note: Note, *keys: LogKey) -> dict[tuple[str, bytes], int]:
    """The keys that signed, each with the place of the line that was verified."""
    try:
        good = verify_note(note, keyring(*keys))
    except SignatureError as error:
        if error.code == "note.no_known_key":
            return {}
        raise
    places = [(line.name, line.key_id) for line in note.lines]
    return {(key.name, key.key_id): places.index((key.name, key.key_id)) for key in good}


def from_keys(logs: Sequence[str], witnesses: Mapping[str, str], threshold: int) -> Policy:
    """The policy that believes `logs` (vkeys) if `threshold` of `witnesses` (name: vkey) agree."""
    lines = [f"log {vkey}" for vkey in logs]
    lines += [f"witness {name} {vkey}" for name, vkey in witnesses.items()]
    quorum = NONE
    if threshold == len(witnesses) == 1:
        (quorum,) = witnesses
    elif threshold:
        quorum = "cosigners"
        lines += [f"group {quorum} {threshold} {' '.join(witnesses)}"]
    return parse_policy("".join(f"{line}\n" for line in (*lines, f"quorum {quorum}")).encode())


def parse_policy(data: bytes) -> Policy:
    """The policy that a file writes.

    Raises:  MalformedError: policy.too_long · policy.not_text · policy.line · policy.key_type ·
             policy.same_key · policy.name · policy.undefined · policy.member · policy.threshold ·
             policy.one_quorum · policy.too_many · note.vkey and others of `cosign.verifier_of`.
    Source:  C2SP tlog-policy, Policy file syntax and structure.
    """
    if len(data) > MAX_POLICY_BYTES:
        raise MalformedError("policy.too_long", max_bytes=MAX_POLICY_BYTES)
    if _FORBIDDEN.search(data) or (data and not data.endswith(b"\n")):
        raise MalformedError("policy.not_text")
    draft = _Draft()
    for line in data.decode("utf-8", "surrogateescape").split("\n"):
        words = _SPACES.split(line.strip(" \t"))
        if words[0] and not words[0].startswith("#"):
            draft.add(words)
    return draft.finish()


class _Draft:
    """A policy as far as it has been read."""

    def __init__(self) -> None:
        self._logs: list[Log] = []
        self._witnesses: list[Witness] = []
        self._groups: list[Group] = []
        self._names: dict[str, bool] = {}  # defined names, and whether each has a group
        self._quorums: list[str] = []

    def add(self, words: list[str]) -> None:
        match words:
            case ["log", vkey]:
                self._logs.append(Log(_log_key(vkey)))
            case ["log", vkey, url]:
                self._logs.append(Log(_log_key(vkey), url))
            case ["witness", name, vkey]:
                self._witnesses.append(Witness(self._define(name), _witness_key(vkey)))
            case ["witness", name, vkey, url]:
                self._witnesses.append(Witness(self._define(name), _witness_key(vkey), url))
            case ["group", name, threshold, *members] if members:
                for member in members:
                    self._join(member)
                least = _threshold(threshold, len(members))
                self._groups.append(Group(self._define(name), least, tuple(members)))
            case ["quorum", name]:
                if name != NONE and name not in self._names:
                    raise MalformedError("policy.undefined")
                self._quorums.append(name)
            case _:
                raise MalformedError("policy.line")

    def _define(self, name: str) -> str:
        if name == NONE or name in self._names:
            raise MalformedError("policy.name")
        self._names[name] = False
        return name

    def _join(self, member: str) -> None:
        if member not in self._names:
            raise MalformedError("policy.undefined")
        if self._names[member]:
            raise MalformedError("policy.member")
        self._names[member] = True

    def finish(self) -> Policy:
        for lines in (self._logs, self._witnesses, self._groups):
            if len(lines) > MAX_LINES_OF_A_KIND:
                raise MalformedError("policy.too_many", most=MAX_LINES_OF_A_KIND)
        for keyed in (self._logs, self._witnesses):
            keys = [each.verifier.public for each in keyed]
            if len(set(keys)) != len(keys):
                raise MalformedError("policy.same_key")
        if len(self._quorums) != 1:
            raise MalformedError("policy.one_quorum")
        return Policy(
            tuple(self._logs), tuple(self._witnesses), tuple(self._groups), self._quorums[0]
        )


def _log_key(vkey: str) -> LogKey:
    key = verifier_of(vkey)
    if isinstance(key, CosignVerifier) and key.kind != ML_DSA_44_COSIGNATURE:
        raise MalformedError("policy.key_type")
    return key


def _witness_key(vkey: str) -> CosignVerifier:
    key = verifier_of(vkey)
    if not isinstance(key, CosignVerifier):
        raise MalformedError("policy.key_type")
    return key


def _threshold(word: str, members: int) -> int:
    if word in {"any", "all"}:
        return 1 if word == "any" else members
    number = parse_decimal(word.encode("utf-8", "surrogateescape"), "policy.threshold")
    if not 1 <= number <= members:
        raise MalformedError("policy.threshold")
    return number
