"""The `convenio` command. Sets the language before anything that speaks is imported."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence

from convenio.words import LANGUAGES, Words, choose_language, click_words


def main() -> int:
    """Runs the command that was given; its exit code (cli/exits.py)."""
    _open_streams()
    return run(sys.argv[1:])


def _open_streams() -> None:
    """Who starts a command may have closed its streams: what is not there is the null device.

    Else the next file that is opened, a database perhaps, would be the one that is printed into.
    """
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        if getattr(sys, name) is None:
            os.open(os.devnull, os.O_RDWR)  # the lowest number that is free: this one
            stream = open(number, mode, encoding="utf-8", errors="replace", closefd=False)  # noqa: SIM115
            setattr(sys, name, stream)


def run(arguments: Sequence[str]) -> int:
    """Exit code of `convenio` with these arguments.

    `--lang` and `--json` are looked for here, before Click parses: Click takes its words from the
    language of the process when commands are declared. Click checks both again.
    """
    as_json = "--json" in arguments
    wish = _value_of("--lang", arguments)
    lang = choose_language(wish if wish in LANGUAGES else None, os.environ)
    if as_json and "--help" not in arguments:
        lang = "en"  # what a script reads is never translated
    click_words.install(lang, os.environ)
    root = importlib.import_module("convenio.cli.root")
    code: int = root.run(arguments, Words(lang), as_json=as_json)
    return code


def _value_of(option: str, arguments: Sequence[str]) -> str | None:
    for place, argument in enumerate(arguments):
        if argument == "--":
            return None
        if argument.startswith(f"{option}="):
            return argument.partition("=")[2]
        if argument == option and place + 1 < len(arguments):
            return arguments[place + 1]
    return None


if __name__ == "__main__":
    sys.exit(main())
