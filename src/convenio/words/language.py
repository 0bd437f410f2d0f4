"""One language: its texts, plurals, dates and error sentences."""

from __future__ import annotations

import gettext
from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Final

from convenio.core.errors import ConvenioError
from convenio.words import errors

LANGUAGES: Final = ("en", "es")
LOCALE: Final = Path(__file__).resolve().parent.parent / "locale"
_MONTHS: Final = {
    "en": ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"],
    "es": ["ene", "feb", "mar", "abr", "may", "jun", "jul", "ago", "sep", "oct", "nov", "dic"],
}
MAX_QUOTED: Final = 300  # characters; a path is rarely longer
_LAST_S: Final = 253_402_214_400  # 31 December 9999, 00:00 UTC: a date in every zone
_VARIABLES: Final = ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG")


def choose_language(flag: str | None, environ: Mapping[str, str]) -> str:
    """`en` or `es`: what `--lang` says, else the first locale variable that is set, else `en`.

    A language we do not speak is English, as is the locale of a machine without one (`C`).
    """
    wishes = [flag] if flag else [environ.get(name, "") for name in _VARIABLES]
    decisive = next((wish for wish in wishes if wish), "")
    spoken = (wish[:2].lower() for wish in decisive.split(":"))
    return next((lang for lang in spoken if lang in LANGUAGES), "en")


def moment_of(at: float, zone: tzinfo = UTC) -> datetime:
    """`at` (seconds UTC) as a date. What lies beyond year 9999 is shown as its last day.

    A record's time is its author's claim, up to 2**53: nobody may spoil a list by a date.
    """
    return datetime.fromtimestamp(min(max(at, 0), _LAST_S), zone)


def visible(value: object) -> object:
    """What somebody typed or sent, as it can be quoted: not long, and nothing in it is unseen."""
    if not isinstance(value, str):
        return value
    short = value if len(value) <= MAX_QUOTED else f"{value[:MAX_QUOTED]}…"
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in short)


class _Shown(dict[str, object]):
    """Parameters of a sentence; one that is absent shows as an ellipsis, never as a crash."""

    def __missing__(self, key: str) -> str:
        return "…"


class Words:
    """Everything the product says, in one language. Safe to share between threads."""

    __slots__ = ("_catalogue", "lang")

    def __init__(self, lang: str) -> None:
        if lang not in LANGUAGES:
            raise RuntimeError(f"no catalogue for {lang}")
        self.lang = lang
        self._catalogue = gettext.translation("convenio", LOCALE, [lang])

    def text(self, msgid: str, /, **parameters: object) -> str:
        """The text for `msgid` (which is the English), `{name}` filled from `parameters`.

        Without parameters braces stay as they are, so that help may show JSON.
        """
        found = self._catalogue.gettext(msgid)
        return found.format_map(_Shown(parameters)) if parameters else found

    def plural(self, one: str, many: str, n: int, /, **parameters: object) -> str:
        """The text for `n` things; `{n}` is filled with thousands marked."""
        chosen = self._catalogue.ngettext(one, many, n)
        return chosen.format_map(_Shown(parameters, n=f"{n:,}"))

    def error(self, error: ConvenioError) -> str:
        """What happened, what was kept, and what to do, as one short paragraph."""
        shown = {name: visible(value) for name, value in error.parameters.items()}
        return " ".join(
            self.text(part, **shown, code=error.code) for part in errors.sentences(error)
        )

    def date(self, at: float, zone: tzinfo = UTC) -> str:
        """The day of `at` (seconds UTC) in `zone`, which is named: 8 Oct 2021 UTC."""
        moment = moment_of(at, zone)
        return f"{self._day(moment)} {moment.tzname()}"

    def time(self, at: float, zone: tzinfo = UTC) -> str:
        """The minute of `at` (seconds UTC) in `zone`, which is named: 8 Oct 2021 10:04 UTC."""
        moment = moment_of(at, zone)
        return f"{self._day(moment)} {moment:%H:%M} {moment.tzname()}"

    def _day(self, moment: datetime) -> str:
        """Never all digits: 10/08/2021 is two different days in two capitals."""
        return f"{moment.day} {_MONTHS[self.lang][moment.month - 1]} {moment.year}"
