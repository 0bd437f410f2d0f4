"""A partner or node that is down, a receipt that does not hold: shown as what they are."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.pair import Pair
from tests.web.conftest import Visitor

from convenio.core.errors import ProofError
from convenio.node.commands import dispatcher
from convenio.node.control import ControlServer
from convenio.words import Words

SPANISH = Words("es")
_WAITS = "{party} has not countersigned this yet."
_DOWN = (
    "The node behind these pages is not running. What was accepted until now is kept; checking a "
    "file still works."
)


def test_a_partner_that_is_down_is_a_state_and_no_error(pair: Pair, visit: Visitor) -> None:
    pair.us.stop()
    try:
        leaf = pair.mx.say("Said while nobody listens.", to=["us:liaison"])
        feeds = pair.mx.node.feeds
        browser, spanish = visit("ana"), visit("ana", "es")
        _until(lambda: any(feed.error for feed in feeds()), pair)
        page = _page(browser, leaf)
        assert "United States has not countersigned this yet." in page
        assert "The node of United States does not answer" in page
        assert SPANISH.text(_WAITS, party="Estados Unidos") in _page(spanish, leaf)
        assert "not yet countersigned" in browser.get("/channels/framework").content.decode()
        assert "does not answer" in browser.get("/channels").content.decode()
        assert visit().get("/channels").content.decode().count("does not answer") == 0
    finally:
        pair.us.restart()
    pair.mx.wait(leaf)
    assert "United States countersigned this on" in browser.get(f"/records/{leaf}").content.decode()


def _page(browser: Any, leaf: str) -> str:
    return str(browser.get(f"/records/{leaf}").content.decode())


def _until(ready: Callable[[], bool], pair: Pair) -> None:
    """Waits on what the node does, not on a clock."""
    for channel in pair.mx.node.registry.channels():
        pair.mx.node.outbox.wake(channel.ch)
    for _ in range(400):
        if ready():
            return
        pair.mx.node.folding.wait_until(ready, 0.05)
    raise AssertionError("it never came")


def test_a_node_that_is_down_is_said_to_be_so(
    visit: Visitor, at: Callable[..., None], tmp_path: Path
) -> None:
    browser = visit("ana")
    at(directory=tmp_path)
    for address, lang in (("/", "en"), ("/channels", "en"), ("/channels/framework", "es")):
        answer = browser.get(address, headers={"accept-language": lang})
        page = answer.content.decode()
        assert answer.status_code == 503
        said = Words(lang).text(_DOWN)
        assert said in page
        assert "‽‽" not in page


@pytest.fixture
def lying(pair: Pair, tmp_path: Path) -> Iterator[dict[str, Any]]:
    """A node that answers like mx, but for what is put into this dictionary."""
    answers: dict[str, Any] = {"directory": tmp_path}
    handle = dispatcher(pair.mx.node)

    def instead(do: str, args: Any, files: list[int], progress: Any) -> Any:
        if do in answers:
            return answers[do](args)
        return handle(do, args, files, progress)

    (tmp_path / "scratch").mkdir()
    shutil.copy(pair.mx.path / "node.toml", tmp_path)
    server = ControlServer(tmp_path, instead)
    yield answers
    server.close()


def test_a_receipt_that_does_not_hold_is_red_and_cannot_be_taken(
    lying: dict[str, Any],
    said: dict[str, str],
    visit: Visitor,
    at: Callable[..., None],
) -> None:
    def broken(_args: Any) -> Any:
        raise ProofError("proof.inclusion")

    browser = visit("ana")
    lying["receipt"] = broken
    at(directory=lying["directory"])
    page = browser.get(f"/records/{said['sealed']}").content.decode()
    assert 'class="receipt broken"' in page
    assert "The receipt of United States does not hold." in page
    assert "countersigned this on" not in page
    assert "/receipt/us" not in page
    assert browser.get(f"/records/{said['sealed']}/receipt/us").status_code == 422


def test_a_frozen_channel_and_an_alarm_stand_out_on_every_page_about_it(
    lying: dict[str, Any],
    pair: Pair,
    said: dict[str, str],
    visit: Visitor,
    at: Callable[..., None],
) -> None:
    shown = pair.mx.call("web.channels", **{"as": "ana"})
    for each in shown["channels"]:
        each["frozen_at"] = 1_633_700_000
        each["standing"]["alarms"] = [{"by": "us", "about": "mx", "size": 3}]
    browser = visit("ana")
    lying["web.channels"] = lambda _args: shown
    at(directory=lying["directory"])
    for address in ("/channels", "/channels/framework", f"/records/{said['open']}"):
        page = browser.get(address).content.decode()
        assert "Alarm: a party has signed two histories." in page
        assert "Alarm: United States says that Mexico showed it another history" in page
    assert ">alarm</span>" in browser.get("/").content.decode()


def test_a_channel_that_is_not_yet_agreed_says_what_is_missing(
    lying: dict[str, Any], pair: Pair, visit: Visitor, at: Callable[..., None]
) -> None:
    shown = pair.mx.call("web.channels", **{"as": "ana"})
    one, other = shown["channels"]
    one |= {"missing": ["us"], "confirmed_at": 0, "in_force": False}
    other |= {"confirmed_at": 0, "in_force": False}
    browser = visit("ana")
    lying["web.channels"] = lambda _args: shown
    at(directory=lying["directory"])
    start, trust = (browser.get(address).content.decode() for address in ("/", "/channels"))
    assert "not signed by all" in start
    assert "fingerprint not confirmed" in start
    assert "Not signed yet by: United States" in trust
    assert "Read these digits to the partner over the telephone" in trust


def test_a_content_that_is_gone_leaves_its_proof(
    lying: dict[str, Any], pair: Pair, said: dict[str, str], visit: Visitor, at: Callable[..., None]
) -> None:
    def gone(args: Any) -> Any:
        found = pair.mx.call("record", **args)
        found["bodies"][0]["here"] = False
        return found

    browser = visit("ana")
    lying["record"] = gone
    at(directory=lying["directory"])
    page = browser.get(f"/records/{said['theirs']}").content.decode()
    assert "it has not arrived, or it was erased" in page
    assert 'name="purpose"' not in page
    assert "countersigned this on" in page


def test_a_fault_of_ours_is_a_plain_page(
    lying: dict[str, Any], visit: Visitor, at: Callable[..., None]
) -> None:
    lying["web.channels"] = lambda _args: {"channels": [{}]}
    browser = visit("ana", raise_request_exception=False)
    at(directory=lying["directory"])
    answer = browser.get("/channels")
    assert answer.status_code == 500
    assert "These pages have failed" in answer.content.decode()
