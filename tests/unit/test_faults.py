"""Which entries of a log are unfit and why, kept small."""

from __future__ import annotations

import sys

import pytest

from convenio.core.faults import Faults


def of(*pairs: tuple[int, str]) -> Faults:
    made = Faults()
    for index, code in pairs:
        made.add(index, code)
    return made


def test_it_reads_as_the_dictionary_it_stands_for() -> None:
    pairs = (2, "fold.ch"), (5, "record.type"), (6, "fold.ch")
    assert of(*pairs) == dict(pairs)
    assert len(of(*pairs)) == 3
    assert 5 in of(*pairs)
    assert 4 not in of(*pairs)
    for absent in (0, 7):
        with pytest.raises(KeyError):
            of(*pairs)[absent]


@pytest.mark.parametrize(("start", "found"), [(0, [2, 5, 6]), (5, [5, 6]), (6, [6]), (7, [])])
def test_what_was_found_since_a_place(start: int, found: list[int]) -> None:
    made = of((2, "a"), (5, "b"), (6, "a"))
    assert [index for index, _ in made.since(start)] == found


def test_a_million_take_a_few_megabytes() -> None:
    made = Faults()
    for index in range(100_000):
        made.add(index, "fold.ch")
    assert sys.getsizeof(made._indexes) + sys.getsizeof(made._numbers) < 8 * 100_000
