"""The known answers that the pages of docs/spec give are what the code gives."""

from __future__ import annotations

import re

import pytest
from tests.conftest import ROOT
from tests.docs.test_pages import UNDER_WAY

from convenio.core.merkle import leaf_hash
from convenio.core.note import Ed25519Signer, keyring, verify_note
from convenio.core.record import parse_record, sign_record
from convenio.core.trust import fingerprint, matches_fingerprint

SPEC = ROOT / "docs/spec"
SEED = bytes(range(32))
_BLOCK = re.compile(r"^```\n(.*?)^```", re.MULTILINE | re.DOTALL)
_NAMED = re.compile(r"docs/(?:spec/)?[a-z0-9-]+\.md")


def known_answer(page: str) -> str:
    text = (SPEC / page).read_text("utf-8")
    blocks: list[str] = _BLOCK.findall(text.partition("## Known answer")[2])
    return blocks[0]


def test_the_record_of_the_page_is_the_one_we_sign() -> None:
    entry = known_answer("record.md").encode()
    signer = Ed25519Signer("mx.localhost/k/7f3a91c2", SEED)
    record = parse_record(entry)
    assert sign_record(record.header, signer) == entry
    verify_note(record.note, keyring(signer.verifier()))
    said = (SPEC / "record.md").read_text("utf-8")
    assert f"{len(entry)} bytes; leaf hash `{leaf_hash(entry).hex()}`" in said


def test_the_fingerprint_of_the_page_is_the_one_we_show() -> None:
    digits = known_answer("trust.md").strip()
    assert fingerprint(SEED.hex()) == digits
    assert matches_fingerprint(SEED.hex(), digits.replace(" ", "-"))


@pytest.mark.parametrize("page", sorted(SPEC.glob("*.md")), ids=lambda page: str(page.name))
def test_every_error_code_of_a_page_can_be_raised(page: object) -> None:
    from tools.catalogues import SOURCE  # noqa: PLC0415
    from tools.error_codes import codes_in  # noqa: PLC0415

    codes = codes_in(SOURCE)
    families = {code.partition(".")[0] for code in codes}
    text = (SPEC / str(page)).read_text("utf-8")
    named = re.findall(r"`([a-z]+\.(?!v[0-9])[a-z][a-z0-9_]+)`", text)
    wrong = [
        name
        for name in named
        if name.partition(".")[0] in families and name not in codes and not name.endswith(".md")
    ]
    assert wrong == []


def test_every_page_the_source_points_to_is_there() -> None:
    named = {
        name
        for path in (ROOT / "src").rglob("*.py")
        for name in _NAMED.findall(path.read_text("utf-8"))
    }
    missing = {name for name in named if not (ROOT / name).exists()}
    assert sorted(missing - UNDER_WAY) == []
