"""The public test kit of age, each file with the outcome it states.

Source: C2SP/CCTV, folder age/testdata: 143 files made by the authors of age. Nothing of it is left
out here: neither plugins nor SSH keys are part of it, and armor is read, if never written.
"""

from __future__ import annotations

import hashlib
import zlib
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.sealing import taken_until_error

from convenio.core.age import (
    HybridIdentity,
    Identity,
    Passphrase,
    X25519Identity,
    decrypt_stream,
    unarmor,
)
from convenio.core.errors import ConvenioError

FILES = 143
OURS = {
    "success": {""},
    "no match": {"age.no_identity", "age.wrong_passphrase"},
    "HMAC failure": {"age.header_mac"},
    "armor failure": {"age.armor"},
    "payload failure": {"age.payload", "age.truncated"},
    "header failure": {
        "age.header",
        "age.version",
        "age.stanza",
        "age.passphrase_not_alone",
        "age.work_factor",
    },
}
OTHERWISE = {
    # A block of no lines: the kit reads an empty file from it, we read no block.
    "armor_empty": {"age.armor"},
    # The header ends the file: to us a payload that is cut short.
    "stream_no_nonce": {"age.truncated"},
    "stream_short_nonce": {"age.truncated"},
}
# The kit's reader gives a last chunk before it finds that something follows or is missing.
# Ours gives it after, so less comes out before the error.
LESS_COMES_OUT = {
    "armor_garbage_encoded",
    "stream_no_final_full",
    "stream_no_final_two_chunks_full",
    "stream_trailing_garbage_long",
    "stream_trailing_garbage_short",
    "stream_two_final_chunks",
    "stream_two_final_chunks_full",
    "stream_two_final_chunks_second",
}


@dataclass(frozen=True, slots=True)
class Case:
    expect: str
    payload: str
    identities: list[Identity]
    armored: bool
    file: bytes


def read_case(path: Path) -> Case:
    head, _, file = path.read_bytes().partition(b"\n\n")
    lines = [line.split(": ", 1) for line in head.decode().splitlines()]
    said = {line[0]: line[1] for line in lines}
    return Case(
        expect=said["expect"],
        payload=said.get("payload", ""),
        identities=[_identity(key, text) for key, text in lines if key in KEYS],
        armored=said.get("armored") == "yes",
        file=zlib.decompress(file) if said.get("compressed") == "zlib" else file,
    )


KEYS = ("identity", "passphrase")


def _identity(key: str, text: str) -> Identity:
    if key == "passphrase":
        return Passphrase(text)
    return HybridIdentity.parse(text) if "-PQ-" in text else X25519Identity.parse(text)


def outcome(case: Case) -> tuple[str, bytes]:
    try:
        file = unarmor(case.file) if case.armored else case.file
        pieces = decrypt_stream((file,), case.identities)
    except ConvenioError as error:
        return error.code, b""
    taken, failure = taken_until_error(pieces)
    if failure is None:
        return "", taken
    assert isinstance(failure, ConvenioError)
    return failure.code, taken


def test_the_whole_kit_has_the_stated_outcomes(shared: Path, subtests: pytest.Subtests) -> None:
    paths = sorted((shared / "data/vectors/age").iterdir())
    assert len(paths) == FILES
    less = set()
    for path in paths:
        with subtests.test(path.name):
            case = read_case(path)
            code, taken = outcome(case)
            assert code in OTHERWISE.get(path.name, OURS[case.expect])
            if case.payload and hashlib.sha256(taken).hexdigest() != case.payload:
                less.add(path.name)
                assert len(taken) % 65_536 == 0
                assert case.expect == "payload failure"
    assert less == LESS_COMES_OUT
