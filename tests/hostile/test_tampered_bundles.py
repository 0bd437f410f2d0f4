"""Somebody wants a bundle to say what was never said, or to seem received when it was not."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.bundles import (
    Content,
    bundle,
    checked,
    disclosure,
    failures,
    noted,
    pack,
    unpack,
)
from tests.support.world import START, World, fixed

from convenio.core.bundle import Disclosed, parse_disclosed, policy_for
from convenio.core.checkpoint import Checkpoint, parse_signed_checkpoint
from convenio.core.cosign import MlDsa44Cosigner
from convenio.core.errors import ConvenioError
from convenio.core.merkle import leaf_hash
from convenio.core.note import Ed25519Signer, Note, SignatureLine, parse_note, sign_note
from convenio.core.proof import Proof, parse_proof
from convenio.core.record import parse_record, sign_record
from convenio.core.split import parse_split, verify_split
from convenio.node.verify import Check, Grade, Report, verify

PROOF = "mx-0.us.tlog-proof"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with World(tmp_path_factory.mktemp("world") / "w") as made:
        made.say("mx", "first", to=("us:liaison",))
        made.say("mx", "second", to=("us:liaison",))
        made.say("mx", "open to all", open_body=True)
        made.now += 7
        made.deliver("mx", "us")
        made.say("us", "an answer", to=("mx:liaison",))
        made.deliver("us", "mx")
        yield made


@pytest.fixture(scope="module")
def files(world: World) -> Content:
    found = [world.found("mx", "mx", n) for n in range(3)] + [world.found("mx", "us", 0)]
    return unpack(bundle(world, "mx", found)) | unpack(
        disclosure(world, "us", world.found("us", "mx", 0))
    )


@pytest.fixture
def changed(files: Content) -> Content:
    return dict(files)


def look(world: World, tmp_path: Path, files: Content | bytes) -> Report:
    return checked(world, tmp_path, files)


def proof_with(data: bytes, *lines: SignatureLine) -> bytes:
    """The proof with other signature lines under its checkpoint."""
    proof = parse_proof(data)
    _, note = parse_signed_checkpoint(proof.checkpoint)
    signed = Note(note.text, lines).encode()
    return Proof(proof.index, proof.hashes, signed).encode()


def lines_of(data: bytes) -> tuple[SignatureLine, ...]:
    return parse_signed_checkpoint(parse_proof(data).checkpoint)[1].lines


def test_untouched_it_holds(world: World, tmp_path: Path, files: Content) -> None:
    report = look(world, tmp_path, files)
    assert report.grade is Grade.VOUCHED
    assert not noted(report)
    assert {name.partition("/")[0] for name in files} >= {"README.txt", "bodies", "disclosed"}


# --- bits ---

NAMES = (
    "charter.note",
    "mx-0.record",
    PROOF,
    "mx.us.policy",
    "bodies/mx-0.0.age",
    "bodies/mx-2.0.open",
    "disclosed/mx-0.0.content",
)
LABEL = "disclosed/mx-0.0.json"


@pytest.mark.parametrize("name", ["README.txt", LABEL, *NAMES])
def test_a_bit_flipped_in_the_file_itself_is_damage(
    world: World, tmp_path: Path, files: Content, name: str
) -> None:
    data = bytearray(pack(files))
    data[data.index(files[name]) + len(files[name]) // 2] ^= 1
    found = failures_or_refusal(world, tmp_path, bytes(data))
    assert found & {"bundle.damaged", "seal.not_this_record"}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("where", [0.0, 0.1, 0.37, 0.5, 0.74, 0.999])
def test_a_bit_flipped_and_packed_again_never_holds(
    world: World, tmp_path: Path, changed: Content, name: str, where: float
) -> None:
    data = bytearray(changed[name])
    data[int(where * len(data))] ^= 1
    changed[name] = bytes(data)
    assert look(world, tmp_path, changed).grade is Grade.FAILED


def failures_or_refusal(world: World, tmp_path: Path, data: bytes) -> set[str]:
    """The reasons in the report, or the one for which there is none."""
    try:
        return {code for _, code in failures(look(world, tmp_path, data))}
    except ConvenioError as error:
        return {error.code}


def facts(report: Report) -> object:
    """What the report says, apart from what a disclosed content is called: nothing proves that."""
    statements = [
        replace(each, bodies=tuple(replace(b, media="", called="") for b in each.bodies))
        for each in report.statements
    ]
    return (statements, report.channel)


@settings(max_examples=150)
@given(data=st.data())
def test_no_change_of_any_byte_tells_another_story_that_holds(
    data: st.DataObject, world: World, tmp_path_factory: pytest.TempPathFactory, files: Content
) -> None:
    """A line of a key nobody knows may change; what is said, by whom and when may not."""
    folder = tmp_path_factory.mktemp("any")
    name = data.draw(st.sampled_from([*NAMES, LABEL]))
    at = int(data.draw(st.floats(0, 1, exclude_max=True)) * len(files[name]))
    flipped = files[name][at] ^ data.draw(st.integers(1, 255))
    content = files[name][:at] + bytes([flipped]) + files[name][at + 1 :]
    try:
        report = look(world, folder, {**files, name: content})
    except ConvenioError:
        return
    if report.grade is not Grade.FAILED:
        assert Check.UNKNOWN_KEY in noted(report) or name == LABEL
        assert facts(report) == facts(look(world, folder, files))


# --- files in each other's place ---


def test_two_records_swapped(world: World, tmp_path: Path, changed: Content) -> None:
    changed["mx-0.record"], changed["mx-1.record"] = changed["mx-1.record"], changed["mx-0.record"]
    assert (Check.INCLUSION, "merkle.root_differs") in failures(look(world, tmp_path, changed))


def test_two_records_swapped_with_their_proofs(
    world: World, tmp_path: Path, changed: Content
) -> None:
    for a, b in (("mx-0.record", "mx-1.record"), (PROOF, "mx-1.us.tlog-proof")):
        changed[a], changed[b] = changed[b], changed[a]
    assert (Check.INCLUSION, "verify.other_place") in failures(look(world, tmp_path, changed))


def test_the_record_of_one_party_under_the_name_of_the_other(
    world: World, tmp_path: Path, files: Content
) -> None:
    moved = {
        name: content for name, content in files.items() if name in ("README.txt", "charter.note")
    }
    moved["mx-0.record"] = files["us-0.record"]
    moved["mx-0.us.tlog-proof"] = files["us-0.mx.tlog-proof"]
    report = look(world, tmp_path, moved)
    assert (Check.RECORD, "verify.other_place") in failures(report)


def test_the_proof_of_another_record(world: World, tmp_path: Path, changed: Content) -> None:
    changed[PROOF] = changed["mx-1.us.tlog-proof"]
    report = look(world, tmp_path, changed)
    assert (Check.INCLUSION, "verify.other_place") in failures(report)
    assert not report.statements[0].holds
    assert report.statements[1].holds


def test_the_proof_of_another_record_with_the_index_rewritten(
    world: World, tmp_path: Path, changed: Content
) -> None:
    changed[PROOF] = changed["mx-1.us.tlog-proof"].replace(b"index 1\n", b"index 0\n")
    assert (Check.INCLUSION, "merkle.root_differs") in failures(look(world, tmp_path, changed))


def test_the_policy_of_another_log(world: World, tmp_path: Path, changed: Content) -> None:
    changed["mx.us.policy"] = changed["us.mx.policy"]
    assert (Check.POLICY, "verify.policy_differs") in failures(look(world, tmp_path, changed))


def test_a_policy_for_a_party_that_is_no_member(
    world: World, tmp_path: Path, changed: Content
) -> None:
    changed["mx.gt.policy"] = changed["mx.us.policy"]
    assert (Check.POLICY, "verify.policy_differs") in failures(look(world, tmp_path, changed))


def test_a_proof_without_its_record(world: World, tmp_path: Path, changed: Content) -> None:
    del changed["mx-0.record"]
    assert (Check.RECORD, "verify.no_record") in failures(look(world, tmp_path, changed))


def test_a_record_without_its_proof(world: World, tmp_path: Path, changed: Content) -> None:
    del changed[PROOF]
    report = look(world, tmp_path, changed)
    assert (Check.COSIGNATURE, "verify.no_receipt") in failures(report)
    assert report.statements[0].cosigned == ()


def test_a_body_for_a_part_the_record_has_not(
    world: World, tmp_path: Path, changed: Content
) -> None:
    changed["bodies/mx-0.1.age"] = changed["bodies/mx-0.0.age"]
    assert (Check.BODY, "seal.part") in failures(look(world, tmp_path, changed))


def test_a_body_of_another_record(world: World, tmp_path: Path, changed: Content) -> None:
    changed["bodies/mx-0.0.age"] = changed["bodies/mx-1.0.age"]
    assert (Check.BODY, "seal.blob") in failures(look(world, tmp_path, changed))


def test_a_sealed_body_under_the_name_of_an_open_one(
    world: World, tmp_path: Path, changed: Content
) -> None:
    changed["bodies/mx-0.0.open"] = changed.pop("bodies/mx-0.0.age")
    assert (Check.BODY, "seal.blob") in failures(look(world, tmp_path, changed))


def test_a_file_that_belongs_to_nothing(tmp_path: Path, world: World, changed: Content) -> None:
    changed["us-7.mx.tlog-proof"] = changed["us-0.mx.tlog-proof"]
    assert (Check.RECORD, "verify.no_record") in failures(look(world, tmp_path, changed))


# --- signatures ---


def test_the_logs_ml_dsa_line_is_missing(world: World, tmp_path: Path, changed: Content) -> None:
    ed, _, *mirror = lines_of(changed[PROOF])
    changed[PROOF] = proof_with(changed[PROOF], ed, *mirror)
    report = look(world, tmp_path, changed)
    assert (Check.LOG, "verify.log_line") in failures(report)
    assert report.statements[0].cosigned == ()


def test_the_logs_plain_line_is_missing(world: World, tmp_path: Path, changed: Content) -> None:
    _, pq, *mirror = lines_of(changed[PROOF])
    changed[PROOF] = proof_with(changed[PROOF], pq, *mirror)
    assert (Check.LOG, "verify.log_line") in failures(look(world, tmp_path, changed))


def test_no_mirror_line_at_all(world: World, tmp_path: Path, changed: Content) -> None:
    changed[PROOF] = proof_with(changed[PROOF], *lines_of(changed[PROOF])[:2])
    report = look(world, tmp_path, changed)
    assert {
        (Check.COSIGNATURE, "verify.not_cosigned"),
        (Check.COSIGNATURE, "verify.no_receipt"),
    } <= (failures(report))


def test_only_the_mirrors_ed25519_line_is_no_receipt(
    world: World, tmp_path: Path, changed: Content
) -> None:
    ed, pq, main, old = lines_of(changed[PROOF])
    assert len(main.signature) > len(old.signature)
    changed[PROOF] = proof_with(changed[PROOF], ed, pq, old)
    assert (Check.COSIGNATURE, "verify.not_cosigned") in failures(look(world, tmp_path, changed))


def forge(world: World, data: bytes, key: MlDsa44Cosigner, at: int) -> bytes:
    """The proof with the mirror's line made by `key` instead, dated `at`."""
    ed, pq, _, old = lines_of(data)
    checkpoint, _ = parse_signed_checkpoint(parse_proof(data).checkpoint)
    return proof_with(data, ed, pq, key.cosign(checkpoint, at), old)


