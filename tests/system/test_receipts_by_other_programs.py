"""What we hand to a stranger is checked by programs that are not ours, without a line of our code:
Go with x/mod, tlog-scales, unzip, and the hash functions of Python."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.conftest import program
from tests.gotools import run_go
from tests.support.bundles import bundle, disclosure
from tests.support.world import World
from tlog_scales.signing import Vkey
from tlog_scales.tlog import Checkpoint, InclusionProof


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with World(tmp_path_factory.mktemp("world") / "w") as made:
        for number in range(300):
            made.say("mx", kind="message.v1")
            if number == 200:
                made.say("mx", "the record in question", to=("us:liaison",))
                made.deliver("mx", "us")
        made.deliver("mx", "us")
        yield made


@pytest.fixture(scope="module")
def folder(world: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle and a disclosure, unpacked by a program of this machine."""
    place = tmp_path_factory.mktemp("unpacked")
    record = world.found("mx", "mx", 201)
    given = {
        "bundle": bundle(world, "mx", [record]),
        "disclosure": disclosure(world, "us", world.found("us", "mx", 201)),
    }
    for name, data in given.items():
        (place / f"{name}.zip").write_bytes(data)
        with zipfile.ZipFile(place / f"{name}.zip") as file:
            assert file.testzip() is None
            file.extractall(place / name)
    return place


def policy_keys(folder: Path) -> tuple[str, str]:
    """The log's vkey and the witness's, read off the policy as its specification says."""
    lines = (folder / "bundle/mx.us.policy").read_text().splitlines()
    words = {line.split()[0]: line.split()[1:] for line in lines}
    assert words["quorum"] == [words["witness"][0]]
    return words["log"][0], words["witness"][1]


def test_unzip_finds_nothing_to_complain_about(folder: Path) -> None:
    done = subprocess.run(
        [program("unzip"), "-t", folder / "bundle.zip"], capture_output=True, check=False
    )
    assert done.returncode == 0, done.stdout


def test_tlog_scales_verifies_a_receipt_with_the_policy_beside_it(folder: Path) -> None:
    head, _, signed = (folder / "bundle/mx-201.us.tlog-proof").read_text().partition("\n\n")
    first, index, *hashes = head.splitlines()
    assert (first, index) == ("c2sp.org/tlog-proof@v1", "index 201")
    checkpoint = Checkpoint.from_text(signed)
    log, witness = policy_keys(folder)
    for vkey in (log, witness):
        checkpoint.verify(Vkey.from_string(vkey))
    record = (folder / "bundle/mx-201.record").read_bytes()
    leaf = hashlib.sha256(b"\x00" + record).digest()
    nodes = [base64.b64decode(each) for each in hashes]
    InclusionProof(201, checkpoint.size, nodes).check(leaf, checkpoint.root_hash)
    assert checkpoint.size == 202


def test_go_verifies_a_receipt_against_the_whole_log(
    world: World, folder: Path, tmp_path: Path
) -> None:
    log = world.export("mx", "mx", tmp_path / "log")
    log_vkey, witness = policy_keys(folder)
    own = world.charter.log_verifiers("mx")[1].vkey()
    checkpoint = world.members["us"].mirror.checkpoint(world.log("us", "mx"))
    (log / "checkpoint").write_bytes(checkpoint)
    author = world.members["mx"].keys.author(world.members["mx"].desk("liaison"))
    given = folder / "bundle"
    files = ("--record", given / "mx-201.record", "--proof", given / "mx-201.us.tlog-proof")
    keys = ("--log", log_vkey, own, "--mirror", witness, "--author", author.verifier().vkey())
    result = run_go("verify", log, *keys, *files)
    assert result.returncode == 0, result.stderr
    found = json.loads(result.stdout)
    assert (found["record"], found["size"]) == (201, 301)


def test_a_disclosed_content_is_checked_with_nothing_but_hmac(folder: Path) -> None:
    folder = folder / "disclosure"
    label = json.loads((folder / "disclosed/mx-201.0.json").read_bytes())
    content = (folder / "disclosed/mx-201.0.content").read_bytes()
    line = (folder / "mx-201.record").read_bytes().partition(b"\n")[0]
    k = hmac.new(bytes.fromhex(label["salt"]), b"convenio/body/1\x00" + content, "sha256")
    assert content == b"the record in question"
    assert json.loads(line)["bodies"][label["part"]]["k"] == k.hexdigest()
