"""The pages of mx, in this process, over two real nodes."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.support.pair import Pair

from convenio.web import site as sites

HOST = "mx.localhost"
Visitor = Callable[..., Any]


@pytest.fixture(scope="session")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    made = Pair(tmp_path_factory.mktemp("pair"))
    yield made
    made.close()


@pytest.fixture(scope="session")
def said(pair: Pair) -> dict[str, str]:
    """Some records, by name: leaf hashes. All delivered."""
    mx, us = pair.mx, pair.us
    leaves = {
        "sealed": mx.say("The notice itself.", to=["us:liaison"], kind="notice.v1", cav="red"),
        "open": mx.say("Words for the whole channel.", lang="en"),
        "public": mx.say("Joint statement\nWe will act.", channel="public", lang="en"),
        "figure": mx.say(
            '{"title":{"en":"Homicides 2022","es":"Homicidios 2022"}}',
            channel="public",
            media="application/json",
            kind="figure.v1",
        ),
        "attack": mx.say("<script>alert(1)</script> & “quotes”", lang="en"),
        "file": mx.say(
            b"\x89PNG <script>", name='acta "1"; x.html', media="text/html", to=["us:liaison"]
        ),
    }
    theirs = {"theirs": us.say("Respuesta sellada.", to=["mx:liaison"], lang="es")}
    for leaf in leaves.values():
        mx.wait(leaf)
    for leaf in theirs.values():
        us.wait(leaf)
        mx.wait_for(leaf)
    return leaves | theirs


@pytest.fixture(scope="session")
def pages(pair: Pair) -> sites.Site:
    """Django, set up once for this process."""
    from django.conf import settings  # noqa: PLC0415

    here = sites.site_of(pair.mx.path, HOST)
    if not settings.configured:
        sites.configure(here)
    settings.TEMPLATES[0]["OPTIONS"]["string_if_invalid"] = "‽‽%s‽‽"
    settings.SITE = here
    return here


@pytest.fixture
def visit(pages: sites.Site, pair: Pair) -> Visitor:
    """`visit("ana")` is a browser in which ana is signed in; `visit()` one of a stranger."""
    from django.test import Client  # noqa: PLC0415

    def visitor(person: str = "", lang: str = "en", **more: Any) -> Any:
        client = Client(headers={"host": HOST, "accept-language": lang}, **more)
        if person:
            answer = Client.post(client, f"/enter/{pair.mx.link(person)}")
            assert answer.status_code == 302, answer.content
        return client

    return visitor


@pytest.fixture
def at(pages: sites.Site) -> Iterator[Callable[..., None]]:
    """`at(directory=...)`: the same pages beside another node, for one test."""
    from django.conf import settings  # noqa: PLC0415

    def move(**changes: Any) -> None:
        settings.SITE = dataclasses.replace(pages, **changes)

    yield move
    settings.SITE = pages
