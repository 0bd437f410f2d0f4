"""Two nodes made once a run by commands; each module of tests works on its own copy."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from tests.support.commands import Commands


@dataclass(frozen=True, slots=True)
class Two:
    """Two nodes `mx` and `us`. ch: the hash of their charter."""

    do: Commands
    ch: str


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Two:
    commands = Commands(tmp_path_factory.mktemp("made"))
    return Two(commands, commands.two_nodes())


@pytest.fixture(scope="module")
def stopped(made: Two, tmp_path_factory: pytest.TempPathFactory) -> Two:
    """Neither node runs; tests start what they need."""
    folder = tmp_path_factory.mktemp("two")
    shutil.copytree(made.do.folder, folder, dirs_exist_ok=True)
    return Two(Commands(folder), made.ch)


@pytest.fixture(scope="module")
def running(stopped: Two) -> Iterator[Two]:
    """Both nodes run while the module's tests do."""
    with stopped.do.serving("mx"), stopped.do.serving("us"):
        yield stopped
