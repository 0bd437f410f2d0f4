"""What is asked of a node that a liar was at: what it holds, believes and says."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from tests.support.liars import Liar
from tests.support.nodes import OFFICER, until

from convenio.core.errors import ConvenioError
from convenio.core.record import Header, PartyId, parse_record
from convenio.node.feed import FeedState
from convenio.node.records import Found, State
from convenio.node.sequencer import Accepted
from convenio.node.speaking import Attachment, Saying

US = PartyId("us")


def say(liar: Liar, text: bytes = b"hello", **more: Any) -> Accepted:
    body = Attachment(io.BytesIO(text), len(text))
    saying = Saying(liar.name, "statement.v1", "", ("us:liaison",), (body,))
    return liar.home.node.speaking.say(OFFICER, replace(saying, **more))


def found(liar: Liar, accepted: Accepted) -> Found:
    return liar.home.node.records.at(
        liar.home.node.registry.own_log(liar.charter.ch), accepted.index
    )


def state(liar: Liar, accepted: Accepted) -> State:
    (delivered,) = liar.home.node.records.delivery(found(liar, accepted))
    return delivered.state


def feed_of(liar: Liar) -> FeedState:
    return next(f for f in liar.home.node.feeds() if f.ch == liar.charter.ch)


def wait(liar: Liar, ready: Callable[[], bool]) -> None:
    until(ready, [liar.home.node], tell=lambda: str(liar.home.node.feeds()))


def cut(liar: Liar) -> int:
    return liar.home.node.folding.cut(liar.charter.ch).get(US, 0)


def held(liar: Liar) -> int:
    return liar.home.node.store.head(liar.origin).size


def ours(liar: Liar) -> list[Header]:
    """What our node has logged in this channel."""
    store = liar.home.node.store
    size = store.head(liar.our_origin).size
    return [parse_record(s.entry).header for s in store.entries(liar.our_origin, 0, size)]


def objections(liar: Liar) -> list[tuple[str, str]]:
    return [
        (str(h.data["leaf"]), str(h.data["code"])) for h in ours(liar) if h.type == "objection.v1"
    ]


def code_of(act: Callable[[], object]) -> tuple[int | str, str]:
    """What our node answered: status and reason."""
    with pytest.raises(ConvenioError) as caught:
        act()
    parameters = caught.value.parameters
    return parameters.get("status", ""), str(parameters.get("reason", caught.value.code))


def evidence(liar: Liar) -> list[Any]:
    return [e for e in liar.home.node.store.evidence() if e.origin == liar.origin]


def frozen(liar: Liar) -> bool:
    return bool(liar.home.node.registry.channel(liar.name).frozen_at)


def many(liar: Liar, count: int, **fields: Any) -> list[bytes]:
    return [liar.record(**fields) for _ in range(count)]
