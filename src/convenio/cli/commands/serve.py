"""`convenio serve`: the node process."""

from __future__ import annotations

import importlib
import logging
import os
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click

from convenio.cli.command import command as declare
from convenio.cli.options import PASSPHRASE_FILE, in_directory, working_passphrase
from convenio.cli.phrases import passphrase
from convenio.cli.shell import Progress, Shell, say_set_aside
from convenio.node.config import read_config
from convenio.words import N_


@declare(
    "serve",
    help=N_(
        "Run the node in DIR until it is stopped (Ctrl-C or SIGTERM): partners reach it, what was "
        "said is delivered, commands and pages use it. Only one process can run a node."
    ),
    example=["convenio serve mx", "convenio serve mx --passphrase-file /run/secrets/mx"],
)
@in_directory
@working_passphrase
@click.option(
    "--log-level",
    type=click.Choice(["error", "warning", "info"]),
    default="warning",
    show_default=True,
    help=N_("Which events are written to standard error."),
)
@click.option("--parent", type=int, default=0, hidden=True)  # of a program that runs nodes
@click.pass_obj
def command(
    shell: Shell, directory: Path, passphrase_file: Path | None, log_level: str, parent: int
) -> None:
    config = read_config(directory)
    logging.basicConfig(level=log_level.upper(), format="%(asctime)s %(name)s %(message)s")
    prompt = shell.text("Passphrase of the node in {directory}", directory=directory)
    phrase = passphrase(shell, passphrase_file, prompt, PASSPHRASE_FILE)

    starting = ExitStack()

    def opened(node: Any) -> Progress:
        say_set_aside(shell, node.set_aside)
        return starting.enter_context(shell.progress(shell.text("Reading the logs")))

    def ready(node: Any) -> None:
        starting.close()
        url = node.card.roster.url
        value = {
            "event": "ready",
            "party": node.party,
            "url": url,
            "host": node.config.host,
            "port": node.config.port,
            "web_port": node.config.web_port,
        }
        said = shell.text(
            "The node of {party} is running at {url}. Stop it with Ctrl-C.",
            party=node.party,
            url=url,
        )
        shell.answer(value, lambda: shell.line(said))
        sys.stdout.flush()

    # The shells do not know one another: the process that serves partners is named, not imported.
    run: Callable[..., None] = importlib.import_module("convenio.api.process").run
    with starting:
        pages = _pages(directory, config.web_port)
        run(directory, phrase, opened=opened, ready=ready, pages=pages, parent=parent)
    shell.advise(shell.text("Stopped."))


def _pages(directory: Path, port: int) -> list[str]:
    """The command line of the pages' process, which ends when this one does; nothing for port 0."""
    if not port:
        return []
    # -P: what lies in the folder somebody stands in is not imported in place of a library.
    line = [sys.executable, "-P", "-m", "convenio.web.serve", str(directory), str(port)]
    return [*line, "--parent", str(os.getpid())]
