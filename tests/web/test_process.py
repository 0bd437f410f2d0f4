"""The pages' process: it starts beside a node, answers, and never outlives who started it."""

from __future__ import annotations

import http.client
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from tests.conftest import ROOT
from tests.support.pair import Pair, free_port

from convenio.web.serve import command

START_S = 20
MAX_RSS_KIB = 130 * 1024


def answer(port: int, path: str = "/", host: str = "mx.localhost") -> tuple[int, str]:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as link:
        link.request("GET", path, headers={"Host": f"{host}:{port}"})
        got = link.getresponse()
        return got.status, got.read().decode()


def listening(port: int) -> bool:
    try:
        answer(port)
    except OSError:
        return False
    return True


def until(ready: object, seconds: float = START_S) -> None:
    end = time.monotonic() + seconds
    while not ready():  # type: ignore[operator]
        assert time.monotonic() < end
        time.sleep(0.05)


def children(pid: int) -> list[int]:
    listed = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, check=False
    )
    return [int(each) for each in listed.stdout.split()]


@pytest.fixture
def served(pair: Pair) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    port = free_port()
    process = subprocess.Popen(command(pair.mx.path, port))
    try:
        until(lambda: listening(port))
        yield process, port
    finally:
        process.terminate()
        process.wait(10)


def test_what_lies_in_the_folder_it_is_started_in_is_not_imported(
    pair: Pair, tmp_path: Path
) -> None:
    (tmp_path / "grp.py").write_text("raise SystemExit('imported from where somebody stood')")
    port = free_port()
    process = subprocess.Popen(command(pair.mx.path, port), cwd=tmp_path)
    try:
        until(lambda: process.poll() is not None or listening(port))
        assert process.poll() is None
    finally:
        process.terminate()
        process.wait(10)


def test_it_answers_and_stops_when_told(
    served: tuple[subprocess.Popen[bytes], int], pair: Pair
) -> None:
    process, port = served
    status, page = answer(port)
    assert status == 200
    assert "Node: Mexico" in page
    assert answer(port, host="us.localhost")[0] == 400
    assert answer(port, "/nowhere")[0] == 404
    process.terminate()
    assert process.wait(10) == 0
    assert not listening(port)


def test_it_is_small(served: tuple[subprocess.Popen[bytes], int]) -> None:
    process, port = served
    for path in ("/", "/channels", "/verify", "/channels/public"):
        assert answer(port, path)[0] == 200
    sizes = [rss_kib(pid) for pid in (process.pid, *children(process.pid))]
    assert len(sizes) == 2
    assert sum(sizes) < MAX_RSS_KIB, sizes


def rss_kib(pid: int) -> int:
    shown = subprocess.run(["ps", "-o", "rss=", "-p", str(pid)], capture_output=True, check=True)
    return int(shown.stdout)


def test_it_ends_when_its_parent_is_killed(pair: Pair) -> None:
    port = free_port()
    program = (
        "import subprocess, sys, time; from pathlib import Path;"
        "from convenio.web.serve import command;"
        f"subprocess.Popen(command(Path({str(pair.mx.path)!r}), {port})); time.sleep(600)"
    )
    environ = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    parent = subprocess.Popen([sys.executable, "-c", program], env=environ)
    until(lambda: listening(port))
    (arbiter,) = children(parent.pid)
    workers = children(arbiter)
    parent.send_signal(signal.SIGKILL)
    parent.wait(10)
    until(lambda: not listening(port))
    until(lambda: not any(alive(pid) for pid in (arbiter, *workers)))


def alive(pid: int) -> bool:
    shown = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, check=False)
    return bool(shown.stdout.strip()) and not shown.stdout.startswith(b"Z")


def test_behind_tls_forms_come_from_the_https_name_only(pair: Pair) -> None:
    port = free_port()
    process = subprocess.Popen([*command(pair.mx.path, port), "--https"])
    try:
        until(lambda: listening(port))
        cookie, secret = form(port)
        assert "; Secure" in cookie
        for origin, status in (
            ("https://mx.localhost", 422),
            ("http://mx.localhost", 403),
            ("https://us.localhost", 403),
            ("null", 403),
        ):
            assert post(port, cookie.partition(";")[0], secret, origin) == status, origin
    finally:
        process.terminate()
        process.wait(10)


def form(port: int) -> tuple[str, str]:
    """The form's cookie and its secret on the verify page."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as link:
        link.request("GET", "/verify", headers={"Host": "mx.localhost"})
        got = link.getresponse()
        found = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', got.read().decode())
        assert found
        return got.headers["Set-Cookie"], found[1]


def post(port: int, cookie: str, secret: str, origin: str) -> int:
    kind = "application/x-www-form-urlencoded"
    headers = {"Host": "mx.localhost", "Cookie": cookie, "Origin": origin, "Content-Type": kind}
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as link:
        link.request("POST", "/verify", f"csrfmiddlewaretoken={secret}", headers)
        got = link.getresponse()
        got.read()
        return got.status


def test_the_command_names_the_module_and_the_node() -> None:
    line = command(Path("/x"), 8471, "mx.localhost")
    assert line[1:8] == ["-P", "-m", "convenio.web.serve", "/x", "8471", "--host", "mx.localhost"]
    assert line[8:] == ["--parent", str(os.getpid())]


def test_django_comes_only_with_the_worker() -> None:
    program = "import sys, convenio.web.serve; sys.exit('django' in sys.modules)"
    environ = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    subprocess.run([sys.executable, "-c", program], check=True, env=environ)
