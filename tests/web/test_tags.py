"""What templates put into a page is escaped, whoever wrote it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.template import Context, engines
from django.utils.safestring import mark_safe

from convenio.web import wording
from convenio.web.site import Site
from convenio.words import Words, names

Render = Callable[..., str]
HOSTILE = "<b>\"'&{person.__class__}"


@pytest.fixture
def render(pages: Site) -> Render:
    def make(source: str, lang: str = "en", **values: object) -> str:
        engine: Any = engines["django"]
        context = Context({"words": Words(lang), "now": 1_000_000, **values})
        return str(engine.engine.from_string(source).render(context))

    return make


def test_parameters_of_a_text_are_escaped_and_never_read_as_one(render: Render) -> None:
    source = '<p title="{% t "Logs of {channel}" channel=name %}">'
    shown = render(source, name=HOSTILE)
    assert shown == ('<p title="Logs of &lt;b&gt;&quot;&#x27;&amp;{person.__class__}">')


def test_a_time_within_a_text_stays_a_time(render: Render) -> None:
    source = '{% when at as when_ %}{% t "Last heard on {at}." at=when_ %}'
    shown = render(source, at=1_633_701_900)
    assert shown == (
        'Last heard on <time datetime="2021-10-08T14:05:00Z">8 Oct 2021 14:05 UTC</time>.'
    )


def test_safe_text_is_only_what_we_made_safe(render: Render) -> None:
    shown = render("{{ one }}{{ two }}", one="<i>", two=mark_safe("<i>"))
    assert shown == "&lt;i&gt;<i>"


@pytest.mark.parametrize(
    ("seconds", "english", "spanish"),
    [
        (-5, "0 seconds ago", "hace 0 segundos"),
        (1, "1 second ago", "hace 1 segundo"),
        (59, "59 seconds ago", "hace 59 segundos"),
        (60, "1 minute ago", "hace 1 minuto"),
        (3_599, "59 minutes ago", "hace 59 minutos"),
        (3_600, "1 hour ago", "hace 1 hora"),
        (47 * 3600, "47 hours ago", "hace 47 horas"),
        (48 * 3600, "2 days ago", "hace 2 días"),
        (4_000 * 86_400, "4,000 days ago", "hace 4,000 días"),
    ],
)
def test_an_age_is_said_in_its_largest_unit(seconds: int, english: str, spanish: str) -> None:
    assert wording.age(Words("en"), seconds) == english
    assert wording.age(Words("es"), seconds) == spanish


@pytest.mark.parametrize(
    ("count", "said"),
    [
        (0, "0 bytes"),
        (1, "1 byte"),
        (1023, "1,023 bytes"),
        (1024, "1.0 KiB"),
        (1 << 20, "1.0 MiB"),
        (4 << 30, "4.0 GiB"),
        (4 << 40, "4,096.0 GiB"),
    ],
)
def test_a_size_is_said_as_people_read_it(count: int, said: str) -> None:
    assert wording.size(Words("en"), count) == said


def test_a_handling_mark_is_written_as_its_own_standard_does() -> None:
    assert wording.caveat("amber_strict") == "TLP:AMBER+STRICT"
    assert wording.caveat("") == ""


def test_a_type_from_a_newer_version_is_shown_as_it_is() -> None:
    assert names.name_of(names.TYPES, "treaty.v9", Words("es")) == "treaty.v9"
