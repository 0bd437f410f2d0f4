"""What is asked of one or several honest nodes to which a liar has told two histories."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable

from tests.support.liars import Liar, Story
from tests.support.lies import US, code_of, many
from tests.support.nodes import OFFICER, Home, until

from convenio.core.record import Header, parse_record
from convenio.core.split import (
    SplitProof,
    parse_split,
    verify_split,
)
from convenio.node.speaking import Saying


def wait(liar: Liar, ready: Callable[[], bool]) -> None:
    until(ready, [home.node for home in liar.homes], tell=lambda: tell(liar))


def tell(liar: Liar) -> str:
    lines = [f"{h.party}: cut {cut(liar, h)} frozen {frozen(liar, h)}" for h in liar.homes]
    lines += [str(h.node.folding.alarms(liar.charter.ch)) for h in liar.homes]
    return "\n".join([*lines, *(str(h.node.feeds()) for h in liar.homes)])


def cut(liar: Liar, home: Home | None = None) -> dict[str, int]:
    folding = (home or liar.home).node.folding
    found = {str(party): size for party, size in folding.cut(liar.charter.ch).items()}
    return defaultdict(int, found)  # nothing before the channel is first looked at


def size(liar: Liar, party: str, home: Home | None = None) -> int:
    return (home or liar.home).node.store.head(liar.charter.origin(party)).size


def frozen(liar: Liar, home: Home | None = None) -> bool:
    return bool((home or liar.home).node.registry.channel(liar.name).frozen_at)


def evidence(liar: Liar, home: Home | None = None) -> list[SplitProof]:
    pieces = (home or liar.home).node.store.evidence()
    return [parse_split(e.payload) for e in pieces if e.origin == liar.origin]


def convicted(liar: Liar, home: Home | None = None) -> SplitProof:
    """One proof, which convinces whoever has the charter; the channel is frozen."""
    (proof,) = evidence(liar, home)
    log, _ = liar.charter.log_verifiers(US)
    verify_split(proof, log)
    assert frozen(liar, home)
    return proof


def said(liar: Liar, party: str, home: Home | None = None) -> list[Header]:
    """What a party has logged, as this node holds it."""
    store, origin = (home or liar.home).node.store, liar.charter.origin(party)
    held = store.entries(origin, 0, store.head(origin).size)
    return [parse_record(stored.entry).header for stored in held]


def alarms_said(liar: Liar, party: str, home: Home | None = None) -> list[Header]:
    return [header for header in said(liar, party, home) if header.type == "split.v1"]


def bare(liar: Liar, home: Home | None = None) -> None:
    """A record without a body by a person of an honest node."""
    (home or liar.home).node.speaking.say(OFFICER, Saying(liar.name, "statement.v1", "", ()))


def forked(liar: Liar, story: Story, at: int, length: int) -> Story:
    """The same story up to `at`, and another one from there, of `length` in all."""
    return Story(liar, [*story.entries[:at], *many(liar, length - at)])


def split_by_offer(liar: Liar, story: Story) -> None:
    """Convict the liar: it offers another last entry than it has told."""
    false = forked(liar, story, len(story) - 1, len(story))
    assert code_of(lambda: liar.offer(false, 0)) == (422, "mirror.split_view")


def waiting(liar: Liar) -> list[int]:
    return [head.size for head in liar.home.node.store.foreign(liar.origin)]


def bare_tick(home: Home) -> None:
    home.node.tick()
    home.node.folding.wake()
