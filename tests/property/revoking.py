"""A fold whose rules change with the past: a party may disown one of its own keys.

Charter amendments and rosters will come this way; until they do, this shows that the place where
rules are looked up is enough for "nothing reaches back".
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from tests.property.channel import REVOKE

from convenio.core.fit import Member, Rules
from convenio.core.fold import Fold
from convenio.core.note import Verifier
from convenio.core.place import Place
from convenio.core.record import Header, PartyId


class RevokingFold(Fold):
    """Knows each revocation and where it stands; what comes after is not signed by that key."""

    def __init__(self, rules: Rules, root_at: Callable[[PartyId, int], bytes]) -> None:
        super().__init__(rules, root_at)
        self._revoked: list[tuple[Place, str]] = []

    def amend(self, place: Place, header: Header) -> None:
        if header.type == REVOKE:
            self._revoked.append((place, str(header.data["key"])))

    def rules_for(self, past: Sequence[int]) -> Rules:
        rules = super().rules_for(past)
        members = tuple(
            replace(member, authors=self._left(member, size))
            for member, size in zip(rules.members, past, strict=True)
        )
        return replace(rules, members=members) if self._revoked else rules

    def _left(self, member: Member, size: int) -> dict[str, Verifier]:
        """The keys of a member that its log has not disowned within its first `size` entries."""
        gone = {k for at, k in self._revoked if at.party == member.party and at.index < size}
        return {name: key for name, key in member.authors.items() if name not in gone}
