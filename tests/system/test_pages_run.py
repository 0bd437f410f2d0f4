"""The commands that the tutorial and the how-to pages show, given one after another."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from tests.conftest import ROOT
from tests.support.commands import PATIENCE_S, PROGRAM, Commands
from tests.support.partners import free_port
from tests.system.conftest import Two

SCRATCH = ["docs/tutorial.md"]  # it begins with an empty folder; the README has a test of its own
PREPARED = [f"docs/how-to/{name}.md" for name in ("sign-a-charter", "say", "prove", "keep-a-node")]
_STEP = re.compile(r"^```sh\n(.*?)^```|<!-- stopped: (\w+) -->", re.MULTILINE | re.DOTALL)
_PORT = re.compile(r"(http://127\.0\.0\.1:)(\d+)")


def steps(page: str) -> Iterator[tuple[str, str]]:
    """(`run`, a line) or (`stop`, a node), in the order of the page."""
    for block, node in _STEP.findall((ROOT / page).read_text("utf-8")):
        yield from [("stop", node)] if node else [("run", each) for each in block.splitlines()]


@dataclass
class Reader:
    """Somebody who does what a page says, with the placeholders filled in."""

    do: Commands
    digits: str = ""
    record: str = ""
    ports: dict[str, int] = field(default_factory=dict)
    serving: dict[str, contextlib.ExitStack] = field(default_factory=dict)

    def follow(self, kind: str, line: str) -> None:
        if kind == "stop":
            self.serving.pop(line).close()
        elif line.startswith("convenio serve "):
            self.start(line.split()[2])
        elif line and not line.startswith(("./run", "export")):
            self.run(line)

    def start(self, node: str) -> None:
        if node not in self.serving:
            self.serving[node] = contextlib.ExitStack()
            self.serving[node].enter_context(self.do.serving(node))

    def run(self, line: str) -> None:
        line = line.replace("FINGERPRINT", self.digits).replace("RECORD", self.record)
        line = _PORT.sub(self.own_port, line)
        ran = subprocess.run(
            ["sh", "-ec", line],
            cwd=self.do.folder,
            env=self.do.environment("en") | {"PATH": f"{self.do.folder}/bin:{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
        assert ran.returncode == 0, (line, ran.stdout, ran.stderr)
        if found := re.findall(r"(?:\d{5}  ?){3}\d{5}", ran.stdout):
            self.digits = "".join(found).replace(" ", "")[-60:]
        if said := re.search(r"^Said, as \S+: ([0-9a-f]{64})$", ran.stdout, re.MULTILINE):
            self.record = said[1]

    def own_port(self, url: re.Match[str]) -> str:
        """A port of this test in place of the page's."""
        return url[1] + str(self.ports.setdefault(url[2], free_port()))


@contextlib.contextmanager
def reading(do: Commands) -> Iterator[Reader]:
    script = do.folder / "bin" / "convenio"
    script.parent.mkdir()
    script.write_text(f'#!/bin/sh\nexec {shlex.join(PROGRAM)} "$@"\n')
    script.chmod(0o755)
    reader = Reader(do)
    try:
        yield reader
    finally:
        for each in reader.serving.values():
            each.close()


@pytest.mark.parametrize("page", SCRATCH)
def test_a_newcomer_can_follow_the_page(page: str, tmp_path: Path) -> None:
    with reading(Commands(tmp_path)) as reader:
        for kind, line in steps(page):
            reader.follow(kind, line)


@pytest.mark.parametrize("page", PREPARED)
def test_the_page_works_on_two_nodes_that_run(page: str, made: Two, tmp_path: Path) -> None:
    folder = tmp_path / "two"
    shutil.copytree(made.do.folder, folder)
    with reading(Commands(folder)) as reader:
        reader.digits = made.ch
        for node in ("mx", "us"):
            reader.start(node)
        if "notice.zip" in (ROOT / page).read_text("utf-8"):
            say = "convenio say mx --as ana --channel framework --to us:liaison --body -"
            reader.run(f"echo before | {say} --wait-receipt 60")
        for kind, line in steps(page):
            reader.follow(kind, line)


@pytest.mark.parametrize("page", [*SCRATCH, *PREPARED])
def test_the_spanish_page_shows_the_same_commands(page: str) -> None:
    assert list(steps(page)) == list(steps(page.replace(".md", ".es.md")))
