"""Two nodes set up and used by commands alone, as the README and the tutorial show it."""

from __future__ import annotations

import signal
import zipfile

from tests.support.commands import CHANNEL, PATIENCE_S, Commands
from tests.system.conftest import Two

ANA = ("--as", "ana", "--channel", CHANNEL)
JOHN = ("--as", "john", "--channel", CHANNEL)
TO_US = ("--to", "us:liaison")
WAIT = ("--wait-receipt", "60")


def test_what_was_said_is_read_proved_and_checked_by_a_stranger(running: Two) -> None:
    do, ch = running.do, running.ch
    (do.folder / "notice.txt").write_text("On Friday at noon. ¡Aviso!\n")
    notice = (*ANA, *TO_US, "--type", "notice.v1", "--body", "notice.txt")
    said = do.json("say", "mx", *notice, *WAIT)
    assert said["delivery"][0]["state"] == "received"
    place = said["place"]
    assert do.ok("open", "us", place, *JOHN) == "On Friday at noon. ¡Aviso!\n"
    assert place in do.ok("log", "us", *JOHN)
    assert "all of it" in do.ok("log", "mx", *ANA, place)
    do.ok("receipt", "mx", place, *ANA, "-o", "notice.tlog-proof")
    do.ok("bundle", "mx", place, *ANA, "-o", "notice.zip")
    do.ok("channel", "show", "mx", CHANNEL, "-o", "framework.charter")
    why = ("--reason", "Court order 12", "--code", "court")
    do.ok("disclose", "us", place, *JOHN, *why, "-o", "page.zip")
    for given in ("notice.zip", "page.zip", "notice.tlog-proof"):
        assert do.run("verify", given, "--trust", "framework.charter").code == 0, given
    assert do.run("verify", "notice.zip", "--trust", ch).code == 0
    digits = do.json("channel", "show", "mx", CHANNEL)["fingerprint"].split()
    assert len(digits) > 1
    assert do.run("verify", "notice.zip", "--trust", *digits).code == 0  # quotation marks forgotten
    assert "is confirmed" in do.ok("channel", "accept", "mx", "framework.charter")
    with zipfile.ZipFile(do.folder / "page.zip") as packed:
        shown = [packed.read(name) for name in packed.namelist() if name.endswith(".content")]
    assert shown == ["On Friday at noon. ¡Aviso!\n".encode()]


def test_a_receipt_under_a_fingerprint_alone_is_undecided_until_the_charter_is_given(
    running: Two,
) -> None:
    do = running.do
    place = do.json("say", "mx", *ANA, *TO_US, "--body", "-", *WAIT, given="y")["place"]
    (do.folder / "apart").mkdir()
    do.ok("receipt", "mx", place, *ANA, "-o", "apart/r.tlog-proof")
    do.ok("channel", "show", "mx", CHANNEL, "-o", "the.charter")
    words = ("verify", "apart/r.tlog-proof", "--trust", running.ch)
    for lang, verdict, missing in (
        ("en", "CANNOT BE DECIDED", "MISSING: There is no charter here"),
        ("es", "NO SE PUEDE DETERMINAR", "FALTA: Aquí no hay acta"),
    ):
        ran = do.run(*words, lang=lang)
        assert (ran.code, verdict in ran.out, missing in ran.out) == (3, True, True), ran.out
        assert "--charter" in ran.out
    assert do.run(*words, "--charter", "the.charter").code == 0
    other = ("verify", "apart/r.tlog-proof", "--trust", "ab" * 32, "--charter", "the.charter")
    assert "[verify.other_fingerprint]" in do.run(*other).out


