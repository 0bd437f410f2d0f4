"""Comparing: when a partner's word differs from what we hold of a third log, ask what it holds.

Records say with `seen` which roots their author had folded. That binds the author of the record and
nobody else: one word against another. But the partner's mirror keeps what the log's owner signed;
that checkpoint and ours prove who has shown two histories.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Final

from convenio.core.errors import ConvenioError, MalformedError, UnverifiedError
from convenio.core.place import Alarm
from convenio.core.record import PartyId
from convenio.node.clock import Clock
from convenio.node.folding import Folding
from convenio.node.histories import Histories
from convenio.node.registry import Log, Registry
from convenio.peer.client import Partner

ASK_S: Final = 3600  # one partner is asked about one log no more often


class Comparing:
    """Fetches a partner's mirror checkpoint where an alarm of the fold asks for it."""

    def __init__(
        self, registry: Registry, folding: Folding, histories: Histories, clock: Clock
    ) -> None:
        self._registry, self._folding = registry, folding
        self._histories, self._clock = histories, clock
        self._asked: dict[tuple[str, PartyId], float] = {}

    def ask(self, ch: str, party: PartyId, connect: Callable[[], Partner]) -> None:
        """Every log about which `party` says another thing than we hold has been compared.

        One request for each. A partner that does not answer is asked again at the next occasion.
        """
        for alarm in self._folding.alarms(ch):
            if alarm.place.party == party and (log := self._due(ch, alarm)):
                with contextlib.suppress(ConvenioError):
                    self._compare(log, party, connect())

    def _due(self, ch: str, alarm: Alarm) -> Log | None:
        log = next(each for each in self._registry.logs(ch) if each.party == alarm.about)
        asked = self._asked.get((log.origin, alarm.place.party), -ASK_S)
        due = self._clock() - asked >= ASK_S and not self._histories.is_split(log)
        return log if due else None

    def _compare(self, log: Log, party: PartyId, partner: Partner) -> None:
        signed = partner.get_checkpoint(log.origin, mirror=True)
        if signed:
            with contextlib.suppress(MalformedError, UnverifiedError):  # an alarm says itself
                self._histories.meet(log, signed)
        self._asked[log.origin, party] = self._clock()
