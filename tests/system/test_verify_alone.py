"""`verify` is a stranger's: no node, no database, no Django, and no network unless asked."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.conftest import ROOT
from tests.support.bundles import bundle
from tests.support.partners import free_port
from tests.support.world import World

from convenio.api.partner import PartnerApiConfig, partner_app
from convenio.api.serve import serve_partner
from convenio.core.errors import RefusedError, UnavailableError
from convenio.node.config import Limits
from convenio.node.partnering import Partnering
from convenio.node.quotas import Quotas
from convenio.node.verify import Grade, verify
from convenio.node.verify.web import public_fetch

SCRIPT = """
import json, socket, sys
def refuse(*_): raise AssertionError("reached for the network")
socket.socket.connect = refuse
from pathlib import Path
from convenio.node.verify import verify
report = verify(Path(sys.argv[1]), trust=sys.argv[2], now=int(sys.argv[3]))
print(json.dumps([report.grade, sorted(sys.modules)]))
"""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with World(tmp_path_factory.mktemp("world") / "w", access="public") as made:
        made.say("mx", "for everybody", open_body=True)
        for _ in range(260):
            made.say("mx", kind="message.v1")
        made.deliver("mx", "us")
        yield made


def test_verify_loads_nothing_that_belongs_to_a_node(world: World, tmp_path: Path) -> None:
    """In an empty folder, with no home and nothing in the environment."""
    (tmp_path / "b.zip").write_bytes(bundle(world, "mx", [world.found("mx", "mx", 0)]))
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, "b.zip", world.charter.ch, str(world.now)],
        capture_output=True,
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT / "src"), "PATH": os.defpath},
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    grade, modules = json.loads(done.stdout)
    assert grade == "vouched"
    unwanted = {
        "django",
        "sqlite3",
        "click",
        "rich",
        "starlette",
        "uvicorn",
        "h11",
        "ssl",
        "asyncio",
    }
    assert unwanted.isdisjoint(modules)
    ours = {name for name in modules if name.startswith("convenio.")}
    assert not {name for name in ours if name.startswith(("convenio.store", "convenio.peer"))}
    assert [p.name for p in tmp_path.iterdir()] == ["b.zip"]


@pytest.fixture
def served(world: World) -> Iterator[str]:
    """The address of mx's node on loopback."""
    mx, limits = world.members["mx"], Limits()
    url = f"http://127.0.0.1:{free_port()}"
    partnering = Partnering(
        mx.registry,
        mx.store,
        mx.blobs,
        mx.mirror,
        mx.publisher,
        limits,
        Quotas(),
        lambda: float(world.now),
        lambda _log, _c: iter(()),
        lambda _ch, _party: None,
        lambda _ch, _party, _c: None,
        lambda: True,
    )
    config = PartnerApiConfig(url, mx.keys.node_signer(), lambda: world.now)
    server = serve_partner(
        partner_app(partnering, config), "127.0.0.1", int(url.rpartition(":")[2])
    )
    yield url
    server.stop()


def test_a_public_log_is_verified_over_http(world: World, served: str) -> None:
    key = hashlib.sha256(world.charter.origin("mx").encode()).hexdigest()
    url = f"{served}/log/{key}"
    with public_fetch() as fetch:
        report = verify(url, trust=world.charter.ch, now=world.now, fetch=fetch)
    assert report.grade is Grade.VOUCHED, report.failed
    assert report.logs[0].size == 261


def test_a_log_that_is_not_there_is_missing(served: str, world: World) -> None:
    unknown = f"{served}/log/{'ab' * 32}"
    with public_fetch() as fetch:
        report = verify(unknown, trust=world.note, now=world.now, fetch=fetch)
    assert [each.reason for each in report.failed] == ["verify.missing"]


def test_an_address_that_does_not_answer_is_unavailable_not_false(world: World) -> None:
    url = f"http://127.0.0.1:{free_port()}/log/{'ab' * 32}"
    with pytest.raises(UnavailableError, match=r"peer\.connect"):
        verify(url, trust=world.note, now=world.now, fetch=public_fetch())


def test_plain_http_reaches_this_machine_only(world: World) -> None:
    url = f"http://mx.example/log/{'ab' * 32}"
    with pytest.raises(RefusedError, match=r"peer\.plain_http"):
        verify(url, trust=world.note, now=world.now, fetch=public_fetch())
