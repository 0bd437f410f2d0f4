"""The pages' process: it starts beside a node, answers, and never outlives who started it."""

from __future__ import annotations

import http.client
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from tests.conftest import ROOT, program
from tests.support.pages import heard, pages_command, serving_pages
from tests.support.pair import Pair, free_port

from convenio.web.serve import command

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


def children(pid: int) -> list[int]:
    listed = subprocess.run(
        [program("ps"), "-o", "pid=", "--ppid", str(pid)], capture_output=True, check=False
    )
    return [int(each) for each in listed.stdout.split()]


@pytest.fixture
def served(pair: Pair) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    port = free_port()
    with serving_pages(pages_command(pair.mx.path, port)) as process:
        yield process, port


def test_what_lies_in_the_folder_it_is_started_in_is_not_imported(
    pair: Pair, tmp_path: Path
) -> None:
    (tmp_path / "grp.py").write_text("raise SystemExit('imported from where somebody stood')")
    port = free_port()
    with serving_pages(pages_command(pair.mx.path, port), tmp_path):
        assert listening(port)


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
    program("ps")  # asked for before anything is started that a skip would leave behind
    port = free_port()
    script = (
        "import subprocess, sys; from pathlib import Path;"
        "from tests.support.pages import pages_command;"
        f"subprocess.Popen(pages_command(Path({str(pair.mx.path)!r}), {port})); sys.stdin.read()"
    )
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join((str(ROOT / "src"), str(ROOT)))}
    pipe = subprocess.PIPE
    line = [sys.executable, "-c", script]
    with subprocess.Popen(line, env=environ, stdin=pipe, stdout=pipe) as parent:
        assert heard(parent.stdout) == b"ready\n"
        assert listening(port)
        (arbiter,) = children(parent.pid)
        workers = children(arbiter)
        parent.send_signal(signal.SIGKILL)
        parent.wait(10)
        assert heard(parent.stdout) == b"", "all who held its output have ended"
        assert not listening(port)
        assert not any(alive(pid) for pid in workers)


def alive(pid: int) -> bool:
    shown = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, check=False)
    return bool(shown.stdout.strip()) and not shown.stdout.startswith(b"Z")


def test_behind_tls_forms_come_from_the_https_name_only(pair: Pair) -> None:
    port = free_port()
    with serving_pages(pages_command(pair.mx.path, port, "--https")):
        cookie, secret = form(port)
        assert "; Secure" in cookie
        for origin, status in (
            ("https://mx.localhost", 422),
            ("http://mx.localhost", 403),
            ("https://us.localhost", 403),
            ("null", 403),
        ):
            assert post(port, cookie.partition(";")[0], secret, origin) == status, origin


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
