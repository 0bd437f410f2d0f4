"""Bad input from the command line: a clear error with a stable code, in both languages.

Each case is given twice: as JSON, for its exit code and its code; and in Spanish, where the person
must find a sentence of the catalogue and never a traceback. Afterwards nothing has changed.
"""

from __future__ import annotations

import shutil
from typing import Final

import pytest
from tests.support.commands import CHANNEL, Commands
from tests.system.conftest import Two

from convenio.cli import exits
from convenio.words import Words
from convenio.words.errors import HAPPENED

SAY: Final = ("say", "mx", "--as", "ana", "--channel", CHANNEL, "--body", "text")
TO: Final = ("--to", "us:liaison")
NAMED: Final = ("--as", "ana", "--channel", CHANNEL)
BATCH: Final = ("say", "mx", *NAMED, "--open")
ID: Final = "00112233445566778899aabbccddeeff"

PROPOSE: Final = ("channel", "propose", "mx", "-o", "x", "--name")
FRANCE: Final = ("init", "fr", "--party", "fr", "--name", "France", "--url", "http://127.0.0.1:1")

REFUSED: Final = {
    "a channel nobody has": (("log", "mx", "--as", "ana", "--channel", "x"), 4, "channel.unknown"),
    "a record nobody has": (("open", "mx", "deadbeef", *NAMED), 4, "record.unknown"),
    "not the name of a record": (("open", "mx", "that one", *NAMED), 4, "record.name"),
    "a content the record lacks": (
        ("open", "mx", "mx/0", *NAMED, "--part", "7"),
        4,
        "decide.no_such_body",
    ),
    "a desk nobody has": ((*SAY, "--to", "us:attic"), 4, "trust.unknown_desk"),
    "a party without its desk": ((*SAY, "--to", "us"), 4, "trust.no_desk"),
    "a party that is no member": ((*SAY, "--to", "fr:liaison"), 4, "trust.not_a_member"),
    "a type the charter lacks": ((*SAY, *TO, "--type", "gossip.v1"), 4, "say.type"),
    "a type only nodes write": ((*SAY, *TO, "--type", "received.v1"), 4, "say.automatic"),
    "sealed to nobody": (SAY, 4, "say.no_recipient"),
    "an id said before": ((*SAY, *TO, "--id", ID), 7, "record.id_taken"),
    "a content that is too large": (
        ("say", "mx", *NAMED, *TO, "--body", "huge"),
        4,
        "blob.too_large",
    ),
    "a batch with a bad line": ((*BATCH, "--batch", "broken.ndjson"), 6, "batch.line"),
    "nobody of that name": (
        ("log", "mx", "--as", "eve", "--channel", CHANNEL),
        4,
        "people.unknown",
    ),
    "a stranger": (("log", "mx", "--channel", CHANNEL), 4, "decide.stranger"),
    "a keeper who would speak": (
        ("say", "mx", "--as", "keeper", *SAY[4:], *TO, "--desk", "liaison"),
        4,
        "decide.role",
    ),
    "an officer who would govern": (
        ("people", "add", "mx", "eve", "--role", "keeper", "--as", "ana"),
        4,
        "decide.role",
    ),
    "a clerk of no desk who would open": (
        ("open", "mx", "mx/0", "--as", "luis", "--channel", CHANNEL),
        4,
        "decide.not_a_recipient",
    ),
    "a person who is there": (
        ("people", "add", "mx", "ana", "--role", "clerk"),
        7,
        "people.exists",
    ),
    "a name that cannot be used": (
        ("people", "add", "mx", "Ana María", "--role", "clerk"),
        4,
        "people.name",
    ),
    "the last keeper": (("people", "disable", "mx", "keeper"), 4, "people.last_keeper"),
    "somebody back who was never here": (("people", "enable", "mx", "eve"), 4, "people.unknown"),
    "an officer who looks at people": (("people", "list", "mx", "--as", "ana"), 4, "decide.role"),
    "an officer who exports": (("export", "mx", "--as", "ana"), 4, "decide.role"),
    "a clerk of another channel's": (
        ("channel", "show", "mx", "elsewhere", "--as", "ana"),
        4,
        "channel.unknown",
    ),
    "a way back that was never left": (
        ("channel", "unroute", "mx", CHANNEL, "us"),
        4,
        "channel.no_route",
    ),
    "another fingerprint": (
        ("channel", "confirm", "mx", CHANNEL, "12345 " * 12),
        4,
        "channel.fingerprint",
    ),
    "a fingerprint of ten digits": (
        ("channel", "confirm", "mx", CHANNEL, "12345 67890"),
        6,
        "trust.fingerprint",
    ),
    "a charter that is rubbish": (("channel", "accept", "mx", "text"), 6, "note.not_text"),
    "a card for a charter": (("channel", "accept", "mx", "us.card"), 6, "trust.kind"),
    "the own card in a charter": (
        (*PROPOSE, "other", "--card", "us.card", "--card", "mx/card.note"),
        4,
        "channel.own_card",
    ),
    "a card twice": (
        (*PROPOSE, "other", "--card", "us.card", "--card", "us.card"),
        4,
        "channel.card_twice",
    ),
    "a channel that is there": (
        (*PROPOSE, CHANNEL, "--card", "us.card", "--root-passphrase-file", "letter"),
        7,
        "channel.name_taken",
    ),
    "a person at a desk nobody has": (
        ("people", "add", "mx", "eve", "--role", "clerk", "--desk", "attic"),
        4,
        "trust.unknown_desk",
    ),
    "a second node process": (("serve", "mx"), 5, "node.running"),
    "a directory without a node": (("status", "nowhere"), 2, "config.no_node"),
    "a node over a node": (
        ("init", "mx", "--party", "mx", "--name", "Mexico", "--url", "http://127.0.0.1:1"),
        7,
        "init.exists",
    ),
    "a passphrase of one letter": ((*FRANCE, "--passphrase-file", "letter"), 4, "passphrase.short"),
    "a root passphrase of one letter": (
        (*FRANCE, "--root-passphrase-file", "letter"),
        4,
        "passphrase.short",
    ),
    "an address that is no log's": (("verify", "http://127.0.0.1:1/"), 2, "verify.address"),
    "a demo over something else": (("demo", "--once", "--dir", "mx"), 7, "init.exists"),
    "rubbish to verify": (("verify", "text"), 6, "verify.kind"),
    "trust in five digits": (("verify", "us.card", "--trust", "12345"), 6, "trust.fingerprint"),
    "trust in groups of digits that are too few": (
        ("verify", "us.card", "--trust", "12345", "67890"),
        6,
        "trust.fingerprint",
    ),
    "trust in a file of something else": (
        ("verify", "us.card", "--trust", "text"),
        6,
        "verify.trust",
    ),
}
MISUSED: Final = {
    "no such command": ("shout", "mx"),
    "no such option": ("say", "mx", "--loud"),
    "no person": ("say", "mx", "--channel", CHANNEL),
    "a file that is not there": (*SAY[:-1], "nothing", *TO),
    "an attachment that is not there": (*SAY, "--attach", "nothing", *TO),
    "a batch that is not there": (*BATCH, "--batch", "nothing"),
    "a card that is not there": (
        *("channel", "propose", "mx", "--name", "other", "--card", "nothing", "-o", "x"),
    ),
    "a charter that is not there": ("channel", "accept", "mx", "nothing"),
    "a passphrase that is not there": ("status", "mx", "--passphrase-file", "nothing"),
    "a file to verify that is not there": ("verify", "nothing.zip"),
    "trust that is not there": ("verify", "us.card", "--trust", "nothing.charter"),
    "a charter to verify with that is not there": ("verify", "us.card", "--charter", "nothing"),
    "a record to verify with that is not there": ("verify", "us.card", "--record", "nothing"),
    "a folder that is not there": ("card", "mx", "-o", "nowhere/mx.card"),
    "an id that is none": (*SAY, *TO, "--id", "short"),
    "a time that is none": (*SAY, *TO, "--due-in", "soon"),
    "a batch with a body": (*SAY, *TO, "--batch", "text"),
    "standard input twice": (*SAY[:-1], "-", "--attach", "-", *TO),
    "a language we lack": ("--lang", "fr", "status", "mx"),
    "an address that is none": ("init", "fr", "--party", "fr", "--name", "France", "--url", "here"),
    "a party's name with capitals": (
        *("init", "fr", "--party", "FR", "--name", "France", "--url", "http://127.0.0.1:1"),
    ),
    "a channel's name with a blank": (
        *("channel", "propose", "mx", "--name", "the plan", "--card", "us.card", "-o", "x"),
    ),
    "trust in a name no file can have": ("verify", "us.card", "--trust", "x" * 300),
    "two files to verify": ("verify", "us.card", "text"),
    "more root keys than there are": (
        *("init", "fr", "--party", "fr", "--name", "France", "--url", "http://127.0.0.1:1"),
        *("--roots", "3/2"),
    ),
}


