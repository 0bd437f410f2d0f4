"""Commands to a node that no process runs, and to one whose partner is away."""

from __future__ import annotations

import contextlib
import os
import pty
import select
import subprocess
from pathlib import Path

from tests.conftest import lacking
from tests.support.commands import CHANNEL, PATIENCE_S, PROGRAM, Commands
from tests.system.conftest import Two

ANA = ("--as", "ana", "--channel", CHANNEL)
TO_US = ("--to", "us:liaison")


def test_commands_open_a_stopped_node_themselves(stopped: Two) -> None:
    do = stopped.do
    said = do.run("say", "mx", *ANA, *TO_US, "--body", "-", given="offline")
    assert said.code == 0
    assert "convenio serve" in said.err
    assert do.json("status", "mx")["running"] is False


def test_commands_given_at_once_wait_for_each_other(stopped: Two) -> None:
    do = stopped.do
    (do.folder / "hello").write_text("hello")
    words = ("say", "mx", *ANA, *TO_US, "--body", "hello")
    started = [do.start(*words) for _ in range(3)]
    ended = [process.communicate(timeout=PATIENCE_S) for process in started]
    assert [process.returncode for process in started] == [0, 0, 0], ended


def test_a_node_that_is_unplugged_catches_up(stopped: Two) -> None:
    do = stopped.do
    with do.serving("mx"):
        for number in range(3):
            do.ok("say", "mx", *ANA, *TO_US, "--body", "-", given=f"alone {number}")
        late = do.run("say", "mx", *ANA, *TO_US, "--body", "-", "--wait-receipt", "1", given="last")
        assert late.code == 5
        assert "[say.no_receipt]" in late.err
        records = do.json("log", "mx", *ANA, "--limit", "4")["records"]
        assert {d["state"] for record in records for d in record["delivery"]} == {"accepted"}
        newest = records[0]["place"]
        refused = do.refused("receipt", "mx", newest, *ANA, "-o", "x.tlog-proof")
        assert refused == (4, "receipt.not_yet")
        assert list(do.folder.glob("x.*")) == []
        assert "[" in do.ok("status", "mx")  # why nothing is delivered, by its code
        with do.serving("us"):
            args = (*ANA, *TO_US, "--body", "-", "--wait-receipt", "90")
            do.ok("say", "mx", *args, given="back")
            records = do.json("log", "mx", *ANA, "--limit", "5")["records"]
            assert {d["state"] for record in records for d in record["delivery"]} == {"received"}
    with do.serving("mx"):  # the partner is away, and nothing of ours waits: no cause for alarm
        for _ in range(200):
            found = do.run("doctor", "mx")
            if "[doctor.unreached]" in found.out:
                break
        assert "[doctor.unreached]" in found.out, found
        assert "The partner's node at 127.0.0.1 does not answer [peer.connect]." in found.out
        assert found.code == 0
    for party in ("mx", "us"):
        assert do.json("fsck", party) == {"clean": True, "findings": []}


def test_a_keeper_changes_people_and_is_advised(stopped: Two) -> None:
    do = stopped.do
    do.ok("people", "add", "mx", "luis", "--role", "clerk")
    assert do.json("people", "role", "mx", "luis", "--role", "auditor")["roles"] == ["auditor"]
    assert do.json("people", "disable", "mx", "luis")["active"] is False
    assert "luis" in do.ok("people", "list", "mx", lang="es")
    found = do.run("doctor", "mx")
    assert "[doctor.roots_here]" in found.out
    assert found.code == 0


def test_a_reader_that_goes_away_is_no_fault(stopped: Two) -> None:
    process = stopped.do.start("people", "list", "mx")
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    with process, process.stderr:
        said = process.stderr.read()
    assert (process.returncode, said) == (141, "")


