"""What a node is told once, at `init`, and reads at every start: `node.toml` in its directory.

One frozen object; an unknown or bad value stops the start. Secrets are not in it.
"""

from __future__ import annotations

import json
import tomllib
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Final

from convenio.core.errors import MalformedError, RefusedError

FILE_NAME: Final = "node.toml"
MAX_PORT: Final = 65_535
MAX_WAIT_S: Final = 366 * 86_400.0


@dataclass(frozen=True, slots=True)
class Limits:
    """Every bound of the node, with its unit."""

    skew_s: int = 300  # a cosignature further from our clock is kept and flagged
    clock_slack_s: int = 2  # how far our clock may step back before we refuse to sign
    group_entries: int = 256  # most records in one commit
    group_wait_ms: int = 10  # how long a busy sequencer collects
    small_body_bytes: int = 1 << 20  # pushed before its entry; larger ones after it
    max_body_bytes: int = 4 << 30
    upload_idle_s: int = 7 * 86_400  # an unfinished upload is forgotten after that
    uncited_body_s: int = 7 * 86_400  # a body that came and no entry cites is deleted after that
    proof_after_s: int = 3600  # a clock started, cosigned, and not a word: we log the proof
    retry_first_s: float = 0.5
    retry_most_s: float = 60.0
    connect_s: float = 5.0
    answer_s: float = 30.0
    total_s: float = 120.0


@dataclass(frozen=True, slots=True)
class NodeConfig:
    """Who this node is and where it listens. web_port 0: no pages."""

    party: str
    domain: str
    host: str
    port: int
    web_port: int = 0
    tls: bool = False
    limits: Limits = Limits()

    def encode(self) -> str:
        """The text of `node.toml`."""
        plain = asdict(self)
        limits = plain.pop("limits")
        lines = [*map(_line, plain.items()), "", "[limits]", *map(_line, limits.items())]
        return "\n".join(lines) + "\n"


def parse_config(text: str) -> NodeConfig:
    """The configuration that `text` writes.

    Raises:  MalformedError: config.toml · config.unknown_key · config.bad_value, naming the key.
    """
    try:
        value = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # not only its own: a number of 5,000 digits
        raise MalformedError("config.toml") from error
    limits = value.pop("limits", {})
    if not isinstance(limits, dict):
        raise MalformedError("config.bad_value", key="limits")
    _check(value, NodeConfig, ("party", "domain", "host", "port"))
    _check(limits, Limits, ())
    return NodeConfig(**value, limits=Limits(**limits))


def read_config(directory: Path) -> NodeConfig:
    """The configuration of the node in `directory`.

    Raises:  RefusedError: config.no_node, there is none · MalformedError.
    """
    try:
        text = (directory / FILE_NAME).read_text(encoding="utf-8")
    except OSError as error:
        raise RefusedError("config.no_node", directory=str(directory)) from error
    except UnicodeDecodeError as error:
        raise MalformedError("config.toml") from error
    return parse_config(text)


def _line(setting: tuple[str, object]) -> str:
    """A TOML line. JSON writes what is not ASCII as TOML cannot read it, so it is written plain."""
    return f"{setting[0]} = {json.dumps(setting[1], ensure_ascii=False)}"


_KINDS: Final = {"str": (str,), "int": (int,), "float": (int, float), "bool": (bool,)}


def _check(value: dict[str, object], shape: type, required: tuple[str, ...]) -> None:
    known = {field.name: field.type for field in fields(shape)}
    for key, item in value.items():
        if key not in known or key == "limits":
            raise MalformedError("config.unknown_key", key=key)
        if type(item) not in _KINDS[str(known[key])] or not _in_range(key, item):
            raise MalformedError("config.bad_value", key=key)
    for key in required:
        if key not in value:
            raise MalformedError("config.bad_value", key=key)


def _in_range(key: str, item: object) -> bool:
    """Ports exist, room is not none, waits begin and end; NaN is nowhere."""
    if type(item) is not int and type(item) is not float:
        return True
    if key.endswith("port"):
        return 0 <= item <= MAX_PORT
    if key.endswith(("_bytes", "_entries")):
        return item > 0
    if key in _ANY_MOMENT:
        return 0 <= item <= MAX_WAIT_S
    return 0 < item <= MAX_WAIT_S


_ANY_MOMENT: Final = ("skew_s", "clock_slack_s", "group_wait_ms", "proof_after_s", "upload_idle_s")
