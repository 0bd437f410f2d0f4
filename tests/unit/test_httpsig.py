"""core/httpsig: one profile of RFC 9421, and nothing beside it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from tests.support.partners import EVE, MX, NOW, US

from convenio.core.errors import (
    ConvenioError,
    MalformedError,
    SignatureError,
    UnavailableError,
    UnverifiedError,
)
from convenio.core.httpsig import (
    MAX_LIFE_S,
    MAX_SKEW_S,
    NonceCache,
    RequestSignature,
    Target,
    check_request,
    check_response,
    content_digest,
    parse_base_url,
    parse_request,
    parse_response,
    sign_request,
    sign_response,
)

TARGET = Target("POST", "mx.example:8443", "/a/mirror/add-entries", "offset=0&size=5")
DIGEST = content_digest(b"hello")
Fields = list[tuple[bytes, bytes]]


def signed(target: Target = TARGET, created: int = NOW, life_s: int = 60) -> RequestSignature:
    return sign_request(
        target, DIGEST, "gzip", US, created=created, nonce=bytes(range(16)), life_s=life_s
    )


def wire(fields: dict[str, str]) -> Fields:
    return [(name.encode(), value.encode()) for name, value in fields.items()]


def code_of(call: Callable[[], object]) -> str:
    with pytest.raises(ConvenioError) as caught:
        call()
    return caught.value.code


def test_the_signature_base_is_the_text_that_the_specification_page_shows() -> None:
    assert signed().base(TARGET).decode() == (
        '"@method": POST\n'
        '"@authority": mx.example:8443\n'
        '"@path": /a/mirror/add-entries\n'
        '"@query": ?offset=0&size=5\n'
        '"content-digest": sha-256=:LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=:\n'
        '"content-encoding": gzip\n'
        '"@signature-params": ("@method" "@authority" "@path" "@query" "content-digest" '
        '"content-encoding");created=1800000000;keyid="us.localhost/node+5b8f2c06"'
        ';expires=1800000060;nonce="000102030405060708090a0b0c0d0e0f";tag="convenio/1"'
    ).replace("5b8f2c06", US.key_id.hex())


def test_what_was_signed_is_read_back_and_holds() -> None:
    made = signed()
    again = parse_request(wire(made.fields()))
    assert again == made
    assert again is not None
    check_request(again, TARGET, US.verifier(), NOW)


def test_a_request_without_any_signature_is_a_strangers() -> None:
    assert parse_request([(b"content-digest", b"junk"), (b"host", b"x")]) is None


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(replace(TARGET, method="PUT"), id="another method"),
        pytest.param(replace(TARGET, authority="us.example:8443"), id="another node"),
        pytest.param(replace(TARGET, authority="mx.example"), id="another port"),
        pytest.param(replace(TARGET, path="/a/mirror/add-checkpoint"), id="another path"),
        pytest.param(replace(TARGET, query="offset=1&size=5"), id="another query"),
        pytest.param(replace(TARGET, query=""), id="no query"),
    ],
)
def test_a_signature_holds_for_no_other_target(other: Target) -> None:
    assert code_of(lambda: check_request(signed(), other, US.verifier(), NOW)) == (
        "http.bad_signature"
    )


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param(replace(signed(), digest=content_digest(b"")), id="digest"),
        pytest.param(replace(signed(), encoding="identity"), id="encoding"),
        pytest.param(replace(signed(), nonce="f" * 32), id="nonce"),
        pytest.param(replace(signed(), created=NOW + 1), id="created"),
        pytest.param(replace(signed(), expires=NOW + 59), id="expires"),
        pytest.param(replace(signed(), signature=bytes(64)), id="signature"),
    ],
)
def test_no_signed_value_can_be_changed(changed: RequestSignature) -> None:
    assert code_of(lambda: check_request(changed, TARGET, US.verifier(), NOW)) == (
        "http.bad_signature"
    )


def test_another_key_does_not_pass_for_the_named_one() -> None:
    assert code_of(lambda: check_request(signed(), TARGET, EVE.verifier(), NOW)) == (
        "http.wrong_key"
    )


@pytest.mark.parametrize(
    ("now", "code"),
    [
        (NOW - MAX_SKEW_S, ""),
        (NOW - MAX_SKEW_S - 1, "http.too_early"),
        (NOW + MAX_LIFE_S + MAX_SKEW_S, ""),
        (NOW + MAX_LIFE_S + MAX_SKEW_S + 1, "http.expired"),
    ],
)
def test_a_request_is_good_in_its_time_give_or_take_the_skew(now: int, code: str) -> None:
    if not code:
        check_request(signed(), TARGET, US.verifier(), now)
    else:
        assert code_of(lambda: check_request(signed(), TARGET, US.verifier(), now)) == code


@pytest.mark.parametrize("life_s", [0, -5, 61, 10**9])
def test_nobody_signs_for_longer_than_a_minute(life_s: int) -> None:
    unsigned = replace(signed(), expires=NOW + life_s)
    made = replace(unsigned, signature=US.sign_bytes(unsigned.base(TARGET)))
    assert code_of(lambda: check_request(made, TARGET, US.verifier(), NOW)) == "http.lifetime"
    with pytest.raises(RuntimeError):
        signed(life_s=life_s)


@pytest.mark.parametrize(
    "target",
    [
        pytest.param(replace(TARGET, path=path), id=name)
        for name, path in {
            "an escaped character": "/log/%61",
            "a double slash": "/log//checkpoint",
            "a dot segment": "/log/../secret",
            "a single dot": "/log/./secret",
            "a full URL": "http://evil/log",
            "no slash": "log",
            "nothing": "",
            "a line break": "/log\n",
            "a letter that is not ASCII": "/lóg",
        }.items()
    ]
    + [
        pytest.param(replace(TARGET, query="a=%20"), id="an escape in the query"),
        pytest.param(replace(TARGET, query="?"), id="a second question mark"),
        pytest.param(replace(TARGET, method="get"), id="a method in lower case"),
    ],
)
def test_a_target_that_two_programs_could_write_differently_is_not_signed(target: Target) -> None:
    assert code_of(lambda: signed(target)) == "http.target"
    assert code_of(lambda: check_request(signed(), target, US.verifier(), NOW)) == "http.target"


def edited(name: str, old: str, new: str) -> Fields:
    fields = signed().fields()
    assert old in fields[name]
    fields[name] = fields[name].replace(old, new, 1)
    return wire(fields)


def without(name: str) -> Fields:
    return [pair for pair in wire(signed().fields()) if pair[0] != name.encode()]


def twice(name: str) -> Fields:
    fields = signed().fields()
    return [*wire(fields), (name.title().encode(), fields[name].encode())]


_INPUT = "signature-input"


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        pytest.param(without("content-digest"), "http.field", id="no digest"),
        pytest.param(without("content-encoding"), "http.field", id="no encoding"),
        pytest.param(without("signature"), "http.field", id="no signature"),
        pytest.param(without(_INPUT), "http.field", id="no signature input"),
        pytest.param(twice("content-digest"), "http.field", id="two digests"),
        pytest.param(twice("content-encoding"), "http.field", id="two encodings"),
        pytest.param(twice("signature"), "http.field", id="two signatures"),
        pytest.param(twice(_INPUT), "http.field", id="two signature inputs"),
        pytest.param(edited("content-encoding", "gzip", "br"), "http.encoding", id="brotli"),
        pytest.param(edited("content-encoding", "gzip", "GZIP"), "http.encoding", id="capitals"),
        pytest.param(edited("content-digest", "sha-256", "sha-512"), "http.digest", id="sha-512"),
        pytest.param(
            edited("content-digest", "Q=:", "R=:"), "http.digest", id="loose bits in a digest"
        ),
        pytest.param(
            edited("content-digest", "sha-256", "md5=:AA==:, sha-256"),
            "http.digest",
            id="a second digest beside it",
        ),
        pytest.param(edited("signature", ":", ""), "http.signature", id="not a byte sequence"),
        pytest.param(edited("signature", "convenio", "sig1"), "http.signature", id="another label"),
        pytest.param(edited(_INPUT, " ", "  "), "http.signature_input", id="a second space"),
        pytest.param(
            edited(_INPUT, ' "content-digest"', ""), "http.signature_input", id="digest uncovered"
        ),
        pytest.param(
            edited(_INPUT, '"@method" "@authority"', '"@authority" "@method"'),
            "http.signature_input",
            id="another order",
        ),
        pytest.param(
            edited(_INPUT, '"content-encoding"', '"content-encoding" "date"'),
            "http.signature_input",
            id="more covered",
        ),
        pytest.param(
            edited(_INPUT, ";tag=", ';alg="ed25519";tag='), "http.signature_input", id="alg"
        ),
        pytest.param(
            edited(_INPUT, "convenio/1", "convenio/2"), "http.signature_input", id="another tag"
        ),
        pytest.param(
            edited(_INPUT, "created=1", "created=01"), "http.signature_input", id="leading zero"
        ),
        pytest.param(
            edited(_INPUT, "created=1", "created=-1"), "http.signature_input", id="before 1970"
        ),
        pytest.param(
            edited(_INPUT, "/node+", "/root+"), "http.signature_input", id="not a node key"
        ),
        pytest.param(
            edited(_INPUT, 'nonce="0', 'nonce="'), "http.signature_input", id="short nonce"
        ),
        pytest.param(
            edited(_INPUT, "convenio=", "a=(), convenio="),
            "http.signature_input",
            id="a second signature input in the same field",
        ),
    ],
)
def test_nothing_but_the_profile_is_read(fields: Fields, code: str) -> None:
    with pytest.raises(MalformedError) as caught:
        parse_request(fields)
    assert caught.value.code == code


def test_a_response_is_bound_to_the_request_it_answers() -> None:
    asked, other = signed().signature, bytes(64)
    made = sign_response(200, DIGEST, asked, MX, NOW)
    again = parse_response(wire(made.fields()))
    assert again == made
    check_response(made, 200, asked, MX.verifier())
    for status, request in ((201, asked), (200, other)):
        with pytest.raises(SignatureError, match=r"http\.bad_signature"):
            check_response(made, status, request, MX.verifier())
    with pytest.raises(SignatureError, match=r"http\.wrong_key"):
        check_response(made, 200, asked, EVE.verifier())
    with pytest.raises(SignatureError, match=r"http\.bad_signature"):
        check_response(replace(made, digest=content_digest(b"")), 200, asked, MX.verifier())


def test_a_request_signature_does_not_read_as_a_response_nor_the_other_way() -> None:
    response = sign_response(200, DIGEST, bytes(64), MX, NOW).fields()
    assert code_of(lambda: parse_response(wire(signed().fields()))) == "http.signature_input"
    assert (
        code_of(lambda: parse_request(wire(response | {"content-encoding": "identity"})))
        == "http.signature_input"
    )
    assert parse_response([(b"content-digest", b"x")]) is None


def test_a_nonce_is_taken_once_and_remembered_as_long_as_it_could_be_used() -> None:
    cache, made = NonceCache(), signed()
    cache.take(made, US.verifier(), NOW)
    last = NOW + MAX_LIFE_S + 2 * MAX_SKEW_S
    for now in (NOW, last):
        with pytest.raises(UnverifiedError, match=r"http\.replayed"):
            cache.take(made, US.verifier(), now)
    cache.take(made, US.verifier(), last + 1)


def test_the_latest_moment_a_request_is_accepted_its_nonce_is_still_known() -> None:
    """The earliest it can be taken is MAX_SKEW_S before it was made."""
    cache, made = NonceCache(), signed()
    first, last = NOW - MAX_SKEW_S, NOW + MAX_LIFE_S + MAX_SKEW_S
    for now in (first, last):
        check_request(made, TARGET, US.verifier(), now)
    cache.take(made, US.verifier(), first)
    with pytest.raises(UnverifiedError):
        cache.take(made, US.verifier(), last)


def test_one_flooding_partner_shuts_out_only_itself() -> None:
    cache = NonceCache(max_per_key=3)
    for number in range(3):
        cache.take(replace(signed(), nonce=f"{number:032x}"), US.verifier(), NOW)
    with pytest.raises(UnavailableError, match=r"http\.too_many_requests"):
        cache.take(replace(signed(), nonce="f" * 32), US.verifier(), NOW)
    cache.take(signed(), EVE.verifier(), NOW)  # her keyid may be the same
    cache.take(
        replace(signed(), nonce="f" * 32), US.verifier(), NOW + MAX_LIFE_S + 2 * MAX_SKEW_S + 1
    )


@pytest.mark.parametrize(
    ("text", "authority", "path"),
    [
        ("https://mx.example", "mx.example", ""),
        ("https://mx.example/", "mx.example", ""),
        ("https://mx.example:443/a/b/", "mx.example", "/a/b"),
        ("http://mx.localhost:8001/a", "mx.localhost:8001", "/a"),
        ("http://127.0.0.1:80", "127.0.0.1", ""),
        ("https://[::1]:8443", "[::1]:8443", ""),
    ],
)
def test_a_base_url_gives_the_authority_that_is_signed(
    text: str, authority: str, path: str
) -> None:
    url = parse_base_url(text)
    assert (url.authority, url.path) == (authority, path)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ftp://mx.example",
        "https://",
        "https://MX.example",
        "https://user@mx.example",
        "https://mx.example?x",
        "https://mx.example#x",
        "https://mx.example:0",
        "https://mx.example:65536",
        "https://mx.example//a",
        "https://mx.example/../a",
        "https://mx.example/%61",
        "https://mx.example\n",
        "https://mx.éxample",
    ],
)
def test_a_loose_base_url_is_refused(text: str) -> None:
    assert code_of(lambda: parse_base_url(text)) == "http.url"
