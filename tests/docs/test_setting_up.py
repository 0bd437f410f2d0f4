"""The scripts that set up, and the files that say what is installed."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from tests.conftest import ROOT, program

LOCKS = ("requirements.txt", "requirements-dev.txt")
_PIN = re.compile(r"^([a-z0-9-]+)==([0-9][^ ;]*)", re.MULTILINE)


def pins(name: str) -> dict[str, str]:
    return dict(_PIN.findall((ROOT / name).read_text("utf-8")))


def bare(requirement: str) -> str:
    return re.split(r"[<>=~! \[]", requirement, maxsplit=1)[0].lower()


def test_the_scripts_are_clean() -> None:
    if platform.machine() != "x86_64" and shutil.which("shellcheck") is None:
        pytest.skip("shellcheck has no wheel for this machine")
    subprocess.run([program("shellcheck"), ROOT / "run", ROOT / ".ci/run"], check=True)


def test_every_library_is_pinned_and_hashed() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    runtime = {bare(each) for each in project["project"]["dependencies"]}
    assert runtime | {"flit-core"} <= pins(LOCKS[0]).keys()
    groups = project["dependency-groups"]
    assert {bare(each) for each in groups["dev"]} <= pins(LOCKS[1]).keys()
    for name in LOCKS:
        for block in re.split(r"\n(?=\S)", (ROOT / name).read_text("utf-8").strip()):
            assert "--hash=sha256:" in block, block


def test_both_locks_pin_the_same_versions() -> None:
    assert pins(LOCKS[0]).items() <= pins(LOCKS[1]).items()


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_names_no_address_and_no_place(name: str) -> None:
    text = (ROOT / name).read_text("utf-8")
    assert not re.search(r"https?:|file:|--index|--find-links|(^|\s)/|\\\\", text)


@pytest.mark.parametrize(
    ("language", "said"), [("en_US.UTF-8", "Usage: ./run"), ("es_MX.UTF-8", "Uso: ./run")]
)
def test_run_speaks_both_languages(language: str, said: str) -> None:
    environ = {"PATH": os.environ["PATH"], "LANG": language}
    ran = subprocess.run([ROOT / "run"], capture_output=True, text=True, check=True, env=environ)
    assert said in ran.stdout


def test_run_refuses_what_it_does_not_know() -> None:
    ran = subprocess.run([ROOT / "run", "nope"], capture_output=True, text=True, check=False)
    assert ran.returncode == 2
    assert '"nope"' in ran.stderr or "«nope»" in ran.stderr


def copy_of_run(tmp_path: Path, python: str) -> tuple[Path, dict[str, str]]:
    """A checkout with a space in its path, on a machine whose only Python is `python`."""
    place = tmp_path / "a place"
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("sh", "cat", "dirname", "cmp", "cksum", "tail", "rm", "mv", "env"):
        (tools / name).symlink_to(str(shutil.which(name)))
    (tools / "python3").write_text(f"#!/bin/sh\n{python}\n")
    (tools / "python3").chmod(0o755)
    place.mkdir()
    shutil.copy(ROOT / "run", place / "run")
    return place / "run", {"PATH": str(tools), "LANG": "C"}


@pytest.mark.parametrize(
    ("python", "advice"),
    [
        pytest.param("echo old", "apt-get install python3.11 python3.11-venv", id="too old"),
        pytest.param("echo bare", "apt-get install python3-venv", id="cannot make environments"),
        pytest.param("exit 127", "apt-get install python3 python3-venv", id="no Python"),
    ],
)
def test_run_says_in_one_line_what_to_install(tmp_path: Path, python: str, advice: str) -> None:
    run, environ = copy_of_run(tmp_path, python)
    ran = subprocess.run([run, "demo"], capture_output=True, text=True, check=False, env=environ)
    assert ran.returncode == 1
    assert len(ran.stderr.splitlines()) == 1
    assert advice in ran.stderr


def test_the_wheel_carries_the_words(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-index"]
    build += ["--no-build-isolation", "--disable-pip-version-check", "-w", str(tmp_path)]
    subprocess.run([*build, str(ROOT)], check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    source = ROOT / "src/convenio"
    for path in [*(source / "locale").rglob("*.mo"), *source.glob("instruments/definitions/*")]:
        assert str(path.relative_to(ROOT / "src")) in names
