"""Whole logs: every entry, every tile, the root, and what records say they have seen."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.support.bundles import failures, missing, noted
from tests.support.world import START, World

from convenio.core.bundle import policy_for
from convenio.core.checkpoint import Checkpoint
from convenio.core.errors import MalformedError, RefusedError
from convenio.core.merkle import EMPTY_ROOT
from convenio.core.note import sign_note
from convenio.core.record import PartyId
from convenio.core.split import parse_split, verify_split
from convenio.core.tiles import MAX_BUNDLE_BYTES
from convenio.core.trust import parse_charter
from convenio.node.verify import Check, Finding, Grade, Outcome, Report, verify
from convenio.node.verify.checkpoints import Checkpoints
from convenio.node.verify.files import FolderLog, WebLog
from convenio.node.verify.keys import Keys
from convenio.node.verify.logs import open_log, read_log
from convenio.node.verify.report import Findings, HeldFact

SIZE = 600


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """mx has said 600 things, in three stages; us has said a few, having seen some of them."""
    folder = tmp_path_factory.mktemp("logs")
    with World(folder / "world", access="public") as made:
        for number in range(SIZE):
            made.say("mx", kind="message.v1")
            if number in (99, 299):
                made.deliver("mx", "us")
                head = made.members["us"].store.head(made.log("us", "mx").origin)
                made.members["us"].seen = {PartyId("mx"): (head.size, head.root.hex())}
                made.say("us", kind="notice.v1")
                made.now += 60
        made.deliver("mx", "us")
        made.deliver("us", "mx")
        yield made


@pytest.fixture
def logs(world: World, tmp_path: Path) -> Path:
    """Both logs side by side, and the charter."""
    for party in ("mx", "us"):
        world.export(party, party, tmp_path / "logs" / party)
    (tmp_path / "logs" / "charter.note").write_bytes(world.note)
    return tmp_path / "logs"


def look(world: World, path: Path, trust: bytes | str | None = None) -> Report:
    return verify(path, trust=world.note if trust is None else trust, now=world.now)


def test_a_log_is_read_whole_and_holds(world: World, logs: Path) -> None:
    told: list[tuple[str, int, int]] = []
    report = verify(
        logs / "mx",
        trust=world.charter.ch,
        now=world.now,
        progress=lambda *step: told.append(step),
    )
    assert (report.grade, report.kind) == (Grade.VOUCHED, "log")
    (log,) = report.logs
    assert (log.party, log.size, log.unfit) == ("mx", SIZE, 0)
    assert log.types == {"message.v1": SIZE}
    assert (log.first_at, log.last_at) == (START, world.now)
    origin = world.charter.origin("mx")
    assert told == [(origin, 256, SIZE), (origin, 512, SIZE), (origin, SIZE, SIZE)]
    assert noted(report) == {Check.UNCOSIGNED}


def test_a_log_under_a_policy_is_read_whole_and_nobody_is_shown_to_have_said_it(
    world: World, tmp_path: Path
) -> None:
    """Its owner can write words under anybody's name; the policy names no author's key."""
    folder = world.export("us", "mx", tmp_path / "copy")
    checkpoint = world.members["us"].mirror.checkpoint(world.log("us", "mx"))
    (folder / "checkpoint").write_bytes(checkpoint)
    report = look(world, folder, policy_for(world.charter, "mx", ("us",)).format())
    assert (report.grade, failures(report)) == (Grade.UNDECIDED, set())
    assert missing(report) == {(Check.RECORD, "verify.no_authors")}
    assert noted(report) == {Check.NO_CHARTER}
    holds = {each.check for each in report.findings if each.outcome is Outcome.HOLDS}
    assert holds == {Check.QUORUM, Check.ENTRIES, Check.TILES}
    assert report.logs[0].cosigned == (HeldFact("us-mirror", world.now),)


def test_the_mirrors_copy_is_cosigned(world: World, tmp_path: Path) -> None:
    folder = world.export("us", "mx", tmp_path / "copy")
    checkpoint = world.members["us"].mirror.checkpoint(world.log("us", "mx"))
    (folder / "checkpoint").write_bytes(checkpoint)
    report = look(world, folder)
    assert report.grade is Grade.VOUCHED
    assert report.logs[0].cosigned == (HeldFact("us", world.now),)
    assert not noted(report)


def test_logs_side_by_side_are_held_against_each_other(world: World, logs: Path) -> None:
    report = look(world, logs)
    assert report.grade is Grade.VOUCHED
    assert {log.party for log in report.logs} == {"mx", "us"}
    seen = [each for each in report.findings if each.check is Check.SEEN]
    assert [(each.outcome, each.parameters) for each in seen] == [(Outcome.HOLDS, {"compared": 2})]


def test_a_claim_to_have_seen_what_never_was_is_named(tmp_path: Path) -> None:
    with World(tmp_path / "w") as world:
        world.say("mx", kind="message.v1")
        world.members["us"].seen = {PartyId("mx"): (1, "ab" * 32)}
        world.say("us", kind="message.v1")
        for party in ("mx", "us"):
            world.export(party, party, tmp_path / "logs" / party)
        (tmp_path / "charter.note").write_bytes(world.note)
        report = look(world, tmp_path / "logs")
    assert failures(report) == {(Check.SEEN, "verify.seen_differs")}
    (failed,) = report.failed
    assert (failed.subject, failed.parameters) == ("us/0", {"party": "mx", "size": 1})


def test_a_claim_beyond_what_is_at_hand_is_noted_only(tmp_path: Path) -> None:
    with World(tmp_path / "w") as world:
        world.say("mx", kind="message.v1")
        world.export("mx", "mx", tmp_path / "logs" / "mx")
        world.members["us"].seen = {PartyId("mx"): (2, "ab" * 32)}
        world.say("us", kind="message.v1")
        world.export("us", "us", tmp_path / "logs" / "us")
        report = look(world, tmp_path / "logs")
    assert report.grade is Grade.VOUCHED
    beyond = [each for each in report.findings if each.check is Check.BEYOND]
    assert [each.parameters for each in beyond] == [{"party": "mx", "size": 2}]


def _flip(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("path", "at", "expected"),
    [
        ("tile/0/000", 0, (Check.TILES, "verify.tile_differs")),
        ("tile/0/002.p/88", -1, (Check.TILES, "verify.tile_differs")),
        ("tile/1/000.p/2", 5, (Check.TILES, "verify.tile_differs")),
        ("tile/entries/001", 700, (Check.ENTRIES, "verify.root_differs")),
        ("tile/entries/002.p/88", 0, (Check.ENTRIES, "tiles.bundle")),
        ("checkpoint", 50, (Check.LOG, "note.bad_signature")),
        ("checkpoint", 3, (Check.LOG, "verify.other_log")),
    ],
)
def test_a_flipped_bit_anywhere_is_found(
    world: World, logs: Path, path: str, at: int, expected: tuple[Check, str]
) -> None:
    _flip(logs / "mx" / path, at)
    report = look(world, logs / "mx")
    assert report.grade is Grade.FAILED
    assert expected in failures(report)


@pytest.mark.parametrize(
    "path", ["tile/0/000", "tile/0/002.p/88", "tile/1/000.p/2", "tile/entries/001", "checkpoint"]
)
@pytest.mark.parametrize("how", ["absent", "empty", "short", "long"])
def test_a_file_that_is_missing_or_cut_is_found(
    world: World, logs: Path, path: str, how: str
) -> None:
    file = logs / "mx" / path
    data = file.read_bytes()
    if how == "absent":
        file.unlink()
        if path == "checkpoint":
            with pytest.raises(MalformedError, match=r"verify\.kind"):
                look(world, logs / "mx")
            return
    else:
        file.write_bytes({"empty": b"", "short": data[:-1], "long": data + b"\n"}[how])
    assert look(world, logs / "mx").grade is Grade.FAILED


def test_a_giant_file_is_not_read(world: World, logs: Path) -> None:
    with (logs / "mx" / "tile/entries/000").open("r+b") as file:
        file.truncate(MAX_BUNDLE_BYTES + 1)
    with (logs / "mx" / "tile/0/000").open("r+b") as file:
        file.truncate(1 << 40)
    report = look(world, logs / "mx")
    assert (Check.ENTRIES, "verify.too_long") in failures(report)


def test_the_log_of_another_party_is_not_this_ones(world: World, logs: Path) -> None:
    checkpoint = (logs / "us" / "checkpoint").read_bytes()
    (logs / "mx" / "checkpoint").write_bytes(checkpoint)
    report = look(world, logs / "mx")
    assert report.grade is Grade.FAILED


def test_an_entry_that_breaks_a_rule_is_counted_and_is_no_fault_of_the_log(tmp_path: Path) -> None:
    with World(tmp_path / "w") as world:
        world.say("mx", kind="message.v1")
        good = world.found("mx", "mx", 0).entry
        member, log = world.members["mx"], world.log("mx", "mx")
        later = good.replace(b'"at":1633651200', b'"at":1633651201')
        for number, junk in enumerate((b"no record at all", good, later)):
            size = member.store.head(log.origin).size
            entries = [(bytes([number]) * 16, junk)]
            member.store.append(log.origin, size, entries, _signer(world))
        world.export("mx", "mx", tmp_path / "log")
        report = look(world, tmp_path / "log")
    assert report.grade is Grade.VOUCHED
    assert report.logs[0].unfit == 3
    unfit = [each for each in report.findings if each.check is Check.UNFIT]
    assert [(each.subject, each.reason) for each in unfit] == [
        ("mx/1", "note.no_signature"),
        ("mx/2", "fold.again"),
        ("mx/3", "fold.signature"),
    ]


def _signer(world: World) -> Callable[[int, bytes], bytes]:
    sequencer, origin = world.members["mx"].sequencer, world.charter.origin("mx")
    return lambda size, root: sequencer._sign(origin, size, root)


def test_types_that_no_charter_names_are_counted_as_others(world: World, logs: Path) -> None:
    report = look(world, logs / "us")
    assert report.logs[0].types == {"notice.v1": 2}


def test_an_empty_log_is_nothing_to_show(tmp_path: Path) -> None:
    with World(tmp_path / "w") as world:
        keys, origin = world.members["mx"].keys, world.charter.origin("mx")
        empty = Checkpoint(origin, 0, EMPTY_ROOT)
        note = sign_note(empty.text(), keys.log_signer(origin)).encode()
        line = keys.log_cosigner(origin).cosign(empty, START).encode()
        (tmp_path / "log").mkdir()
        (tmp_path / "log" / "checkpoint").write_bytes(note + line)
        report = look(world, tmp_path / "log")
    assert report.grade is Grade.VOUCHED
    assert report.logs[0].size == 0


def test_without_a_charter_only_the_tree_is_checked(world: World, logs: Path) -> None:
    (logs / "charter.note").unlink()
    report = verify(logs / "mx", now=world.now)
    assert report.grade is Grade.UNDECIDED
    assert missing(report) == {(Check.CHARTER, "verify.no_charter")}
    assert noted(report) == {Check.NO_KEYS, Check.NO_CHARTER}
    _flip(logs / "mx" / "tile/1/000.p/2", 1)
    assert verify(logs / "mx", now=world.now).grade is Grade.FAILED


# --- several channels ---


@pytest.fixture
def tiles(world: World, logs: Path, tmp_path: Path) -> Iterator[tuple[World, World, Path]]:
    """As a node exports them: a folder a log, each with its charter, of two channels."""
    with World(tmp_path / "other", ("mx", "gt"), access="public") as other:
        other.say("mx", kind="message.v1")
        other.deliver("mx", "gt")
        folder = tmp_path / "tiles"
        for party in ("mx", "us"):
            shutil.copytree(logs / party, folder / f"a-{party}")
            (folder / f"a-{party}" / "charter.note").write_bytes(world.note)
        other.export("mx", "mx", folder / "b-mx")
        (folder / "b-mx" / "charter.note").write_bytes(other.note)
        yield world, other, folder


def test_logs_of_several_channels_are_checked_each_under_its_own_charter(
    tiles: tuple[World, World, Path],
) -> None:
    world, other, folder = tiles
    report = verify(folder, trust=world.charter.ch, now=world.now)
    assert (report.kind, report.grade) == ("logs", Grade.CONSISTENT)
    assert [(part.grade, len(part.logs)) for part in report.parts] == [
        (Grade.VOUCHED, 2),
        (Grade.CONSISTENT, 1),
    ]
    for trust in (other.charter.ch, other.note):
        parts = verify(folder, trust=trust, now=world.now).parts
        assert [part.grade for part in parts] == [Grade.CONSISTENT, Grade.VOUCHED]


def test_a_false_log_makes_the_whole_false_and_no_other_log(
    tiles: tuple[World, World, Path],
) -> None:
    world, _, folder = tiles
    _flip(folder / "b-mx" / "tile/entries/000.p/1", 60)
    report = verify(folder, trust=world.charter.ch, now=world.now)
    assert report.grade is Grade.FAILED
    assert [part.grade for part in report.parts] == [Grade.VOUCHED, Grade.FAILED]


def test_a_fingerprint_of_none_of_the_channels_fits_nothing(
    tiles: tuple[World, World, Path],
) -> None:
    world, _, folder = tiles
    report = verify(folder, trust="cd" * 32, now=world.now)
    assert [part.grade for part in report.parts] == [Grade.FAILED] * 2


def test_a_log_without_a_charter_leaves_the_whole_undecided(
    tiles: tuple[World, World, Path],
) -> None:
    world, _, folder = tiles
    (folder / "b-mx" / "charter.note").unlink()
    report = verify(folder, trust=world.charter.ch, now=world.now)
    assert report.grade is Grade.UNDECIDED
    assert [part.grade for part in report.parts] == [Grade.VOUCHED, Grade.UNDECIDED]


# --- two histories ---


@pytest.fixture
def forked(tmp_path: Path) -> Iterator[tuple[World, Path]]:
    """mx has signed two histories: what `a` holds, longer, and what `b` holds."""
    with World(tmp_path / "a") as one, World(tmp_path / "b") as other:
        one.say("mx", kind="message.v1")
        other.say("mx", kind="notice.v1")
        for _ in range(4):
            one.say("mx", kind="message.v1")
        assert one.note == other.note
        one.export("mx", "mx", tmp_path / "logs" / "a")
        other.export("mx", "mx", tmp_path / "logs" / "b")
        (tmp_path / "charter.note").write_bytes(one.note)
        yield one, tmp_path / "logs"


def test_two_histories_side_by_side_give_a_proof_against_their_author(
    forked: tuple[World, Path],
) -> None:
    world, logs = forked
    report = look(world, logs)
    assert failures(report) == {(Check.SPLIT, "verify.split")}
    (evidence,) = report.evidence
    smaller, larger = verify_split(parse_split(evidence), world.charter.log_verifiers("mx")[0])
    assert (smaller.size, larger.size) == (1, 5)


def test_the_proof_itself_can_be_verified(forked: tuple[World, Path], tmp_path: Path) -> None:
    world, logs = forked
    (evidence,) = look(world, logs).evidence
    (tmp_path / "split").write_bytes(evidence)
    report = look(world, tmp_path / "split")
    assert (report.grade, report.kind) == (Grade.VOUCHED, "split")
    assert report.findings[-1].check is Check.SPLIT
    assert verify(tmp_path / "split", now=world.now).grade is Grade.CONSISTENT
    (tmp_path / "charter.note").rename(tmp_path / "elsewhere")
    (tmp_path / "alone").mkdir()
    (tmp_path / "split").rename(tmp_path / "alone" / "split")
    alone = verify(tmp_path / "alone" / "split", now=world.now)
    assert (alone.grade, missing(alone)) == (
        Grade.UNDECIDED,
        {(Check.SPLIT, "verify.no_keys")},
    )
    (tmp_path / "alone" / "split").rename(tmp_path / "split")
    _flip(tmp_path / "split", evidence.index(b"mx.localhost") + 200)
    assert look(world, tmp_path / "split").grade is Grade.FAILED


def test_a_history_that_differs_by_its_last_entry_but_one_is_found_too(tmp_path: Path) -> None:
    with World(tmp_path / "a") as one, World(tmp_path / "b") as other:
        one.say("mx", kind="message.v1")
        other.say("mx", kind="notice.v1")
        one.say("mx", kind="message.v1")
        one.export("mx", "mx", tmp_path / "logs" / "a")
        other.export("mx", "mx", tmp_path / "logs" / "b")
        (tmp_path / "charter.note").write_bytes(one.note)
        assert failures(look(one, tmp_path / "logs")) == {(Check.SPLIT, "verify.split")}


def test_two_histories_of_one_size_are_found_in_lone_checkpoints(tmp_path: Path) -> None:
    with World(tmp_path / "a") as one, World(tmp_path / "b") as other:
        one.say("mx", kind="message.v1")
        other.say("mx", kind="notice.v1")
        one.export("mx", "mx", tmp_path / "logs" / "a")
        other.export("mx", "mx", tmp_path / "logs" / "b")
        report = look(one, tmp_path / "logs")
        assert failures(report) == {(Check.SPLIT, "verify.split")}
        verify_split(parse_split(report.evidence[0]), one.charter.log_verifiers("mx")[0])


def test_an_older_copy_of_the_same_history_is_no_contradiction(world: World, logs: Path) -> None:
    with World(logs.parent / "young", access="public") as young:
        young.say("mx", kind="message.v1")
        shutil.copytree(logs / "mx", logs / "again")
        report = look(world, logs)
    assert report.grade is Grade.VOUCHED
    assert not report.evidence


# --- behind an address ---


def _served(folder: Path, note: bytes, asked: list[str]) -> Callable[[str, int], bytes | None]:
    """A node's public read path, as far as it goes, in memory."""

    def fetch(url: str, most: int) -> bytes | None:
        path = url.removeprefix("https://mx.example/node")
        asked.append(path)
        if path == f"/charter/{parse_charter(note).charter.ch}":
            return note
        file = folder / "/".join(path.split("/")[3:])
        return file.read_bytes()[: most + 1] if file.is_file() else None

    return fetch


