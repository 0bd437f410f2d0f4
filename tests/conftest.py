"""What every test may rely on: no network, the shared vectors, other people's programs."""

from __future__ import annotations

import ipaddress
import os
import shutil
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, settings

ROOT: Final = Path(__file__).resolve().parent.parent
REQUIRED: Final = os.environ.get("CI") == "true"

# A shell that starts us in the background has interrupts ignored, and programs that we start would
# inherit that: the tests of Ctrl-C would wait for ever.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile(
    "project", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("search", parent=settings.get_profile("project"), derandomize=False)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "project"))


def lacking(what: str) -> None:
    """Names what this machine lacks and skips; fails where CI=true, so that no skip is green."""
    if REQUIRED:
        pytest.fail(f"CI needs {what}")
    pytest.skip(f"{what} is not on this machine")


def program(name: str) -> str:
    """The path of somebody else's program, or a named skip. Looks beside Python first."""
    beside = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", "")))
    found = shutil.which(name, path=beside)
    if found is None:
        lacking(f"the program {name}")
    return str(found)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of published vectors and public sources, kept beside the repository."""
    path = Path(os.environ.get("CONVENIO_SHARED", ROOT.parent / "shared"))
    if not (path / "data").is_dir():
        lacking("the shared folder (set CONVENIO_SHARED)")
    return path


@pytest.fixture
def soak_s(request: pytest.FixtureRequest) -> float:
    """For how many seconds a test that runs for long does: those that do share what was told."""
    return float(os.environ.get("CONVENIO_SOAK_S", "600")) / len(request.session.items)


@pytest.fixture(scope="session", autouse=True)
def _no_network() -> Any:
    """Connections leave this machine nowhere: loopback and local sockets only."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6) and not _is_loopback(address[0]):
            raise AssertionError(f"a test reached for the network: {address[0]}")
        connect(self, address)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", guarded)
        yield


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


@pytest.fixture(autouse=True, scope="session")
def ports_of_this_worker() -> Iterator[None]:
    """Two demos that begin in the same moment would take the same free ports."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CONVENIO_DEMO_PORT", str(8471 + 40 * int(worker)))
        yield