def test_a_cosignature_by_another_key_under_the_mirrors_name(
    world: World, tmp_path: Path, changed: Content
) -> None:
    key = MlDsa44Cosigner("us.localhost/mirror", fixed("eve")(32))
    changed[PROOF] = forge(world, changed[PROOF], key, world.now)
    report = look(world, tmp_path, changed)
    assert (Check.COSIGNATURE, "verify.not_cosigned") in failures(report)
    assert Check.UNKNOWN_KEY in noted(report)


def test_a_cosignature_by_another_key_under_the_mirrors_name_and_key_id(
    world: World, tmp_path: Path, changed: Content
) -> None:
    key = MlDsa44Cosigner("us.localhost/mirror", fixed("eve")(32))
    ed, pq, main, old = lines_of(changed[PROOF])
    checkpoint, _ = parse_signed_checkpoint(parse_proof(changed[PROOF]).checkpoint)
    lie = SignatureLine(main.name, main.key_id, key.cosign(checkpoint, START).signature)
    changed[PROOF] = proof_with(changed[PROOF], ed, pq, lie, old)
    assert (Check.COSIGNATURE, "cosign.bad_signature") in failures(look(world, tmp_path, changed))


def test_the_authors_own_mirror_vouches_for_the_author(
    world: World, tmp_path: Path, changed: Content
) -> None:
    own = world.members["mx"].keys.mirror_cosigners()[0]
    ed, pq, *_ = lines_of(changed[PROOF])
    checkpoint, _ = parse_signed_checkpoint(parse_proof(changed[PROOF]).checkpoint)
    changed[PROOF] = proof_with(changed[PROOF], ed, pq, own.cosign(checkpoint, world.now))
    report = look(world, tmp_path, changed)
    assert (Check.COSIGNATURE, "verify.not_cosigned") in failures(report)
    changed["mx-0.mx.tlog-proof"] = changed.pop(PROOF)
    again = look(world, tmp_path, changed)
    assert (Check.COSIGNATURE, "verify.not_cosigned") in failures(again)


