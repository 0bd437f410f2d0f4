"""Brings the word catalogues up to date with the source and compiles them (`./run words`).

New texts enter the Spanish catalogue empty and are named; texts nobody uses leave it. The English
catalogue is the source itself. Nothing is ever translated by machine.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Final

import click
from babel.messages.catalog import Catalog, Message
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

from convenio.words import errors
from convenio.words.language import LOCALE
from tools.error_codes import called

SOURCE: Final = LOCALE.parent
CLICK: Final = Path(click.__file__).parent
WHEN: Final = datetime(2026, 1, 1, tzinfo=UTC)
Text = str | tuple[str, str]  # one text, or its singular and plural
Texts = dict[Text, None]


def texts_in(folder: Path) -> Texts:
    """Every text that Python files and templates under `folder` ask a catalogue for, in order."""
    found: Texts = {}
    for path in sorted(folder.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call):
                found |= dict.fromkeys(_texts_of(node))
    for path in sorted(folder.rglob("*.html")):
        for one, many in _IN_TEMPLATE.findall(path.read_text("utf-8")):
            found[(one, many) if many else one] = None
    return found


# `{% t "text" %}` and `{% n "one" "many" count %}`, as convenio.web.tags reads them.
_IN_TEMPLATE: Final = re.compile(r'\{% [tn] "([^"]+)"(?: "([^"]+)")?')


def _texts_of(call: ast.Call) -> Iterator[Text]:
    name = called(call)
    literals = [arg.value for arg in call.args if isinstance(arg, ast.Constant)]
    strings = [value for value in literals if isinstance(value, str)]
    if name in ("_", "N_", "gettext", "text") and strings:
        yield strings[0]
    if name in ("ngettext", "plural") and len(strings) >= 2:
        yield strings[0], strings[1]


# {% t "one text" %} and {% n "one" "many" count %}: see web/tags.py.
_TAG: Final = re.compile(r'\{%-?\s*(t|n)\s+"([^"]*)"(?:\s+"([^"]*)")?')


def texts_in_templates(folder: Path) -> Texts:
    """Every text the templates under `folder` ask for, in order of appearance."""
    found: Texts = {}
    for path in sorted(folder.rglob("templates/**/*.html")):
        for tag, one, many in _TAG.findall(path.read_text("utf-8")):
            found[(one, many) if tag == "n" else one] = None
    return found


def project_texts() -> Texts:
    """Only shells speak to people; what `core` calls a text is not for a catalogue."""
    rooms = [texts_in(SOURCE / room) for room in ("words", "cli", "web", "jobs")]
    rooms.append(texts_in_templates(SOURCE / "web"))
    found: Texts = dict.fromkeys(errors.every_sentence())
    for room in rooms:
        found |= room
    return found


def path_of(lang: str, domain: str) -> Path:
    return LOCALE / lang / "LC_MESSAGES" / f"{domain}.po"


def load(lang: str, domain: str) -> Catalog:
    with path_of(lang, domain).open("rb") as file:
        return read_po(file, locale=lang, domain=domain)


def updated(lang: str, domain: str, texts: Texts) -> Catalog:
    """The catalogue with exactly `texts`: what was written before is kept, the rest is empty."""
    old = load(lang, domain) if path_of(lang, domain).exists() else Catalog(lang, domain=domain)
    new = Catalog(
        lang,
        domain=domain,
        header_comment=f"# {domain}, {lang}: written by people; ./run words sorts it.",
        project="convenio",
        version="1",
        msgid_bugs_address="-",
        last_translator="convenio",
        language_team=lang,
        creation_date=WHEN,
        revision_date=WHEN,
        fuzzy=False,
    )
    for text in sorted(texts, key=str):
        new.add(text, text if lang == "en" else _written(old.get(_key(text)), text))
    return new


def _key(text: Text) -> str:
    return text if isinstance(text, str) else text[0]


def _written(known: Message | None, text: Text) -> str | list[str]:
    if known is None or isinstance(known.id, str) != isinstance(text, str):
        return "" if isinstance(text, str) else ["", ""]
    return known.string if isinstance(known.string, str) else list(known.string or ())


def printed(catalogue: Catalog) -> bytes:
    out = BytesIO()
    write_po(out, catalogue, width=100)
    return out.getvalue()


def compiled(catalogue: Catalog) -> bytes:
    out = BytesIO()
    write_mo(out, catalogue)
    return out.getvalue()


def empty(catalogue: Catalog) -> list[str]:
    """The message ids without words, or marked as guesses."""
    return [str(message.id) for message in catalogue if message.id and not _complete(message)]


def _complete(message: Message) -> bool:
    words = [message.string] if isinstance(message.string, str) else list(message.string or ())
    return bool(words) and all(words) and not message.fuzzy


def click_texts() -> Texts:
    """Click passes "required" through a variable, where no reader of source can find it."""
    return texts_in(CLICK) | {"required": None}


WANTED: Final = {
    ("en", "convenio"): project_texts,
    ("es", "convenio"): project_texts,
    ("es", "click"): click_texts,
}


def main() -> int:
    missing = 0
    for (lang, domain), texts in WANTED.items():
        catalogue = updated(lang, domain, texts())
        path = path_of(lang, domain)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(printed(catalogue))
        path.with_suffix(".mo").write_bytes(compiled(catalogue))
        for text in empty(catalogue):
            missing += 1
            print(f"{path.relative_to(SOURCE)}: no words for {text!r}")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
