"""The instruments that come with the program, read from the canonical files beside them.

What people write (YAML) is read only by the linter; a node reads the lines whose hashes are
pinned, so that it starts fast and reads one thing in one way.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from convenio.core.errors import ConvenioError
from convenio.instruments import builtin
from convenio.instruments.calendar import Calendar
from convenio.instruments.definition import LANGUAGES, Definition, Texts
from convenio.instruments.model import Instrument
from convenio.instruments.reading import parse_calendar, parse_definition, parse_texts

FOLDER: Final = Path(builtin.__file__).parent / "definitions"
KINDS: Final = ("firearm_trace", "request_for_information")


@dataclass(frozen=True, slots=True)
class Shipped:
    """A definition with the texts and the calendar that it pins."""

    definition: Definition
    texts: Mapping[str, Texts]
    calendar: Calendar | None
    instrument: Instrument


@cache
def shipped(kind: str) -> Shipped:
    """An instrument that comes with the program.

    Raises:  RuntimeError: its files are not there, or not what they were made as.
    """
    try:
        definition = parse_definition((FOLDER / f"{kind}.json").read_bytes())
        texts = {
            lang: parse_texts((FOLDER / f"{kind}.{lang}.json").read_bytes()) for lang in LANGUAGES
        }
        name = f"{definition.calendar}.calendar.json"
        calendar = parse_calendar((FOLDER / name).read_bytes()) if definition.calendar else None
    except (OSError, ConvenioError) as error:
        raise RuntimeError(f"the files of {kind} are damaged") from error
    if {lang: each.hash for lang, each in texts.items()} != definition.texts:
        raise RuntimeError(f"the texts of {kind} are not those it pins")
    return Shipped(definition, texts, calendar, definition.instrument(calendar))


@cache
def known_instruments() -> tuple[Instrument, ...]:
    """Every table that this program can fold, the small built-in one first."""
    return (*builtin.BUILTIN, *(shipped(kind).instrument for kind in KINDS))
