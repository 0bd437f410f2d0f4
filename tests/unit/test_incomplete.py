"""Entries whose bodies lack: named in the order of folding, each looked at once."""

from __future__ import annotations

from convenio.core.place import Place
from convenio.core.record import PartyId
from convenio.node.incomplete import Incomplete

MX, CA = PartyId("mx"), PartyId("ca")


def of(*places: Place) -> Incomplete:
    made = Incomplete()
    for place in places:
        made.add(place)
    return made


def mx(index: int) -> Place:
    return Place(MX, index)


def ca(index: int) -> Place:
    return Place(CA, index)


def test_the_first_few_are_named_in_the_order_they_were_folded() -> None:
    look = of(mx(3), ca(0), mx(4), ca(2), mx(9)).look(lambda _: True, 3)
    assert look.named == [mx(3), ca(0), mx(4)]
    assert look.rest == [mx(9), ca(2)], "the first of each log that is left"


def test_what_is_whole_by_now_is_passed_by_and_not_named() -> None:
    waiting = of(mx(1), mx(2), ca(5), mx(3))
    look = waiting.look(lambda place: place == mx(3), 2)
    assert (look.named, look.rest) == ([mx(3)], [])
    waiting.drop(look)
    assert not waiting


def test_a_look_changes_nothing_until_it_is_dropped() -> None:
    waiting = of(mx(1), ca(1), mx(2))
    first = waiting.look(lambda _: True, 2)
    assert waiting.look(lambda _: True, 2) == first
    waiting.drop(first)
    assert waiting.look(lambda _: True, 2).named == [mx(2)]


def test_what_our_log_covers_is_forgotten() -> None:
    waiting = of(mx(1), ca(1), mx(2), ca(7))
    waiting.forget({MX: 2, CA: 7}.__getitem__)
    assert waiting.look(lambda _: True, 9).named == [mx(2), ca(7)]


def test_no_more_is_looked_at_than_is_named() -> None:
    waiting, looked = of(*map(mx, range(1000))), list[Place]()
    waiting.look(lambda place: not looked.append(place), 10)  # type: ignore[func-returns-value]
    assert len(looked) == 10


def test_what_is_told_again_after_an_error_is_there_once() -> None:
    waiting = of(mx(1), ca(1), mx(1), ca(1), ca(2))
    assert waiting.look(lambda _: True, 9).named == [mx(1), ca(1), ca(2)]
