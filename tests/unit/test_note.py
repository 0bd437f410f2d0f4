"""Notes and keys: what is refused, and who counts as a signer."""

from __future__ import annotations

import pytest
from tests.logs import seed

from convenio.core.errors import MalformedError, SignatureError
from convenio.core.note import (
    Ed25519Signer,
    Ed25519Verifier,
    Note,
    SignatureLine,
    check_key_name,
    ed25519_verify,
    format_vkey,
    keyring,
    parse_note,
    parse_signature_lines,
    parse_vkey,
    sign_note,
    verify_note,
)

# The example of C2SP signed-note v1.0.0.
EXAMPLE_VKEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
EXAMPLE = (
    "This is an example message.\n\n"
    "— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3"
    "mFXmRKuwHjG1Yu72IneyaQM=\n"
).encode()
ONE, TWO = Ed25519Signer("one.example", seed(1)), Ed25519Signer("two.example", seed(2))
TEXT = b"said\n"
GOOD = sign_note(TEXT, ONE, TWO)
KNOWN = keyring(ONE.verifier(), TWO.verifier())


def test_the_example_of_the_specification_verifies() -> None:
    name, kind, public = parse_vkey(EXAMPLE_VKEY)
    verifier = Ed25519Verifier.of(name, public)
    assert kind == 1
    assert verify_note(parse_note(EXAMPLE, 1000), keyring(verifier)) == (verifier,)
    assert verifier.vkey() == EXAMPLE_VKEY


LINE = ONE.sign(TEXT).encode()
BAD = {
    "text alone": (TEXT, "no_signature"),
    "no blank line": (TEXT + LINE, "no_signature"),
    "no last newline": (TEXT + b"\n" + LINE[:-1], "no_signature"),
    "a blank line at the end": (TEXT + b"\n" + LINE + b"\n", "no_signature"),
    "no dash": (TEXT + b"\nx" + LINE, "no_signature"),
    "another dash": (TEXT + b"\n-" + LINE[3:], "no_signature"),
    "a line that is none": (TEXT + b"\n" + LINE + b"and\n", "signature_line"),
    "two spaces": (TEXT + b"\n" + LINE.replace(b"e ", b"e  "), "signature_line"),
    "no padding": (TEXT + b"\n" + LINE.replace(b"=", b""), "signature_line"),
    "a key id alone": ("a\n\n— a AAAAAA==\n".encode(), "signature_line"),
    "a plus in a name": ("a\n\n— a+b AAAAAAA=\n".encode(), "key_name"),
    "a wide space in a name": ("a\n\n— a\u2003b AAAAAAA=\n".encode(), "key_name"),
    "no name": ("a\n\n—  AAAAAAA=\n".encode(), "key_name"),
    "a carriage return": (b"a\r\n\n" + LINE, "not_text"),
    "a zero byte": (b"a\0\n\n" + LINE, "not_text"),
    "not UTF-8": (b"\xff\n\n" + LINE, "not_text"),
    "65 signatures": (TEXT + b"\n" + LINE * 65, "signature_line"),
    "too many bytes": (TEXT * 9999 + b"\n" + LINE, "too_long"),
}


@pytest.mark.parametrize(("data", "code"), BAD.values(), ids=BAD.keys())
def test_bytes_that_are_no_note_are_refused(data: bytes, code: str) -> None:
    with pytest.raises(MalformedError) as caught:
        parse_note(data, 20_000)
    assert caught.value.code == f"note.{code}"


def test_signatures_stand_after_the_last_blank_line() -> None:
    inner = sign_note(TEXT, ONE).encode()
    note = sign_note(inner, TWO)
    assert parse_note(note.encode(), 1000) == note
    assert note.text == inner


def test_sixty_four_signatures_are_read() -> None:
    assert len(parse_note(TEXT + b"\n" + LINE * 64, 20_000).lines) == 64


