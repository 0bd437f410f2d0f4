"""Two histories told to two honest nodes that compare: each finds it, and tells the other."""

from __future__ import annotations

import pytest
from tests.support.histories import (
    alarms_said,
    bare,
    bare_tick,
    convicted,
    cut,
    frozen,
    size,
    split_by_offer,
    wait,
)
from tests.support.liars import Liar
from tests.support.lies import US, code_of, many
from tests.support.nodes import World

from convenio.core.split import (
    parse_split_data,
    verify_split,
)

# --- three parties ---


def test_with_three_the_honest_ones_go_on_receiving_from_each_other(
    third: Liar, honest: World
) -> None:
    """ca does not know yet; what it says is stored and countersigned by mx, and not folded."""
    mx, ca = honest["mx"], honest["ca"]
    true = third.story(*many(third, 3))
    third.feed(true)
    third.feed(true, to="ca")
    wait(third, lambda: cut(third)["us"] == cut(third, ca)["us"] == 3)
    mx.unplug()
    bare(third, ca)
    before = size(third, "ca", ca)
    mx.serve()
    split_by_offer(third, true)
    wait(third, lambda: frozen(third, ca))
    wait(third, lambda: size(third, "ca") >= before + 1)
    key = third.charter.member("mx").mirror_verifiers()[0]
    origin = third.charter.origin("ca")
    wait(
        third,
        lambda: (
            (c := ca.node.store.latest_cosignature(origin, key.name)) is not None
            and c.size == size(third, "ca", ca)
        ),
    )
    assert code_of(lambda: third.offer(true, 3, to="ca")) == (403, "channel.frozen")
    assert code_of(lambda: third.partner.add_entries(true.upload())) == (403, "channel.frozen")


def test_with_three_one_learns_of_it_from_the_other_and_both_say_so_once(
    third: Liar, honest: World
) -> None:
    mx, ca = honest["mx"], honest["ca"]
    true = third.story(*many(third, 3))
    third.feed(true)
    third.feed(true, to="ca")
    wait(third, lambda: cut(third)["us"] == cut(third, ca)["us"] == 3)
    split_by_offer(third, true)
    for home in (mx, ca):
        wait(third, lambda home=home: frozen(third, home))  # type: ignore[misc]
        wait(third, lambda home=home: len(alarms_said(third, "ca", home)) == 1)  # type: ignore[misc]
        wait(third, lambda home=home: len(alarms_said(third, "mx", home)) == 1)  # type: ignore[misc]
    log, _ = third.charter.log_verifiers(US)
    for home in (mx, ca):
        convicted(third, home)
        for header in (*alarms_said(third, "mx", home), *alarms_said(third, "ca", home)):
            assert header.data["of"] == US
            verify_split(parse_split_data(header.data), log)
    cuts = cut(third), cut(third, ca)
    for home in (mx, ca):
        home.reopen()
        bare_tick(home)
    assert (cut(third), cut(third, ca)) == cuts
    for home in (mx, ca):
        assert len(alarms_said(third, home.party, home)) == 1, "said once, whatever happens"
        rows = home.node.index.latest(third.charter.ch, 50, automatic=False)
        assert {row.party for row in rows if row.type == "split.v1"} == {"mx", "ca"}


def test_two_histories_told_to_two_are_found_when_one_of_them_says_a_word(
    third: Liar, honest: World
) -> None:
    """Neither has two checkpoints. One record that has seen the log is enough: its roots differ, so
    the other asks for the checkpoint behind them."""
    mx, ca = honest["mx"], honest["ca"]
    mx.unplug()
    ca.unplug()
    mx.serve()
    third.feed(third.story(*many(third, 3)))
    wait(third, lambda: cut(third) == {"mx": 1, "ca": 0, "us": 3})
    ca.serve()
    wait(third, lambda: size(third, "mx", ca) == 1)
    third.feed(third.story(*many(third, 5)), to="ca")
    for home in (mx, ca):
        wait(third, lambda home=home: frozen(third, home))  # type: ignore[misc]
        convicted(third, home)
    for home in (mx, ca):
        wait(third, lambda home=home: bool(alarms_said(third, "ca", home)))  # type: ignore[misc]
        wait(third, lambda home=home: bool(alarms_said(third, "mx", home)))  # type: ignore[misc]


def test_it_is_found_also_when_the_other_history_asks_for_no_answer(
    third: Liar, honest: World
) -> None:
    """ca has nothing to say to it, and so no other reason to call mx."""
    mx, ca = honest["mx"], honest["ca"]
    ca.unplug()
    third.feed(third.story(third.record()))
    wait(third, lambda: cut(third) == {"mx": 1, "ca": 0, "us": 1})
    ca.serve()
    wait(third, lambda: size(third, "mx", ca) == 1)
    third.feed(third.story(third.record(desk="node", type="received.v1")), to="ca")
    for home in (ca, mx):
        wait(third, lambda home=home: frozen(third, home))  # type: ignore[misc]
        convicted(third, home)


@pytest.mark.parametrize("most", [4096, 2])
def test_the_news_does_not_wait_for_what_its_log_waits_for(
    third: Liar, honest: World, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    """mx's log waits at ca for entries the liar never brings there; and is longer than what ca
    keeps in memory, or not."""
    monkeypatch.setattr("convenio.node.folding.MAX_WAITING", most)
    mx, ca = honest["mx"], honest["ca"]
    ca.unplug()
    true = third.story(third.record())
    third.feed(true)
    wait(third, lambda: cut(third) == {"mx": 1, "ca": 0, "us": 1})
    for _ in range(4):
        bare(third, mx)
    ca.serve()
    wait(third, lambda: size(third, "mx", ca) == 5)
    assert cut(third, ca) == {"mx": 0, "ca": 0, "us": 0}
    split_by_offer(third, true)
    wait(third, lambda: frozen(third, ca))
    convicted(third, ca)
    assert cut(third, ca) == {"mx": 0, "ca": 0, "us": 0}
    wait(third, lambda: bool(alarms_said(third, "ca", mx)))
