"""`convenio demo`: two nodes on this machine, and what each party can prove."""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import click

from convenio.cli import exits
from convenio.cli.command import command as declare
from convenio.cli.demo.finale import Finale
from convenio.cli.demo.pair import PARTIES, Pair
from convenio.cli.demo.story import Story
from convenio.cli.demo.teller import Teller
from convenio.cli.shell import Answer, Shell
from convenio.core.errors import UnavailableError
from convenio.words import N_

_LOOK_EVERY_S = 0.5


@declare(
    "demo",
    help=N_(
        "Make a node for Mexico and one for the United States in D, run both on this machine, let "
        "them sign charters and exchange public facts of the Bicentennial Framework, and say in "
        "plain words what each side can prove. Then keep them running until Ctrl-C. People and "
        "cases are made up."
    ),
    example=["convenio demo", "convenio demo --once", "convenio demo --lang es --dir demo-es"],
)
@click.option(
    "--dir",
    "directory",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="D",
    help=N_("Where the two nodes are made. [otherwise: ./demo-data; with --once, a temporary one]"),
)
@click.option(
    "--once",
    is_flag=True,
    help=N_("Go further and end: unplug a node, catch up, change a copy, check all offline."),
)
@click.pass_obj
def command(shell: Shell, directory: Path | None, once: bool) -> int:
    if directory is None and once:
        return _in_temporary(shell)
    return _run(shell, directory or Path("demo-data"), once=once)


def _in_temporary(shell: Shell) -> int:
    """In a directory of its own, which stays only if something went wrong."""
    directory = Path(tempfile.mkdtemp(prefix="convenio-demo-"))
    code = _run(shell, directory, once=True)
    if code == exits.HOLDS:
        shutil.rmtree(directory, ignore_errors=True)
    else:
        shell.advise(shell.text("What was made is kept in {directory}.", directory=directory))
    return code


def _run(shell: Shell, directory: Path, *, once: bool) -> int:
    teller = Teller(shell)
    with Pair(directory) as pair:
        with teller.working(shell.text("Making two nodes")):
            fresh = pair.prepare()
        story = Story(teller, pair)
        verified = _tell(story, fresh=fresh)
        value = _plain(pair, story)
        if once:
            return _finish(teller, pair, story, value, verified=verified)
        _invite(teller, pair, value)
        return _until_stopped(pair)


def _tell(story: Story, *, fresh: bool) -> bool:
    story.begin(fresh=fresh)
    story.agree()
    story.publish()
    story.notify()
    story.ask()
    return story.check()


def _finish(teller: Teller, pair: Pair, story: Story, value: Answer, *, verified: bool) -> int:
    finale = Finale(teller, pair, story)
    finale.unplug()
    finale.spoil_copies()
    finale.offline()
    good = finale.conclude() and verified
    value |= {"checks": finale.plain(), "ok": good}
    teller.shell.answer(value, lambda: None)
    return exits.HOLDS if good else exits.NOT_VERIFIED


def _plain(pair: Pair, story: Story) -> dict[str, Any]:
    return {
        "directory": str(pair.directory),
        "nodes": {
            party: {
                "directory": str(pair.node(party)),
                "url": pair.url(party),
                "pid": pair.pid(party),
            }
            for party in PARTIES
        },
        "channels": {name: answer["ch"] for name, answer in story.channels.items()},
        "records": story.plain_rows(),
    }


def _invite(teller: Teller, pair: Pair, value: Answer) -> None:
    """Where to look while the nodes run."""
    shell = teller.shell
    links = pair.sign_in_links()
    teller.chapter(shell.text("Look for yourself"))
    for address in links:
        teller.show(address)
    if links:
        teller.tell(shell.text("Each link signs one demo person in, once, within 15 minutes."))
    teller.tell(shell.text("In another terminal:"))
    teller.show(f"export CONVENIO_PASSPHRASE_FILE={pair.phrase_file()}")
    teller.show(f"{_program()} log {pair.node('us')} --as demo.sam --channel bicentennial")
    teller.tell(shell.text("Stop both nodes with Ctrl-C."))
    shell.answer(value | {"links": links, "ok": True}, lambda: None)


def _program() -> str:
    """How this program is started in another terminal in the same directory."""
    if shutil.which("convenio"):
        return "convenio"
    return "./run convenio" if Path("run").is_file() else f"{sys.executable} -m convenio.cli.main"


def _until_stopped(pair: Pair) -> int:
    """Runs until Ctrl-C, which is how it is meant to end."""
    try:
        while not (party := pair.ended()):
            time.sleep(_LOOK_EVERY_S)
    except KeyboardInterrupt:
        return exits.HOLDS
    raise UnavailableError("demo.node_ended", party=party)
