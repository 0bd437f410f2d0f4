"""Two nodes set up by hand exactly as the README says, each command as it stands there.

Only what a person would type into a prompt is added (passphrases), and the ports are free ones.
"""

from __future__ import annotations

import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.docs.test_pages import READMES, commands

CONVENIO = Path(sys.executable).parent / "convenio"
PROMPTS = {"--passphrase-file": "node.txt", "--root-passphrase-file": "root.txt"}
BOTH = ("init", "channel propose", "channel accept")


class Hands:
    """Somebody at a terminal in `place`, following the README."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.ports = dict(zip(("8461", "8462"), free_ports(), strict=True))
        self.known = {"FINGERPRINT": "", "RECORD": ""}
        self.running: list[subprocess.Popen[str]] = []
        (place / "node.txt").write_text("the passphrase of a node\n")
        (place / "root.txt").write_text("the passphrase of the roots\n")

    def follow(self, words: list[str]) -> str:
        """Does one command of the README; its output."""
        if words[0] == "echo":
            (self.place / words[3]).write_text(words[1] + "\n")
            return ""
        if words[0] != "convenio":
            return ""
        arguments = [self._known(word) for word in words[1:]]
        if arguments[0] == "serve":
            self._serve(arguments)
            return ""
        return self.run(*arguments, *self._typed(arguments))

    def _known(self, word: str) -> str:
        for port, free in self.ports.items():
            word = word.replace(port, str(free))
        return self.known.get(word, word)

    def _typed(self, arguments: list[str]) -> list[str]:
        """What the prompts of this command would be answered."""
        if arguments[0] in ("card", "verify") or self.running:
            return []
        asked = [*PROMPTS] if " ".join(arguments).startswith(BOTH) else ["--passphrase-file"]
        return [part for option in asked for part in (option, PROMPTS[option])]

    def run(self, *arguments: str, expect: int = 0) -> str:
        ran = subprocess.run(
            [CONVENIO, *arguments],
            cwd=self.place,
            env={"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "LANGUAGE": "en"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert ran.returncode == expect, (shlex.join(arguments), ran.stdout, ran.stderr)
        return ran.stdout

    def json(self, *arguments: str) -> Any:
        return json.loads(self.run(*arguments, *self._typed([*arguments]), "--json"))

    def _serve(self, arguments: list[str]) -> None:
        node = subprocess.Popen(
            [CONVENIO, *arguments, "--passphrase-file", PROMPTS["--passphrase-file"], "--json"],
            cwd=self.place,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.running.append(node)
        assert node.stdout is not None
        watchdog = threading.Timer(60, node.kill)
        watchdog.start()
        assert node.stdout.readline(), "the node says that it is running"
        watchdog.cancel()

    def stop(self) -> None:
        for node in self.running:
            node.send_signal(signal.SIGINT)
        for node in self.running:
            node.communicate(timeout=60)


def free_ports() -> list[int]:
    with socket.socket() as one, socket.socket() as other:
        for each in (one, other):
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in (one, other)]


@pytest.fixture
def hands(tmp_path: Path) -> Iterator[Hands]:
    followed = Hands(tmp_path)
    yield followed
    followed.stop()


def test_somebody_follows_the_readme_and_proves_it_to_a_third_person(hands: Hands) -> None:
    for words in commands(READMES[0]):
        if words[1:3] == ["channel", "confirm"] and not hands.known["FINGERPRINT"]:
            shown = hands.json("channel", "show", "mx", "framework")
            hands.known["FINGERPRINT"] = shown["fingerprint"]
        if "RECORD" in words and not hands.known["RECORD"]:
            listed = hands.json("log", "mx", "--channel", "framework", "--as", "ana")
            hands.known["RECORD"] = listed["records"][0]["leaf"]
        said = hands.follow(words)
        if words[:2] == ["convenio", "open"]:
            assert "We will act on Friday at noon." in said
    hands.run("verify", "notice.zip", expect=3)
    assert (hands.place / "notice.tlog-proof").exists()
