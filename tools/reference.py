"""Writes docs/reference/commands.md, in English and Spanish, from the commands themselves.

`python -m tools.reference` writes both; a test compares them with what it would write. Click's
language is that of the process, so each language is printed by a process of its own.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from convenio.words import Words, click_words

FOLDER: Final = Path(__file__).parent.parent / "docs" / "reference"
PAGES: Final = {"en": FOLDER / "commands.md", "es": FOLDER / "commands.es.md"}
# What a command ends with besides the exit codes of errors, which are the same for all.
ENDS: Final[dict[str, dict[int, tuple[str, str]]]] = {
    "channel compare": {
        3: ("what was compared is of another history", "lo comparado es de otra historia"),
    },
    "demo": {3: ("something does not hold", "algo no es válido")},
    "doctor": {5: ("something is grave", "hay algo grave")},
    "fsck": {3: ("something stored differs", "algo guardado difiere")},
    "instrument lint": {6: ("something is wrong", "algo está mal")},
    "verify": {3: ("it is not vouched for", "no queda comprobado")},
}
_TITLE: Final = {"en": "# Commands", "es": "# Órdenes"}
_OTHER: Final = {"en": "[Español](commands.es.md)", "es": "[English](commands.md)"}
_HEAD: Final = {
    "en": """\
Written by `python -m tools.reference` from the commands themselves; a test fails when it is not
what the program says. How to do things with them: [keep a node](../how-to/keep-a-node.md),
[say](../how-to/say.md), [prove](../how-to/prove.md),
[set up a channel](../how-to/sign-a-charter.md).

Every command takes `--json` (the answer as one JSON object, never translated), `--lang en` or
`--lang es`, and `--help`. A name in capitals after an option is an environment variable that
stands in for it. Who must be named with `--as`, and who is asked what, is in the
[threat model](../threat-model.md#who-is-asked-at-the-local-socket).

## Exit codes

| code | means |
|---|---|
| 0 | it holds, it is done |
| 1 | a fault of this program |
| 2 | the command was written wrongly |
| 3 | not verified |
| 4 | refused by a rule |
| 5 | unavailable, or the time is up |
| 6 | malformed |
| 7 | conflict: someone moved first |
| 130, 143, 141 | stopped by Ctrl-C, by SIGTERM, or its reader went away |
""",
    "es": """\
Lo escribe `python -m tools.reference` a partir de las órdenes mismas; una prueba falla si no es lo
que dice el programa. Para qué sirven: [cuidar un nodo](../how-to/keep-a-node.es.md),
[decir](../how-to/say.es.md), [probar](../how-to/prove.es.md),
[abrir un canal](../how-to/sign-a-charter.es.md).

Toda orden acepta `--json` (la respuesta como un objeto JSON, nunca traducido), `--lang en` o
`--lang es`, y `--help`. Un nombre en mayúsculas después de una opción es una variable de entorno
que hace sus veces. A quién hay que nombrar con `--as`, y qué se pregunta de quién, está en el
[modelo de amenazas](../threat-model.md#who-is-asked-at-the-local-socket) (en inglés).

## Códigos de salida

| código | significa |
|---|---|
| 0 | es válido, está hecho |
| 1 | falla de este programa |
| 2 | la orden está mal escrita |
| 3 | no comprobado |
| 4 | una regla lo niega |
| 5 | no disponible, o se acabó el tiempo |
| 6 | mal formado |
| 7 | conflicto: alguien se adelantó |
| 130, 143, 141 | detenido con Ctrl-C, con SIGTERM, o su lector se fue |
""",
}
_ENDS: Final = {
    "en": "Also ends with exit code {code} if {why}.",
    "es": "También termina con el código de salida {code} si {why}.",
}
_COMMON: Final = {"--json", "--lang", "--help"}


def page(lang: str) -> str:
    """The page as it must be, by a process that speaks `lang`."""
    environ = {**os.environ, "COLUMNS": "100"}
    words = [sys.executable, "-X", "utf8", "-m", "tools.reference", lang]
    done = subprocess.run(words, env=environ, capture_output=True, check=True)
    return done.stdout.decode()


def main() -> None:
    for lang, path in PAGES.items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(page(lang), "utf-8")


def show(lang: str) -> None:
    """Print the page; this process speaks `lang` from here on."""
    click_words.install(lang, os.environ)
    sys.stdout.write("\n".join(_lines(lang)))


def _lines(lang: str) -> Iterator[str]:
    import click  # noqa: PLC0415 - after the language is set

    from convenio.cli.root import make_root  # noqa: PLC0415

    def below(command: click.Command, path: str) -> Iterator[str]:
        context = click.Context(command, info_name=path)
        yield f"## {path}\n"
        yield from _one(command, context, lang)
        if isinstance(command, click.Group):
            for name in command.list_commands(context):
                found = command.get_command(context, name)
                assert found is not None
                yield from below(found, f"{path} {name}")

    yield f"{_TITLE[lang]}\n\n{_OTHER[lang]}\n\n{_HEAD[lang]}"
    root = make_root(Words(lang))
    context = click.Context(root, info_name="convenio")
    for name in root.list_commands(context):
        found = root.get_command(context, name)
        assert found is not None
        yield from below(found, f"convenio {name}")


def _one(command: object, context: object, lang: str) -> Iterator[str]:
    """One command: what it is for, how it is written, its options, examples, how it may end."""
    import click  # noqa: PLC0415

    assert isinstance(command, click.Command)
    assert isinstance(context, click.Context)
    yield f"{command.help}\n"
    pieces = " ".join(command.collect_usage_pieces(context))
    yield f"```text\n{context.info_name} {pieces}\n```\n"
    options = [_option(each, context) for each in command.get_params(context)]
    if any(options):
        yield "\n".join(filter(None, options)) + "\n"
    lines = [line.strip() for line in (command.epilog or "").splitlines()]
    examples = [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]
    if examples:
        yield "```sh\n" + "\n".join(examples) + "\n```\n"
    for code, why in ENDS.get(str(context.info_name).partition(" ")[2], {}).items():
        yield _ENDS[lang].format(code=code, why=why[lang == "es"]) + "\n"


def _option(parameter: object, context: object) -> str:
    import click  # noqa: PLC0415

    assert isinstance(context, click.Context)
    if not isinstance(parameter, click.Option) or _COMMON & set(parameter.opts):
        return ""
    record = parameter.get_help_record(context)
    if record is None:
        return ""
    names = parameter.envvar or ()
    known = [names] if isinstance(names, str) else list(names)
    stands_in = f" {', '.join(f'`{name}`' for name in known)}" if known else ""
    return f"- `{record[0]}`: {' '.join(record[1].split())}{stands_in}"


if __name__ == "__main__":
    if len(sys.argv) > 1:
        show(sys.argv[1])
    else:
        main()
