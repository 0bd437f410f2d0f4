"""Click in the language of the person: its own words, and the help of our commands.

Click asks the standard library's default gettext domain, which reads the language from the
environment; both are settings of the whole process, so only a command line calls `install`.
"""

from __future__ import annotations

import gettext
from collections.abc import MutableMapping
from typing import TYPE_CHECKING, Final

from convenio.words.language import LOCALE, Words
from convenio.words.mark import N_

if TYPE_CHECKING:
    import click

_DOMAIN: Final = "click"
_OPTIONS: Final = N_("[OPTIONS]")
_SUBCOMMAND: Final = N_("COMMAND [ARGS]...")
# What Click shows for a value whose option names no metavar of its own.
_KINDS: Final = {
    "text": N_("TEXT"),
    "integer": N_("INTEGER"),
    "integer range": N_("INTEGER"),
    "float": N_("NUMBER"),
    "path": N_("PATH"),
    "file": N_("FILE"),
    "filename": N_("FILE"),
    "directory": N_("DIRECTORY"),
}


def install(lang: str, environ: MutableMapping[str, str]) -> None:
    """Click speaks `lang` from here on, and so do the programs we start.

    Call it before the module that declares the commands is imported: Click asks for some words
    (`path`, `file`) when a parameter is declared.
    """
    environ["LANGUAGE"] = lang
    gettext.bindtextdomain(_DOMAIN, str(LOCALE))
    gettext.textdomain(_DOMAIN)


def translate(command: click.Command, words: Words) -> None:
    """The help of `command` and of all below it is in the language of `words`.

    Every `help`, `short_help`, `epilog` and `metavar` written in the source is a message id, marked
    with `N_`. Call it once, after the commands are declared.
    """
    for name in ("help", "short_help", "epilog", "options_metavar", "subcommand_metavar"):
        _say(command, name, words)
    for parameter in command.params:
        _say(parameter, "help", words)
        _say(parameter, "metavar", words)
        _say(parameter, "prompt", words)
        if parameter.metavar is None and _takes_value(parameter):
            parameter.metavar = words.text(_KINDS[parameter.type.name])
    for below in getattr(command, "commands", {}).values():
        translate(below, words)


def _say(thing: object, name: str, words: Words) -> None:
    if (text := getattr(thing, name, None)) and isinstance(text, str):
        setattr(thing, name, words.text(text))


def _takes_value(parameter: click.Parameter) -> bool:
    """Whether Click would invent an English metavar: an option that takes a plain value."""
    takes = parameter.param_type_name == "option" and not getattr(parameter, "is_flag", False)
    return takes and not getattr(parameter, "count", False) and parameter.type.name in _KINDS
