"""Click in Spanish: its own words, and the help of commands declared with marked texts."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import os, sys
from convenio.words import Words, click_words
click_words.install(sys.argv[1], os.environ)
import click

@click.group(help="TEXT")
@click.version_option("1")
def tool(): pass

@tool.command(help="FILE")
@click.argument("words", nargs=2)
@click.option("--out", type=click.Path(exists=True), required=True, help="PATH")
@click.option("--count", type=click.IntRange(1, 9), default=1, show_default=True)
@click.option("--kind", type=click.Choice(["a", "b"]))
@click.option("--loud", is_flag=True)
def say(words, out, count, kind, loud): raise click.Abort

click_words.translate(tool, Words(sys.argv[1]))
tool(sys.argv[2:], prog_name="tool")
"""


def run(language: str, *arguments: str) -> tuple[int, str]:
    """Exit code and all output: Click's language is the process's, so each asks a new one."""
    environ = {key: value for key, value in os.environ.items() if not key.startswith("LC_")}
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-X", "utf8", "-c", PROGRAM, language, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**environ, "LANG": "C", "LANGUAGE": ""},
    )
    return ran.returncode, ran.stdout + ran.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        pytest.param(["--help"], 0, "Uso: tool [OPCIONES] ORDEN [ARGUMENTOS]...", id="usage"),
        pytest.param(["--help"], 0, "Mostrar la versión y salir.", id="version option"),
        pytest.param(["--help"], 0, "TEXTO", id="our own help"),
        pytest.param(["say", "--help"], 0, "[obligatorio]", id="required"),
        pytest.param(["say", "--help"], 0, "[si no se indica: 1; 1<=x<=9]", id="default"),
        pytest.param(["say", "--help"], 0, "--count ENTERO", id="kind of a value"),
        pytest.param(["say", "--help"], 0, "--out RUTA", id="a path"),
        pytest.param(["say", "--nope"], 2, "No existe la opción '--nope'", id="unknown option"),
        pytest.param(["nope"], 2, "Error: No existe la orden 'nope'.", id="unknown command"),
        pytest.param(["say"], 2, "Error: Falta el argumento 'WORDS...'.", id="no argument"),
        pytest.param(["say", "a", "b"], 2, "Error: Falta la opción '--out'.", id="no option"),
        pytest.param(["say", "a", "b", "--out", "/no/file"], 2, "no existe.", id="no such file"),
        pytest.param(["say", "a", "b", "--out", ".", "--count", "x"], 2, "no es un número", id="x"),
        pytest.param(["say", "a", "b", "--out", ".", "--kind", "c"], 2, "'a', 'b'", id="choice"),
        pytest.param(["say", "a", "b", "--out", "."], 1, "Se canceló.", id="aborted"),
    ],
)
def test_click_speaks_spanish_when_it_says(arguments: list[str], code: int, said: str) -> None:
    assert run("es", *arguments)[0] == code
    assert said in run("es", *arguments)[1]


def test_click_stays_english_when_asked_to() -> None:
    code, said = run("en", "say", "--nope")
    assert code == 2
    assert "No such option" in said
    assert "Usage: tool [OPTIONS] COMMAND [ARGS]..." in run("en", "--help")[1]


def test_no_english_of_click_is_left_in_a_spanish_help(tmp_path: Path) -> None:
    said = run("es", "--help")[1] + run("es", "say", "--help")[1]
    for word in ("Usage", "Options", "Commands", "Show", "exit", "required", "default", "INTEGER"):
        assert word not in said
