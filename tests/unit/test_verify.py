"""Verification: what may be given, whose word counts, and what is found out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from tests.support.bundles import (
    bundle,
    checked,
    disclosure,
    failures,
    missing,
    noted,
    pack,
    unpack,
)
from tests.support.world import START, World, charter_of

from convenio.core.bundle import policy_for
from convenio.core.card import Text, sign_card
from convenio.core.errors import (
    MalformedError,
    QuorumError,
    UnavailableError,
)
from convenio.core.note import Ed25519Signer, Note
from convenio.core.policy import from_keys
from convenio.core.record import PartyId, parse_record, sign_record
from convenio.core.trust import fingerprint
from convenio.node.receipts import policy
from convenio.node.verify import Check, Grade, Outcome, Report, verify
from convenio.node.verify.report import DeskFact, HeldFact


@dataclass(frozen=True, slots=True)
class Given:
    """A world in which mx said two things to us, and the evidence of it, in all its forms."""

    world: World
    bundle: bytes
    disclosure: bytes
    folder: Path


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Given]:
    folder = tmp_path_factory.mktemp("given")
    with World(folder / "world") as world:
        found = [
            world.say("mx", "hidden", to=("us:customs",)),
            world.say("mx", "shown", open_body=True),
        ]
        world.now += 7
        world.deliver("mx", "us")
        one = bundle(world, "mx", found)
        two = disclosure(world, "us", world.found("us", "mx", 0))
        world.export("mx", "mx", folder / "log")
        for name, content in unpack(one).items():
            path = folder / "unpacked" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        (folder / "charter.note").write_bytes(world.note)
        yield Given(world, one, two, folder)


def look(given: Given, name: str, trust: bytes | str | None = None) -> Report:
    return verify(given.folder / name, trust=trust, now=given.world.now)


# --- whose word counts ---


def test_a_bundle_under_a_trusted_charter_holds(given: Given, tmp_path: Path) -> None:
    report = checked(given.world, tmp_path, given.bundle)
    assert (report.grade, report.kind, report.trust) == (Grade.VOUCHED, "bundle", "charter")
    assert not report.failed
    assert not noted(report)
    assert report.channel is not None
    assert report.channel.title == Text("The framework", "El entendimiento")


def test_the_report_says_who_said_what_to_whom_and_who_had_it_when(
    given: Given, tmp_path: Path
) -> None:
    mx, us = given.world.members["mx"], given.world.members["us"]
    hidden, shown = checked(given.world, tmp_path, given.bundle).statements
    assert (hidden.place, hidden.type, hidden.at, hidden.sender) == (
        "mx/0",
        "statement.v1",
        START,
        "mx",
    )
    assert hidden.sender_name == Text("Mexico", "México")
    liaison, customs = (
        Text("Liaison desk", "Mesa de enlace"),
        Text("Customs desk", "Mesa de aduanas"),
    )
    assert hidden.by == (DeskFact(f"mx:{mx.desk('liaison')}", "mx", liaison),)
    assert hidden.to == (DeskFact(f"us:{us.desk('customs')}", "us", customs),)
    assert hidden.cosigned == shown.cosigned == (HeldFact("us", START + 7),)
    assert [(b.form, b.shown) for b in (*hidden.bodies, *shown.bodies)] == [
        ("sealed", "sealed"),
        ("open", "open"),
    ]
    assert hidden.holds
    assert shown.holds


def test_of_two_cosignatures_of_one_member_the_earlier_tells_since_when(tmp_path: Path) -> None:
    with World(tmp_path / "w", ("mx", "us", "gt")) as world:
        said = world.say("mx")
        world.deliver("mx", "gt")
        world.now += 60
        world.say("mx")
        for other in ("gt", "us"):
            world.deliver("mx", other)
        (statement,) = checked(world, tmp_path, bundle(world, "mx", [said])).statements
        assert statement.cosigned == (HeldFact("gt", START), HeldFact("us", START + 60))


@pytest.mark.parametrize("shape", ["{ch}", " {CH}\n", "{digits}", "{dashed}", "{plain}"], ids=str)
def test_a_hash_or_fingerprint_is_trusted_however_it_is_typed(
    given: Given, tmp_path: Path, shape: str
) -> None:
    ch = given.world.charter.ch
    digits = fingerprint(ch)
    typed = shape.format(
        ch=ch,
        CH=ch.upper(),
        digits=digits,
        dashed=digits.replace(" ", "-"),
        plain=digits.replace(" ", ""),
    )
    for trust in (typed, typed.encode()):
        report = checked(given.world, tmp_path, given.bundle, trust)
        assert (report.grade, report.trust) == (Grade.VOUCHED, "fingerprint")


def test_without_trust_everything_is_checked_and_nobody_vouches(
    given: Given, tmp_path: Path
) -> None:
    path = tmp_path / "b.zip"
    path.write_bytes(given.bundle)
    report = verify(path, now=given.world.now)
    assert (report.grade, report.trust) == (Grade.CONSISTENT, "none")
    assert {each.check for each in report.findings} >= {
        Check.CHARTER,
        Check.RECORD,
        Check.LOG,
        Check.COSIGNATURE,
        Check.INCLUSION,
        Check.BODY,
        Check.POLICY,
    }


def test_a_wrong_fingerprint_fails_even_if_all_else_is_consistent(
    given: Given, tmp_path: Path
) -> None:
    other = fingerprint("ab" * 32)
    report = checked(given.world, tmp_path, given.bundle, other)
    assert report.grade is Grade.FAILED
    assert failures(report) == {(Check.TRUST, "verify.other_fingerprint")}


def test_a_charter_of_other_parties_fails_everything(given: Given, tmp_path: Path) -> None:
    with World(tmp_path / "w", ("mx", "gt")) as other:
        report = checked(given.world, tmp_path, given.bundle, other.note)
    assert report.grade is Grade.FAILED
    assert (Check.TRUST, "verify.other_charter") in failures(report)
    assert (Check.RECORD, "fold.ch") in failures(report)


@pytest.mark.parametrize(
    ("trust", "code"),
    [
        ("", "verify.trust"),
        ("hello", "verify.trust"),
        ("ab" * 31, "verify.trust"),
        ("1" * 59, "trust.fingerprint"),
        ("12345", "trust.fingerprint"),
        (b"12345\n", "trust.fingerprint"),
        (b"", "verify.trust"),
        (b"\xff" * 64, "verify.trust"),
        (b"log nonsense\nquorum none\n", "note.vkey"),
        (b"{}\n", "note.no_signature"),
    ],
)
def test_what_cannot_be_trusted_is_refused_before_anything_is_read(
    given: Given, trust: bytes | str, code: str
) -> None:
    with pytest.raises(MalformedError) as raised:
        look(given, "nowhere", trust)
    assert raised.value.code == code


def test_a_charter_that_is_not_in_force_is_not_trusted(given: Given) -> None:
    note = given.world.signed.note
    partly = Note(note.text, note.lines[:-1]).encode()
    with pytest.raises(QuorumError, match=r"trust\.charter_quorum"):
        look(given, "nowhere", partly)


def test_a_policy_is_trust_in_keys_and_in_no_charter(given: Given, tmp_path: Path) -> None:
    text = policy_for(given.world.charter, "mx", ("us",)).format()
    report = checked(given.world, tmp_path, given.bundle, text)
    assert (report.grade, report.trust, report.channel) == (Grade.UNDECIDED, "policy", None)
    assert missing(report) == {(Check.RECORD, "verify.no_authors")}  # that mx said it
    assert noted(report) == {Check.NO_CHARTER}
    assert report.statements[0].cosigned == (HeldFact("us-mirror", START + 7),)
    assert report.statements[0].sender_name is None


def test_a_policy_of_other_keys_fails(given: Given, tmp_path: Path) -> None:
    text = policy_for(given.world.charter, "us", ("mx",)).format()
    report = checked(given.world, tmp_path, given.bundle, text)
    assert report.grade is Grade.FAILED
    assert (Check.QUORUM, "policy.no_log") in failures(report)


def test_a_policy_that_asks_for_nobody_gives_no_receipt(given: Given, tmp_path: Path) -> None:
    key = given.world.charter.log_verifiers("mx")[0].vkey()
    report = checked(given.world, tmp_path, given.bundle, from_keys([key], {}, 0).format())
    assert failures(report) == {(Check.COSIGNATURE, "verify.no_receipt")}


# --- time ---


def test_a_cosignature_from_the_future_fails(given: Given) -> None:
    late = verify(given.folder / "unpacked", trust=given.world.note, now=START + 7 - 300)
    assert late.grade is Grade.VOUCHED
    early = verify(given.folder / "unpacked", trust=given.world.note, now=START + 7 - 301)
    assert (Check.COSIGNATURE, "verify.future") in failures(early)
    assert early.statements[0].cosigned == ()


# --- what may be given ---


def test_an_unpacked_bundle_holds_too_and_strange_files_are_left_alone(
    given: Given, tmp_path: Path
) -> None:
    (given.folder / "unpacked" / ".DS_Store").write_bytes(b"litter")
    report = look(given, "unpacked", given.world.note)
    assert report.grade is Grade.VOUCHED
    assert report.findings == checked(given.world, tmp_path, given.bundle).findings


def test_a_disclosure_holds_without_any_key(given: Given, tmp_path: Path) -> None:
    report = checked(given.world, tmp_path, given.disclosure)
    assert report.grade is Grade.VOUCHED
    (statement,) = report.statements
    assert statement.bodies[0].shown == "disclosed"


def test_a_body_that_is_not_in_the_bundle_is_named_and_fails_nothing(
    given: Given, tmp_path: Path
) -> None:
    files = {n: c for n, c in unpack(given.bundle).items() if not n.startswith("bodies/")}
    report = checked(given.world, tmp_path, files)
    assert report.grade is Grade.VOUCHED
    assert noted(report) == {Check.BODY_ABSENT}


@pytest.mark.parametrize("name", ["mx-0.us.tlog-proof", "receipt.tlog-proof"])
def test_a_lone_proof_finds_its_record_and_the_charter_beside_it(
    given: Given, tmp_path: Path, name: str
) -> None:
    files = unpack(given.bundle)
    (tmp_path / name).write_bytes(files["mx-0.us.tlog-proof"])
    stem = "mx-0" if name.startswith("mx") else "receipt"
    (tmp_path / f"{stem}.record").write_bytes(files["mx-0.record"])
    (tmp_path / "charter.note").write_bytes(files["charter.note"])
    for trust in (given.world.note, given.world.charter.ch):
        report = verify(tmp_path / name, trust=trust, now=given.world.now)
        assert (report.grade, report.kind) == (Grade.VOUCHED, "proof")
        assert report.statements[0].place == "mx/0"
    record = verify(tmp_path / f"{stem}.record", trust=given.world.note, now=given.world.now)
    assert (record.grade, record.kind) == (Grade.VOUCHED, "record")
    assert record.statements == report.statements


def test_a_lone_proof_that_is_damaged_does_not_hold(given: Given, tmp_path: Path) -> None:
    (tmp_path / "r.tlog-proof").write_bytes(b"c2sp.org/tlog-proof@v1\n")
    report = verify(tmp_path / "r.tlog-proof", trust=given.world.note, now=given.world.now)
    assert report.grade is Grade.FAILED


def test_the_record_of_a_proof_may_be_named(given: Given, tmp_path: Path) -> None:
    files = unpack(given.bundle)
    (tmp_path / "r.tlog-proof").write_bytes(files["mx-0.us.tlog-proof"])
    (tmp_path / "elsewhere").write_bytes(files["mx-0.record"])
    alone = verify(tmp_path / "r.tlog-proof", trust=given.world.note, now=given.world.now)
    assert (alone.grade, alone.kind, alone.statements) == (Grade.UNDECIDED, "proof", ())
    assert missing(alone) == {(Check.RECORD, "verify.no_record")}
    holds = {each.check for each in alone.findings if each.outcome is Outcome.HOLDS}
    assert holds >= {Check.LOG, Check.COSIGNATURE}, "what the proof itself says is checked"
    report = verify(
        tmp_path / "r.tlog-proof",
        trust=given.world.note,
        now=given.world.now,
        record=tmp_path / "elsewhere",
    )
    assert report.grade is Grade.VOUCHED


def test_a_proof_and_its_policy_show_that_a_log_has_it_and_not_who_said_it(
    given: Given, tmp_path: Path
) -> None:
    files = unpack(given.bundle)
    for name in ("mx-0.us.tlog-proof", "mx-0.record"):
        (tmp_path / name).write_bytes(files[name])
    proof = tmp_path / "mx-0.us.tlog-proof"
    found = given.world.found("mx", "mx", 0)
    text = policy(found.log, (given.world.members["us"].party,))
    told = verify(proof, trust=text, now=given.world.now)
    assert (told.grade, failures(told)) == (Grade.UNDECIDED, set())
    assert missing(told) == {(Check.RECORD, "verify.no_authors")}
    bare = verify(proof, now=given.world.now)
    assert bare.grade is Grade.UNDECIDED  # no signature was checked at all
    assert missing(bare) == {(Check.CHARTER, "verify.no_charter")}
    assert noted(bare) == {Check.NO_KEYS, Check.NO_CHARTER, Check.BODY_ABSENT}


def test_words_put_in_anothers_mouth_are_not_vouched_for_by_a_policy(tmp_path: Path) -> None:
    """us logs what mx never said, and mx's mirror cosigns it, as it cosigns everything it holds."""
    with World(tmp_path / "w") as world:
        us, log = world.members["us"], world.log("us", "us")
        said = parse_record(world.say("mx").entry).header
        header = replace(said, id="ab" * 16)
        entry = sign_record(
            header, Ed25519Signer(said.by[0], b"not the key of mx's desk".ljust(32))
        )
        us.store.append(
            log.origin,
            0,
            [(bytes.fromhex(header.id), entry)],
            lambda size, root: us.sequencer._sign(log.origin, size, root),
        )
        world.deliver("us", "mx")
        (tmp_path / "x.record").write_bytes(entry)
        proof = us.receipts.receipt(world.found("us", "us", 0), PartyId("mx"))
        (tmp_path / "x.mx.tlog-proof").write_bytes(proof)
        text = policy(log, (PartyId("mx"),))
        report = verify(tmp_path / "x.record", trust=text, now=world.now)
        assert report.grade is Grade.UNDECIDED
        under = verify(tmp_path / "x.record", trust=world.note, now=world.now)
        assert under.grade is Grade.FAILED


