"""How commands are declared: every one has `--lang` and `--json`, and example lines in its help."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import click

from convenio.words import LANGUAGES, N_

Function = Callable[..., Any]
_ASIDE: Final = "\b\n"  # Click keeps the lines after this mark as they are


def common_options() -> list[click.Parameter]:
    """What every command and group takes. `main` has acted on both already."""
    return [
        click.Option(
            ["--json"],
            is_flag=True,
            expose_value=False,
            help=N_("Answer with one JSON object, never translated."),
        ),
        click.Option(
            ["--lang"],
            type=click.Choice(LANGUAGES),
            expose_value=False,
            help=N_("Language of the answer; otherwise that of the environment."),
        ),
    ]


class Command(click.Command):
    """A command with the common options."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params.extend(common_options())


class Group(click.Group):
    """A group with the common options, whose commands have them too."""

    command_class = Command

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params.extend(common_options())


def examples(*lines: str) -> str:
    """The end of a command's help. Example lines are the same in every language."""
    return _ASIDE + "\n".join(f"  $ {line}" for line in lines)


def command(name: str, *, help: str, example: str | Sequence[str]) -> Callable[[Function], Command]:
    """Declares a command. help: marked with `N_`. example: what to type, without a prompt."""
    lines = [example] if isinstance(example, str) else example
    return click.command(name, cls=Command, help=help, epilog=examples(*lines))