@pytest.fixture(scope="module")
def do(running: Two) -> Commands:
    commands = running.do
    (commands.folder / "text").write_bytes(b"\xff not a note")
    (commands.folder / "letter").write_text("x\n")
    (commands.folder / "broken.ndjson").write_text('{"text":"good"}\n{"text":\n')
    with (commands.folder / "huge").open("wb") as huge:
        huge.truncate((4 << 30) + 1)
    commands.ok("people", "add", "mx", "luis", "--role", "clerk")
    said = ("say", "mx", *NAMED, *TO, "--body", "-", "--wait-receipt", "60")
    commands.ok(*said, "--id", ID, given="said first")
    return commands


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_says_why_in_both_languages(do: Commands, name: str) -> None:
    words, exit_code, code = REFUSED[name]
    assert do.refused(*words) == (exit_code, code)
    ran = do.run(*words, lang="es")
    assert (ran.code, ran.out) == (exit_code, "")
    assert ran.err.startswith("Error: ")
    assert ran.err.endswith(f"[{code}]\n")
    begins = Words("es").text(HAPPENED[code]).partition("{")[0]
    assert begins in ran.err
    assert "Traceback" not in ran.err


@pytest.mark.parametrize("name", MISUSED)
def test_misuse_is_said_in_both_languages(do: Commands, name: str) -> None:
    code, kind = do.refused(*MISUSED[name])
    assert (code, kind) == (exits.USAGE, "usage")
    said = {lang: do.run(*MISUSED[name], lang=lang).err for lang in ("en", "es")}
    assert said["en"] != said["es"]
    assert "Usage: " in said["en"]
    assert "Uso: " in said["es"]
    assert "Traceback" not in said["en"] + said["es"]