def test_a_record_without_a_proof_is_no_receipt(given: Given, tmp_path: Path) -> None:
    (tmp_path / "x.record").write_bytes(unpack(given.bundle)["mx-0.record"])
    report = verify(tmp_path / "x.record", trust=given.world.note, now=given.world.now)
    assert failures(report) == {(Check.COSIGNATURE, "verify.no_receipt")}


def test_a_charter_is_held_against_its_fingerprint(given: Given) -> None:
    ch = given.world.charter.ch
    assert look(given, "charter.note", fingerprint(ch)).grade is Grade.VOUCHED
    assert look(given, "charter.note", given.world.note).grade is Grade.VOUCHED
    assert look(given, "charter.note").grade is Grade.CONSISTENT
    wrong = look(given, "charter.note", "cd" * 32)
    assert failures(wrong) == {(Check.TRUST, "verify.other_fingerprint")}


def test_a_charter_that_lacks_signatures_is_not_in_force(given: Given, tmp_path: Path) -> None:
    note = given.world.signed.note
    (tmp_path / "c").write_bytes(Note(note.text, note.lines[:-1]).encode())
    report = verify(tmp_path / "c", trust=given.world.charter.ch, now=START)
    assert failures(report) == {(Check.CHARTER, "trust.charter_quorum")}


