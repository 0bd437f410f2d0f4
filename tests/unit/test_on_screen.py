"""What a terminal shows: tables that break nothing, JSON as lines."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convenio.cli.commands.open import _to_person
from convenio.cli.shell import _BETWEEN, Shell, _widths
from convenio.words import Words

ADDRESS = "http://127.0.0.1:28461"


@pytest.mark.parametrize(
    ("room", "widths"),
    [
        pytest.param(200, [14, 22], id="all of it fits"),
        pytest.param(40, [12, 22], id="what has spaces gives way"),
        pytest.param(10, [6, 22], id="a word is not broken, however narrow the terminal"),
    ],
)
def test_columns_give_way_and_words_do_not(room: int, widths: list[int]) -> None:
    columns = [("Name", "United States ", "México"), ("Address", ADDRESS)]
    assert _widths(columns, room) == widths


@given(
    st.lists(st.lists(st.text("ab \n", max_size=30), min_size=1), min_size=1), st.integers(0, 90)
)
def test_no_column_is_narrower_than_its_words_or_wider_than_its_text(
    columns: list[list[str]], room: int
) -> None:
    widths = _widths(columns, room)
    for width, cells in zip(widths, columns, strict=True):
        assert width >= max((len(word) for cell in cells for word in cell.split()), default=0)
        assert width <= max(len(line) for cell in cells for line in cell.split("\n"))
    total = sum(widths) + _BETWEEN * len(widths)
    least = [max((len(w) for c in cells for w in c.split()), default=0) for cells in columns]
    assert total <= room or widths == least


@pytest.mark.parametrize(
    ("media", "text", "said"),
    [
        (
            "application/json",
            '{"title":{"en":"Fentanyl","es":"Fentanilo"},"value":5,"source":{"url":"x"}}',
            "Título: Fentanilo\nValor: 5\nFuente:\n  Dirección: x\n",
        ),
        ("application/json", "[1]\n", "[1]\n"),
        ("text/plain", '{"value":5}', '{"value":5}\n'),
    ],
)
def test_json_is_shown_as_a_list_of_what_it_says(
    media: str, text: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    _to_person(Shell(Words("es"), as_json=False), {"media": media}, text)
    assert capsys.readouterr().out == said
