"""`convenio bench`: measures, beside the limit of this machine."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import click

import convenio
from convenio.cli.command import command as declare
from convenio.cli.shell import Shell
from convenio.core.errors import UnavailableError
from convenio.words import N_

_RUNNER = "benchmarks.runner"  # stands beside the source, not inside the program


@declare(
    "bench",
    help=N_(
        "Measure this program and print each figure beside what this machine can do at most, "
        "measured in the same run. Needs the source directory."
    ),
    example="convenio bench",
)
@click.argument("names", metavar=N_("[NAME]..."), nargs=-1)
@click.pass_obj
def command(shell: Shell, names: tuple[str, ...]) -> int:
    source = Path(convenio.__file__).parents[2]
    if (source / "benchmarks").is_dir() and str(source) not in sys.path:
        sys.path.insert(0, str(source))
    try:
        runner = importlib.import_module(_RUNNER)
    except ModuleNotFoundError as error:
        raise UnavailableError("bench.absent") from error
    done: int = runner.main(list(names), as_json=shell.as_json)
    return done