def test_a_note_may_be_as_long_as_is_said_and_no_longer() -> None:
    data = GOOD.encode()
    assert parse_note(data, len(data)) == GOOD
    with pytest.raises(MalformedError, match=r"note\.too_long"):
        parse_note(data, len(data) - 1)


@pytest.mark.parametrize("moved", [1, 5])
def test_a_signature_over_more_than_the_text_is_none_over_the_text(moved: int) -> None:
    """What was signed before the text may not travel at the end of a longer signature."""
    before = b"never"[:moved]
    signature = ONE.sign_bytes(before + TEXT)
    assert ed25519_verify(ONE.public, before + TEXT, signature)
    assert not ed25519_verify(ONE.public, TEXT, signature + before)
    assert not ed25519_verify(ONE.public, signature[-moved:] + TEXT, signature[:-moved])


def test_signature_lines_alone_are_at_least_one() -> None:
    for data in (b"", b"\n", LINE[:-1], b"\n" + LINE, LINE + b"\n"):
        with pytest.raises(MalformedError, match=r"note\.signature_line"):
            parse_signature_lines(data, 1000)


def test_known_keys_are_named_once_in_the_order_of_their_lines() -> None:
    assert verify_note(GOOD, KNOWN) == (ONE.verifier(), TWO.verifier())
    twice = Note(TEXT, (*GOOD.lines[::-1], *GOOD.lines))
    assert verify_note(twice, KNOWN) == (TWO.verifier(), ONE.verifier())


def test_only_the_first_line_of_a_key_counts() -> None:
    first, second = (
        GOOD.lines[0],
        SignatureLine(ONE.name, ONE.key_id, ONE.sign(b"else\n").signature),
    )
    assert verify_note(Note(TEXT, (first, second)), KNOWN) == (ONE.verifier(),)
    with pytest.raises(SignatureError, match=r"note\.bad_signature"):
        verify_note(Note(TEXT, (second, first)), KNOWN)


def test_unknown_keys_are_ignored_even_with_a_known_name_or_id() -> None:
    line = ONE.sign(b"else\n")
    same_name = SignatureLine(ONE.name, b"\0\0\0\0", line.signature)
    same_id = SignatureLine("else.example", ONE.key_id, line.signature)
    note = Note(TEXT, (same_name, same_id, *GOOD.lines))
    assert len(verify_note(note, KNOWN)) == 2


def test_one_bad_line_of_a_known_key_rejects_the_note() -> None:
    bad = SignatureLine(TWO.name, TWO.key_id, ONE.sign(TEXT).signature)
    with pytest.raises(SignatureError, match=r"note\.bad_signature"):
        verify_note(Note(TEXT, (GOOD.lines[0], bad)), KNOWN)


def test_a_note_nobody_known_has_signed_is_rejected() -> None:
    with pytest.raises(SignatureError, match=r"note\.no_known_key"):
        verify_note(GOOD, {})


@pytest.mark.parametrize(
    "vkey",
    [
        "",
        "a+b",
        EXAMPLE_VKEY.replace("530d903a", "530d903b"),
        EXAMPLE_VKEY.replace("530d903a", "530D903A"),
        EXAMPLE_VKEY.replace("foo", "fou"),
        EXAMPLE_VKEY + "=",
        EXAMPLE_VKEY + "\n",
        EXAMPLE_VKEY.replace("AekyeR", "Aeky\u00e9R"),
        "+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
    ],
)
def test_a_vkey_that_is_not_one_is_refused(vkey: str) -> None:
    with pytest.raises(MalformedError, match=r"note\."):
        parse_vkey(vkey)


@pytest.mark.parametrize(
    "name", ["", "a b", "a+b", "a\nb", "a\x00b", "a\u00a0b", "a\ud800", "\u3000"]
)
def test_a_name_no_key_may_have_is_refused(name: str) -> None:
    for act in (check_key_name, lambda name: format_vkey(name, 1, bytes(32))):
        with pytest.raises(MalformedError, match=r"note\.key_name"):
            act(name)
