"""Policies: what the file may say, and what follows from it for a checkpoint."""

from __future__ import annotations

import itertools

import pytest
from tests.logs import AT, LOG, LOG_PQ, MIRROR_ED, MIRROR_PQ, ORIGIN, checkpoint_of, seed, signed

from convenio.core.checkpoint import Checkpoint
from convenio.core.cosign import Ed25519Cosigner, MlDsa44Cosigner
from convenio.core.errors import MalformedError, QuorumError, SignatureError
from convenio.core.note import Ed25519Signer, Note, SignatureLine
from convenio.core.policy import Group, Policy, from_keys, parse_policy

LOG_VKEY = LOG.verifier().vkey()
COSIGNERS = {
    name: Ed25519Cosigner(f"{name.lower()}.example/w", seed(20 + number))
    for number, name in enumerate(("X1", "X2", "X3", "Y1", "Y2", "Y3"))
}
# The example of C2SP tlog-policy, with keys filled in.
EXAMPLE = f"""
log {LOG_VKEY}

witness X1 {COSIGNERS["X1"].vkey()}
witness X2 {COSIGNERS["X2"].vkey()}
witness X3 {COSIGNERS["X3"].vkey()}
group X-witnesses 2 X1 X2 X3

witness Y1 {COSIGNERS["Y1"].vkey()}
witness Y2 {COSIGNERS["Y2"].vkey()}
witness Y3 {COSIGNERS["Y3"].vkey()}
group Y-witnesses any Y1 Y2 Y3

group X-and-Y all X-witnesses Y-witnesses
quorum X-and-Y
""".encode()
CHECKPOINT = checkpoint_of([b"one", b"two"])


def cosigned_by(*names: str) -> bytes:
    return signed(CHECKPOINT, [COSIGNERS[name] for name in names])


def test_the_example_of_the_specification_means_two_of_x_and_one_of_y() -> None:
    policy = parse_policy(EXAMPLE)
    assert policy.groups[-1] == Group("X-and-Y", 2, ("X-witnesses", "Y-witnesses"))
    for count in range(7):
        for names in itertools.combinations(COSIGNERS, count):
            enough = sum(n[0] == "X" for n in names) >= 2 and any(n[0] == "Y" for n in names)
            assert policy.is_met_by(dict.fromkeys(names)) == enough
    verified = policy.verify(cosigned_by("X1", "X3", "Y2"))
    assert verified.checkpoint == CHECKPOINT
    assert verified.log_keys == (LOG_VKEY,)
    assert verified.cosigned_at == {"X1": AT, "X3": AT, "Y2": AT}
    with pytest.raises(QuorumError, match=r"policy\.quorum"):
        policy.verify(cosigned_by("X1", "Y1", "Y2"))


def test_comments_blanks_tabs_and_urls_do_not_change_the_meaning() -> None:
    text = b"\t# a remark\n\n  log \t %b  https://a.example/ \n#\nquorum\tnone\n"
    policy = parse_policy(text % LOG_VKEY.encode())
    assert policy.logs[0].url == "https://a.example/"
    assert policy.format() == f"log {LOG_VKEY} https://a.example/\nquorum none\n".encode()
    assert policy.verify(signed(CHECKPOINT, [])).cosigned_at == {}


def test_names_are_octets_not_letters() -> None:
    key = COSIGNERS["X1"].vkey().encode()
    policy = parse_policy(b"witness K %b\ngroup \xe2\x84\xaa 1 K\nquorum \xe2\x84\xaa\n" % key)
    assert policy.is_met_by({"K": AT})
    raw = b"witness \xff %b\nquorum \xff\n" % key
    assert parse_policy(raw).format() == raw


def test_the_policy_from_keys_is_the_one_the_addressee_needs() -> None:
    mirror = from_keys([LOG_VKEY], {"us-mirror": MIRROR_PQ.vkey()}, 1)
    assert mirror.quorum == "us-mirror"
    assert mirror.verify(signed(CHECKPOINT)).cosigned_at == {"us-mirror": AT}
    keys = {name: cosigner.vkey() for name, cosigner in COSIGNERS.items()}
    two = from_keys([LOG_VKEY, LOG_PQ.vkey()], keys, 2)
    assert two.verify(cosigned_by("X1", "Y1")).log_keys == (LOG_VKEY,)
    with pytest.raises(QuorumError):
        two.verify(cosigned_by("X1"))
    assert from_keys([LOG_VKEY], {}, 0).quorum == "none"


def test_the_policy_reports_each_key_of_the_log_that_signed() -> None:
    policy = from_keys([LOG_VKEY, LOG_PQ.vkey()], {"m": MIRROR_ED.vkey()}, 1)
    assert policy.verify(signed(CHECKPOINT)).log_keys == (LOG_VKEY, LOG_PQ.vkey())


def test_a_listed_key_counts_only_for_the_log_it_is_named_after() -> None:
    other = Checkpoint("else.example/log", CHECKPOINT.size, CHECKPOINT.root)
    policy = from_keys([LOG_VKEY], {"m": MIRROR_PQ.vkey()}, 1)
    with pytest.raises(SignatureError, match=r"policy\.no_log"):
        policy.verify(signed(other))


def test_cosigners_alone_do_not_make_a_checkpoint() -> None:
    lines = (MIRROR_PQ.cosign(CHECKPOINT, AT),)
    policy = from_keys([LOG_VKEY], {"m": MIRROR_PQ.vkey()}, 1)
    for note in (Note(CHECKPOINT.text(), lines), Note(CHECKPOINT.text(), (SIGNED_BY_NOBODY,))):
        with pytest.raises(SignatureError, match=r"policy\.no_log"):
            policy.verify(note.encode())


