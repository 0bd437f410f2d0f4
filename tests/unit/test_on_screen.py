"""What a terminal shows: tables that break nothing, JSON as lines."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convenio.cli.commands.open import _to_person
from convenio.cli.shell import Shell, json_line, printable
from convenio.cli.tables import _BETWEEN, _widths, lay_out
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


LOG = (
    ["Hora", "Registro", "Qué", "Para", "Hasta dónde ha llegado"],
    [
        [
            "22 nov 2026 23:45 UTC",
            f"mx/{number} 3f2a{number:08d}",
            kind,
            to,
            f"US: {how} 22 nov 2026 23:45 UTC\nGT: todavía sin contrafirmar",
        ]
        for number, kind, to, how in (
            (7, "Aviso", "us:liaison", "está allí, completo,"),
            (8, "Declaración", "us:liaison, gt:customs", "guardado y contrafirmado"),
            (9, "ALARMA: prueba de que gt firmó dos historias", "–", "guardado y contrafirmado"),
        )
    ],
)
STATUS = (
    ["Canal", "Bitácora de", "Registros", "Conciliados", "No aptos", "Estado"],
    [
        ["framework", "mx", "12", "12", "0", "propia"],
        [
            *("framework", "us", "1,234", "1,234", "0"),
            "ha contrafirmado 12 de los nuestros. El nodo de la contraparte en 127.0.0.1:28461 no "
            "responde. [peer.connect]",
        ],
    ],
)
CHANNEL = (
    ["Parte", "Nombre", "Dirección", "Firmas raíz", "Mesas"],
    [
        ["mx", "México", ADDRESS, "2", "mx:liaison mx:customs mx:health"],
        ["us", "Estados Unidos", "https://convenio.state.example:8472", "2", "us:liaison"],
    ],
)


@pytest.mark.parametrize("room", [60, 80, 100, 200])
@pytest.mark.parametrize("table", [LOG, STATUS, CHANNEL], ids=["log", "status", "channel"])
def test_a_table_fits_and_is_read_however_narrow_the_terminal(
    table: tuple[list[str], list[list[str]]], room: int
) -> None:
    headings, rows = table
    lines = lay_out(headings, rows, room, on_screen=False).splitlines()
    assert max(map(len, lines)) <= room
    assert len(lines) <= 3 + len(rows) * 10, "no column of single words"
    words = " ".join(lines).split()
    for cell in (cell for row in rows for cell in row):
        assert set(cell.split()) <= set(words), "nothing is broken or left out"


def test_what_does_not_fit_is_stacked_under_the_first_of_each_row() -> None:
    assert lay_out(*STATUS, 60, on_screen=False) == (
        "\n"
        "framework\n"
        "  Bitácora de: mx\n"
        "  Registros: 12\n"
        "  Conciliados: 12\n"
        "  No aptos: 0\n"
        "  Estado: propia\n"
        "\n"
        "framework\n"
        "  Bitácora de: us\n"
        "  Registros: 1,234\n"
        "  Conciliados: 1,234\n"
        "  No aptos: 0\n"
        "  Estado: ha contrafirmado 12 de los nuestros. El nodo de la\n"
        "    contraparte en 127.0.0.1:28461 no responde.\n"
        "    [peer.connect]\n"
        "\n"
    )


def test_an_address_longer_than_the_terminal_is_not_broken() -> None:
    said = lay_out(["Parte", "Dirección"], [["mx", "https://" + "x" * 80]], 60, on_screen=False)
    assert "https://" + "x" * 80 in said


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


def test_the_name_of_a_file_that_is_no_text_can_be_printed() -> None:
    """Python gives its bytes as halves of characters, which no terminal's encoding has."""
    assert printable("\udcff.card") == "\N{REPLACEMENT CHARACTER}.card"
    assert json_line({"file": "\udcff.card"}) == b'{"file":"?.card"}'
