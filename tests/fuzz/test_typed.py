"""Whatever is typed after `convenio`: an exit code of the contract, a sentence with a stable code,
and nothing changed by what was refused.

The commands are taken from the command tree itself, so that a new one cannot come without being
tried. They run in this process, against a node that answers at its local socket.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import click
import orjson
import pytest
from tests.fuzz.mutate import Chance, mutants
from tests.fuzz.targets.seeds import some
from tests.fuzz.test_parsers import COUNT
from tests.support.nodes import CHANNEL, KEEPER, OFFICER, Home, world

from convenio.cli import exits
from convenio.cli.root import make_root, run
from convenio.node.commands import LASTING, dispatcher
from convenio.node.control import ControlServer
from convenio.words import Words
from convenio.words.errors import HAPPENED

CONTRACT: Final = (*range(2, 8), exits.INTERRUPTED)  # 1 is our fault, and there is none


@dataclass(frozen=True, slots=True)
class Ran:
    code: int
    out: bytes
    err: str


class Desk:
    """Where commands are given: a folder with this and that in it, and a node `mx`."""

    def __init__(self, home: Home, folder: Path) -> None:
        self.home, self.folder = home, folder
        (folder / "text").write_text("hello\n")
        (folder / "binary").write_bytes(bytes(range(256)) * 4)
        (folder / "empty").write_bytes(b"")
        (folder / "folder").mkdir()
        (folder / "link").symlink_to("nowhere")
        (folder / "loop").symlink_to("loop")
        (folder / "record").write_bytes(some()[0])
        (folder / "mx").symlink_to(home.path)
        (folder / "phrase").write_text("node phrase\n")

    def run(self, *words: str, given: bytes = b"") -> Ran:
        out = io.TextIOWrapper(io.BytesIO(), "utf-8")
        err = io.TextIOWrapper(io.BytesIO(), "utf-8", "backslashreplace")  # as Python's own
        kept, sys.stdin = sys.stdin, io.TextIOWrapper(io.BytesIO(given), "utf-8")
        try:
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                try:
                    code = run(words, Words("en"), as_json="--json" in words)
                except SystemExit as leaving:
                    raise AssertionError(f"{words} ended the process: {leaving.code}") from leaving
        finally:
            sys.stdin = kept
        for stream in (out, err):
            stream.flush()
        return Ran(code, out.buffer.getvalue(), err.buffer.getvalue().decode())

    def state(self) -> dict[str, Any]:
        """All that a command could have changed, but for what is only being looked at."""
        held: dict[str, Any] = {
            "log": self.home.size(),
            "people": len(self.home.node.local.people()),
        }
        for path in sorted(self.folder.rglob("*")):
            if path.is_file():
                held[str(path)] = hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(self.home.path.rglob("*")):
            if path.is_file() and ".db" not in path.name:
                held[str(path)] = path.stat().st_size
        return held


def good(ran: Ran, words: tuple[str, ...]) -> None:
    """It succeeded, or says what is wrong as the contract has it."""
    verdict = words[0] == "verify" and ran.code == exits.NOT_VERIFIED and ran.out
    if not ran.code or (verdict and b'"error"' not in ran.out):
        return
    assert ran.code in CONTRACT, (words, ran)
    assert "Traceback" not in ran.err
    if "--json" in words:
        error = orjson.loads(ran.out)["error"]
        assert error["code"] in HAPPENED or error["code"] == "usage", (words, ran)
    elif ran.code == exits.USAGE and "[config." not in ran.err:
        assert "Error: " in ran.err, (words, ran)
    elif ran.code != exits.INTERRUPTED:
        code = ran.err.rstrip().rpartition("[")[2].removesuffix("]")
        assert code in HAPPENED, (words, ran)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    folder = tmp_path_factory.mktemp("typed")
    with pytest.MonkeyPatch.context() as patch, world(folder / "world", serving=False) as made:
        mx = made["mx"]
        mx.say(b"to be found")
        (folder / "at").mkdir()
        patch.chdir(folder / "at")
        for name in [name for name in os.environ if name.startswith("CONVENIO_")]:
            patch.delenv(name)
        server = ControlServer(mx.path, dispatcher(mx.node), LASTING)
        yield Desk(mx, folder / "at")
        server.close()
        assert mx.node.failure is None
        assert mx.findings() == []


# --- the command tree ---


def leaves(group: click.Group, *before: str) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        found = group.get_command(context, name)
        assert found is not None
        if isinstance(found, click.Group):
            yield from leaves(found, *before, name)
        else:
            yield (*before, name), found


TREE: Final = dict(leaves(make_root(Words("en"))))
# They last, or make whole nodes: they are only ever given with something no command knows.
HEAVY: Final = (("demo",), ("bench",), ("init",), ("doctor",), ("fsck",))
LIKELY: Final[dict[str, tuple[str, ...]]] = {
    "directory": ("mx",),
    "person": (OFFICER, KEEPER),
    "channel": (CHANNEL,),
    "record": ("mx/0",),
    "records": ("mx/0",),
    "to": ("us:liaison",),
    "party": ("us",),
    "body": ("text", "binary", "-"),
    "given": ("record", "text"),
    "name": ("carla", "more"),
    "role": ("clerk",),
    "roles": ("clerk",),
    "target": ("out", "-"),
    "passphrase_file": ("phrase",),
}
ODD: Final = (
    *(
        "",
        " ",
        "-",
        "--",
        "-x",
        "--nope",
        "-h",
        "?",
        "*",
        "~",
        ".",
        "..",
        "../..",
        "mx",
        "folder",
    ),
    *("text", "binary", "empty", "link", "loop", "nothing", "folder/x", "text/x", "mx/node.sock"),
    *("x" * 300, "x" * 5000),
    *("0", "-1", "1", "00", "1e9", "NaN", "inf", "1.5", "1_0", "١", "9" * 40, "2147483648", "true"),
    *(
        "é",
        "\udcff",
        "\udc80x",
        "\u202egpj",
        "\u200b",
        "\x1b[2J",
        "\r\n",
        "a\tb",
        "ＭＸ",
        "{}",
        "{0}",
        "%s",
    ),
    *(
        "mx/0",
        "mx/-1",
        "mx/99999999999999999999",
        "mx/",
        "/0",
        "us/0",
        "ab" * 32,
        "AB" * 16,
        "deadbeef",
    ),
    *(
        "us:liaison",
        "us:",
        ":",
        "us",
        "us:liaison:x",
        "12345 " * 12,
        "12345",
        "keeper",
        "--json",
        "--lang",
    ),
    *(
        "--lang=xx",
        "--as",
        "--as=",
        "--channel=",
        "@text",
        "file:///etc/passwd",
        "a=b",
        "90s",
        "0s",
        "999d",
    ),
)


DEVICES: Final = ("/dev/null", "/dev/full", "/proc/self/mem", "/proc/1/environ")  # to be read
OUTPUTS: Final = ("out", "-", "folder", "nothing/out", "text/out", "link", "x" * 300, "\udcff", "")


def value_of(param: click.Parameter, chance: Chance) -> str:
    if param.name == "target":  # nowhere but here
        return chance.of(OUTPUTS)
    likely = LIKELY.get(param.name or "", ())
    if isinstance(param.type, click.Choice):
        likely = tuple(map(str, param.type.choices))
    return chance.of(likely) if likely and chance.below(4) else chance.of(ODD)


def words_of(path: tuple[str, ...], command: click.Command, chance: Chance) -> list[str]:
    """What somebody might type: what must be given, now and then something else."""
    words: list[str] = []
    for param in command.params:
        if param.name in ("json", "lang", "help", "wait_receipt", "root_passphrase_file"):
            continue
        if isinstance(param, click.Argument):
            words += [
                value_of(param, chance)
                for _ in range(2 if param.nargs != 1 and chance.below(2) else 1)
            ]
        elif param.required or not chance.below(4):
            option = chance.of(param.opts)
            flag = isinstance(param, click.Option) and param.is_flag
            words += [option] if flag else [option, value_of(param, chance)]
    paths = [i for i, word in enumerate(words) if word in ("text", "binary", "empty", "record")]
    if paths and not {"-o", "--output"} & {*words} and not chance.below(4):
        words[chance.of(paths)] = chance.of(DEVICES)
    for _ in range(chance.below(3)):
        at = chance.below(len(words) + 1)
        words[at : at + chance.below(2)] = [chance.of(ODD)] * chance.below(2)
    return [*path, *(["--no-such-option"] if path in HEAVY else []), *words]


@pytest.mark.parametrize("path", TREE, ids=" ".join)
def test_no_words_are_a_fault_of_a_command(desk: Desk, path: tuple[str, ...]) -> None:
    chance = Chance(len(" ".join(path)))
    for _ in range(max(COUNT // 60, 5)):
        words = (*words_of(path, TREE[path], chance), *chance.of(((), (), ("--json",))))
        before = desk.state()
        ran = desk.run(*words, given=b"typed\n")
        good(ran, words)
        if ran.code:
            assert desk.state() == before, (words, ran)


# --- files of lines ---

SAID: Final = ("say", "mx", "--as", OFFICER, "--channel", CHANNEL, "--to", "us:liaison")
BAD_LINES: Final = (
    *(
        b"x",
        b"{",
        b"[]",
        b"1",
        b"null",
        b'"text"',
        b"{}",
        b'{"text":1}',
        b'{"text":null}',
        b'{"text":[]}',
    ),
    *(
        b'{"text":"a","more":1}',
        b'{"Text":"a"}',
        b'{"text":"a","json":{}}',
        b'{"text":"a"}}',
        b'{"text":"a"',
    ),
    *(
        b'{"text":"\xff"}',
        b'{"text":"\\ud800"}',
        b'{"text":"\xc0\x80"}',
        b"\xef\xbb\xbf{}",
        b"\0",
        b"\x1b[2J",
    ),
    *(b'{"text":"a","to":"us:liaison"}', b'{"text":"a","to":[1]}', b'{"text":"a","to":["us"]}'),
    *(b'{"text":"a","due_in":-1}', b'{"text":"a","due_in":"1d"}', b'{"text":"a","due_in":1e400}'),
    *(
        b'{"text":"a","id":"x"}',
        b'{"text":"a","id":1}',
        b'{"text":"a","type":1}',
        b'{"text":"a","type":"x"}',
    ),
    *(
        b'{"text":"a","open":1}',
        b'{"text":"a","data":[]}',
        b'{"text":"a","data":{"A":1}}',
        b'{"text":"a","cav":"x"}',
    ),
    *(
        b'{"text":' + b"[" * 5000 + b"}",
        b'{"text":"' + b"a" * (5 << 20) + b'"}',
        "{}".encode("utf-16"),
        b"[" * 100_000,
    ),
)


@pytest.mark.parametrize("line", BAD_LINES, ids=lambda line: repr(line[:40]))
def test_a_bad_line_says_nothing_of_the_file(desk: Desk, line: bytes) -> None:
    before = desk.state()
    for given in (line + b"\n", b"\n" + line, line + b"\r\n{}\n"):
        ran = desk.run(*SAID, "--batch", "-", given=given)
        assert ran.code in (exits.MALFORMED, exits.REFUSED), (given[:99], ran)
        good(ran, ("say", "--batch"))
    assert desk.state() == before


def test_no_file_of_lines_is_a_fault_of_say(desk: Desk) -> None:
    lines = [
        b'{"text":"uno"}\n',
        b'{"json":{"a":1},"lang":"es","to":["us:liaison"]}\n{"text":"b"}\n',
    ]
    for given in mutants(lines, 1, COUNT // 10):
        good(desk.run(*SAID, "--batch", "-", given=given), ("say", "--batch"))
