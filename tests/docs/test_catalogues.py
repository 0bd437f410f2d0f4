"""The word catalogues are complete, compiled, and agree with the source."""

from __future__ import annotations

import re
from collections import Counter

import pytest
from babel.messages.catalog import Message
from tools import catalogues

CATALOGUES = sorted(catalogues.WANTED)
_PLACES = re.compile(r"\{\w*(?:![rs])?(?::[^}]*)?\}|%\(\w+\)s")


def strings(message: Message) -> list[str]:
    return [message.string] if isinstance(message.string, str) else list(message.string or ())


def ids(message: Message) -> list[str]:
    return [message.id] if isinstance(message.id, str) else list(message.id)


@pytest.mark.parametrize(("lang", "domain"), CATALOGUES)
def test_the_catalogue_is_what_the_source_asks_for(lang: str, domain: str) -> None:
    wanted = catalogues.updated(lang, domain, catalogues.WANTED[lang, domain]())
    on_disk = catalogues.path_of(lang, domain).read_bytes()
    assert on_disk == catalogues.printed(wanted), "run ./run words"


@pytest.mark.parametrize(("lang", "domain"), CATALOGUES)
def test_the_compiled_catalogue_is_that_catalogue(lang: str, domain: str) -> None:
    compiled = catalogues.path_of(lang, domain).with_suffix(".mo").read_bytes()
    assert compiled == catalogues.compiled(catalogues.load(lang, domain)), "run ./run words"


@pytest.mark.parametrize(("lang", "domain"), CATALOGUES)
def test_nothing_is_empty_and_nothing_is_a_guess(lang: str, domain: str) -> None:
    assert catalogues.empty(catalogues.load(lang, domain)) == []


@pytest.mark.parametrize(("lang", "domain"), CATALOGUES)
def test_every_placeholder_is_in_both_languages(lang: str, domain: str) -> None:
    for message in catalogues.load(lang, domain):
        if message.id:
            last = Counter(_PLACES.findall(ids(message)[-1]))
            assert Counter(_PLACES.findall(strings(message)[-1])) == last, message.id
            known = {place for text in ids(message) for place in _PLACES.findall(text)}
            assert known.issuperset(p for text in strings(message) for p in _PLACES.findall(text))


def test_no_spanish_text_is_just_the_english_one() -> None:
    same = {"Error: {message}", "auditor", "d", "ALIAS", "{n} byte", "{n} bytes", "no"}
    for domain in ("convenio", "click"):
        for message in catalogues.load("es", domain):
            for one, other in zip(ids(message), strings(message), strict=True):
                assert not one or one != other or one in same, one