def test_a_policy_vouches_for_no_charter_and_no_card(given: Given, tmp_path: Path) -> None:
    text = policy_for(given.world.charter, "mx", ("us",)).format()
    member = given.world.members["mx"]
    (tmp_path / "card").write_bytes(sign_card(member.card, *member.roots))
    assert look(given, "charter.note", text).grade is not Grade.VOUCHED
    assert verify(tmp_path / "card", trust=text, now=START).grade is not Grade.VOUCHED


def test_a_card_is_the_one_in_the_charter_or_it_is_not(given: Given, tmp_path: Path) -> None:
    member = given.world.members["mx"]
    (tmp_path / "card").write_bytes(sign_card(member.card, *member.roots))
    card = tmp_path / "card"
    assert verify(card, trust=given.world.note, now=START).grade is Grade.VOUCHED
    assert verify(card, now=START).grade is Grade.CONSISTENT
    with World(tmp_path / "w", ("us", "gt")) as other:
        report = verify(card, trust=other.note, now=START)
    assert failures(report) == {(Check.CARD, "verify.other_card")}


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"hello", b"{}", b'{"kind":"roster"}\n', b"\x00" * 100, b"{" * 600_000),
        *(b'{"kind":["record"]}\n', b'{"kind":{"a":1}}\n', b'{"kind":1}\n'),
    ],
)
def test_something_else_is_refused_as_unknown(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(MalformedError) as raised:
        verify(tmp_path / "x", now=START)
    assert raised.value.code in {"verify.kind", "verify.too_long"}


def test_a_folder_of_something_else_and_nothing_at_all(tmp_path: Path) -> None:
    with pytest.raises(MalformedError, match=r"verify\.kind"):
        verify(tmp_path, now=START)
    with pytest.raises(UnavailableError, match=r"verify\.unreadable"):
        verify(tmp_path / "absent", now=START)


def test_a_fingerprint_needs_the_charter_at_hand(given: Given, tmp_path: Path) -> None:
    files = unpack(given.bundle)
    del files["charter.note"]
    report = checked(given.world, tmp_path, files, given.world.charter.ch)
    assert (report.grade, report.failed) == (Grade.UNDECIDED, ())
    assert missing(report) == {(Check.TRUST, "verify.no_charter")}
    bare = tmp_path / "bare.zip"
    bare.write_bytes(pack(files))
    alone = verify(bare, now=START + 7)
    assert (alone.grade, missing(alone)) == (
        Grade.UNDECIDED,
        {(Check.CHARTER, "verify.no_charter")},
    )
    assert checked(given.world, tmp_path, files).grade is Grade.VOUCHED


@pytest.mark.parametrize("shape", ["bundle", "proof"])
def test_the_charter_that_a_fingerprint_needs_may_be_handed_over(
    given: Given, tmp_path: Path, shape: str
) -> None:
    files = unpack(given.bundle)
    note = files.pop("charter.note")
    path = tmp_path / "given.zip"
    path.write_bytes(pack(files))
    if shape == "proof":
        path = tmp_path / "mx-0.us.tlog-proof"
        for name in ("mx-0.us.tlog-proof", "mx-0.record"):
            (tmp_path / name).write_bytes(files[name])
    ch, now = given.world.charter.ch, given.world.now
    lacking = verify(path, trust=ch, now=now)
    assert (lacking.grade, missing(lacking)) == (
        Grade.UNDECIDED,
        {(Check.TRUST, "verify.no_charter")},
    )
    assert verify(path, trust=ch, charter=note, now=now).grade is Grade.VOUCHED
    assert verify(path, charter=note, now=now).grade is Grade.CONSISTENT
    wrong = verify(path, trust="ab" * 32, charter=note, now=now)
    assert failures(wrong) == {(Check.TRUST, "verify.other_fingerprint")}


def test_what_is_false_is_false_even_where_the_charter_is_missing(
    given: Given, tmp_path: Path
) -> None:
    files = unpack(given.bundle)
    del files["charter.note"]
    files["mx-0.record"] = files["mx-0.record"].replace(b'"at":1', b'"at":2', 1)
    report = checked(given.world, tmp_path, files, given.world.charter.ch)
    assert report.grade is Grade.FAILED


def test_a_card_under_a_fingerprint_alone_is_undecided(given: Given, tmp_path: Path) -> None:
    member = given.world.members["mx"]
    (tmp_path / "card").write_bytes(sign_card(member.card, *member.roots))
    report = verify(tmp_path / "card", trust=given.world.charter.ch, now=START)
    assert (report.grade, missing(report)) == (
        Grade.UNDECIDED,
        {(Check.TRUST, "verify.no_charter")},
    )


def test_every_failure_names_a_reason(given: Given, tmp_path: Path) -> None:
    report = checked(given.world, tmp_path, given.bundle, "ab" * 32)
    for each in report.findings:
        assert bool(each.reason) == (each.outcome is Outcome.FAILS)


def test_two_charters_of_the_same_parties_are_two_channels(given: Given, tmp_path: Path) -> None:
    members = given.world.members.values()
    second = charter_of(
        [each.card for each in members], [each.roots for each in members], nonce="ff" * 16
    )
    report = checked(given.world, tmp_path, given.bundle, second.note.encode())
    assert {(Check.TRUST, "verify.other_charter"), (Check.LOG, "verify.other_log")} <= failures(
        report
    )
