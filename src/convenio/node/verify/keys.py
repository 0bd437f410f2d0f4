"""Whose keys count: what the caller trusts, against what the thing to be checked brings along."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from convenio.core.card import Text
from convenio.core.errors import ConvenioError, MalformedError, UnverifiedError
from convenio.core.policy import Policy, parse_policy
from convenio.core.trust import (
    Charter,
    SignedCharter,
    fingerprint,
    matches_fingerprint,
    parse_charter,
    plain_fingerprint,
)
from convenio.node.verify.report import ChannelFact, Check, DeskFact, Findings

_DIGITS: Final = re.compile(r"\s*(?:[0-9][0-9\s-]*|[0-9a-fA-F]{64}\s*)\Z", re.ASCII)


@dataclass(frozen=True, slots=True)
class Trusted:
    """What the caller says may be believed. how: none · charter · fingerprint · policy."""

    how: str = "none"
    charter: SignedCharter | None = None
    policy: Policy | None = None
    typed: str = ""


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys that everything is checked with. vouched: the caller trusts them.

    At most one of the two is there: what a policy does not cover, a charter that nobody vouches
    for cannot add.
    """

    charter: Charter | None
    policy: Policy | None
    vouched: bool


def parse_trust(given: bytes | str | None) -> Trusted:
    """What a file or a typed hash says may be believed.

    bytes: a charter, a tlog-policy, or a file that holds only a hash. str: the charter's hash in
    hex, or its 60 digits.
    Raises:  MalformedError: verify.trust, none of these · trust.fingerprint, digits are missing or
             too many · note.* · canon.* · trust.* · policy.* ·
             QuorumError: trust.charter_quorum · trust.foreign_signature · SignatureError.
    """
    if given is None:
        return Trusted()
    if isinstance(given, bytes):
        if given.startswith(b"{"):
            signed = parse_charter(given)
            signed.require_complete()
            return Trusted("charter", charter=signed)
        if b"quorum" in given:  # a line that every policy has
            return Trusted("policy", policy=parse_policy(given))
    text = given if isinstance(given, str) else given.decode("ascii", "replace")
    if not _DIGITS.match(text):
        raise MalformedError("verify.trust")
    return Trusted("fingerprint", typed=plain_fingerprint(text.strip()))


def settle(trusted: Trusted, brought: bytes | None, findings: Findings) -> Keys:
    """The keys to check with. What the caller trusts comes first; a charter that came with the
    thing itself counts only if it is that one.

    In the findings:  TRUST fails: verify.other_fingerprint · verify.other_charter. Missing, for
    it ties the keys to the fingerprint: verify.no_charter.
    """
    if trusted.policy is not None:
        return Keys(None, trusted.policy, vouched=True)
    own = _parse(brought, findings)
    charter = trusted.charter or own
    if charter is not None:
        with findings.checking(Check.CHARTER, charter.charter.name):
            charter.require_complete()
    vouched = _is_vouched(trusted, own, findings)
    return Keys(charter.charter if charter else None, None, vouched)


def _parse(brought: bytes | None, findings: Findings) -> SignedCharter | None:
    if brought is None:
        return None
    try:
        return parse_charter(brought)
    except ConvenioError as error:
        findings.fails(Check.CHARTER, "charter.note", error)
        return None


def _is_vouched(trusted: Trusted, own: SignedCharter | None, findings: Findings) -> bool:
    if trusted.how == "none":
        return False
    if trusted.how == "fingerprint" and own is None:
        findings.lacks(Check.TRUST, trusted.how, "verify.no_charter")
        return False
    with findings.checking(Check.TRUST, trusted.how):
        if own and trusted.typed and not matches_fingerprint(own.charter.ch, trusted.typed):
            raise UnverifiedError("verify.other_fingerprint", ch=own.charter.ch)
        if trusted.charter and own and own.charter.ch != trusted.charter.charter.ch:
            raise UnverifiedError("verify.other_charter", ch=own.charter.ch)
    return True


def names_other(trusted: Trusted, brought: bytes | None) -> bool:
    """Whether what is trusted is the charter of another channel than the one `brought`."""
    own = _parse(brought, Findings())
    if own is None:
        return False
    if trusted.charter:
        return trusted.charter.charter.ch != own.charter.ch
    return bool(trusted.typed) and not matches_fingerprint(own.charter.ch, trusted.typed)


def channel_fact(charter: Charter) -> ChannelFact:
    return ChannelFact(
        ch=charter.ch,
        fingerprint=fingerprint(charter.ch),
        name=charter.name,
        title=charter.title,
        access=charter.access,
        purpose=charter.purpose,
        members={card.party: card.name for card in charter.parties},
    )


def party_name(charter: Charter | None, party: str) -> Text | None:
    cards = charter.parties if charter else ()
    return next((card.name for card in cards if card.party == party), None)


def desk_fact(charter: Charter | None, address: str) -> DeskFact:
    """What the charter says of `party:desk`."""
    party, _, desk = address.partition(":")
    cards = [card for card in (charter.parties if charter else ()) if card.party == party]
    names = [each.name for card in cards for each in card.roster.desks if each.id == desk]
    return DeskFact(address, party, names[0] if names else None)
