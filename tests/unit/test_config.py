"""What a node is told once: an unknown or bad value stops the start, and says which."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convenio.core.errors import ConvenioError, MalformedError, RefusedError
from convenio.node.clock import stamp
from convenio.node.config import FILE_NAME, Limits, NodeConfig, parse_config, read_config

CONFIG = NodeConfig("mx", "mx.localhost", "127.0.0.1", 8000)
TEXT = CONFIG.encode()


def test_a_configuration_prints_and_reads_back() -> None:
    other = replace(CONFIG, web_port=8001, tls=True, limits=Limits(skew_s=5, retry_first_s=0.25))
    for config in (CONFIG, other):
        assert parse_config(config.encode()) == config


def test_a_word_with_quotes_and_accents_prints_and_reads_back() -> None:
    config = replace(CONFIG, host='a"b\\ñ\n\U0001f41e')
    assert parse_config(config.encode()) == config


def test_what_is_left_out_has_its_default() -> None:
    text = 'party = "mx"\ndomain = "mx.localhost"\nhost = "127.0.0.1"\nport = 8000\n'
    assert parse_config(text) == CONFIG
    assert parse_config(text + "[limits]\nskew_s = 5\n").limits == Limits(skew_s=5)


@pytest.mark.parametrize(
    ("text", "code", "key"),
    [
        pytest.param(TEXT + "colour = 1\n", "config.unknown_key", "colour", id="an unknown limit"),
        pytest.param("colour = 1\n" + TEXT, "config.unknown_key", "colour", id="an unknown key"),
        pytest.param("[web]\nport = 1\n", "config.unknown_key", "web", id="an unknown table"),
        pytest.param(
            TEXT.replace("8000", '"8000"'), "config.bad_value", "port", id="a port as text"
        ),
        pytest.param(TEXT.replace("8000", "8000.0"), "config.bad_value", "port", id="half a port"),
        pytest.param(
            TEXT.replace("8000", "true"), "config.bad_value", "port", id="a port that is true"
        ),
        pytest.param(TEXT.replace("8000", "-1"), "config.bad_value", "port", id="a negative port"),
        pytest.param(
            TEXT.replace("8000", "65536"), "config.bad_value", "port", id="a port too high"
        ),
        pytest.param(
            TEXT.replace("web_port = 0", "web_port = 70000"),
            "config.bad_value",
            "web_port",
            id="a web port too high",
        ),
        pytest.param(
            TEXT.replace('party = "mx"\n', ""), "config.bad_value", "party", id="no party"
        ),
        pytest.param(
            TEXT.replace('"mx"', "5"), "config.bad_value", "party", id="a party that is a number"
        ),
        pytest.param(
            TEXT.replace('"mx"', '["mx"]'), "config.bad_value", "party", id="a party that is a list"
        ),
        pytest.param(
            TEXT.replace("tls = false", "tls = 0"), "config.bad_value", "tls", id="zero for no"
        ),
        pytest.param("limits = 5\n", "config.bad_value", "limits", id="limits that are a number"),
        pytest.param(
            TEXT.replace("skew_s = 300", "skew_s = -1"),
            "config.bad_value",
            "skew_s",
            id="a negative limit",
        ),
        pytest.param(
            TEXT.replace("retry_first_s = 0.5", "retry_first_s = nan"),
            "config.bad_value",
            "retry_first_s",
            id="a time that is no number",
        ),
        pytest.param(
            TEXT.replace("retry_most_s = 60.0", "retry_most_s = inf"),
            "config.bad_value",
            "retry_most_s",
            id="a time without end",
        ),
        pytest.param(
            TEXT.replace("answer_s = 30.0", "answer_s = 0"),
            "config.bad_value",
            "answer_s",
            id="no time to answer",
        ),
        pytest.param(
            TEXT.replace("answer_s = 30.0", "answer_s = 1e10"),
            "config.bad_value",
            "answer_s",
            id="centuries",
        ),
        pytest.param(
            TEXT.replace("max_body_bytes = 4294967296", "max_body_bytes = 0"),
            "config.bad_value",
            "max_body_bytes",
            id="room for nothing",
        ),
        pytest.param("party = mx\n", "config.toml", None, id="no TOML"),
        pytest.param('party = "mx"\nparty = "us"\n', "config.toml", None, id="a key twice"),
        pytest.param("a = " + "[" * 5000, "config.toml", None, id="thousands of brackets"),
    ],
)
def test_the_start_is_stopped_by(text: str, code: str, key: str | None) -> None:
    with pytest.raises(MalformedError) as caught:
        parse_config(text)
    assert caught.value.code == code
    assert caught.value.parameters.get("key") == key


@given(st.text(max_size=60))
def test_no_text_raises_anything_but_our_own_errors(text: str) -> None:
    with pytest.raises(MalformedError):
        parse_config(text)


def test_every_limit_says_its_unit_in_its_name() -> None:
    units = ("_s", "_ms", "_bytes", "_entries")
    assert [f.name for f in fields(Limits) if not f.name.endswith(units)] == []


def test_a_folder_without_a_node_says_so(tmp_path: Path) -> None:
    with pytest.raises(RefusedError) as caught:
        read_config(tmp_path)
    assert caught.value.code == "config.no_node"


def test_a_file_that_is_not_text_is_damaged_and_not_absent(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_bytes(b"\xff\xfe")
    with pytest.raises(MalformedError) as caught:
        read_config(tmp_path)
    assert caught.value.code == "config.toml"


# --- the clock ---


@pytest.mark.parametrize(
    ("now", "last", "written"),
    [
        pytest.param(100.9, 0, 100, id="whole seconds, never rounded up"),
        pytest.param(100.0, 100, 100, id="the same second again"),
        pytest.param(99.0, 100, 100, id="a second back: the last is written again"),
        pytest.param(98.0, 100, 100, id="two seconds back are still within the slack"),
        pytest.param(105.0, 100, 105, id="forward"),
    ],
)
def test_times_never_fall(now: float, last: int, written: int) -> None:
    assert stamp(now, last, 2) == written


@pytest.mark.parametrize("now", [97.9, 97.0, 0.0, -5.0])
def test_a_clock_further_back_signs_nothing(now: float) -> None:
    with pytest.raises(ConvenioError) as caught:
        stamp(now, 100, 2)
    assert caught.value.code == "clock.backwards"
    assert caught.value.parameters == {"behind_s": 100 - int(now)}
    assert not caught.value.permanent