def test_a_public_log_behind_an_address_is_read_like_a_folder(world: World, logs: Path) -> None:
    key = hashlib.sha256(world.charter.origin("mx").encode()).hexdigest()
    url, asked = f"https://mx.example/node/log/{key}", list[str]()
    fetch = _served(logs / "mx", world.note, asked)
    report = verify(f"{url}/", trust=world.charter.ch, now=world.now, fetch=fetch)
    assert (report.grade, report.logs[0].size) == (Grade.VOUCHED, SIZE)
    assert asked[0] == f"/charter/{world.charter.ch}"
    assert verify(url, trust=world.note, now=world.now, fetch=fetch).grade is Grade.VOUCHED
    assert verify(url, now=world.now, fetch=fetch).grade is Grade.UNDECIDED
    _flip(logs / "mx" / "tile/0/001", 9)
    assert look_at(url, world, fetch).grade is Grade.FAILED


def look_at(url: str, world: World, fetch: Callable[[str, int], bytes | None]) -> Report:
    return verify(url, trust=world.note, now=world.now, fetch=fetch)


def test_a_server_that_sends_too_much_or_nothing_is_refused(world: World) -> None:
    url = f"https://mx.example/log/{'ab' * 32}"
    empty = look_at(url, world, lambda _url, _most: None)
    assert failures(empty) == {(Check.LOG, "verify.missing")}
    flood = look_at(url, world, lambda _url, most: bytes(most + 1))
    assert failures(flood) == {(Check.LOG, "verify.too_long")}