def test_damage_on_the_disk_is_found(stopped: Two) -> None:
    do = stopped.do
    do.ok("say", "mx", *ANA, *TO_US, "--body", "-", given="to be damaged")
    blob = next(path for path in (do.folder / "mx" / "blobs").rglob("*") if path.is_file())
    kept = blob.read_bytes()
    blob.chmod(0o600)
    blob.write_bytes(kept[:-1] + bytes([kept[-1] ^ 1]))
    ran = do.run("fsck", "mx", lang="es")
    assert ran.code == 3
    assert "[check.blob]" in ran.out
    ch, party, start, rest = blob.relative_to(do.folder / "mx" / "blobs").parts
    assert f"{ch}/{party}/{start}{rest}" in ran.out, "whose it is stands in front"
    blob.write_bytes(kept)
    assert do.run("fsck", "mx").code == 0


def test_what_is_in_the_way_of_a_node_is_said_before_passphrases_are_asked(stopped: Two) -> None:
    bare = Commands(stopped.do.folder, {"CONVENIO_PASSPHRASE_FILE": ""})
    words = ("--party", "mx", "--name", "Mexico", "--url", "http://127.0.0.1:1")
    assert bare.refused("init", "mx", *words) == (7, "init.exists")


def test_what_init_says_to_type_can_be_typed_where_the_folder_has_a_blank(stopped: Two) -> None:
    words = ("--party", "fr", "--name", "France", "--url", "http://127.0.0.1:1", "--roots", "1/1")
    said = stopped.do.ok("init", "a disk/fr", *words)
    assert "convenio people add 'a disk/fr' ana" in said
    assert "convenio channel propose 'a disk/fr' --name" in said


def typed_init(folder: Path, answers: list[tuple[str, str]]) -> tuple[int, str, str]:
    """`init` at a terminal of its own: exit code, what it answered, what the terminal showed."""
    environ = {key: os.environ[key] for key in ("PATH", "HOME", "PYTHONPATH") if key in os.environ}
    try:
        ours, theirs = pty.openpty()
    except OSError:
        lacking("a terminal of its own (/dev/pts)")
    words = ("init", "mx", "--party", "mx", "--name", "Mexico", "--url", "http://127.0.0.1:1")
    process = subprocess.Popen(
        [*PROGRAM, *words, "--roots", "1/1"],
        cwd=folder,
        env={**environ, "LANG": "en_US.UTF-8"},
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    seen = answer_prompts(ours, answers)
    with process:
        out = process.communicate(timeout=PATIENCE_S)[0].decode()
    return process.returncode, out, seen


FIRST, SECOND = "15 characters or more): ", "root keys, another one: "
AGAIN = "The same again: "


def test_passphrases_are_typed_twice_and_unseen(tmp_path: Path) -> None:
    secret, rooted = "a secret of some length", "another of some length"
    typed = [(FIRST, "one of some length"), (AGAIN, "other"), (FIRST, secret), (AGAIN, secret)]
    code, out, seen = typed_init(tmp_path, [*typed, (SECOND, rooted), (AGAIN, rooted)])
    assert code == 0
    assert "The node of Mexico is in mx." in out
    assert "secret" not in seen
    assert "do not match" in seen
    (tmp_path / "typed").write_text(f"{secret}\n")
    files = {"CONVENIO_PASSPHRASE_FILE": str(tmp_path / "typed")}
    assert Commands(tmp_path, files).json("channel", "list", "mx") == {"channels": []}


def test_a_short_passphrase_is_refused_as_soon_as_it_is_typed(tmp_path: Path) -> None:
    long = "a secret of some length"
    for typed in ([(FIRST, "secret")], [(FIRST, long), (AGAIN, long), (SECOND, "secret")]):
        code, out, seen = typed_init(tmp_path, typed)
        assert (code, out) == (4, "")
        assert "[passphrase.short]" in seen
        assert "secret" not in seen
        assert list(tmp_path.iterdir()) == []


def answer_prompts(terminal: int, answers: list[tuple[str, str]]) -> str:
    """What the terminal showed while each prompt was answered in turn."""
    seen, after = "", 0
    for prompt, answer in answers:
        while prompt not in seen[after:]:
            assert select.select([terminal], [], [], PATIENCE_S)[0], seen
            seen += os.read(terminal, 1024).decode()
        after = len(seen)
        os.write(terminal, f"{answer}\n".encode())
    with contextlib.suppress(OSError):  # the other end has closed
        while more := os.read(terminal, 1024):
            seen += more.decode()
    os.close(terminal)
    return seen
