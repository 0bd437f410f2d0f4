"""Words: languages, sentences, dates."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone

import pytest

from convenio.core.decide import Role
from convenio.core.errors import ConflictError, MalformedError, RefusedError, SplitViewError
from convenio.core.nearest import nearest
from convenio.instruments.builtin import BUILTIN
from convenio.node.verify import Check, Grade, Outcome
from convenio.words import Words, choose_language, names, verdicts

MEETING = datetime(2021, 10, 8, 23, 4, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("flag", "environ", "language"),
    [
        pytest.param("es", {"LANG": "en_US.UTF-8"}, "es", id="the flag wins over the machine"),
        pytest.param(None, {"LANG": "es_MX.UTF-8"}, "es", id="the machine speaks Spanish"),
        pytest.param(None, {"LC_ALL": "C", "LANG": "es_MX"}, "en", id="LC_ALL stands over LANG"),
        pytest.param(None, {"LANGUAGE": "fr:es:en"}, "es", id="the first language we speak"),
        pytest.param(None, {"LANG": "fr_FR.UTF-8"}, "en", id="a language we do not speak"),
        pytest.param(None, {"LC_ALL": "", "LANG": "es"}, "es", id="an empty variable is not set"),
        pytest.param(None, {}, "en", id="a machine without a locale"),
    ],
)
def test_the_language_is_the_one_asked_for(
    flag: str | None, environ: dict[str, str], language: str
) -> None:
    assert choose_language(flag, environ) == language


def test_an_error_says_what_happened_and_what_to_do_in_both_languages() -> None:
    error = MalformedError("note.too_long", max_bytes=4096)
    assert Words("en").error(error) == (
        "The signed text is longer than 4096 bytes. Nothing was taken from it and nothing changed "
        "here. Ask whoever made it for an intact copy."
    )
    assert Words("es").error(error) == (
        "El texto firmado excede 4096 bytes. No se tomó nada de ahí ni cambió nada aquí. "
        "Pida una copia íntegra a quien lo elaboró."
    )


def test_a_code_with_advice_of_its_own_gives_that() -> None:
    advice = Words("en").error(MalformedError("age.passphrase"))
    assert advice.endswith("Type it again.")


def test_the_nearest_class_of_an_error_gives_the_advice() -> None:
    assert "evidence" in Words("en").error(SplitViewError("note.bad_signature", key="us"))
    assert "present state" in Words("en").error(ConflictError("split.format"))


def test_a_code_without_a_sentence_is_shown_as_a_code() -> None:
    assert "no.such_code" in Words("en").error(MalformedError("no.such_code"))
    assert "no.such_code" in Words("es").error(MalformedError("no.such_code"))


def test_a_missing_parameter_never_breaks_a_sentence() -> None:
    assert "(…)" in Words("en").error(MalformedError("checkpoint.other_log"))


def test_what_was_typed_is_quoted_short_and_visibly() -> None:
    said = Words("en").error(RefusedError("record.name", record="a\x1b[2J\u202eb\n¡sí!"))
    assert said.startswith("“a\\x1b[2J\\u202eb\\n¡sí!” does not name a record")
    said = Words("en").error(RefusedError("record.name", record="x" * 5000))
    assert said.startswith(f"“{'x' * 300}…” does not name a record")


def test_every_check_outcome_and_grade_has_words() -> None:
    assert set(verdicts.CHECKS) == set(Check)
    assert set(verdicts.VERDICTS) == set(Grade)
    assert set(verdicts.OUTCOMES) == set(verdicts.ORDER) == set(Outcome)


def test_every_role_and_act_has_words() -> None:
    assert set(names.ROLES) == set(Role)
    acts = {act for instrument in BUILTIN for move in instrument.moves for act in [move.act]}
    assert acts <= set(names.ACTS)


def test_a_code_of_a_newer_version_is_shown_as_it_is() -> None:
    assert names.kind_of("treaty.v9", "", Words("es")) == "treaty.v9"
    assert names.kind_of("request.v1", "ask", Words("en")) == "Request (question)"
    assert names.kind_of("request.v1", "haggle", Words("es")) == "Solicitud (haggle)"


@pytest.mark.parametrize(
    ("typed", "known", "said"),
    [
        pytest.param("x", [], "–", id="there is nothing"),
        pytest.param("x", ["b", "a", "a"], "a, b", id="few are all named, each once"),
        pytest.param("ana3", [f"ana{n}" for n in range(30)], "ana3", id="of many the nearest"),
        pytest.param("zzz", [f"ana{n}" for n in range(30)], "–", id="of many none is near"),
    ],
)
def test_what_may_have_been_meant(typed: str, known: list[str], said: str) -> None:
    assert nearest(typed, known).split(", ")[0] == said.split(", ", maxsplit=1)[0]
    assert len(nearest(typed, known).split(", ")) <= 8


def test_braces_stay_where_there_is_nothing_to_fill_in() -> None:
    assert Words("en").text('{"kind": "record"}') == '{"kind": "record"}'


def test_a_day_is_written_in_words_with_its_zone() -> None:
    assert Words("en").date(MEETING) == "8 Oct 2021 UTC"
    assert Words("es").date(MEETING) == "8 oct 2021 UTC"


@pytest.mark.parametrize("at", [2**53 - 1, 2**62, 253_402_300_799.0, 253_402_300_800.0, -1])
@pytest.mark.parametrize("hours", [-12, 0, 14])
def test_no_date_a_partner_can_sign_spoils_a_list(at: float, hours: int) -> None:
    zone = timezone(timedelta(hours=hours), "there")
    assert Words("en").time(at, zone).endswith("there")
    assert Words("es").date(at, zone).endswith("there")


def test_a_time_is_shown_in_the_zone_asked_for() -> None:
    delhi = timezone(timedelta(hours=5, minutes=30), "IST")
    assert Words("en").time(MEETING) == "8 Oct 2021 23:04 UTC"
    assert Words("es").time(MEETING, delhi) == "9 oct 2021 04:34 IST"


def test_every_month_has_its_own_word_in_each_language() -> None:
    days = [datetime(2021, month, 1, tzinfo=UTC).timestamp() for month in range(1, 13)]
    for language in ("en", "es"):
        assert len({Words(language).date(day) for day in days}) == 12


def test_the_words_need_neither_babel_nor_click() -> None:
    code = "import convenio.words, sys; print({'babel', 'click'} & set(sys.modules))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout == "set()\n"
