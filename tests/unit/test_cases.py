"""Cases and clocks in small stories: who comes first, since when a debt runs, how it was met."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tests.property.channel import EXCHANGE, Channel
from tests.unit.test_fold import Logs, proof

from convenio.core.canon import MAX_INTEGER
from convenio.core.errors import RefusedError
from convenio.core.fold import Fold
from convenio.core.place import Place
from convenio.core.record import OBJECTION, PROOF, RECEIVED, PartyId
from convenio.instruments.builtin import REQUEST
from convenio.instruments.cases import Case, Casebook
from convenio.instruments.deadlines import Debt, Status

MX, US, CA = PartyId("mx"), PartyId("us"), PartyId("ca")
HOUR = 3600


class Story(Logs):
    """Logs with one case in them, opened by mx at 0, with an hour to acknowledge."""

    def __init__(self, *parties: PartyId, to: tuple[PartyId, ...] = (US,)) -> None:
        super().__init__(*parties)
        self.opening = self.ask(MX, 0, to=to)

    def ask(self, party: PartyId, at: int, **fields: Any) -> Place:
        start: Any = {"inst": REQUEST.hash, "act": "ask", "due_in": HOUR, "kind": "request.v1"}
        return self.say(party, at, **(start | fields))

    def act(self, party: PartyId, act: str, at: int, **fields: Any) -> Place:
        cited: Any = {"kind": "request.v1", "case": self.leaf(self.opening).hex(), "act": act}
        return self.say(party, at, **(cited | fields))

    def book(self) -> Casebook:
        fold = self.new_fold()
        book = Casebook(fold, self.channel.instruments)
        for party, log in self.logs.items():
            for index, entry in enumerate(log):
                for folded in fold.feed(party, index, entry):
                    book.take(folded)
        return book

    def case(self) -> Case:
        case = self.book().case(self.leaf(self.opening))
        assert case is not None
        return case

    def verdicts(self) -> list[tuple[str, str]]:
        return [(step.event.act, step.verdict.value) for step in self.case().steps]

    def debt(self) -> Debt:
        return self.case().debts[0]


# --- the walk ---


def test_of_two_concurrent_moves_the_race_list_decides_not_the_time() -> None:
    story = Story()
    story.act(MX, "withdraw", 10, seen={})
    story.act(US, "answer", 5000, seen={MX: 1})
    assert story.verdicts() == [
        ("ask", "applied"),
        ("answer", "applied"),
        ("withdraw", "overtaken"),
    ]
    assert story.case().state == "answered"


def test_who_has_once_said_it_saw_a_withdrawal_cannot_win_by_citing_only_the_opening() -> None:
    story = Story()
    story.act(MX, "withdraw", 10, seen={})
    story.say(US, 20, RECEIVED)
    story.act(US, "answer", 30, seen={MX: 1})
    assert story.verdicts() == [
        ("ask", "applied"),
        ("withdraw", "applied"),
        ("answer", "out_of_turn"),
    ]


def test_of_two_equal_acts_charter_order_decides() -> None:
    story = Story(MX, US, CA, to=(CA, US))
    story.act(CA, "answer", 5, seen={MX: 1})
    story.act(US, "answer", 10, seen={MX: 1})
    assert [(s.event.place.party, s.verdict.value) for s in story.case().steps] == [
        (MX, "applied"),
        (US, "applied"),
        (CA, "overtaken"),
    ]


def test_a_party_without_a_role_is_out_of_turn() -> None:
    story = Story(MX, US, CA)
    story.act(CA, "answer", 10)
    assert story.verdicts()[-1] == ("answer", "out_of_turn")
    assert story.case().roles == {MX: "asker", US: "asked"}


def test_an_act_that_had_not_seen_the_opening_is_no_event() -> None:
    story = Story()
    story.act(US, "answer", 10, seen={})
    assert len(story.case().steps) == 1


@pytest.mark.parametrize(
    "fields",
    [
        {"kind": "unheard_of.v1"},
        {"inst": "ab" * 32},
        {"kind": RECEIVED},
        {"act": ""},
    ],
    ids=str,
)
def test_what_is_no_event_changes_nothing(fields: dict[str, Any]) -> None:
    story, fields = Story(), dict(fields)
    story.act(US, fields.pop("act", "answer"), 10, **fields)
    assert len(story.case().steps) == 1


@pytest.mark.parametrize(
    "fields",
    [
        {"act": "answer"},
        {"inst": "ab" * 32},
        {"to": ()},
        {"to": (MX,)},
        {"due_in": 1},
        {"kind": "unheard_of.v1"},
    ],
    ids=str,
)
def test_what_does_not_open_a_case_opens_none(fields: dict[str, Any]) -> None:
    story = Story()
    story.ask(MX, 1, **({"to": (US,)} | fields))
    assert len(list(story.book().cases())) == 1


def test_a_receipt_at_the_end_of_time_spoils_no_state() -> None:
    """No deadline is later than the last time that a record can have."""
    story = Story()
    story.say(US, MAX_INTEGER, RECEIVED)
    assert story.debt().due == MAX_INTEGER
    assert str(MAX_INTEGER).encode() in story.book().state_bytes()


def test_a_lapse_counts_only_after_the_deadline_that_its_author_knew() -> None:
    story = Story()
    story.say(US, 100, RECEIVED)
    story.act(MX, "lapse", 100 + HOUR)
    assert story.verdicts()[-1] == ("lapse", "out_of_turn")
    story.act(MX, "lapse", 101 + HOUR)
    assert story.verdicts()[-1] == ("lapse", "applied")
    story.act(US, "answer", 102 + HOUR)
    assert story.case().state == "answered"


def test_a_lapse_of_an_undelivered_request_is_out_of_turn() -> None:
    story = Story()
    story.act(MX, "lapse", 100 * HOUR)
    assert story.verdicts()[-1] == ("lapse", "out_of_turn")


def test_a_verdict_is_settled_when_every_party_with_a_role_has_seen_it() -> None:
    story = Story(MX, US, CA)
    story.act(US, "answer", 10)
    assert story.case().settled == (True, False)
    story.say(MX, 20, RECEIVED)
    assert story.case().settled == (True, True), "ca has no role in it"


def test_what_may_be_done_now_is_never_out_of_turn() -> None:
    story = Story()
    book = story.book()
    case = story.case()
    assert [m.act for m in book.moves(case, MX, 5 * HOUR)] == ["withdraw"]
    assert [m.act for m in book.moves(case, US, 5 * HOUR)] == ["acknowledge", "answer", "refuse"]
    assert book.moves(case, CA, 5 * HOUR) == []
    story.say(US, 0, RECEIVED)
    book, case = story.book(), story.case()
    assert [m.act for m in book.moves(case, MX, HOUR)] == ["withdraw"]
    assert [m.act for m in book.moves(case, MX, HOUR + 1)] == ["withdraw", "lapse"]


# --- objections ---


def test_an_objection_to_a_body_contests_the_case_and_undoes_nothing() -> None:
    story = Story()
    story.say(US, 10, RECEIVED)
    answer = story.act(US, "acknowledge", 20, body=True)
    story.say(MX, 30, OBJECTION, data={"leaf": story.leaf(answer).hex(), "code": "unreadable"})
    assert story.case().contested
    assert story.case().state == "acknowledged"
    assert not story.book().case(story.leaf(story.opening), {MX: 1, US: 2}).contested  # type: ignore[union-attr]


def test_an_objection_pauses_the_clocks_that_say_so() -> None:
    story = Story()
    asked = story.opening = story.ask(MX, 1, to=(US,), body=True)
    story.say(US, 10, OBJECTION, data={"leaf": story.leaf(asked).hex(), "code": "unreadable"})
    assert story.debt().status is Status.PAUSED
    assert not story.debt().overdue(100 * HOUR)


@pytest.mark.parametrize("who", ["its own", "without a body", "by a stranger", "unseen"])
def test_an_objection_that_is_none_contests_nothing(who: str) -> None:
    story = Story(MX, US, CA)
    about = story.opening = story.ask(MX, 1, to=(US,), body=who != "without a body")
    party = {"its own": MX, "by a stranger": CA}.get(who, US)
    seen = {"seen": {MX: 1}} if who == "unseen" else {}
    data = {"leaf": story.leaf(about).hex(), "code": "unreadable"}
    story.say(party, 10, OBJECTION, data=data, **seen)
    assert not story.case().contested


# --- clocks ---


def test_without_a_receipt_a_request_is_undelivered_and_never_overdue() -> None:
    debt = Story().debt()
    assert (debt.status, debt.since, debt.due) == (Status.UNDELIVERED, 0, None)
    assert not debt.overdue(10**9)


def test_the_clock_runs_from_the_receipt() -> None:
    story = Story()
    story.say(US, 100, RECEIVED)
    debt = story.debt()
    assert (debt.status, debt.since, debt.due) == (Status.RUNNING, 100, 100 + HOUR)
    assert not debt.final
    assert not debt.overdue(100 + HOUR)
    assert debt.overdue(101 + HOUR)
    story.say(MX, 200, RECEIVED)
    assert story.debt().final


def test_a_debtor_that_cosigns_but_never_says_so_is_overdue_by_a_proof() -> None:
    story = Story()
    story.say(MX, 60, PROOF, data=proof(story, story.opening, 1, 50, US))
    debt = story.debt()
    assert (debt.status, debt.since, debt.due) == (Status.RUNNING, 50, 50 + HOUR)
    assert not debt.final, "another proof may show an earlier time"
    ((case, overdue),) = story.book().overdue(51 + HOUR)
    assert (case.leaf, overdue.debtor) == (story.leaf(story.opening), US)


def test_in_time_is_what_the_creditor_received_in_time() -> None:
    story = Story()
    story.act(US, "answer", 100)
    assert story.debt().status is Status.CLAIMED
    story.say(MX, 200, RECEIVED)
    assert story.debt().status is Status.IN_TIME


def test_late_is_the_debtors_own_time() -> None:
    story = Story()
    story.say(US, 0, RECEIVED)
    story.act(US, "answer", HOUR + 1)
    assert story.debt().status is Status.LATE


def test_what_the_creditor_received_late_is_only_claimed_until_a_neutral_stamp_shows() -> None:
    story = Story()
    answer = story.act(US, "answer", 100)
    story.say(MX, 2 * HOUR, RECEIVED)
    assert story.debt().status is Status.CLAIMED
    story.say(US, 3 * HOUR, PROOF, data=proof(story, answer, 1, 100 + HOUR, None))
    assert story.debt().status is Status.IN_TIME


def test_a_stamp_after_the_deadline_shows_nothing() -> None:
    story = Story()
    answer = story.act(US, "answer", 100)
    story.say(US, 3 * HOUR, PROOF, data=proof(story, answer, 1, 101 + HOUR, None))
    assert story.debt().status is Status.CLAIMED


def test_the_creditors_cosignature_shows_that_it_came_in_time() -> None:
    story = Story()
    answer = story.act(US, "answer", 100)
    story.say(US, 110, PROOF, data=proof(story, answer, 1, 105, MX))
    assert story.debt().status is Status.IN_TIME


def test_contradicted_is_a_debtor_that_had_seen_the_creditor_write_after_the_deadline() -> None:
    story = Story()
    story.say(US, 0, RECEIVED)
    story.say(MX, 2 * HOUR)
    story.act(US, "answer", HOUR)
    assert story.debt().status is Status.CONTRADICTED


def test_a_withdrawal_ends_the_debt() -> None:
    story = Story()
    story.say(US, 0, RECEIVED)
    story.act(MX, "withdraw", 10)
    assert story.debt().status is Status.ENDED
    assert not story.debt().overdue(10**9)


def test_a_lapse_does_not_end_the_debt_and_a_late_answer_is_late() -> None:
    story = Story()
    story.say(US, 0, RECEIVED)
    story.act(MX, "lapse", HOUR + 1)
    assert story.debt().overdue(HOUR + 1)
    story.act(US, "answer", 2 * HOUR)
    assert story.debt().status is Status.LATE


def test_without_due_in_the_instrument_says_how_long() -> None:
    story = Story()
    story.opening = story.ask(MX, 5, to=(US,), due_in=0)
    story.say(US, 10, RECEIVED)
    assert story.debt().due == 10 + REQUEST.clocks[0].default_s


def test_a_start_is_disputed_if_the_creditor_wrote_much_earlier_after_it() -> None:
    story = Story()
    story.say(US, 10_000, RECEIVED)
    story.say(MX, 9_700)
    assert not story.debt().disputed
    story = Story()
    story.say(US, 10_001, RECEIVED)
    story.say(MX, 9_700)
    assert story.debt().disputed


class Exchange(Story):
    """The case of `EXCHANGE`, begun by mx at 0."""

    def __init__(self) -> None:
        Logs.__init__(self)
        self.opening = self.ask(MX, 0, to=(US,), inst=EXCHANGE.hash, act="begin")


def test_each_start_of_a_clock_is_a_debt_of_its_own() -> None:
    story = Exchange()
    story.act(MX, "demand", 10)
    story.act(MX, "demand", 20, due_in=600)
    story.act(US, "deliver", 100)
    first, second = story.case().debts
    assert (first.status, first.due, first.met_by) == (Status.ENDED, 100 + 7200, None)
    assert (second.status, second.due, second.met_by) == (Status.CLAIMED, 700, Place(US, 0))


def test_an_act_that_asks_for_too_short_a_time_is_out_of_turn() -> None:
    story = Exchange()
    story.act(MX, "demand", 10, due_in=599)
    assert story.verdicts() == [("begin", "applied"), ("demand", "out_of_turn")]


def test_the_opener_can_be_the_debtor() -> None:
    story = Exchange()
    story.act(US, "claim", 10)
    story.say(MX, 20, RECEIVED)
    (debt,) = story.case().debts
    assert (debt.debtor, debt.creditor, debt.due) == (MX, US, 20 + 7200)


def test_each_debtor_has_a_clock_of_its_own() -> None:
    story = Story(MX, US, CA, to=(US, CA))
    story.say(US, 100, RECEIVED, seen={MX: 1})
    debts = {debt.debtor: debt.status for debt in story.case().debts}
    assert debts == {US: Status.RUNNING, CA: Status.UNDELIVERED}


# --- answering, and the book ---


def test_the_receipt_that_starts_a_clock_is_answered_once() -> None:
    story = Story()
    story.say(US, 10, RECEIVED)
    assert story.book().needs_answer(MX)
    assert not story.book().needs_answer(US)
    story.say(MX, 20, RECEIVED)
    assert not story.book().needs_answer(MX)
    assert not story.book().needs_answer(US)


def test_a_receipt_that_comes_later_by_have_is_answered_too() -> None:
    story = Story()
    leaf = story.leaf(story.opening).hex()
    story.say(US, 10, RECEIVED, data={"lack": [leaf]})
    assert not story.book().needs_answer(MX), "nothing started"
    story.say(US, 20, RECEIVED, data={"have": [leaf]})
    assert story.book().needs_answer(MX)


def test_a_case_is_found_by_its_opening_alone() -> None:
    story = Story()
    answer = story.act(US, "answer", 10)
    book = story.book()
    assert book.case(story.leaf(answer)) is None
    assert book.case(bytes(32)) is None
    assert book.case(story.leaf(story.opening), {MX: 0, US: 0}) is None


def test_changed_names_each_touched_case_once() -> None:
    story = Story()
    story.act(US, "answer", 10)
    book = story.book()
    assert book.changed() == [story.leaf(story.opening)]
    assert book.changed() == []


def test_a_charter_that_pins_an_unknown_instrument_is_not_folded() -> None:
    channel = Channel((MX, US))
    rules = replace(channel.rules, instruments=frozenset(("ab" * 32,)))
    with pytest.raises(RefusedError) as caught:
        Casebook(Fold(rules, lambda _p, _s: b""), channel.instruments)
    assert caught.value.code == "instrument.unknown"


def test_a_flood_of_acts_is_walked_in_little_more_than_linear_time() -> None:
    """Counted in moves looked up, not in seconds: a liar repeats an allowed act very often."""
    looked_up = 0

    class Counting(dict[tuple[str, str, str], Any]):
        def get(self, key: Any, default: Any = None) -> Any:
            nonlocal looked_up
            looked_up += 1
            return super().get(key, default)

    counted = replace(REQUEST)
    counted.__dict__["table"] = Counting(REQUEST.table)
    story = Story()
    story.channel = Channel((MX, US), (counted,))
    for number in range(1000):
        story.act(US, "answer", number, seen={MX: 1})
    for number in range(10):
        story.act(MX, "withdraw", number, seen={US: 500})
    steps = story.case().steps
    assert len(steps) == 1011
    assert looked_up < 20 * len(steps)