@pytest.mark.parametrize(("at", "code"), [(0, "verify.no_time"), (2**40, "verify.future")])
def test_a_cosignature_without_a_believable_time(
    world: World, tmp_path: Path, changed: Content, at: int, code: str
) -> None:
    main = world.members["us"].keys.mirror_cosigners()[0]
    changed[PROOF] = forge(world, changed[PROOF], main, at)
    report = look(world, tmp_path, changed)
    assert (Check.COSIGNATURE, code) in failures(report)
    assert report.statements[0].cosigned == ()


def test_the_time_of_a_cosignature_moved_back(
    world: World, tmp_path: Path, changed: Content
) -> None:
    ed, pq, main, old = lines_of(changed[PROOF])
    earlier = (START - 86_400).to_bytes(8, "big") + main.signature[8:]
    moved = SignatureLine(main.name, main.key_id, earlier)
    changed[PROOF] = proof_with(changed[PROOF], ed, pq, moved, old)
    assert (Check.COSIGNATURE, "cosign.bad_signature") in failures(look(world, tmp_path, changed))


def test_a_checkpoint_of_the_partners_log_under_the_authors_record(
    world: World, tmp_path: Path, changed: Content
) -> None:
    theirs = parse_proof(changed["us-0.mx.tlog-proof"])
    ours = parse_proof(changed[PROOF])
    changed[PROOF] = Proof(ours.index, ours.hashes, theirs.checkpoint).encode()
    assert (Check.INCLUSION, "verify.other_log") in failures(look(world, tmp_path, changed))


