"""Both nodes with their pages' processes, and a real browser that reaches nothing else."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import sync_playwright
from tests.conftest import ROOT, lacking, program
from tests.support.pages import pages_command, serving_pages
from tests.support.pair import Pair, Running, free_port

ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
LOCALES = {"en": "en-US", "es": "es-MX"}


@dataclass
class Place:
    """A node and where its pages are."""

    node: Running
    port: int

    @property
    def url(self) -> str:
        return f"http://{self.node.party}.localhost:{self.port}"

    def link(self, person: str) -> str:
        return f"{self.url}/enter/{self.node.link(person)}"


@dataclass
class Places:
    pair: Pair
    mx: Place
    us: Place


@pytest.fixture(scope="session")
def places(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Places]:
    pair = Pair(tmp_path_factory.mktemp("pair"))
    mx, us = Place(pair.mx, free_port()), Place(pair.us, free_port())
    with contextlib.ExitStack() as stack:
        stack.callback(pair.close)
        for each in (mx, us):
            stack.enter_context(serving_pages(pages_command(each.node.path, each.port)))
        yield Places(pair, mx, us)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """Debian's Chromium, through Playwright."""
    path = program("chromium")
    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=path, args=list(ARGUMENTS))
        yield browser
        browser.close()


Browse = Callable[..., Any]


@pytest.fixture
def browse(chromium: Any) -> Iterator[Browse]:
    """`browse("es")`: a fresh page. What it asked of other hosts, or complained of, fails the test.

    javascript: on only where the test itself looks into the page.
    """
    contexts: list[Any] = []
    wrong: list[tuple[str, str]] = []

    def page(lang: str = "en", *, javascript: bool = False, width: int = 1200) -> Any:
        context = chromium.new_context(
            locale=LOCALES[lang],
            java_script_enabled=javascript,
            viewport={"width": width, "height": 900},
            accept_downloads=True,
        )
        contexts.append(context)
        opened = context.new_page()
        opened.set_default_timeout(15_000)
        opened.on("console", _complaint(wrong))
        opened.on("pageerror", lambda error: wrong.append(("error", str(error))))
        opened.on("request", _outside(wrong))
        return opened

    yield page
    for context in contexts:
        context.close()
    assert wrong == []


def _complaint(wrong: list[tuple[str, str]]) -> Callable[[Any], None]:
    """A page that is refused is no complaint about a page."""

    def hear(said: Any) -> None:
        if "responded with a status of 4" not in said.text:
            wrong.append(("console", said.text))

    return hear


def _outside(wrong: list[tuple[str, str]]) -> Callable[[Any], None]:
    def look(request: Any) -> None:
        host = request.url.split("/")[2].partition(":")[0]
        if not host.endswith(".localhost"):
            wrong.append(("request", request.url))

    return look


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where screenshots go: a folder to look at, if CONVENIO_PICTURES names one."""
    named = os.environ.get("CONVENIO_PICTURES")
    folder = Path(named) if named else tmp_path_factory.mktemp("pictures")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def axe() -> str:
    """The source of axe-core, which looks for barriers."""
    path = ROOT / "tests/node/node_modules/axe-core/axe.min.js"
    if not path.is_file():
        lacking("the npm package axe-core (npm ci in tests/node)")
    return path.read_text("utf-8")
