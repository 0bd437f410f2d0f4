"""Commands behind the local socket: whatever is asked, what comes is an answer or our own error."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from types import FrameType
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support.nodes import CHANNEL, KEEPER, NOW, OFFICER, ROOT_PASSPHRASE, Home, World, world

from convenio.core.decide import Question, decide
from convenio.core.errors import ConvenioError, MalformedError, RefusedError
from convenio.node.commands import COMMANDS, dispatcher, saying
from convenio.node.commands.args import Command
from convenio.node.records import State
from convenio.node.setup import ROOTS


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with world(tmp_path_factory.mktemp("pair")) as made:
        home = made["mx"]
        home.say(b"hello")
        home.say(b"to all", open_body=True)
        home.node.people.add(KEEPER, "rosa", ["auditor"], ["liaison"], NOW)
        home.node.people.add(KEEPER, "bruno", [], ["liaison"], NOW)
        made.settle()
        yield made


@pytest.fixture(scope="module")
def mx(pair: World) -> Home:
    return pair["mx"]


def call(home: Home, do: str, args: dict[str, Any], *contents: bytes) -> dict[str, Any]:
    """The answer, with files that hold `contents` passed along; what was written is in `_files`."""
    files = [os.memfd_create(f"file {n}") for n in range(len(contents))]
    try:
        for handle, content in zip(files, contents, strict=True):
            os.write(handle, content)
            os.lseek(handle, 0, os.SEEK_SET)
        answer = dispatcher(home.node)(do, args, files, lambda _done, _total: None)
        orjson.dumps(answer)
        return {**answer, "_files": [os.pread(h, 1 << 20, 0) for h in files]}
    finally:
        for handle in files:
            os.close(handle)


def code_of(home: Home, do: str, args: dict[str, Any], *contents: bytes) -> str:
    with pytest.raises(ConvenioError) as caught:
        call(home, do, args, *contents)
    return caught.value.code


GOOD: dict[str, Any] = {
    "as": OFFICER,
    "channel": CHANNEL,
    "type": "statement.v1",
    "to": ["us:liaison"],
    "record": "mx/0",
    "leaf": "ab" * 32,
    "seconds": 0,
    "person": "eva",
    "roles": ["clerk"],
    "desks": ["liaison"],
    "fingerprint": "0" * 60,
    "party": "us",
    "limit": 3,
    "part": 0,
    "reason": "a test",
}
KEYS = sorted(
    {
        *GOOD,
        *("id", "desk", "case", "act", "inst", "due_in", "cav", "open", "bodies", "data", "before"),
        *("automatic", "until", "name", "title_en", "title_es", "access", "purpose", "cards"),
        *("root_passphrase", "url", "code", "records", "with_bodies", "secret", "session", "lang"),
    }
)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False)
    | st.text(max_size=6)
    | st.sampled_from(
        ["", "mx/0", "us:liaison", "ab" * 32, CHANNEL, OFFICER, KEEPER, "x" * 20_000]
    ),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=4,
)
# What would really end the node, wait, or take long.
QUIET = sorted(set(COMMANDS) - {"stop", "wait"})


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
@given(
    do=st.sampled_from(QUIET),
    changes=st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=3),
    gone=st.sets(st.sampled_from(sorted(GOOD)), max_size=3),
    contents=st.lists(st.binary(max_size=40), max_size=3),
)
def test_no_arguments_raise_anything_but_our_own_errors(
    mx: Home, do: str, changes: dict[str, Any], gone: set[str], contents: list[bytes]
) -> None:
    args = {key: value for key, value in {**GOOD, **changes}.items() if key not in gone}
    with contextlib.suppress(ConvenioError):
        call(mx, do, args, *contents)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(leaf=VALUES, seconds=st.sampled_from([0, -1, "x", None, 1.5]), until=VALUES)
def test_waiting_takes_any_arguments_too(mx: Home, leaf: Any, seconds: Any, until: Any) -> None:
    try:
        args = {"as": OFFICER, "channel": CHANNEL, "leaf": leaf}
        answer = call(mx, "wait", {**args, "seconds": seconds, "until": until})
    except ConvenioError:
        return
    assert answer["done"] is False


def test_waiting_for_no_record_in_particular_is_refused(mx: Home) -> None:
    for leaf in ("", "ab", "zz" * 32, "AB" * 32, "ab" * 33):
        args = {"as": OFFICER, "channel": CHANNEL, "leaf": leaf, "seconds": 0}
        assert code_of(mx, "wait", args) == "command.argument"


@pytest.mark.parametrize(
    "line",
    [
        *(b"hello", b"[]", b"7", b"{}", b"\xff", b'{"text":7}', b'{"json":NaN}'),
        *(b'{"more":1,"text":"x"}', b'{"text":"x","to":"us:liaison"}'),
        *(b'{"text":"x","due_in":"soon"}', b'{"text":"x","data":[1]}'),
        b'{"text":"x","json":{}}',  # one of them would be lost
        *(b'{"text":"x","open":"no"}', b'{"text":"x","open":1}', b'{"text":"x","open":null}'),
    ],
)
def test_a_bad_line_of_a_batch_is_named_and_those_before_it_are_said(mx: Home, line: bytes) -> None:
    size = mx.size()
    args = {"as": OFFICER, "channel": CHANNEL, "to": ["us:liaison"], "id": ""}
    del args["id"]
    good = b'{"text":"good before %s"}' % line.hex().encode()
    with pytest.raises(ConvenioError) as caught:
        call(mx, "say.batch", args, good + b"\n" + line + b"\n" + good + b"\n")
    assert isinstance(caught.value, MalformedError | RefusedError)
    assert caught.value.parameters["line"] == 2
    assert mx.size() == size + 1


def test_a_batch_said_twice_is_said_once_and_the_same_line_twice_is_two(mx: Home) -> None:
    args = {"as": OFFICER, "channel": CHANNEL, "to": ["us:liaison"]}
    batch = b'{"text":"one"}\n\n{"json":{"b":1,"a":2}}\n{"text":"one"}\n'
    size = mx.size()
    first = call(mx, "say.batch", args, batch)
    again = call(mx, "say.batch", args, batch)
    assert (first["accepted"], first["known"]) == (3, 0)
    assert (again["accepted"], again["known"]) == (3, 3)
    said = mx.size() - size
    assert said >= 3
    assert (first["first"], first["last"]) == (again["first"], again["last"])


def test_a_batch_that_ended_in_the_middle_is_taken_up_again(mx: Home) -> None:
    args = {"as": OFFICER, "channel": CHANNEL, "to": ["us:liaison"]}
    lines = [b'{"text":"part %d"}' % n for n in range(6)]
    call(mx, "say.batch", args, b"\n".join(lines[:3]) + b"\n")
    whole = call(mx, "say.batch", args, b"\n".join(lines) + b"\n")
    assert (whole["accepted"], whole["known"]) == (6, 3)


# --- who may ---


@pytest.mark.parametrize(
    ("do", "args"),
    [
        ("log", {"channel": CHANNEL}),
        ("record", {"record": "mx/0", "channel": CHANNEL}),
        ("open", {"record": "mx/0", "channel": CHANNEL, "reason": "x"}),
        ("say", {"channel": CHANNEL, "to": ["us:liaison"], "bodies": [{}]}),
        ("wait", {"channel": CHANNEL, "leaf": "ab" * 32, "seconds": 0}),
        ("channel.show", {"channel": CHANNEL}),
        ("people.list", {}),
        ("export", {"channel": CHANNEL}),
        ("acts", {}),
        ("people.add", {"person": "eva", "roles": [], "desks": []}),
        ("channel.confirm", {"channel": CHANNEL, "fingerprint": "0"}),
        ("channel.route", {"channel": CHANNEL, "party": "us", "url": "http://127.0.0.1:1"}),
        ("channel.compare", {}),
    ],
)
def test_without_a_person_and_as_one_without_the_role_nothing_is_shown(
    mx: Home, do: str, args: dict[str, Any]
) -> None:
    for who in ({}, {"as": "nobody"}, {"as": 7}, {"as": ""}):
        assert code_of(mx, do, {**args, **who}, b"x") in (
            "command.argument",
            "decide.stranger",
            "people.unknown",
        )
    role = {"log": KEEPER, "record": KEEPER, "wait": KEEPER, "acts": OFFICER}.get(do, "rosa")
    if do == "people.list":
        role = OFFICER
    if do == "channel.show":
        role = "bruno"
    assert code_of(mx, do, {**args, "as": role}, b"x") in ("decide.role", "decide.not_a_recipient")


# --- every door ---


def asks(home: Home, do: str, args: dict[str, Any], *contents: bytes) -> list[Question]:
    """What `core.decide` is asked while a command runs, whatever comes of it."""
    asked: list[Question] = []

    def look(frame: FrameType, event: str, _arg: object) -> None:
        if event == "call" and frame.f_code is decide.__code__:
            asked.append(frame.f_locals["question"])

    old = sys.getprofile()
    sys.setprofile(look)
    try:
        with contextlib.suppress(ConvenioError):
            call(home, do, args, *contents)
    finally:
        sys.setprofile(old)
    return asked


@pytest.mark.parametrize("do", sorted(COMMANDS))
def test_every_command_there_is_asks_the_decision_before_it_runs(mx: Home, do: str) -> None:
    """Whatever is registered, now or later: its door is asked, though the command never runs."""
    link = mx.node.signins.link(KEEPER, OFFICER).secret
    asked: list[Question] = []

    def stop(*_: object) -> dict[str, Any]:
        raise RefusedError("test.it_runs")

    command = COMMANDS[do]
    closed = replace(command, run=stop)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(COMMANDS, do, closed)
        asked = asks(mx, do, {**GOOD, "secret": link, "session": ""})
    assert asked, "a door that asks nothing"


def test_a_door_that_asks_nothing_would_be_noticed(mx: Home) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(COMMANDS, "new", Command(lambda *_: None, lambda *_: {}))
        assert asks(mx, "new", GOOD) == []


@pytest.mark.parametrize("do", sorted(COMMANDS))
def test_who_is_disabled_comes_through_no_door(mx: Home, do: str) -> None:
    home, name = mx, "gone"
    if name not in {person.id for person in home.node.local.people()}:
        home.node.people.add(KEEPER, name, ["keeper", "releaser", "auditor"], ["liaison"], NOW)
        SECRETS[home.path] = [home.node.signins.link(KEEPER, name).secret for _ in range(2)]
        SECRETS[home.path][1] = home.node.signins.enter(SECRETS[home.path][1]).secret
        home.node.people.disable(KEEPER, name, NOW)
    link, session = SECRETS[home.path]
    args = {**GOOD, "as": name, "person": name, "secret": link, "session": session}
    if do in ("web.who", "web.leave"):  # a session that has ended is that of a stranger
        assert call(home, do, args).get("person") is None
        return
    assert code_of(home, do, args, b"") in ("decide.disabled", "signin.link")


SECRETS: dict[object, list[str]] = {}


@pytest.mark.parametrize("do", ["status", "doctor", "fsck"])
def test_whoever_tends_the_machine_is_told_names_counts_and_codes_only(mx: Home, do: str) -> None:
    shown = orjson.dumps(call(mx, do, {})).decode()
    found = call(mx, "record", {"as": OFFICER, "record": "mx/0", "channel": CHANNEL})
    channel = call(mx, "channel.show", {"as": KEEPER, "channel": CHANNEL})
    secrets = [found["leaf"], found["id"], found["type"], *channel["title"].values()]
    desks = [desk["id"] for party in channel["parties"] for desk in party["desks"]]
    for secret in (*secrets, *desks, "hello", OFFICER, "rosa"):
        assert secret not in shown, secret


def test_status_shows_a_person_the_channels_they_may_look_at(mx: Home) -> None:
    assert len(call(mx, "status", {})["channels"]) == 1
    for person, count in ((KEEPER, 1), (OFFICER, 1), ("rosa", 1), ("bruno", 0)):
        assert len(call(mx, "status", {"as": person})["channels"]) == count, person
        assert len(call(mx, "channel.list", {"as": person})["channels"]) == count, person
    assert call(mx, "channel.list", {})["channels"] == []


def test_a_record_of_another_channel_is_not_waited_for(mx: Home) -> None:
    leaf = call(mx, "record", {"as": OFFICER, "record": "mx/0", "channel": CHANNEL})["leaf"]
    args = {"as": OFFICER, "leaf": leaf, "seconds": 0}
    assert call(mx, "wait", {**args, "channel": CHANNEL})["done"] is True
    assert code_of(mx, "wait", {**args, "channel": "none"}) == "channel.unknown"


def test_waiting_gives_signs_of_life(mx: Home) -> None:
    class GoneError(Exception):
        pass

    def progress(done: int, total: int) -> None:
        assert (done, total) == (saying.SIGN_EVERY_S, 86_400)
        raise GoneError

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(saying, "SIGN_EVERY_S", 1)
        args = {"as": OFFICER, "channel": CHANNEL, "leaf": "ab" * 32, "seconds": 86_400}
        with pytest.raises(GoneError):
            dispatcher(mx.node)("wait", args, [], progress)


def test_an_auditor_sees_what_was_done_here(mx: Home) -> None:
    call(mx, "open", {"as": OFFICER, "record": "mx/0", "channel": CHANNEL, "reason": "why"}, b"")
    (latest, *_) = call(mx, "acts", {"as": "rosa", "limit": 5})["acts"]
    assert (latest["person"], latest["act"], latest["reason"]) == (OFFICER, "open", "why")
    assert latest["subject"] == "mx/0"


def test_what_is_opened_is_written_to_the_callers_file(mx: Home) -> None:
    answer = call(
        mx, "open", {"as": OFFICER, "record": "mx/0", "channel": CHANNEL, "reason": "x"}, b""
    )
    assert answer["_files"] == [b"hello"]
    assert answer["media"] == "text/plain"


def test_a_record_is_called_by_its_place_or_the_start_of_its_leaf(mx: Home) -> None:
    shown = call(mx, "record", {"as": OFFICER, "record": "mx/0", "channel": CHANNEL})
    leaf = shown["leaf"]
    for name in (leaf, leaf[:8], leaf[:9], leaf.upper()[:12], f" {leaf[:10]} ", "MX/0"):
        found = call(mx, "record", {"as": OFFICER, "record": name, "channel": CHANNEL})
        assert found["place"] == "mx/0"
    for name, code in {
        leaf[:7]: "record.name",
        "mx/": "record.name",
        "mx/01": "record.name",
        "mx/-1": "record.name",
        "mx/999999": "record.unknown",
        "ca/0": "record.unknown",
        "mx/999999999999999": "record.unknown",
        "0" * 64: "record.unknown",
        "ab" * 33: "record.name",
        "": "record.name",
    }.items():
        args = {"as": OFFICER, "record": name, "channel": CHANNEL}
        assert code_of(mx, "record", args) == code, name


def test_the_log_is_listed_in_pages_that_overlap_nowhere(pair: World, mx: Home) -> None:
    pair.settle()
    seen: list[str] = []
    before = ""
    while True:
        page = call(mx, "log", {"as": OFFICER, "channel": CHANNEL, "limit": 2, "before": before,
                                "automatic": True})  # fmt: skip
        seen += [record["place"] for record in page["records"]]
        before = page["next"]
        if not before:
            break
    assert len(seen) == len(set(seen)) == sum(mx.cut().values())


@pytest.mark.parametrize(
    "mark", ["x", "1", "1.mx", "1.mx.", f"{'9' * 30}.mx.0", "1.mx.-1", "١.mx.1"]
)
def test_a_mark_that_no_page_gave_is_refused(mx: Home, mark: str) -> None:
    args = {"as": OFFICER, "channel": CHANNEL, "before": mark}
    assert code_of(mx, "log", args) == "command.argument"


def test_status_says_where_each_log_stands(mx: Home) -> None:
    (channel,) = call(mx, "status", {})["channels"]
    by_party = {member["party"]: member for member in channel["members"]}
    assert by_party["mx"]["entries"] == mx.size()
    assert by_party["us"]["feed"]["party"] == "us"
    assert channel["in_force"]
    assert call(mx, "fsck", {})["clean"] is True


def test_root_keys_of_the_wrong_phrase_sign_nothing(mx: Home) -> None:
    root = (mx.path / ROOTS / "root-1.age").read_bytes()
    charter = mx.node.local.channel(CHANNEL).signed.note.encode()
    args = {"as": KEEPER, "root_passphrase": "wrong"}
    assert code_of(mx, "channel.accept", args, charter, root) == "age.wrong_passphrase"
    right = {"as": KEEPER, "root_passphrase": ROOT_PASSPHRASE}
    assert call(mx, "channel.accept", right, charter, root)["missing"] == []


def test_unknown_commands_are_named(mx: Home) -> None:
    for do in ("", "nothing", "x" * 500):
        with pytest.raises(MalformedError) as caught:
            call(mx, do, {})
        assert caught.value.parameters == {"command": do[:40]}


def test_the_state_of_what_was_said_first_is_received(mx: Home) -> None:
    shown = call(mx, "record", {"as": OFFICER, "record": "mx/0", "channel": CHANNEL})
    assert [d["state"] for d in shown["delivery"]] == [State.RECEIVED]


def test_a_time_limit_that_would_bind_nobody_is_refused(mx: Home) -> None:
    args = {**GOOD, "due_in": 3600}
    with pytest.raises(RefusedError) as refused:
        call(mx, "say", args)
    assert refused.value.code == "say.no_clock"


@pytest.mark.parametrize("value", ["false", "no", 0, 1, [], ["x"], None])
@pytest.mark.parametrize(
    ("do", "key"), [("say", "open"), ("log", "automatic"), ("bundle", "with_bodies")]
)
def test_yes_and_no_are_said_as_such(mx: Home, do: str, key: str, value: Any) -> None:
    """What is not empty is true to Python: "open": "no" would have been plain to the channel."""
    args = {**GOOD, "records": ["mx/0"], "bodies": [], key: value}
    given = (b"",) if do == "bundle" else ()
    assert code_of(mx, do, args, *given) == "command.argument"
