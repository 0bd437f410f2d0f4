"""`convenio demo`: to its end in Spanish, then again in the same directory until it is stopped."""

from __future__ import annotations

import csv
import gzip
import http.client
import json
import os
import signal
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from tests.support.commands import PATIENCE_S, Commands

from convenio.cli.demo.content import ACTIONS, FENTANYL_SEIZED, GOALS, HOMICIDE_VICTIMS
from convenio.node.control import ControlClient
from convenio.node.setup import LOCK

OTHER = {"LANGUAGE": ""}


@pytest.fixture(scope="module")
def do(tmp_path_factory: pytest.TempPathFactory) -> Commands:
    return Commands(tmp_path_factory.mktemp("demo"), OTHER)


def test_the_demo_runs_to_its_end_and_everything_is_verified(do: Commands) -> None:
    ran = do.run("demo", "--once", "--dir", "d", lang="es")
    assert (ran.code, ran.err) == (0, "")
    assert " ✗ " not in ran.out
    assert ran.out.count(" ✓ ") >= 16
    assert "13" in ran.out
    for english in ("The ", "Mexico can", "Verified", "holds"):
        assert english not in ran.out
    assert not any(ControlClient(do.folder / "d" / party).running() for party in ("mx", "us"))


def test_it_goes_on_where_it_was_and_runs_until_ctrl_c(do: Commands) -> None:
    process = do.start("demo", "--dir", "d", "--json", lang="es")
    assert process.stdout is not None
    try:
        answer = json.loads(process.stdout.readline())
        assert answer["ok"]
        assert {each["what"] for each in answer["records"]} >= {"The 13 actions of October 2022"}
        said = len(GOALS) + len(ACTIONS) + len(HOMICIDE_VICTIMS.values)
        said += len(FENTANYL_SEIZED.values) + 3  # a notice, a request, its answer
        assert sum(row["verified"] for row in answer["records"]) == said
        for party in ("mx", "us"):
            phrase = str(do.folder / "d" / "passphrase")
            log = ("log", f"d/{party}", "--channel", "plan", "--limit", "500")
            records = do.json(*log, "--passphrase-file", phrase)["records"]
            assert len(records) == said - 3  # said in two demos, and there once
        for link in answer["links"]:
            assert sign_in_page(link) == 200
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=PATIENCE_S)
        assert (process.returncode, out, err) == (0, "", "")
    finally:
        process.kill()
        process.communicate()
    assert not any(ControlClient(do.folder / "d" / party).running() for party in ("mx", "us"))


def sign_in_page(link: str) -> int:
    """The status of a page whose host name only browsers resolve."""
    parts = urlsplit(link)
    connection = http.client.HTTPConnection("127.0.0.1", parts.port or 0, timeout=PATIENCE_S)
    connection.request("GET", parts.path, headers={"Host": parts.netloc})
    status = connection.getresponse().status
    connection.close()
    return status


def test_its_nodes_end_when_the_demo_is_killed(do: Commands) -> None:
    with do.start("demo", "--dir", "d", "--json") as process:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["ok"]
        process.kill()
    for party in ("mx", "us"):
        lock = do.folder / "d" / party / LOCK
        subprocess.run(["flock", "-w", str(PATIENCE_S), lock, "true"], check=True)
        assert not ControlClient(do.folder / "d" / party).running()


def test_a_node_that_dies_under_the_demo_is_an_error(tmp_path: Path) -> None:
    do = Commands(tmp_path, OTHER)
    process = do.start("demo", "--dir", "d", "--json")
    assert process.stdout is not None
    answer = json.loads(process.stdout.readline())
    os.kill(answer["nodes"]["us"]["pid"], signal.SIGKILL)
    out, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 5
    assert json.loads(out)["error"]["code"] == "demo.node_ended"
    assert not ControlClient(tmp_path / "d" / "mx").running()


def test_figures_are_those_of_the_published_tables(shared: Path) -> None:
    """Our own sums over the tables that the facts were taken from."""
    victims: dict[int, int] = {}
    with gzip.open(shared / "data/sesnsp_victims_state_month.csv.gz", "rt") as file:
        for row in csv.DictReader(file):
            if row["subtipo_de_delito"] == "Homicidio doloso":
                year = int(row["month"][:4])
                victims[year] = victims.get(year, 0) + int(row["victims"])
    assert {year: victims[year] for year in HOMICIDE_VICTIMS.values} == HOMICIDE_VICTIMS.values
    pounds: dict[int, float] = {}
    with gzip.open(shared / "data/cbp_drug_seizures_two_vintages.csv.gz", "rt") as file:
        for row in csv.DictReader(file):
            if row["drug"] == "Fentanyl" and row["as_of"] == "fy20-fy23 file":
                year = int(row["fy"])
                pounds[year] = pounds.get(year, 0) + float(row["lbs"])
    rounded = {year: round(pounds[year]) for year in FENTANYL_SEIZED.values}
    assert rounded == FENTANYL_SEIZED.values


def test_the_actions_are_as_many_as_in_the_statement(shared: Path) -> None:
    statement = next((shared / "data/framework").glob("2022-10-14-*.md")).read_text("utf-8")
    numbers = [line.split(".")[0].strip() for line in statement.splitlines()]
    assert [n for n in numbers if n.isdecimal()] == [str(n) for n in range(1, len(ACTIONS) + 1)]
