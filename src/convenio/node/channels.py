"""Channels: proposed by one party, accepted by the others, confirmed by voice on each node.

A charter is made of the cards of all members. The proposer's root keys sign it first; each other
member checks it, adds its own signatures and passes it on. Until a person here has compared the
fingerprint with the partner's people, nothing but public test records may pass.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Final

from convenio.core.card import Card, Text, parse_card
from convenio.core.decide import Act, Question, require
from convenio.core.errors import ConflictError, QuorumError, RefusedError
from convenio.core.fold import FOLD_VERSION
from convenio.core.httpsig import parse_base_url
from convenio.core.note import Ed25519Signer
from convenio.core.trust import (
    Charter,
    Quota,
    SignedCharter,
    matches_fingerprint,
    merge_charters,
    parse_charter,
    plain_fingerprint,
    propose_charter,
)
from convenio.instruments.builtin import REQUEST, require_understood
from convenio.node.clock import Clock
from convenio.node.definitions import known_instruments
from convenio.node.local import ActOnRecord, Channel, LocalStore

Random = Callable[[int], bytes]
TYPES: Final = (
    "action.v1",
    "disclosure.v1",
    "figure.v1",
    "notice.v1",
    "objection.v1",
    "proof.v1",
    "received.v1",
    "request.v1",
    "split.v1",
    "statement.v1",
)
QUOTA: Final = Quota(entries_per_day=1_000_000, bytes_per_day=4 << 30)


class Channels:
    """What a keeper does with charters."""

    def __init__(
        self,
        local: LocalStore,
        card: Card,
        clock: Clock,
        rng: Random,
        changed: Callable[[], None],
    ) -> None:
        """changed: the channels of this node are to be read again."""
        self._local, self._card = local, card
        self._clock, self._rng, self._changed = clock, rng, changed

    def propose(  # noqa: PLR0913 - what a charter says
        self,
        by: str,
        *,
        name: str,
        title: Text,
        cards: Sequence[bytes],
        access: str,
        purpose: str,
        roots: Sequence[Ed25519Signer],
        other_roots: Collection[str] = (),
    ) -> SignedCharter:
        """A new charter, signed by our root keys and kept here; to be sent to the others.

        other_roots: parties that have told a person here, by voice, of their new root keys.
        Raises:  RefusedError: decide.* · channel.own_card · channel.card_twice ·
                 channel.other_roots, a confirmed channel has others for one of the parties ·
                 channel.foreign_root · MalformedError: trust.* · ConflictError:
                 channel.name_taken; and if all that is well QuorumError: channel.roots, too few
                 root keys of ours.
        """
        self._require_keeper(by)
        self._require_free(name)
        others = [parse_card(card) for card in cards]
        self._check_cards([card.party for card in others])
        charter = Charter(
            nonce=self._rng(16).hex(),
            name=name,
            title=title,
            access=access,
            purpose=purpose,
            fold=FOLD_VERSION,
            types=TYPES,
            instruments={REQUEST.name: REQUEST.hash},
            quota=QUOTA,
            parties=(self._card, *others),
            at=int(self._clock()),
        )
        changed = self._check_known(charter, other_roots)
        self._check_roots(roots)
        signed = propose_charter(charter, *roots)
        self._keep(by, "channel.propose", signed, changed)
        return signed

    def accept(
        self,
        by: str,
        data: bytes,
        roots: Sequence[Ed25519Signer],
        other_roots: Collection[str] = (),
    ) -> SignedCharter:
        """A charter somebody sent us, with our signatures added if it lacks them.

        other_roots: parties that have told a person here, by voice, of their new root keys.
        Raises:  RefusedError: decide.* · channel.not_ours, we are not in it · channel.other_card,
                 it names other keys for us than this node has · channel.other_roots, a confirmed
                 channel has others for one of the parties · channel.roots · fold.version, this
                 program cannot fold it · MalformedError · SignatureError · ConflictError:
                 channel.name_taken · channel.nonce_taken, its logs would be those of another.
        """
        self._require_keeper(by)
        signed = parse_charter(data)
        self._check_ours(signed.charter)
        changed = self._check_known(signed.charter, other_roots)
        for known in self._local.channels():
            if known.ch == signed.charter.ch:
                signed = merge_charters(known.signed, signed)
            elif known.signed.charter.nonce == signed.charter.nonce:
                raise ConflictError("channel.nonce_taken", channel=known.name)
        self._require_free(signed.charter.name, signed.charter.ch)
        if self._card.party in signed.missing():
            self._check_roots(roots)
            signed = signed.with_signatures(*roots)
        self._keep(by, "channel.accept", signed, changed)
        return signed

    def confirm(self, by: str, name: str, typed: str, other_roots: Collection[str] = ()) -> Channel:
        """A person here has compared the fingerprint with the partner, outside this system.

        other_roots: as of `accept`. Asked again here: another channel, with other root keys for a
        party, may have been confirmed since this one's charter came.
        Raises:  RefusedError: channel.fingerprint, it is another one: do not go on, somebody may
                 have exchanged the keys · channel.other_roots · MalformedError: trust.fingerprint,
                 it is none: digits are missing · QuorumError: trust.charter_quorum, not all have
                 signed.
        """
        self._require_keeper(by)
        channel = self._local.channel(name)
        channel.signed.require_complete()
        if not matches_fingerprint(channel.ch, plain_fingerprint(typed)):
            raise RefusedError("channel.fingerprint", channel=channel.name)
        again = channel.confirmed_at
        changed = [] if again else self._check_roots_known(channel.signed.charter, other_roots)
        now, reason = int(self._clock()), _reason(changed)
        self._local.confirm(channel.ch, now, by)
        self._local.note_act(ActOnRecord(now, by, "channel.confirm", channel.ch, "", reason))
        self._changed()
        return self._local.channel(name)

    def route(self, by: str, name: str, party: str, url: str) -> None:
        """Reach a member at another address; who answers there must still have its keys.

        Raises:  RefusedError: decide.* · channel.unknown · trust.not_a_member · MalformedError:
                 http.url, nobody can be called there.
        """
        self._require_keeper(by)
        parse_base_url(url)
        channel = self._local.channel(name)
        channel.signed.charter.member(party)
        self._local.set_route(channel.ch, party, url)
        now = int(self._clock())
        self._local.note_act(ActOnRecord(now, by, "channel.route", channel.ch, party, url))
        self._changed()

    def unroute(self, by: str, name: str, party: str) -> None:
        """Reach a member where its card says again.

        Raises:  RefusedError: decide.* · channel.unknown · channel.no_route, no other address was
                 given for it.
        """
        self._require_keeper(by)
        channel = self._local.channel(name)
        if not self._local.drop_route(channel.ch, party):
            raise RefusedError("channel.no_route", party=party, channel=channel.name)
        now = int(self._clock())
        self._local.note_act(ActOnRecord(now, by, "channel.unroute", channel.ch, party, ""))
        self._changed()

    def _require_keeper(self, by: str) -> None:
        require(Question(Act.GOVERN, self._local.person(by)))

    def _require_free(self, name: str, ch: str = "") -> None:
        """No channel but `ch` has this name here: known before anybody is asked for root keys."""
        if any(known.name == name and known.ch != ch for known in self._local.channels()):
            raise ConflictError("channel.name_taken", channel=name)

    def _check_cards(self, parties: Sequence[str]) -> None:
        if self._card.party in parties:
            raise RefusedError("channel.own_card", party=self._card.party)
        for party in parties:
            if parties.count(party) > 1:
                raise RefusedError("channel.card_twice", party=party)

    def _check_ours(self, charter: Charter) -> None:
        require_understood(charter, known_instruments())
        if self._card.party not in charter.members():
            raise RefusedError("channel.not_ours", channel=charter.name)
        if charter.member(self._card.party) != self._card:
            raise RefusedError("channel.other_card", channel=charter.name)

    def _check_known(self, charter: Charter, told: Collection[str]) -> list[str]:
        """Which of the `told` parties have other root keys here than in a confirmed channel.

        Working keys change by rosters; root keys only by a new charter. So others under a name or
        domain that people here have compared before are either news a person has heard by voice,
        or somebody else. A charter that is here already was looked at when it came.
        """
        if any(channel.ch == charter.ch for channel in self._local.channels()):
            return []
        return self._check_roots_known(charter, told)

    def _check_roots_known(self, charter: Charter, told: Collection[str]) -> list[str]:
        known = [each for each in self._local.channels() if each.ch != charter.ch]
        others = [card for card in charter.parties if card.party != self._card.party]
        changed = set()
        for channel in known:
            for old in channel.signed.charter.parties if channel.confirmed_at else ():
                for new in others:
                    same = new.party == old.party or new.domain == old.domain
                    if same and new.roots != old.roots:
                        changed.add(new.party)
                        if new.party not in told:
                            raise RefusedError(
                                "channel.other_roots", party=new.party, channel=channel.name
                            )
        return sorted(changed)

    def _check_roots(self, roots: Sequence[Ed25519Signer]) -> None:
        known = {verifier.public for verifier in self._card.root_verifiers()}
        given = {signer.public for signer in roots}
        if not given <= known:
            raise RefusedError("channel.foreign_root", party=self._card.party)
        if len(given) < self._card.roots.k:
            raise QuorumError("channel.roots", given=len(given), needed=self._card.roots.k)

    def _keep(self, by: str, act: str, signed: SignedCharter, changed: Sequence[str]) -> None:
        self._local.put_charter(signed)
        now, reason = int(self._clock()), _reason(changed)
        self._local.note_act(ActOnRecord(now, by, act, signed.charter.ch, "", reason))
        self._changed()


def _reason(changed: Sequence[str]) -> str:
    """For the journal: whose root keys are other ones, as a person here has been told."""
    return " ".join(("other roots:", *changed)) if changed else ""
