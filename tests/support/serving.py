"""A node in a process of its own, to be killed: python -m tests.support.serving DIR

Says `ready` when it listens, and the code of the error that ended it, if one did.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.conftest import ROOT
from tests.support.nodes import PASSPHRASE

from convenio.api.process import run
from convenio.core.errors import ConvenioError


class Serving:
    """The process, as seen from outside. `start` returns when the node listens."""

    def __init__(self, path: Path, **options: Any) -> None:
        self.path = path
        self._options = options
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> Serving:
        said = self.try_to_start()
        assert said == "ready", said
        return self

    def try_to_start(self) -> str:
        """What it says first: `ready`, or the code of what kept it from starting."""
        environment = os.environ | {"PYTHONPATH": os.pathsep.join((str(ROOT / "src"), str(ROOT)))}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.serving", str(self.path)],
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env=environment,
            **self._options,
        )
        return self._line()

    def _line(self) -> str:
        assert self._process is not None
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def kill(self) -> None:
        """As if the machine had lost power, but for what the kernel still holds."""
        self._end(signal.SIGKILL)

    def stop(self) -> tuple[int, str]:
        """End in order. Returns the exit status and what it said on the way."""
        return self._end(signal.SIGTERM)

    def wait(self) -> tuple[int, str]:
        """Until it ends by itself."""
        return self._end(None)

    def _end(self, number: signal.Signals | None) -> tuple[int, str]:
        process, self._process = self._process, None
        if process is None:
            return 0, ""
        if number is not None:
            process.send_signal(number)
        said, _ = process.communicate(timeout=30)
        return process.returncode, said.strip()


def main() -> int:
    try:
        run(Path(sys.argv[1]), PASSPHRASE, ready=lambda _node: print("ready", flush=True))
    except ConvenioError as error:
        print(error.code, flush=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