@pytest.mark.parametrize(
    "url",
    ["https://mx.example/", "http://x/log/abc", f"https://x/log/{'ab' * 32}?a=1", "https://"],
)
def test_an_address_of_something_else_is_refused(url: str) -> None:
    with pytest.raises(RefusedError, match=r"verify\.address"):
        verify(url, now=START, fetch=lambda _url, _most: None)


class _Fickle:
    """Serves a log honestly the first time a tile is asked for, and another the second time."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._given = folder, set[str]()

    def __call__(self, url: str, _most: int) -> bytes | None:
        path = "/".join(url.split("/")[5:])
        file = self._folder / path
        if not file.is_file():
            return None
        data = file.read_bytes()
        if path in self._given and "tile/" in path:
            data = bytes(len(data))
        self._given.add(path)
        return data


def test_a_server_that_answers_otherwise_the_second_time_accuses_nobody(
    forked: tuple[World, Path],
) -> None:
    """The larger log is read whole, then asked again for the root at the smaller size."""
    world, logs = forked
    findings, keys = Findings(), Keys(world.charter, None, vouched=True)
    checkpoints = Checkpoints(keys, world.now, findings)
    assert open_log("b", FolderLog(logs / "b"), checkpoints, findings)
    web = WebLog(f"https://mx.example/log/{'ab' * 32}", _Fickle(logs / "a"))
    log = open_log("a", web, checkpoints, findings)
    assert log is not None
    _, whole = read_log(log, keys, {}, findings, lambda *_step: None)
    assert whole
    checkpoints.compare_with_tree(log.signed, log.reader(), "a")
    failed: list[Finding] = [each for each in findings if not each.ok]
    assert [(each.check, each.reason) for each in failed] == [(Check.TILES, "merkle.root_differs")]
    assert not checkpoints.evidence