@pytest.mark.parametrize("how", ["none", "twice", "other"])
def test_the_signature_lines_of_a_record_stripped_doubled_or_replaced(
    world: World, tmp_path: Path, changed: Content, how: str
) -> None:
    note = parse_note(changed["mx-0.record"], 1 << 20)
    other = parse_note(changed["us-0.record"], 1 << 20).lines
    changed["mx-0.record"] = {
        "none": note.text + b"\n",
        "twice": Note(note.text, note.lines * 2).encode(),
        "other": Note(note.text, other).encode(),
    }[how]
    report = look(world, tmp_path, changed)
    codes = {code for check, code in failures(report) if check is Check.RECORD}
    assert codes <= {"note.no_signature", "note.signature_line", "record.signers"}
    assert codes


def test_a_record_signed_by_a_stranger_in_the_desks_name(
    world: World, tmp_path: Path, changed: Content
) -> None:
    header = parse_record(changed["mx-0.record"]).header
    changed["mx-0.record"] = sign_record(header, Ed25519Signer(header.by[0], fixed("eve")(32)))
    codes = failures(look(world, tmp_path, changed))
    assert (Check.RECORD, "fold.author") in codes
    assert (Check.INCLUSION, "merkle.root_differs") in codes


# --- keys that vouch for themselves ---


@pytest.fixture(scope="module")
def forgery(world: World, tmp_path_factory: pytest.TempPathFactory) -> Content:
    """A whole channel of the same names and parties, with keys of the forger's own."""
    folder = tmp_path_factory.mktemp("forged")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tests.support.world.fixed", lambda name: fixed(f"forged {name}"))
        with World(folder / "w") as made:
            found = made.say("mx", "never said", to=("us:liaison",))
            made.now = world.now
            made.deliver("mx", "us")
            return unpack(bundle(made, "mx", [found]))


def test_a_bundle_that_vouches_for_itself_is_consistent_and_no_more(
    world: World, tmp_path: Path, forgery: Content
) -> None:
    path = tmp_path / "f.zip"
    path.write_bytes(pack(forgery))
    assert verify(path, now=world.now).grade is Grade.CONSISTENT
    for trust in (world.note, world.charter.ch):
        report = verify(path, trust=trust, now=world.now)
        assert report.grade is Grade.FAILED
        assert any(check is Check.TRUST for check, _ in failures(report))


def test_forged_records_under_the_true_charter(
    world: World, tmp_path: Path, forgery: Content, files: Content
) -> None:
    report = look(world, tmp_path, {**forgery, "charter.note": files["charter.note"]})
    assert (Check.RECORD, "fold.ch") in failures(report)
    assert {check for check, _ in failures(report)} >= {Check.LOG, Check.POLICY}
    assert not report.statements[0].cosigned


def test_a_bundles_own_policy_is_not_believed_either(
    world: World, tmp_path: Path, forgery: Content
) -> None:
    path = tmp_path / "f.zip"
    path.write_bytes(pack(forgery))
    true = policy_for(world.charter, "mx", ("us",)).format()
    assert verify(path, trust=true, now=world.now).grade is Grade.FAILED


# --- what was disclosed ---