@pytest.mark.parametrize(
    ("words", "quoted"),
    [
        (
            ("log", "mx", "--as", "eve", "--channel", CHANNEL),
            "“eve”. There are: ana, keeper, luis.",
        ),
        (("log", "mx", "--as", "ana", "--channel", "framewrk"), "“framewrk”. It has: framework."),
        ((*SAY, "--to", "fr:liaison"), "“fr” is not a member of this channel. Its members are: mx"),
        ((*SAY, "--to", "us:attic"), "no desk “attic”. There are: "),
        ((*SAY, *TO, "--id", "short"), "“short” is not 32 digits 0 to 9 and a to f"),
        ((*SAY, *TO, "--due-in", "soon"), "“soon” is not a length of time such as 90s"),
        (("channel", "confirm", "mx", CHANNEL, "12345"), "“12345” is not a fingerprint: 5 digits"),
        (("open", "mx", "dead\x1b[2J", *NAMED), r"“dead\x1b[2J” does not name a record"),
        (("open", "mx", "z" * 1000, *NAMED), f"“{'z' * 300}…” does not name a record"),
    ],
    ids=lambda each: each if isinstance(each, str) else None,
)
def test_what_was_typed_is_quoted_with_what_there_is(
    do: Commands, words: tuple[str, ...], quoted: str
) -> None:
    assert quoted in do.run(*words).err


