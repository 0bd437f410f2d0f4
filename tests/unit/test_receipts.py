"""Receipts, bundles and disclosures: what is given, to whom, and what is on record before."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.bundles import bundle, checked, disclosure, unpack
from tests.support.world import START, World, fixed

from convenio.core.bundle import parse_disclosed
from convenio.core.checkpoint import parse_signed_checkpoint
from convenio.core.errors import (
    ConvenioError,
    MalformedError,
    RefusedError,
    SignatureError,
    UnavailableError,
)
from convenio.core.note import SignatureLine, parse_signature_lines
from convenio.core.policy import parse_policy
from convenio.core.proof import parse_proof, verify_proof
from convenio.core.record import Header, PartyId, parse_header, parse_record
from convenio.core.seal import check_disclosed
from convenio.node.receipts import policy
from convenio.node.registry import shelf_of
from convenio.node.verify import Grade

MX, US, GT = PartyId("mx"), PartyId("us"), PartyId("gt")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with World(tmp_path / "world") as made:
        yield made


def test_a_receipt_is_of_the_earliest_checkpoint_the_partner_cosigned(world: World) -> None:
    first = world.say("mx", "one", to=("us:liaison",))
    world.say("mx", "two", to=("us:liaison",))
    world.now += 10
    world.deliver("mx", "us")
    world.say("mx", "three", to=("us:liaison",))
    world.now += 10
    world.deliver("mx", "us")
    proof = parse_proof(world.members["mx"].receipts.receipt(first, US))
    text = policy(first.log, (US,))
    verified = verify_proof(proof, first.leaf, parse_policy(text))
    assert verified.checkpoint.size == 2
    assert verified.cosigned_at == {"us-mirror": START + 10}
    _, note = parse_signed_checkpoint(proof.checkpoint)
    names = [line.name for line in note.lines]
    assert names == [first.log.origin] * 2 + ["us.localhost/mirror"] * 2
    third = world.found("mx", "mx", 2)
    later = parse_proof(world.members["mx"].receipts.receipt(third, US))
    assert verify_proof(later, third.leaf, parse_policy(text)).checkpoint.size == 3


def test_the_first_cosignature_of_a_size_counts_not_a_later_refresh(world: World) -> None:
    found = world.say("mx", "one", to=("us:liaison",))
    world.deliver("mx", "us")
    world.now += 100
    world.deliver("mx", "us")
    receipt = parse_proof(world.members["mx"].receipts.receipt(found, US))
    verified = verify_proof(receipt, found.leaf, parse_policy(policy(found.log, (US,))))
    assert verified.cosigned_at == {"us-mirror": START}


def test_without_a_cosignature_there_is_no_receipt_and_none_is_made_up(world: World) -> None:
    found = world.say("mx", "one", to=("us:liaison",))
    receipts = world.members["mx"].receipts
    with pytest.raises(RefusedError) as raised:
        receipts.receipt(found, US)
    assert (raised.value.code, raised.value.parameters) == (
        "receipt.not_yet",
        {"record": "mx/0", "party": "us"},
    )
    with pytest.raises(RefusedError, match=r"trust\.not_a_member"):
        receipts.receipt(found, PartyId("xx"))
    with pytest.raises(RefusedError, match=r"receipt\.not_yet"):
        bundle(world, "mx", [found])


def test_a_flagged_cosignature_is_no_receipt(world: World) -> None:
    found = world.say("mx", "one", to=("us:liaison",))
    world.deliver("mx", "us")
    store = world.members["mx"].store
    for each in store._log(found.log.origin).cosigned:
        object.__setattr__(each, "flagged", each.name.endswith("/mirror"))
    with pytest.raises(RefusedError, match=r"receipt\.not_yet"):
        world.members["mx"].receipts.receipt(found, US)


def test_of_two_cosignatures_the_flagged_one_is_not_shown(world: World) -> None:
    found = world.say("mx", "one", to=("us:liaison",))
    world.deliver("mx", "us")
    for each in world.members["mx"].store._log(found.log.origin).cosigned:
        object.__setattr__(each, "flagged", each.name.endswith("/mirror"))
    world.now += 50
    world.deliver("mx", "us")
    receipt = parse_proof(world.members["mx"].receipts.receipt(found, US))
    verified = verify_proof(receipt, found.leaf, parse_policy(policy(found.log, (US,))))
    assert verified.cosigned_at == {"us-mirror": START + 50}


def test_a_receipt_that_would_not_hold_is_not_given(world: World) -> None:
    """A row of the store was damaged: that is noticed here, not by whoever is shown the receipt."""
    found = world.say("mx", "one", to=("us:liaison",))
    world.deliver("mx", "us")
    for each in world.members["mx"].store._log(found.log.origin).cosigned:
        if each.name.endswith("/mirror"):
            (line,) = parse_signature_lines(each.line, 8192)
            wrong = SignatureLine(line.name, line.key_id, line.signature[:-1] + b"x")
            object.__setattr__(each, "line", wrong.encode())
    with pytest.raises(SignatureError, match=r"cosign\.bad_signature"):
        world.members["mx"].receipts.receipt(found, US)


def test_a_receipt_needs_the_logs_own_lines_of_that_size(world: World) -> None:
    found = world.say("mx", "one", to=("us:liaison",))
    world.deliver("mx", "us")
    world.say("mx", "two", to=("us:liaison",))
    store = world.members["mx"].store
    log = store._log(found.log.origin)
    log.cosigned = [each for each in log.cosigned if each.name.endswith("/mirror")]
    with pytest.raises(RefusedError, match=r"receipt\.not_published"):
        world.members["mx"].receipts.receipt(found, US)


def test_the_mirror_can_show_that_it_holds_the_partners_record(world: World) -> None:
    world.say("mx", "one", to=("us:liaison",))
    world.deliver("mx", "us")
    found = world.found("us", "mx", 0)
    receipt = parse_proof(world.members["us"].receipts.receipt(found, US))
    verify_proof(receipt, found.leaf, parse_policy(policy(found.log, (US,))))


def test_with_several_partners_each_gives_its_own_receipt(tmp_path: Path) -> None:
    with World(tmp_path, ("mx", "us", "gt")) as world:
        found = world.say("mx", "to all", open_body=True)
        world.deliver("mx", "us")
        files = unpack(bundle(world, "mx", [found]))
        assert "mx-0.us.tlog-proof" in files
        assert "mx-0.gt.tlog-proof" not in files
        world.now += 60
        world.deliver("mx", "gt")
        data = bundle(world, "mx", [found])
        assert {"mx-0.us.tlog-proof", "mx-0.gt.tlog-proof", "mx.gt.policy"} <= unpack(data).keys()
        report = checked(world, tmp_path, data)
        assert report.grade is Grade.VOUCHED
        (statement,) = report.statements
        assert {held.party: held.at for held in statement.cosigned} == {
            "us": START,
            "gt": START + 60,
        }


def test_a_bundle_is_the_same_bytes_when_made_again(world: World) -> None:
    found = [world.say("mx", "one", to=("us:liaison",)), world.say("mx", "two", open_body=True)]
    world.deliver("mx", "us")
    assert bundle(world, "mx", found) == bundle(world, "mx", reversed(found))


def test_a_bundle_holds_bodies_only_where_export_is_allowed(world: World) -> None:
    found = world.say("mx", "secret", to=("us:liaison",))
    world.deliver("mx", "us")
    bundles = world.members["mx"].bundles
    for person, bodies in (("ana", True), ("beto", False), ("carla", False)):
        bundles.bundle(person, [found], io.BytesIO(), bodies=bodies)
    for person in ("beto", "carla"):
        out = io.BytesIO()
        with pytest.raises(RefusedError, match=r"decide\.role"):
            bundles.bundle(person, [found], out, bodies=True)
        assert not out.getvalue()
    with pytest.raises(RefusedError, match=r"decide\.role"):
        bundles.bundle("dora", [found], io.BytesIO())
    acts = [(act.person, act.act) for act in world.members["mx"].local.acts()]
    assert acts == [("carla", "bundle"), ("beto", "bundle"), ("ana", "bundle")]


def test_a_bundle_is_of_one_channel_and_of_something(world: World, tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match=r"bundle\.nothing"):
        bundle(world, "mx", [])
    with World(tmp_path / "other", access="public") as other:
        there, here = other.say("mx", "x", open_body=True), world.say("mx", "x", open_body=True)
        with pytest.raises(RefusedError, match=r"bundle\.other_channel"):
            bundle(world, "mx", [here, there])


# --- disclosure ---


@pytest.fixture
def sealed(world: World) -> World:
    world.say("mx", "what was said", to=("us:liaison",))
    world.now += 5
    world.deliver("mx", "us")
    return world


def test_a_disclosure_shows_the_content_with_what_proves_it(sealed: World, tmp_path: Path) -> None:
    found = sealed.found("us", "mx", 0)
    files = unpack(disclosure(sealed, "us", found))
    label = parse_disclosed(files["disclosed/mx-0.0.json"])
    content = files["disclosed/mx-0.0.content"]
    assert content == b"what was said"
    assert (label.leaf, label.media, label.name) == (found.leaf, "text/plain", "nota.txt")
    check_disclosed(content, label.salt, found.header.bodies[0].k)
    report = checked(sealed, tmp_path, files)
    assert report.grade is Grade.VOUCHED
    assert report.statements[0].bodies[0].shown == "disclosed"


def test_the_senders_own_releaser_can_disclose_too(sealed: World) -> None:
    files = unpack(disclosure(sealed, "mx", sealed.found("mx", "mx", 0)))
    assert files["disclosed/mx-0.0.content"] == b"what was said"


def test_a_disclosure_is_in_our_log_and_the_reason_is_not(sealed: World) -> None:
    found = sealed.found("us", "mx", 0)
    disclosure(sealed, "us", found)
    entry = sealed.found("us", "us", 0).entry
    header = parse_record(entry).header
    assert header.type == "disclosure.v1"
    assert header.data == {"leaf": found.leaf.hex(), "part": 0, "code": "court"}
    assert b"judge" not in entry
    acts = [(a.person, a.act, a.subject, a.reason) for a in sealed.members["us"].local.acts()]
    assert acts == [
        ("ana", "disclose", "mx/0", "court: ordered by a judge"),
        ("ana", "open", "mx/0", "ordered by a judge"),
    ]


class _Watching(io.BytesIO):
    """Notes how long our log was when the first byte came."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self._world, self.size_at_first = world, -1

    def write(self, data: object) -> int:
        if self.size_at_first < 0:
            store, log = self._world.members["us"].store, self._world.log("us", "us")
            self.size_at_first = store.head(log.origin).size
        return super().write(data)  # type: ignore[arg-type]