def test_a_disclosed_content_altered(world: World, tmp_path: Path, changed: Content) -> None:
    changed["disclosed/mx-0.0.content"] += b"!"
    report = look(world, tmp_path, changed)
    assert failures(report) == {(Check.DISCLOSED, "seal.commitment")}
    assert report.statements[0].bodies[0].shown == "sealed"


@pytest.mark.parametrize("field", ["salt", "leaf", "part"])
def test_a_label_altered(world: World, tmp_path: Path, changed: Content, field: str) -> None:
    label = parse_disclosed(changed["disclosed/mx-0.0.json"])
    altered = {
        "salt": Disclosed(label.leaf, label.part, bytes(32), label.media),
        "leaf": Disclosed(leaf_hash(b""), label.part, label.salt, label.media),
        "part": Disclosed(label.leaf, 1, label.salt, label.media),
    }[field]
    changed["disclosed/mx-0.0.json"] = altered.encode()
    codes = {"seal.commitment"} if field == "salt" else {"seal.not_this_record"}
    found = failures(look(world, tmp_path, changed))
    assert {code for _, code in found} == codes


def test_a_content_without_its_label_and_a_label_without_its_content(
    world: World, tmp_path: Path, files: Content
) -> None:
    for gone in ("disclosed/mx-0.0.json", "disclosed/mx-0.0.content"):
        changed = {name: content for name, content in files.items() if name != gone}
        found = failures(look(world, tmp_path, changed))
        assert (Check.RECORD, "verify.half_disclosed") in found


def test_the_content_of_one_record_as_that_of_another(
    world: World, tmp_path: Path, changed: Content
) -> None:
    changed["disclosed/mx-1.0.content"] = changed["disclosed/mx-0.0.content"]
    changed["disclosed/mx-1.0.json"] = changed["disclosed/mx-0.0.json"]
    found = failures(look(world, tmp_path, changed))
    assert found == {(Check.DISCLOSED, "seal.not_this_record")}


# --- two histories ---


def test_two_histories_met_in_one_bundle_give_a_proof(
    world: World, tmp_path: Path, changed: Content
) -> None:
    """mx signed another tree of the same size for somebody else."""
    proof = parse_proof(changed[PROOF])
    checkpoint, _ = parse_signed_checkpoint(proof.checkpoint)
    other = Checkpoint(checkpoint.origin, checkpoint.size, leaf_hash(b"other"))
    keys = world.members["mx"].keys
    note = sign_note(other.text(), keys.log_signer(other.origin))
    line = keys.log_cosigner(other.origin).cosign(other, START)
    mirror = world.members["us"].keys.mirror_cosigners()[0].cosign(other, START)
    signed = Note(note.text, (*note.lines, line, mirror)).encode()
    changed["mx-1.us.tlog-proof"] = Proof(1, (), signed).encode()
    report = look(world, tmp_path, changed)
    assert (Check.SPLIT, "verify.split") in failures(report)
    verify_split(parse_split(report.evidence[0]), world.charter.log_verifiers("mx")[0])


# --- what a bundle may cost ---


def test_long_hashes_lists_and_many_lines_are_refused(
    world: World, tmp_path: Path, changed: Content
) -> None:
    proof = parse_proof(changed[PROOF])
    changed[PROOF] = Proof(proof.index, (bytes(32),) * 64, proof.checkpoint).encode()
    assert (Check.INCLUSION, "proof.hash") in failures(look(world, tmp_path, changed))
    line = SignatureLine("x", b"1234", b"5")
    changed[PROOF] = proof_with(changed[PROOF.replace("0", "1")], *(line,) * 65)
    assert (Check.INCLUSION, "note.signature_line") in failures(look(world, tmp_path, changed))


def test_an_index_beyond_the_tree(world: World, tmp_path: Path, changed: Content) -> None:
    proof = parse_proof(changed[PROOF])
    name = f"mx-{2**53}"
    changed[f"{name}.record"] = changed["mx-0.record"]
    beyond = Proof(2**53, proof.hashes, proof.checkpoint)
    if len(str(2**53)) <= 16:
        changed[f"{name}.us.tlog-proof"] = beyond.encode()
    assert (Check.INCLUSION, "merkle.range") in failures(look(world, tmp_path, changed))


def test_base64_that_is_not_the_one_way_to_write_it(
    world: World, tmp_path: Path, changed: Content
) -> None:
    old = changed[PROOF]
    line = lines_of(old)[0].encode().split(b" ")[2].strip()
    loose = base64.b64encode(base64.b64decode(line) + b"\x00").replace(b"=", b"")
    changed[PROOF] = old.replace(line, loose, 1)
    assert look(world, tmp_path, changed).grade is Grade.FAILED
