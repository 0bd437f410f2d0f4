"""Every error code has a sentence in both languages, and every sentence has a code."""

from __future__ import annotations

import string

from tools.catalogues import SOURCE, load
from tools.error_codes import codes_in, unknown_shapes

from convenio.words import advice, errors

CODES = codes_in(SOURCE)


def test_every_code_has_a_sentence() -> None:
    assert sorted(CODES.keys() - errors.HAPPENED.keys()) == [], "add them to words/errors.py"


def test_every_sentence_has_a_code() -> None:
    assert sorted(errors.HAPPENED.keys() - CODES.keys()) == []
    assert sorted(advice.ADVICE.keys() - CODES.keys()) == []


def test_every_sentence_is_in_the_spanish_catalogue() -> None:
    spanish = load("es", "convenio")
    assert [text for text in errors.every_sentence() if text not in spanish] == []


def test_codes_made_at_run_time_are_listed() -> None:
    assert unknown_shapes(SOURCE) == [], "list them in tools/error_codes.py"


def test_a_sentence_names_only_what_its_error_brings() -> None:
    for code, sentence in errors.HAPPENED.items():
        named = {name for _, name, _, _ in string.Formatter().parse(sentence) if name}
        assert named <= CODES[code] | {"code"}, code


def test_sentences_end_as_sentences() -> None:
    for text in errors.every_sentence():
        assert text.endswith("."), text


def test_the_sentences_are_sorted_by_code() -> None:
    assert list(errors.HAPPENED) == sorted(errors.HAPPENED)
