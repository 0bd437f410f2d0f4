"""Whatever a signature parser accepts prints back, and holds for the signed target alone."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from tests.support.partners import NOW, US

from convenio.core.errors import ConvenioError, MalformedError
from convenio.core.httpsig import (
    RequestSignature,
    ResponseSignature,
    Target,
    check_request,
    content_digest,
    parse_base_url,
    parse_request,
    parse_response,
    sign_request,
)

TARGET = Target("PUT", "mx.example", "/blob/a/b", "offset=0&size=1")
MADE = sign_request(TARGET, content_digest(b"x"), "identity", US, created=NOW, nonce=bytes(16))
KEYIDS = st.from_regex(r"[a-z0-9]([a-z0-9.-]{0,20}[a-z0-9])?/node\+[0-9a-f]{8}", fullmatch=True)


def wire(fields: dict[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.encode(), value.encode("latin-1")) for name, value in fields.items()]


@given(
    st.builds(
        RequestSignature,
        digest=st.binary(min_size=32, max_size=32),
        encoding=st.sampled_from(["identity", "gzip"]),
        created=st.integers(0, 10**14),
        expires=st.integers(0, 10**14),
        nonce=st.binary(min_size=16, max_size=16).map(bytes.hex),
        keyid=KEYIDS,
        signature=st.binary(min_size=64, max_size=64),
    )
)
def test_a_request_signature_reads_back_as_it_was_written(made: RequestSignature) -> None:
    assert parse_request(wire(made.fields())) == made


@given(
    st.builds(
        ResponseSignature,
        digest=st.binary(min_size=32, max_size=32),
        created=st.integers(0, 10**14),
        keyid=KEYIDS,
        signature=st.binary(min_size=64, max_size=64),
    )
)
def test_a_response_signature_reads_back_as_it_was_written(made: ResponseSignature) -> None:
    assert parse_response(wire(made.fields())) == made


@given(
    st.sampled_from(sorted(MADE.fields())),
    st.integers(0, 400),
    st.characters(max_codepoint=255),
    st.sampled_from(["put", "insert", "cut"]),
)
def test_no_edit_of_one_character_is_accepted(name: str, at: int, new: str, how: str) -> None:
    fields = MADE.fields()
    text = fields[name]
    at %= len(text)
    tail = {"put": new + text[at + 1 :], "insert": new + text[at:], "cut": text[at + 1 :]}[how]
    if (edited := text[:at] + tail) == text:
        return
    try:
        signed = parse_request(wire(fields | {name: edited}))
        assert signed is not None
        assert signed.fields() == fields | {name: edited}
        check_request(signed, TARGET, US.verifier(), NOW)
    except ConvenioError:
        return
    raise AssertionError(f"{name}: {edited!r} was accepted")


@given(st.text(max_size=40) | st.from_regex(r"https?://[a-z.]{1,9}(:[0-9]{1,6})?(/.{0,6})?"))
def test_a_base_url_is_read_or_refused_and_nothing_else(text: str) -> None:
    try:
        url = parse_base_url(text)
    except MalformedError:
        return
    again = parse_base_url(f"{url.scheme}://{url.authority}{url.path}")
    assert again == url
