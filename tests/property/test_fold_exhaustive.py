"""Every small pair of logs: what is settled in any closed part of them stays so in the whole.

Random runs hardly ever meet a party that claims to have seen less than it said before, in just the
case where that would pay; here it is met in a fraction of a second.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from itertools import product
from typing import Any, cast

import pytest
from tests.property.oracle import FORGETFUL, Oracle
from tests.property.properties import states
from tests.property.small_model import MX, US, SmallLogs

from convenio.core.fold import Fold
from convenio.core.record import PartyId
from convenio.instruments.cases import Case, Casebook

LONG = os.environ.get("CONVENIO_FOLD_EXHAUSTIVE") == "long"
ASKER, ASKED = ("withdraw", "lapse", ""), ("answer", "acknowledge", "")
# (acts of the asker, acts of the asked, how many more each says)
MODELS = [(ASKER, ASKED, 2, 2), (("withdraw", ""), ("answer", ""), 2, 3)]
if LONG:
    MODELS += [(("lapse", ""), ("answer", ""), 2, 3), (ASKER, ASKED, 2, 3)]


@pytest.mark.parametrize("model", MODELS, ids=str)
def test_nothing_settled_in_a_part_changes_in_the_whole(model: Any) -> None:
    small, parts = SmallLogs(), 0
    for logs, roots in small.all(*model):
        fold = Fold(small.channel.rules, roots.at)
        book = Casebook(fold, small.channel.instruments)
        for party, log in logs.items():
            for index, entry in enumerate(log):
                for folded in fold.feed(party, index, entry, verified=True):
                    book.take(folded)
        whole = book.case(small.opening)
        assert whole is not None
        for cut in closed_parts(fold):
            part = book.case(small.opening, cut)
            if part:
                parts += 1
                kept(part, whole)
    assert parts > 5000


def closed_parts(fold: Fold) -> Iterator[Mapping[PartyId, int]]:
    """Every closed cut within the whole."""
    sizes = fold.cut()
    for both in product(*(range(size + 1) for size in sizes.values())):
        cut = dict(zip(sizes, both, strict=True))
        if fold.is_closed(cut):
            yield cut


def kept(part: Case, whole: Case) -> None:
    verdicts = {step.event.place: step.verdict for step in whole.steps}
    final = set()
    for step, settled in zip(part.steps, part.settled, strict=True):
        if settled:
            final.add(step.event.place)
            assert verdicts[step.event.place] == step.verdict
    debts = {debt.start: debt for debt in whole.debts}
    for debt in part.debts:
        if debt.final:
            later = debts[debt.start]
            assert later.final
            assert later.due == debt.due
            if debt.met_by in final:
                better = debt.status.value in ("claimed", "contradicted")
                allowed = (debt.status.value, "in_time") if better else (debt.status.value,)
                assert later.status.value in allowed


def test_the_program_shows_what_the_definition_says_for_small_logs() -> None:
    small, said = SmallLogs(), 0
    for number, (logs, roots) in enumerate(small.all(ASKER, ASKED, 2, 2)):
        if number % 40 == 0:
            fold = Fold(small.channel.rules, roots.at)
            book = Casebook(fold, small.channel.instruments)
            for party in (US, MX):
                for index, entry in enumerate(logs[party]):
                    for folded in fold.feed(party, index, entry, verified=True):
                        book.take(folded)
            oracle = Oracle(small.channel.rules, small.channel.instruments, logs)
            for cut in closed_parts(fold):
                assert states(book, cut) == oracle.state(cut)
            said += 1
    assert said > 100


def test_forgetting_what_one_claimed_before_is_found() -> None:
    small = SmallLogs()
    for number, (logs, _) in enumerate(small.all(("withdraw", ""), ("answer", ""), 2, 2)):
        oracle = Oracle(
            small.channel.rules, small.channel.instruments, logs, frozenset([FORGETFUL])
        )
        if changed(oracle):
            assert number < 500
            return
    pytest.fail("no small log showed the fault")


def changed(oracle: Oracle) -> bool:
    """Whether a verdict settled in a closed part is another in the whole."""
    last = {tuple(e[:2]): e[2] for case in cast(Any, oracle.state()) for e in case["events"]}
    for mx, us in product(range(oracle.cut[MX] + 1), range(oracle.cut[US] + 1)):
        held = {MX: oracle.held[MX][:mx], US: oracle.held[US][:us]}
        part = Oracle(oracle.rules, oracle.instruments, held, oracle.faults)
        if part.cut != {MX: mx, US: us}:
            continue
        for case in cast(Any, part.state()):
            for party, index, verdict, settled in case["events"]:
                if settled and last[party, index] != verdict:
                    return True
    return False
