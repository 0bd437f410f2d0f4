"""The `convenio` command as people and scripts give it: processes, exit codes, both languages."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tests.support.partners import free_port

PROGRAM: Final = (sys.executable, "-X", "utf8", "-W", "error", "-m", "convenio.cli.main")
PATIENCE_S: Final = 120  # far beyond what anything here takes; a failure, not a wait
CHANNEL: Final = "framework"


@dataclass(frozen=True, slots=True)
class Ran:
    """A command that has ended."""

    code: int
    out: str
    err: str

    def json(self) -> dict[str, Any]:
        value: dict[str, Any] = json.loads(self.out)
        return value


@dataclass(frozen=True, slots=True)
class Commands:
    """Gives commands in a folder. Passphrases come from files, as a service's would."""

    folder: Path
    environ: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("passphrase", "root-passphrase"):
            (self.folder / name).write_text(f"{name} of a test\n")

    def environment(self, lang: str) -> dict[str, str]:
        kept = {
            key: os.environ[key]
            for key in ("PATH", "HOME", "PYTHONPATH", "CONVENIO_DEMO_PORT")
            if key in os.environ
        }
        files = {
            "CONVENIO_PASSPHRASE_FILE": str(self.folder / "passphrase"),
            "CONVENIO_ROOT_PASSPHRASE_FILE": str(self.folder / "root-passphrase"),
        }
        return {**kept, "LANG": f"{lang}.UTF-8", "COLUMNS": "200", **files, **self.environ}

    def start(self, *words: str, lang: str = "en", **more: Any) -> subprocess.Popen[str]:
        """A command that runs until it is done with."""
        return subprocess.Popen(
            [*PROGRAM, *words],
            cwd=self.folder,
            env=self.environment(lang),
            text=True,
            stdin=more.pop("stdin", subprocess.DEVNULL),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            **more,
        )

    def run(self, *words: str, lang: str = "en", given: str | None = None) -> Ran:
        """A command to its end, whatever that is. given: what it reads."""
        stdin = subprocess.DEVNULL if given is None else subprocess.PIPE
        with self.start(*words, lang=lang, stdin=stdin) as process:
            try:
                out, err = process.communicate(given, timeout=PATIENCE_S)
            except BaseException:
                process.kill()
                raise
        return Ran(process.returncode, out, err)

    def ok(self, *words: str, **more: Any) -> str:
        """What a command that must succeed prints."""
        ran = self.run(*words, **more)
        assert ran.code == 0, (words, ran)
        return ran.out

    def json(self, *words: str, **more: Any) -> dict[str, Any]:
        """The answer of a command that must succeed."""
        value: dict[str, Any] = json.loads(self.ok("--json", *words, **more))
        return value

    def refused(self, *words: str, **more: Any) -> tuple[int, str]:
        """Exit code and error code of a command that must fail."""
        ran = self.run("--json", *words, **more)
        return ran.code, str(ran.json()["error"]["code"])

    @contextlib.contextmanager
    def serving(self, directory: str) -> Iterator[subprocess.Popen[str]]:
        """The node in `directory` runs while the block does; it must stop cleanly."""
        process = self.start("serve", directory, "--json")
        assert process.stdout is not None
        try:
            line = process.stdout.readline()
            assert '"ready"' in line, (line, process.stderr and process.stderr.read())
            yield process
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
            out, err = process.communicate(timeout=PATIENCE_S)
            assert (process.returncode, out, err) == (0, "", "")
        finally:
            if process.poll() is None:
                process.kill()
            process.communicate()

    # --- what most tests need ---

    def make(self, party: str, name: str) -> None:
        """A node with two root keys, of which both must sign."""
        url = f"http://127.0.0.1:{free_port()}"
        words = ("--party", party, "--name", name, "--url", url, "--roots", "2/2")
        self.ok("init", party, *words)

    def two_nodes(self) -> str:
        """Nodes mx and us with a channel in force and an officer each; the fingerprint's hash."""
        self.make("mx", "Mexico")
        self.make("us", "United States")
        self.ok("card", "us", "-o", "us.card")
        proposed = ("--name", CHANNEL, "--card", "us.card", "-o", "proposed")
        self.ok("channel", "propose", "mx", *proposed)
        self.ok("channel", "accept", "us", "proposed", "-o", "signed")
        shown = self.json("channel", "accept", "mx", "signed")
        for party, person in (("mx", "ana"), ("us", "john")):
            self.ok("channel", "confirm", party, CHANNEL, *str(shown["fingerprint"]).split())
            roles = ("--role", "officer", "--role", "releaser")
            self.ok("people", "add", party, person, *roles, "--desk", "liaison")
        return str(shown["ch"])
