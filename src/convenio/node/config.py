"""What a node is told once, at `init`, and reads at every start: `node.toml` in its directory.

One frozen object; an unknown or bad value stops the start. Secrets are not in it.
"""

from __future__ import annotations

import json
import tomllib
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from convenio.core.errors import MalformedError, UnavailableError

FILE_NAME = "node.toml"


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
        lines = [f"{key} = {json.dumps(value)}" for key, value in plain.items()]
        lines += ["", "[limits]"]
        lines += [f"{key} = {json.dumps(value)}" for key, value in limits.items()]
        return "\n".join(lines) + "\n"


def parse_config(text: str) -> NodeConfig:
    """The configuration that `text` writes.

    Raises:  MalformedError: config.toml · config.unknown_key · config.bad_value, naming the key.
    """
    try:
        value = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise MalformedError("config.toml") from error
    limits = value.pop("limits", {})
    if not isinstance(limits, dict):
        raise MalformedError("config.bad_value", key="limits")
    _check(value, NodeConfig, ("party", "domain", "host", "port"))
    _check(limits, Limits, ())
    return NodeConfig(**value, limits=Limits(**limits))


def read_config(directory: Path) -> NodeConfig:
    """The configuration of the node in `directory`.

    Raises:  UnavailableError: config.no_node, there is none · MalformedError.
    """
    try:
        text = (directory / FILE_NAME).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UnavailableError("config.no_node", directory=str(directory)) from error
    return parse_config(text)


def _check(value: dict[str, object], shape: type, required: tuple[str, ...]) -> None:
    known = {field.name: field.type for field in fields(shape)}
    for key, item in value.items():
        if key not in known or key == "limits":
            raise MalformedError("config.unknown_key", key=key)
        wanted = {"str": (str,), "int": (int,), "float": (int, float), "bool": (bool,)}
        if type(item) not in wanted[str(known[key])]:
            raise MalformedError("config.bad_value", key=key)
        if isinstance(item, int | float) and item < 0:
            raise MalformedError("config.bad_value", key=key)
    for key in required:
        if key not in value:
            raise MalformedError("config.bad_value", key=key)