def test_nothing_leaves_before_it_is_on_record(sealed: World) -> None:
    out = _Watching(sealed)
    found = sealed.found("us", "mx", 0)
    accepted = sealed.members["us"].bundles.disclose("ana", found, 0, "defence", "file 7", out)
    assert (accepted.index, out.size_at_first) == (0, 1)


class _NoFiles(io.BytesIO):
    """Sees that no file without a name is open, beside what was, while contents are given."""

    def __init__(self) -> None:
        super().__init__()
        self._before = nameless()

    def write(self, data: object) -> int:
        assert nameless() <= self._before
        return super().write(data)  # type: ignore[arg-type]


def nameless() -> set[str]:
    found = set()
    for link in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):  # the one that lists them
            found.add(str(link.readlink()))
    return {name for name in found if name.endswith("(deleted)")}


def test_no_content_lies_on_our_disk_in_plain_while_it_is_given(sealed: World) -> None:
    found, us = sealed.found("us", "mx", 0), sealed.members["us"]
    us.bundles.disclose("ana", found, 0, "defence", "file 7", _NoFiles())
    us.speaking.open("ana", found, 0, _NoFiles(), "to read")


@pytest.mark.parametrize(
    ("person", "code", "reason", "refused"),
    [
        ("beto", "court", "because", "decide.role"),
        ("carla", "court", "because", "decide.role"),
        ("nobody", "court", "because", "people.unknown"),
        ("ana", "court", "", "disclose.reason"),
        ("ana", "court", " \n", "disclose.reason"),
        ("ana", "court", "x" * 2001, "disclose.reason"),
        ("ana", "press", "because", "disclose.code"),
        ("ana", "", "because", "disclose.code"),
    ],
)
def test_a_disclosure_that_is_refused_leaves_no_trace_outside(
    sealed: World, person: str, code: str, reason: str, refused: str
) -> None:
    out = io.BytesIO()
    found = sealed.found("us", "mx", 0)
    with pytest.raises(ConvenioError) as raised:
        sealed.members["us"].bundles.disclose(person, found, 0, code, reason, out)
    assert raised.value.code == refused
    assert not out.getvalue()
    member = sealed.members["us"]
    assert member.store.head(sealed.log("us", "us").origin).size == 0
    assert member.local.acts() == []