def test_a_file_that_cannot_be_written_is_named(do: Commands) -> None:
    """A folder in its place: root may write anywhere, but not there."""
    (do.folder / "taken.record").mkdir(exist_ok=True)
    words = ("receipt", "mx", "mx/0", *NAMED, "-o", "taken.tlog-proof")
    ran = do.run(*words)
    assert ran.code == 5
    assert "The file taken.record could not be read or written." in ran.err
    assert "[file.io]" in ran.err


def test_a_file_of_a_node_is_not_written_over(do: Commands) -> None:
    before = (do.folder / "mx/card.note").read_bytes()
    assert do.refused("card", "us", "-o", "mx/card.note") == (4, "file.of_a_node")
    assert (do.folder / "mx/card.note").read_bytes() == before


def test_nothing_was_made_by_what_was_refused(do: Commands) -> None:
    assert [path for path in do.folder.iterdir() if path.name in ("fr", ".fr.new")] == []


def test_nothing_was_said_by_what_was_refused(do: Commands) -> None:
    records = do.json("log", "mx", *NAMED)["records"]
    texts = {do.ok("open", "mx", r["place"], *NAMED) for r in records if r["from"] == "mx"}
    assert {"said first"} <= texts <= {"said first", "good"}  # the good line before the bad one
    assert do.json("fsck", "mx")["clean"]


def test_a_wrong_passphrase_opens_nothing(made: Two) -> None:
    do = made.do
    (do.folder / "wrong").write_text("guess\n")
    words = ("status", "mx", "--passphrase-file", "wrong")
    assert do.refused(*words) == (4, "age.wrong_passphrase")
    assert "contraseña" in do.run(*words, lang="es").err
    (do.folder / "wrong").write_text("\n")
    assert do.refused(*words) == (6, "passphrase.file")


def test_without_a_terminal_a_passphrase_needs_a_file(made: Two) -> None:
    bare = Commands(made.do.folder, {"CONVENIO_PASSPHRASE_FILE": ""})
    ran = bare.run("status", "mx", lang="es")
    assert ran.code == exits.USAGE
    assert "--passphrase-file" in ran.err


def test_waiting_for_a_receipt_needs_a_running_node(made: Two) -> None:
    (made.do.folder / "text").write_text("x")
    assert made.do.refused(*SAY, *TO, "--wait-receipt", "5") == (5, "control.no_node")


def test_another_partys_root_keys_sign_nothing(made: Two) -> None:
    do = made.do
    words = ("channel", "propose", "mx", "--name", "other", "--card", "us.card", "-o", "other")
    root = ("--root", "us/roots/root-1.age", "--root", "us/roots/root-2.age")
    assert do.refused(*words, *root) == (4, "channel.foreign_root")
    assert do.refused(*words, "--root", "mx/roots/root-1.age") == (3, "channel.roots")
    assert not (do.folder / "other").exists()


def test_a_node_whose_database_is_gone_is_left_as_it_is(made: Two) -> None:
    do = made.do
    shutil.copytree(do.folder / "mx", do.folder / "broken")
    (do.folder / "broken" / "log.db").unlink()
    assert do.refused("status", "broken") == (5, "store.absent")
    assert not (do.folder / "broken" / "log.db").exists()


def test_a_setting_nobody_knows_stops_the_start(made: Two) -> None:
    do = made.do
    shutil.copytree(do.folder / "mx", do.folder / "odd")
    settings = do.folder / "odd" / "node.toml"
    settings.write_text('colour = "red"\n' + settings.read_text())
    assert do.refused("serve", "odd") == (6, "config.unknown_key")