def test_a_receipt_without_its_record_is_undecided_and_asks_for_it(running: Two) -> None:
    do = running.do
    place = do.json("say", "mx", *ANA, *TO_US, "--body", "-", *WAIT, given="z")["place"]
    do.ok("receipt", "mx", place, *ANA, "-o", "lone.tlog-proof")
    record = (do.folder / "lone.record").rename(do.folder / "elsewhere")
    do.ok("channel", "show", "mx", CHANNEL, "-o", "lone.charter")
    words = ("verify", "lone.tlog-proof", "--trust", "lone.charter")
    for lang, verdict, missing in (
        ("en", "CANNOT BE DECIDED", "MISSING: The record that lone.tlog-proof belongs to"),
        ("es", "NO SE PUEDE DETERMINAR", "FALTA: El registro"),
    ):
        ran = do.run(*words, lang=lang)
        assert (ran.code, verdict in ran.out, missing in ran.out) == (3, True, True), ran.out
        assert "--record" in ran.out
    assert do.run(*words, "--record", record.name).code == 0


def test_a_bundle_does_not_vouch_for_itself(running: Two) -> None:
    do = running.do
    place = do.json("say", "mx", *ANA, *TO_US, "--body", "-", *WAIT, given="x")["place"]
    do.ok("bundle", "mx", place, *ANA, "-o", "alone.zip")
    for lang, verdict in (("en", "NOBODY VOUCHES"), ("es", "NADIE RESPONDE")):
        ran = do.run("verify", "alone.zip", lang=lang)
        assert (ran.code, verdict in ran.out) == (3, True), ran.out


def test_a_changed_bundle_is_not_verified_and_says_why(running: Two) -> None:
    do = running.do
    place = do.json("say", "mx", *ANA, *TO_US, "--body", "-", *WAIT, given="As it was")["place"]
    do.ok("bundle", "mx", place, *ANA, "-o", "good.zip")
    with zipfile.ZipFile(do.folder / "good.zip") as packed:
        packed.extractall(do.folder / "forged")
    record = next((do.folder / "forged").glob("*.record"))
    record.write_bytes(record.read_bytes().replace(b'"type":"statement.v1"', b'"type":"figure.v1"'))
    for lang, verdict in (("en", "DOES NOT HOLD"), ("es", "NO ES VÁLIDO")):
        ran = do.run("verify", "forged", "--trust", running.ch, lang=lang)
        assert (ran.code, verdict in ran.out) == (3, True), ran.out
        assert "[fold.signature]" in ran.out


def test_several_contents_come_back_as_they_were(running: Two) -> None:
    do = running.do
    scan = bytes(range(256)) * 8192  # two MiB: travels apart from the record
    (do.folder / "scan.pdf").write_bytes(scan)
    words = (*ANA, *TO_US, "--body", "-", "--attach", "scan.pdf", *WAIT)
    place = do.json("say", "mx", *words, given="See the scan.")["place"]
    shown = do.json("open", "us", place, *JOHN, "--part", "1", "-o", "copy.pdf")
    assert (shown["name"], shown["media"]) == ("scan.pdf", "application/pdf")
    assert (do.folder / "copy.pdf").read_bytes() == scan
    ran = do.run("open", "us", place, *JOHN, "--part", "1")
    assert ran.code == 4
    assert "-o" in ran.err


def test_a_batch_said_twice_is_said_once(running: Two) -> None:
    do = running.do
    lines = '{"json":{"year":2021}}\n\n{"text":"two","type":"statement.v1"}\n'
    (do.folder / "batch.ndjson").write_text(lines)
    words = ("say", "mx", *ANA, "--open", "--type", "figure.v1", "--batch", "batch.ndjson")
    first, again = do.json(*words), do.json(*words)
    assert (first["accepted"], first["known"]) == (2, 0)
    assert (again["accepted"], again["known"]) == (2, 2)
    assert again["last"] == first["last"]


def test_the_same_said_again_under_its_id_is_said_once(running: Two) -> None:
    do = running.do
    words = (*ANA, *TO_US, "--body", "-", "--id", "ab" * 16)
    first = do.json("say", "mx", *words, given="once")
    again = do.json("say", "mx", *words, given="once")
    assert (first["known"], again["known"]) == (False, True)
    assert first["leaf"] == again["leaf"]


