"""What keepers do with channels on the command line, beyond the way of the README."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from tests.support.commands import CHANNEL, Commands
from tests.system.conftest import Two

from convenio.core.checkpoint import Checkpoint, parse_signed_checkpoint
from convenio.core.note import sign_note
from convenio.node.keys import open_keys

ANA = ("--as", "ana", "--channel", CHANNEL)


@pytest.fixture(scope="module")
def do(stopped: Two) -> Commands:
    """us has said two things, which mx holds."""
    commands = stopped.do
    with commands.serving("mx"), commands.serving("us"):
        said = ("--to", "mx:liaison", "--body", "-", "--wait-receipt", "60")
        for text in ("one", "two"):
            commands.ok("say", "us", "--as", "john", "--channel", CHANNEL, *said, given=text)
    return commands


def checkpoint_of(do: Commands, directory: str, party: str) -> Path:
    (log,) = [log for log in do.json("export", directory)["logs"] if log["party"] == party]
    return do.folder / str(log["folder"]) / "checkpoint"


def test_a_checkpoint_of_the_same_history_is_said_to_be_so(do: Commands) -> None:
    """Out of the partner's own export; and a receipt that the partner was given."""
    checkpoint_of(do, "us", "us").rename(do.folder / "us.checkpoint")
    (compared,) = do.json("channel", "compare", "mx", "us.checkpoint")["compared"]
    assert (compared["channel"], compared["party"], compared["found"]) == (CHANNEL, "us", "same")
    assert "is of the history that is here" in do.ok("channel", "compare", "mx", "us.checkpoint")
    spanish = do.ok("channel", "compare", "mx", "us.checkpoint", lang="es")
    assert "es de la historia que hay aquí" in spanish


def test_a_checkpoint_of_another_history_is_an_alarm(do: Commands) -> None:
    """us signs a second history, as only us can."""
    shutil.copytree(do.folder / "mx", do.folder / "lied-to")
    true, _ = parse_signed_checkpoint(checkpoint_of(do, "lied-to", "us").read_bytes())
    phrase = (do.folder / "passphrase").read_text().strip()
    keys = open_keys((do.folder / "us" / "keys.age").read_bytes(), phrase)
    other = Checkpoint(true.origin, 1, b"\1" * 32)
    note = sign_note(other.text(), keys.log_signer(true.origin))
    (do.folder / "newspaper").write_bytes(note.encode())
    for lang, alarm in (("en", "ALARM: us has signed two"), ("es", "ALARMA: us firmó dos")):
        ran = do.run("channel", "compare", "lied-to", "newspaper", lang=lang)
        assert (ran.code, alarm in ran.out, ran.err) == (3, True, ""), ran
    assert do.json("channel", "show", "lied-to", CHANNEL)["split"] == ["us"]
    assert "FROZEN" in do.ok("status", "lied-to")
    assert do.run("doctor", "lied-to").code == 5


def test_a_checkpoint_of_a_log_nobody_here_knows_is_not_judged(do: Commands) -> None:
    known, _ = parse_signed_checkpoint(checkpoint_of(do, "mx", "us").read_bytes())
    text = checkpoint_of(do, "mx", "us").read_text().replace(known.origin, "elsewhere.example/log")
    (do.folder / "strange").write_text(text)
    assert do.refused("channel", "compare", "mx", "strange") == (3, "compare.unknown_log")
    (do.folder / "rubbish").write_text("nothing")
    assert do.refused("channel", "compare", "mx", "rubbish") == (6, "note.no_signature")
    assert do.refused("channel", "compare", "mx", "nowhere") == (2, "usage")
    assert do.refused("channel", "compare", "mx", "strange", "--as", "ana") == (4, "decide.role")


def test_new_root_keys_of_a_known_party_must_be_named_at_every_step(do: Commands) -> None:
    """Somebody, under the name of us, with other root keys."""
    words = ("--party", "us", "--name", "United States", "--url", "http://127.0.0.1:9")
    do.ok("init", "us2", *words, "--roots", "2/2")
    do.ok("card", "us2", "-o", "us2.card")
    propose = ("channel", "propose", "mx", "--name", "new", "--card", "us2.card", "-o", "proposed")
    told = ("--other-roots", "us")
    for lang, says in (("en", "other root keys than framework"), ("es", "otras llaves raíz")):
        ran = do.run(*propose, lang=lang)
        assert (ran.code, says in ran.err) == (4, True), ran
    assert do.refused(*propose, "--other-roots", "mx") == (4, "channel.other_roots")
    do.ok(*propose, *told)
    early = do.ok("channel", "show", "mx", "new")
    assert "It is compared when all have signed." in early
    assert "channel confirm" not in early
    do.ok("channel", "accept", "us2", "proposed", "-o", "signed")
    shown = do.json("channel", "accept", "mx", "signed")
    confirm = ("channel", "confirm", "mx", "new", *str(shown["fingerprint"]).split())
    assert do.refused(*confirm) == (4, "channel.other_roots")
    assert not do.json("channel", "show", "mx", "new")["confirmed_at"]
    do.ok(*confirm, *told)
    assert do.json("channel", "show", "mx", "new")["confirmed_at"]
