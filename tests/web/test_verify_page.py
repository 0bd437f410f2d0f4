"""Checking a file on the page: without a sign-in, without a node, within bounds."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from tests.support.bundles import pack, unpack
from tests.support.pair import Pair
from tests.web.conftest import Visitor

from convenio.web.middleware import MAX_UPLOAD_BYTES
from convenio.web.views import verify
from convenio.words import Words

SPANISH = Words("es")


@pytest.fixture(scope="module")
def bundle(pair: Pair, said: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("bundle") / "b.zip"
    with path.open("wb") as out:
        from convenio.node.control import ControlClient  # noqa: PLC0415

        args = {"as": "ana", "records": [said["sealed"]]}
        ControlClient(pair.mx.path).call("bundle", args, [out.fileno()])
    return path.read_bytes()


def send(
    browser: Any,
    given: bytes | None,
    trust: str = "",
    *,
    trusted: bytes = b"",
    record: bytes = b"",
    name: str = "b.zip",
) -> Any:
    fields: dict[str, Any] = {"trust": trust}
    if given is not None:
        fields["given"] = SimpleUploadedFile(name, given)
    if trusted:
        fields["trusted"] = SimpleUploadedFile("charter.note", trusted)
    if record:
        fields["record"] = SimpleUploadedFile("b.record", record)
    return browser.post("/verify", fields)


def test_with_the_fingerprint_that_one_knows_it_holds(
    bundle: bytes, pair: Pair, visit: Visitor
) -> None:
    digits, ch = pair.fingerprint("framework"), pair.mx.node.local.channel("framework").ch
    for trust in (digits, ch, digits.replace(" ", "")):
        page = send(visit(), bundle, trust).content.decode()
        assert 'class="verdict vouched"' in page
        assert "It holds" in page
        assert "United States, since" in page
        assert "‽‽" not in page
    page = send(visit("", "es"), bundle, digits).content.decode()
    assert SPANISH.text("It holds") in page
    assert "Estados Unidos, " in page


def test_a_charter_as_a_file_is_as_good_as_its_fingerprint(
    bundle: bytes, pair: Pair, visit: Visitor
) -> None:
    page = send(visit(), bundle, trusted=pair.charter("framework")).content.decode()
    assert 'class="verdict vouched"' in page


def test_a_fingerprint_is_not_set_aside_for_a_file(
    bundle: bytes, pair: Pair, visit: Visitor
) -> None:
    note, digits = pair.charter("framework"), pair.fingerprint("framework")
    page = send(visit(), bundle, digits, trusted=note).content.decode()
    assert 'class="verdict vouched"' in page
    page = send(visit(), note, pair.fingerprint("public"), trusted=note).content.decode()
    assert 'class="verdict failed"' in page


def test_a_fingerprint_without_the_charter_is_undecided(
    bundle: bytes, pair: Pair, visit: Visitor
) -> None:
    files = unpack(bundle)
    note = files.pop("charter.note")
    digits = pair.fingerprint("framework")
    page = send(visit(), pack(files), digits).content.decode()
    assert 'class="verdict undecided"' in page
    assert "Cannot be decided with what was given" in page
    assert "Ask one of the parties for the charter" in page
    page = send(visit(), pack(files), digits, trusted=note).content.decode()
    assert 'class="verdict vouched"' in page


def test_a_receipt_is_checked_with_its_record(bundle: bytes, pair: Pair, visit: Visitor) -> None:
    files, note = unpack(bundle), pair.charter("framework")
    proof = next(data for name, data in files.items() if name.endswith(".tlog-proof"))
    record = next(data for name, data in files.items() if name.endswith(".record"))
    page = send(visit(), proof, trusted=note, name="n.tlog-proof").content.decode()
    assert 'class="verdict undecided"' in page
    assert "The record that n.tlog-proof belongs to is not beside it." in page
    assert "Ask whoever gave you the receipt for the file “.record”" in page
    page = send(visit(), proof, trusted=note, record=record, name="n.tlog-proof").content.decode()
    assert 'class="verdict vouched"' in page
    assert "<code>n.tlog-proof</code>" in page
    page = send(visit(), proof, trusted=note, record=record + b"x").content.decode()
    assert 'class="verdict failed"' in page
    assert "<code>b.record</code>" in page


def test_files_are_called_as_their_sender_calls_them(pair: Pair, visit: Visitor) -> None:
    card = pair.mx.node.path / "card.note"
    page = send(visit(), card.read_bytes(), name="mexico.card").content.decode()
    assert "<code>mexico.card</code>" in page
    page = send(visit(), b"hello", name="<b>.txt").content.decode()
    assert "&lt;b&gt;.txt is nothing that can be checked" in page
    for lang in ("en", "es"):
        page = send(visit("", lang), card.read_bytes(), name="mexico.card").content.decode()
        assert "<code>given</code>" not in page
        assert "convenio-verify-" not in page


def test_without_it_nobody_vouches_for_the_keys(bundle: bytes, pair: Pair, visit: Visitor) -> None:
    page = send(visit(), bundle).content.decode()
    assert 'class="verdict consistent"' in page
    assert pair.fingerprint("framework").split()[0] in page


def test_with_another_channel_s_fingerprint_it_does_not_hold(
    bundle: bytes, pair: Pair, visit: Visitor
) -> None:
    page = send(visit(), bundle, pair.fingerprint("public")).content.decode()
    assert 'class="verdict failed"' in page
    assert "verify.other_fingerprint" in page


def test_a_changed_record_is_caught(bundle: bytes, pair: Pair, visit: Visitor) -> None:
    place = bundle.index(b'"type":"notice.v1"')
    spoiled = bundle[:place] + bundle[place:].replace(b"notice.v1", b"notice.v2", 1)
    page = send(visit(), spoiled, pair.fingerprint("framework")).content.decode()
    assert "It holds" not in page
    assert 'class="verdict failed"' in page


@pytest.mark.parametrize(
    "junk",
    [b"hello", b"PK\x03\x04 and nothing", b"{}\n", b"\x00" * 100_000, b"c2sp.org/tlog-proof@v1\n"],
)
def test_what_is_nothing_we_know_is_said_to_be_so(junk: bytes, visit: Visitor) -> None:
    answer = send(visit(), junk)
    assert answer.status_code in (200, 422)
    assert 'class="verdict failed"' in answer.content.decode()


@pytest.mark.parametrize(
    ("trust", "code"),
    [
        ("123", "trust.fingerprint"),
        ("9" * 400, "trust.fingerprint"),
        ("not a fingerprint", "verify.trust"),
        ("<b>", "verify.trust"),
    ],
)
def test_a_mistyped_fingerprint_is_refused_and_kept_in_the_form(
    trust: str, code: str, bundle: bytes, visit: Visitor
) -> None:
    answer = send(visit(), bundle, trust)
    page = answer.content.decode()
    assert answer.status_code == 422
    assert code in page
    assert f'value="{trust.replace("<", "&lt;").replace(">", "&gt;")}"' in page


def test_no_file_is_an_error_at_its_field(visit: Visitor) -> None:
    for given in (None, b""):
        answer = send(visit(), given)
        assert answer.status_code == 422
        assert "Choose a file to check." in answer.content.decode()
        assert 'aria-invalid="true" autofocus' in answer.content.decode()


@pytest.mark.parametrize("address", ["/verify", "/leave", "/"])
def test_what_is_too_large_is_not_even_read(address: str, visit: Visitor) -> None:
    most = MAX_UPLOAD_BYTES if address == "/verify" else 1 << 16
    answer = visit().generic("POST", address, b"", headers={"content-length": str(most + 1)})
    assert answer.status_code == 413
    assert "MiB" in answer.content.decode()


@pytest.mark.parametrize("length", ["-1", "1e3", "٣", "x", "1 "])
def test_an_odd_length_is_refused(length: str, visit: Visitor) -> None:
    answer = visit().generic("POST", "/verify", b"", headers={"content-length": length})
    assert answer.status_code == 413


def test_only_so_many_are_checked_at_once(bundle: bytes, visit: Visitor) -> None:
    for _ in range(verify.MAX_AT_ONCE):
        assert verify._slots.acquire(blocking=False)
    try:
        answer = send(visit(), bundle)
        assert answer.status_code == 503
        assert "pages.busy" in answer.content.decode()
    finally:
        for _ in range(verify.MAX_AT_ONCE):
            verify._slots.release()
    assert send(visit(), bundle).status_code == 200


def test_nothing_of_a_file_is_kept(bundle: bytes, visit: Visitor, tmp_path: Path) -> None:
    import tempfile  # noqa: PLC0415

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tempfile, "tempdir", str(tmp_path))
        assert send(visit(), bundle).status_code == 200
        assert send(visit(), b"junk").status_code == 422
    assert list(tmp_path.iterdir()) == []


def test_many_at_once_each_get_an_answer(bundle: bytes, pair: Pair, visit: Visitor) -> None:
    statuses: list[int] = []
    browsers = [visit() for _ in range(6)]

    def one(browser: Any) -> None:
        with closing(send(browser, bundle, pair.fingerprint("framework"))) as answer:
            statuses.append(answer.status_code)

    threads = [threading.Thread(target=one, args=(each,)) for each in browsers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(statuses) == len(browsers)
    assert set(statuses) <= {200, 503}
    assert 200 in statuses


def test_a_file_can_be_checked_while_no_node_answers(
    bundle: bytes, pair: Pair, visit: Visitor, at: Callable[..., None], tmp_path: Path
) -> None:
    at(directory=tmp_path)
    browser = visit()
    assert "The node behind these pages is not running" in browser.get("/verify").content.decode()
    page = send(browser, bundle, pair.fingerprint("framework")).content.decode()
    assert 'class="verdict vouched"' in page