SIGNED_BY_NOBODY = Ed25519Signer("nobody.example", seed(99)).sign(CHECKPOINT.text())


def test_one_bad_line_of_a_listed_key_rejects_the_checkpoint() -> None:
    good = MIRROR_PQ.cosign(CHECKPOINT, AT)
    bad = SignatureLine(good.name, good.key_id, good.signature[:-1] + b"\0")
    note = Note(CHECKPOINT.text(), (LOG.sign(CHECKPOINT.text()), bad))
    policy = from_keys([LOG_VKEY], {"m": MIRROR_PQ.vkey()}, 1)
    with pytest.raises(SignatureError, match=r"cosign\.bad_signature"):
        policy.verify(note.encode())


def test_the_time_reported_is_of_the_line_that_was_verified() -> None:
    lines = (
        LOG.sign(CHECKPOINT.text()),
        Ed25519Cosigner("else.example/mirror", seed(9)).cosign(CHECKPOINT, AT + 9),
        MIRROR_PQ.cosign(CHECKPOINT, AT + 1),
        MIRROR_PQ.cosign(CHECKPOINT, AT + 2),
    )
    policy = from_keys([LOG_VKEY], {"m": MIRROR_PQ.vkey()}, 1)
    verified = policy.verify(Note(CHECKPOINT.text(), lines).encode())
    assert verified.cosigned_at == {"m": AT + 1}


ONE, TWO = COSIGNERS["X1"].vkey(), COSIGNERS["X2"].vkey()
SAME_KEY = Ed25519Cosigner("else.example/w", seed(20)).vkey()
W = f"witness a {ONE}\nwitness b {TWO}\n"
BAD = {
    "nothing": ("", "one_quorum"),
    "no quorum": (W, "one_quorum"),
    "two quorums": ("quorum none\nquorum none\n", "one_quorum"),
    "no last newline": ("quorum none", "not_text"),
    "a carriage return": ("quorum none\r\n", "not_text"),
    "a delete character": ("# \x7f\nquorum none\n", "not_text"),
    "an unknown word": ("quorums none\n", "line"),
    "a word too many": ("quorum none none\n", "line"),
    "a log without a key": ("log\nquorum none\n", "line"),
    "a group of nobody": (W + "group g 1\nquorum g\n", "line"),
    "a quorum not yet defined": (f"quorum a\n{W}", "undefined"),
    "a member not defined": (W + "group g 1 c\nquorum g\n", "undefined"),
    "none as a member": (W + "group g 1 none\nquorum g\n", "undefined"),
    "none as a name": (f"witness none {ONE}\nquorum none\n", "name"),
    "a name twice": (f"witness a {ONE}\nwitness a {TWO}\nquorum a\n", "name"),
    "a group named as a witness": (W + "group a 1 b\nquorum a\n", "name"),
    "a member twice": (W + "group g 2 a a\nquorum g\n", "member"),
    "a member of two groups": (W + "group g 1 a\ngroup h 1 a\nquorum g\n", "member"),
    "a threshold of zero": (W + "group g 0 a b\nquorum g\n", "threshold"),
    "a threshold above the members": (W + "group g 3 a b\nquorum g\n", "threshold"),
    "a threshold with a zero before": (W + "group g 01 a b\nquorum g\n", "threshold"),
    "a threshold in words": (W + "group g one a b\nquorum g\n", "threshold"),
    "one key under two names": (f"witness a {ONE}\nwitness b {SAME_KEY}\nquorum a\n", "same_key"),
    "one log twice": (f"log {LOG_VKEY}\nlog {LOG_VKEY}\nquorum none\n", "same_key"),
    "a cosigner's key as a log": (f"log {ONE}\nquorum none\n", "key_type"),
    "a log's key as a cosigner": (f"witness a {LOG_VKEY}\nquorum a\n", "key_type"),
    "too many bytes": ("#" * 600_000 + "\n", "too_long"),
}


@pytest.mark.parametrize(("text", "code"), BAD.values(), ids=BAD.keys())
def test_a_file_that_is_no_policy_is_refused(text: str, code: str) -> None:
    with pytest.raises(MalformedError) as caught:
        parse_policy(text.encode())
    assert caught.value.code == f"policy.{code}"


def test_a_group_cannot_contain_itself() -> None:
    with pytest.raises(MalformedError, match=r"policy\.undefined"):
        parse_policy(f"{W}group g 1 g a\nquorum g\n".encode())


def _many(count: int) -> Policy:
    vkeys = [Ed25519Cosigner("w.example", bytes([n]) * 32).vkey() for n in range(count)]
    return from_keys([], {f"w{n}": vkey for n, vkey in enumerate(vkeys)}, count)


def test_sixty_four_witnesses_are_read_and_no_more() -> None:
    assert len(_many(64).witnesses) == 64
    with pytest.raises(MalformedError, match=r"policy\.too_many"):
        _many(65)


def test_a_0x06_key_may_be_both_the_logs_and_a_cosigner_that_must_agree() -> None:
    """How a policy demands the log's own post-quantum line beside a mirror's."""
    both = {"log-pq": LOG_PQ.vkey(), "mirror": MIRROR_PQ.vkey()}
    policy = from_keys([LOG_VKEY], both, 2)
    assert policy.verify(signed(CHECKPOINT)).cosigned_at == {"log-pq": AT, "mirror": AT}
    with pytest.raises(QuorumError):
        policy.verify(signed(CHECKPOINT, [MIRROR_PQ]))
    assert isinstance(LOG_PQ, MlDsa44Cosigner)
    assert LOG_PQ.name == ORIGIN