def test_json_is_one_object_and_the_same_in_every_language(running: Two) -> None:
    do = running.do
    for words in (
        ("channel", "show", "mx", CHANNEL),
        ("people", "list", "mx"),
        ("card", "mx"),
        ("open", "mx", "deadbeef", *ANA),
        ("say", "mx", "--loud"),
    ):
        plain, spanish = (do.run(*words, "--json", lang=lang) for lang in ("en", "es"))
        assert (plain.out, plain.err, plain.code) == (spanish.out, "", spanish.code)
        assert isinstance(plain.json(), dict)
        assert plain.out.count("\n") == 1


def test_a_case_is_opened_and_answered(running: Two) -> None:
    do = running.do
    ask = ("--type", "request.v1", "--instrument", "request", "--act", "ask", "--due-in", "3d")
    body = ("--body", "-", *WAIT)
    asked = do.json("say", "us", *JOHN, "--to", "mx:liaison", *ask, *body, given="Who?")
    answer = ("--type", "request.v1", "--act", "answer", "--case", asked["place"])
    done = do.json("say", "mx", *ANA, *TO_US, *answer, *body, given="We.")
    shown = do.json("log", "us", *JOHN, done["place"])
    assert (shown["case"], shown["act"]) == (asked["leaf"], "answer")


def test_an_exported_log_is_checked_without_its_node(running: Two) -> None:
    do = running.do
    do.ok("say", "mx", *ANA, *TO_US, "--body", "-", *WAIT, given="to export")
    logs = do.json("export", "mx", "--channel", CHANNEL)["logs"]
    assert {log["party"] for log in logs} == {"mx", "us"}
    for log in logs:
        assert do.run("verify", log["folder"], "--trust", running.ch).code == 0
    whole = do.run("verify", "mx/tiles", "--trust", running.ch)
    assert (whole.code, whole.out.count("IT HOLDS")) == (0, 1)


def test_signals_stop_commands_cleanly(running: Two) -> None:
    do = running.do
    (do.folder / "notice.txt").write_text("words")
    nobody = ("--wait-receipt", "900")
    do.ok("channel", "route", "mx", CHANNEL, "us", "http://127.0.0.1:9")
    for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
        before = do.json("status", "mx")["channels"][0]["members"][0]["entries"]
        waiting = do.start("say", "mx", *ANA, "--open", "--body", "notice.txt", *nobody)
        until_said(do, before)
        waiting.send_signal(number)
        out, err = waiting.communicate(timeout=PATIENCE_S)
        assert waiting.returncode == code, (out, err)
        assert "Traceback" not in err
    do.ok("channel", "route", "mx", CHANNEL, "us", do.json("card", "us")["url"])


def until_said(do: Commands, before: int) -> None:
    """The command that was started has got as far as waiting."""
    for _ in range(500):
        if do.json("status", "mx")["channels"][0]["members"][0]["entries"] > before:
            return
    raise AssertionError("nothing was said")


def test_what_a_keeper_did_can_be_taken_back(running: Two) -> None:
    do = running.do
    url = do.json("card", "us")["url"]
    do.ok("channel", "route", "mx", CHANNEL, "us", "http://127.0.0.1:9")
    assert do.json("channel", "show", "mx", CHANNEL)["routes"] == {"us": "http://127.0.0.1:9"}
    assert "not as its card says" in do.ok("channel", "show", "mx", CHANNEL)
    assert "no donde dice su ficha" in do.ok("channel", "show", "mx", CHANNEL, lang="es")
    assert url in do.ok("channel", "unroute", "mx", CHANNEL, "us", lang="es")
    assert do.json("channel", "show", "mx", CHANNEL)["routes"] == {}
    do.ok("say", "mx", *ANA, *TO_US, "--body", "-", *WAIT, given="by the way of the card")

    do.ok("people", "add", "mx", "eva", "--role", "clerk", "--desk", "liaison")
    do.ok("people", "disable", "mx", "eva")
    looks = ("log", "mx", "--as", "eva", "--channel", CHANNEL)
    assert do.refused(*looks) == (4, "decide.disabled")
    assert do.json("people", "enable", "mx", "eva")["active"] is True
    assert do.ok(*looks)
    assert do.refused("people", "disable", "mx", "keeper") == (4, "people.last_keeper")