def test_a_body_that_is_not_there_is_not_put_on_record_as_given(sealed: World) -> None:
    found = sealed.found("us", "mx", 0)
    shelf_of(sealed.members["us"].blobs, found.log).delete(found.header.bodies[0].c)
    out = io.BytesIO()
    with pytest.raises(UnavailableError, match=r"blob\.absent"):
        sealed.members["us"].bundles.disclose("ana", found, 0, "court", "why", out)
    assert not out.getvalue()
    assert sealed.members["us"].store.head(sealed.log("us", "us").origin).size == 0


def test_a_part_that_does_not_exist_cannot_be_disclosed(sealed: World) -> None:
    found = sealed.found("us", "mx", 0)
    with pytest.raises(RefusedError, match=r"decide\.no_such_body"):
        disclosure(sealed, "us", found, part=1)


def test_a_frozen_channel_gives_nothing_out(sealed: World) -> None:
    member = sealed.members["us"]
    member.local.freeze(sealed.charter.ch, sealed.now, {})
    member.registry.refresh()
    with pytest.raises(RefusedError, match=r"channel\.frozen"):
        disclosure(sealed, "us", sealed.found("us", "mx", 0))


def test_an_open_body_is_disclosed_as_the_blob_it_is(world: World, tmp_path: Path) -> None:
    found = world.say("mx", "for all members", open_body=True)
    world.deliver("mx", "us")
    files = unpack(disclosure(world, "us", world.found("us", "mx", 0)))
    assert found.header.bodies[0].form == "open"
    assert files["bodies/mx-0.0.open"].endswith(b"for all members")
    assert checked(world, tmp_path, files).statements[0].bodies[0].shown == "open"


@pytest.mark.parametrize(
    "data",
    [
        {"leaf": "ab" * 32, "part": 0},
        {"leaf": "ab" * 32, "part": 0, "code": "press"},
        {"leaf": "ab" * 31, "part": 0, "code": "court"},
        {"leaf": "ab" * 32, "part": 32, "code": "court"},
        {"leaf": "ab" * 32, "part": 0, "code": "court", "why": "x"},
        {"leaf": "ab" * 32, "part": 0, "code": ["court"]},
        {},
    ],
)
def test_a_disclosure_record_says_leaf_part_and_code_and_nothing_else(
    world: World, data: dict[str, object]
) -> None:
    header = said_header(world, data)
    with pytest.raises(MalformedError, match=r"record\.data"):
        parse_header(header.encode())


def said_header(world: World, data: dict[str, object]) -> Header:
    plain = world.say("mx", "x", open_body=True).header
    return Header(
        id=fixed("id")(16).hex(),
        ch=plain.ch,
        gen=1,
        type="disclosure.v1",
        sender=MX,
        to=(),
        by=plain.by,
        at=START,
        data=data,  # type: ignore[arg-type]
    )
