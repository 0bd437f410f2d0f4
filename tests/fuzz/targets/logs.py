"""The log formats: notes, checkpoints, proofs, policies, tiles, and proofs of two histories."""

from __future__ import annotations

import base64
from typing import Final

from tests.fuzz.targets.encodings import NOT_DECIMAL
from tests.fuzz.targets.seeds import (
    DASH,
    LOG_VKEY,
    MIRROR_VKEY,
    ORIGIN,
    VKEYS,
    charters,
    checkpoint,
    checkpoint_over,
    proofs,
    some,
    splits,
    vkey,
)
from tests.fuzz.targets.table import BOM, Broken, Target, back, each, text

from convenio.core.checkpoint import Checkpoint, parse_checkpoint_text, parse_signed_checkpoint
from convenio.core.cosign import verifier_of
from convenio.core.merkle import RightEdge, format_hashes, parse_hashes
from convenio.core.note import Note, format_vkey, parse_note, parse_signature_lines, parse_vkey
from convenio.core.policy import from_keys, parse_policy
from convenio.core.proof import Proof, parse_proof
from convenio.core.split import SplitProof, parse_split, parse_split_data
from convenio.core.tiles import (
    format_bundle,
    parse_bundle,
    parse_tile_path,
    split_tile,
    tile_path,
)

# The tables: as many to a line as fit.
# fmt: off

ROOT: Final = b"A" * 43 + b"=\n"
LINE: Final = DASH + b"o AAAAAAA=\n"
# No space of any script may stand in a key's name, nor what ends a line somewhere.
NOT_A_NAME: Final = (
    *(b"", b"o+p", b"o\tp", "o\u00a0".encode(), "o\u2028".encode()),
    *("o\u3000p".encode(), "\u0085".encode(), "o\u1680".encode(), "\u2003o".encode()),
)


def notes() -> Broken:
    good = b"text\n\n" + LINE
    return {
        "note.no_signature": (
            *(b"", b"\n", b"\n\n", b"text\n", b"text\n\n", b"text\n" + LINE, b"text" + LINE, LINE),
            *(good + b"\n", good + b"\n\n", good[:-1], b"text\n\n\n", b"text\n\n-- o AAAAAAA=\n"),
            *(b"text\n\n " + LINE, b"text\n\n" + LINE[:-2], b"text\n\n" + BOM + LINE),
        ),
        "note.not_text": (
            *(good.replace(b"\n", b"\r\n"), good.replace(b"text", b"te\txt"), good + b"\0"),
            *each(
                good, b"text", b"\0", b"\x1b[0m", b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xe2\x80"
            ),
            good.replace(DASH, b"\xe2\x80\x94\x00"),
        ),
        "note.signature_line": (
            *(good + b"more\n", good + b" " + LINE, good + LINE[:-1] + b" \n", good + DASH + b"\n"),
            *each(
                good, b"AAAAAAA=", b"", b"AAAAAA==", b"AAAAAAA", b"AAAAAAB=", b"AAAA AAA=",
                b"AAA-AAA=",
            ),
            *each(good, b"o AAAA", b"oAAAA", b"o  AAAA", b"o\nAAAA"), b"text\n\n" + LINE * 65,
        ),
        "note.key_name": tuple(
            b"text\n\n" + DASH + name + b" AAAAAAA=\n" for name in NOT_A_NAME if b"\t" not in name
        ),
        "note.too_long": (b"x" * (1 << 17) + good,),
    }


def signature_lines() -> Broken:
    return {
        "note.signature_line": (
            *(
                b"", b"\n", LINE[:-1], LINE + b"\n", LINE * 65, BOM + LINE, b" " + LINE,
                b"\n" + LINE,
            ),
            *(
                "— o AAAAAA==\n".encode(), "— o AAAAAAA=".encode(), b"o AAAAAAA=\n",
                "—o AAAAAAA=\n".encode(),
            ),
            *(
                "— o  AAAAAAA=\n".encode(), "– o AAAAAAA=\n".encode(),
                "—\u00a0o AAAAAAA=\n".encode(),
            ),
            *each(LINE, b"AAAAAAA=", b"AAAAAAA", b"AAAAAAB=", b"AAAAAAA=\nx"),
        ),
        "note.not_text": (LINE.replace(b"\n", b"\r\n"), LINE + b"\0", LINE + b"\xff\n"),
        "note.key_name": tuple(
            DASH + name + b" AAAAAAA=\n" for name in NOT_A_NAME if b"\t" not in name
        ),
        "note.too_long": (LINE * 5000,),
    }


def vkeys() -> Broken:
    name, ident, blob = LOG_VKEY.split(b"+", 2)
    return {
        "note.vkey": (
            *(
                b"", b"+", b"++", name, name + b"+" + ident, LOG_VKEY[:-1], LOG_VKEY + b"=",
                LOG_VKEY + b"\n",
            ),
            *(LOG_VKEY + b"\0", LOG_VKEY + b"+", name + b"+" + ident.upper() + b"+" + blob),
            *(name + b"+" + ident[1:] + b"+" + blob, name + b"+00000000+" + blob, b"x" + LOG_VKEY),
            *(name + b"+" + ident + b"+" + blob + b"A", vkey("o", 1, b"")),
            *(name + b"+" + "０".encode() * 8 + b"+" + blob, name + b"+" + ident + b"+\xff" + blob),
            *(LOG_VKEY.replace(b"+", b" "), LOG_VKEY.replace(b"mx", b"MX"), BOM + LOG_VKEY),
        ),
        "note.key_name": (
            *(vkey(n, 1, bytes(32)) for n in ("", "a b", "a\u00a0b", "a\n", "a\x01")),
            b"\xff" + LOG_VKEY,
        ),
        "note.public_key": (vkey("o", 1, bytes(31)), vkey("o", 1, bytes(33))),
        "cosign.public_key": (
            vkey("o", 4, bytes(31)), vkey("o", 4, bytes(33)), vkey("o", 6, bytes(1311)),
        ),
        "cosign.key_type": tuple(vkey("o", kind, bytes(32)) for kind in (0, 2, 3, 5, 7, 255)),
    }


def checkpoints() -> Broken:
    good = b"o\n1\n" + ROOT
    return {
        "checkpoint.lines": (b"", b"\n", b"o\n1\n", b"o\n", good[:-1], b"1\n" + ROOT),
        "checkpoint.size": tuple(
            b"o\n" + size + b"\n" + ROOT
            for size in NOT_DECIMAL
            if b"\n" not in size and size != b"\xb2"
        ),
        "checkpoint.root": (
            *each(
                good, ROOT, b"\n", b"AAAA\n", b"A" * 44 + b"\n", b"A" * 42 + b"B=\n",
                b"A" * 43 + b"\n",
            ),
            *each(
                good, ROOT, b" " + ROOT, b"A" * 86 + b"==\n", ROOT[:-1] + b"\r\n", b"0" * 64 + b"\n"
            ),
        ),
        "checkpoint.origin": (
            b"\n1\n" + ROOT, b"o" * 256 + b"\n1\n" + ROOT, b"\x1fo\n1\n" + ROOT, b"o\0\n1\n" + ROOT,
        ),
        "checkpoint.extension": (good + b"\n", good + b"a\n\nb\n", good + b"\n\n"),
        "checkpoint.not_text": (b"\xff" + good, good + b"\xed\xa0\x80\n", good + b"\xe2"),
    }


def signed_checkpoints() -> Broken:
    good = checkpoint()
    size = b"\n3\n"
    return {
        "note.no_signature": (b"", good[:-1], good.partition(b"\n\n")[0] + b"\n", good + b"\n"),
        "note.not_text": (
            good.replace(b"\n", b"\r\n"), good + b"\0", good[:200] + b"\xff" + good[200:],
        ),
        "note.signature_line": (good + b"x\n", good.replace(b"=\n", b"\n")),
        "checkpoint.size": each(
            good, size, b"\n03\n", b"\n-3\n", b"\n3 \n", b"\n9223372036854775808\n",
            "\n３\n".encode(),
        ),
        "checkpoint.origin": each(good, ORIGIN.encode(), b"", b"o" * 256),
        # A 0x06 cosignature does not cover them, so that our own logs have none.
        "checkpoint.extension": each(good, b"=\n\n", b"=\nmore\n\n"),
        "checkpoint.lines": (b"o\n1\n\n" + LINE,),
        "note.too_long": (good + LINE * 10_000,),
    }


def tlog_proofs() -> Broken:
    good, plain = proofs()
    first, index, hash_ = b"c2sp.org/tlog-proof@v1\n", b"index 1\n", plain.split(b"\n")[2] + b"\n"
    return {
        "proof.first_line": (
            b"", first[:-1], BOM + good, b"\n" + good, good.replace(b"@v1", b"@v2"), good[1:],
            good.replace(b"\n", b"\r\n"),
        ),
        "proof.no_checkpoint": (
            first, first + index, first + index + hash_, good.partition(b"\n\n")[0] + b"\n",
        ),
        "proof.index": (
            *each(
                good, index, b"", b"index 01\n", b"index -1\n", b"index\n", b"index 1 \n",
                b"index  1\n", b"Index 1\n",
            ),
            *each(
                good, index, b"index 9223372036854775808\n",
                b"index 1\n".replace(b"1", "１".encode()), b"index 0x1\n", hash_,
            ),
        ),
        "proof.extra": each(
            plain, first, first + b"extra \n", first + b"extra !\n", first + b"extra AB==\n",
            first + b"extra " + base64.b64encode(bytes((1 << 16) + 1)) + b"\n",
        ),
        "proof.hash": (
            *each(
                plain, hash_, b"AAAA\n", hash_[:-2] + b"\n", b" " + hash_, hash_ * 64,
                hash_.lower(), index + hash_,
            ),
        ),
        "note.no_signature": (
            plain[:-1], plain + b"\n",
            plain.replace(b"\n\n", b"\n\n\n", 1)[: plain.index(b"\n\n") + 3],
        ),
        "note.not_text": (good + b"\0", good + b"\xff\n"),
        "proof.too_long": (good + bytes(1 << 19),),
    }


def policies() -> Broken:
    log, witness = b"log " + LOG_VKEY + b"\n", b"witness w " + MIRROR_VKEY + b"\n"
    other = vkey("w2", 4, bytes(range(32)))
    two = witness + b"witness x " + other + b"\n"
    end = b"quorum none\n"
    return {
        "policy.one_quorum": (b"", b"\n", b"# quorum none\n", log, log + end + end),
        "policy.not_text": (
            *(
                (log + end)[:-1], (log + end).replace(b"\n", b"\r\n"), log + end + b"\0",
                b"\x0b" + log + end,
            ),
            *(log + b"# \x1b[2J\n" + end, log + b"#\x7f\n" + end, b"quorum none\n\x0c"),
        ),
        "policy.line": (
            *(
                b"Log " + LOG_VKEY + b"\n" + end, b"log\n" + end, log[:-1] + b" a b\n" + end,
                b"quorum\n",
            ),
            *(
                b"quorum none none\n", b"group g 1\n" + end, b"witness w\n" + end, b"x\n" + end,
                BOM + log + end,
            ),
            *(
                "log\u00a0".encode() + LOG_VKEY + b"\n" + end, b"none\n",
                witness[:-1] + b" a b\n" + end, b"log \xff\n"[3:] + end,
            ),
        ),
        "policy.undefined": (
            b"quorum w\n", b"quorum w\n" + witness, b"group g 1 w\n" + witness + end,
            b"group g 1 g\n" + end, b"quorum NONE\n", b"group g 1 none\n" + end,
        ),
        "policy.name": (
            witness * 2 + end, witness.replace(b" w ", b" none ") + end,
            witness + b"group w 1 w\n" + end,
        ),
        "policy.member": (
            witness + b"group g 1 w w\n" + end, witness + b"group g 1 w\ngroup h 1 w\n" + end,
        ),
        "policy.threshold": tuple(
            two + b"group g " + number + b" w x\nquorum g\n"
            for number in (
                b"0", b"3", b"01", b"-1", b"+1", b"1.0", b"1_0", b"9" * 5000, b"ANY", "１".encode(),
                b"\xff",
            )
        ),
        "policy.same_key": (log + log + end, witness + witness.replace(b" w ", b" v ") + end),
        "policy.key_type": (
            witness.replace(MIRROR_VKEY, LOG_VKEY) + end, log.replace(LOG_VKEY, MIRROR_VKEY) + end,
        ),
        "policy.too_many": (
            b"".join(b"log " + vkey("o", 1, bytes([n]) * 32) + b"\n" for n in range(65)) + end,
        ),
        "note.vkey": (b"log x\n" + end, log.replace(b"+", b"++", 1) + end, b"log \xff\n" + end),
        "cosign.key_type": (b"log " + vkey("o", 2, bytes(32)) + b"\n" + end,),
        "policy.too_long": (b"#" * (1 << 19) + b"\n" + end,),
    }


def tile_paths() -> Broken:
    return {
        "tiles.path": (
            *(
                b"", b"/", b"tile", b"tile/0", b"tile/0/", b"tile//000", b"tile/0/000/",
                b"/tile/0/000",
            ),
            *(
                b"tile/0/000\n", b"tile/0/000\0", b" tile/0/000", BOM + b"tile/0/000",
                b"tile/0/000?", b"tile/0/000.p",
            ),
            *(
                b"tile/00/000", b"tile/-1/000", b"tile/+1/000", b"tile/64/000", b"tile/100/000",
                b"tile/0x1/000",
            ),
            *(
                b"tile/0/0", b"tile/0/00", b"tile/0/0000", b"tile/0/1000", b"tile/0/x000/000",
                b"tile/0/001/234",
            ),
            *(
                b"tile/0/X001/000", b"tile/0/x1/000", b"tile/0/x001/x000", b"tile/0/x001x000",
                b"tile/0/x001//000",
            ),
            *(
                b"tile/0/000.p/0", b"tile/0/000.p/01", b"tile/0/000.p/256", b"tile/0/000.p/-1",
                b"tile/0/000.p/1/",
            ),
            *(
                b"tile/0/../000", b"tile/0/./000", b"tile/../tile/0/000", b"tile/0/%30%30%30",
                b"tile\\0\\000",
            ),
            *(b"tile/ENTRIES/000", b"tile/entries/0", b"tile/data/000", b"tile/entries/x000/000"),
            *("tile/0/０００".encode(), "tile/٠/000".encode(), b"tile/0/000\xff"),
            b"tile/0/" + b"x999/" * 9 + b"999",
        )
    }


def bundles_of_entries() -> Broken:
    good = format_bundle([b"one", b"", b"three"])
    return {
        "tiles.bundle": (
            *(
                b"", b"\0", b"\0\1a", b"\0\0" * 2, b"\0\0" * 4, b"\xff\xff" * 3, good[:-1],
                good + b"\0", good[1:],
            ),
            *(
                b"\0" + good, BOM + good, good * 2, each(good, b"\0\3", b"\3\0")[0],
                good[:6] + b"\xff\xff",
            ),
            *each(good, b"\0\5", b"\0\4", b"\0\6"), bytes(1 << 17),
        )
    }


def tiles() -> Broken:
    return {"tiles.length": (b"", bytes(32), bytes(95), bytes(97), bytes(128), b"0" * 192)}


def edges() -> Broken:
    three = RightEdge().extend([bytes(32)] * 3).encode()
    return {
        "merkle.edge": (
            *(b"\0" * 7 + b"\1", three[:-1], three + b"\0", three[8:], b"\xff" * 8),
            *(
                b"\xff" * 8 + bytes(32 * 64), bytes(8) + bytes(32), b"\0", b"\0" * 7,
                b"\xff" * 8 + bytes(32 * 63),
            ),
            *(b"", b"\x80" + bytes(7) + bytes(32)),
        )
    }


def hashes() -> Broken:
    good = format_hashes([bytes(32)])
    return {
        "note.vkey": (
            *(
                b"\n", good + b"\n", b" " + good, good.replace(b"=", b""),
                good.replace(b"=", b"=\r"), good * 64,
            ),
            *(
                b"AAAA\n", b"A" * 42 + b"B=\n", good.replace(b"\n", b" \n"), BOM + good,
                b"0" * 64 + b"\n",
            ),
            "Ａ".encode() * 43 + b"=\n",
        )
    }


def split_proofs() -> Broken:
    (good,) = splits()
    hash_ = b'"' + b"A" * 43 + b'="'
    return {
        "canon.not_json": (
            b"", b"\n", good[:-2], BOM + good, good + b"\0", good[1:], good.replace(b"\\n", b"\n"),
        ),
        "canon.not_canonical": (
            b" " + good, good.replace(b":", b": "), good.replace(b"\n", b"\r\n"), good + b"\n",
            *each(good, b'"v":1', b'"v":1,"v":1', b'"V":1'),
        ),
        "canon.profile": (b"[]\n", b"null\n", *each(good, b'"v":1', b'"v":1.0', b'"v":null')),
        "split.format": (
            *(good[:-1], b"{}\n"),
            *each(good, b'"v":1', b'"v":2', b'"v":true', b'"v":"1"', b'"v":1,"x":1'),
            *each(good, b'"split"', b'"Split"', b"1", b'["split"]'),
            *each(
                good, hash_, b"1", b'""', b'"AAAA"', b'"' + b"A" * 42 + b'B="',
                b'"' + b"A" * 43 + b'"', b'["x"]', '"é"'.encode(),
            ),
        ),
        "canon.too_long": (good.replace(b'"smaller":"', b'"smaller":"' + b"x" * (1 << 16)),),
    }


def split_data() -> Broken:
    good = base64.b64encode(splits()[0])
    return {
        "split.format": (
            *(
                good[:-1], good + b"=", good + b"\n", b" " + good, good.replace(b"+", b"-") + b"_",
                "é".encode(),
            ),
            *(base64.b64encode(splits()[0][:-1]), b"A", b"\xa0" + good),
        ),
        "canon.not_canonical": (
            base64.b64encode(splits()[0] + b"\n"), base64.b64encode(b" " + splits()[0]),
        ),
        "canon.not_json": (
            b"", b"AAAA", base64.b64encode(splits()[0] + b"\0"), base64.b64encode(good),
        ),
    }


# fmt: on
TARGETS: Final = (
    Target(
        "note",
        ("core.note.parse_note",),
        lambda: [checkpoint(), some()[0], *charters()],
        lambda data: parse_note(data, 1 << 17),
        Note.encode,
        broken=notes,
    ),
    Target(
        "signature lines",
        ("core.note.parse_signature_lines",),
        lambda: [checkpoint().partition(b"\n\n")[2]],
        lambda data: parse_signature_lines(data, 1 << 16),
        lambda found: b"".join(line.encode() for line in found),
        broken=signature_lines,
    ),
    Target(
        "vkey",
        ("core.note.parse_vkey", "core.cosign.verifier_of"),
        lambda: [vkey.encode() for vkey in VKEYS],
        lambda data: (parse_vkey(text(data)), verifier_of(text(data)))[0],
        lambda key: back(format_vkey(*key)),
        broken=vkeys,
    ),
    Target(
        "checkpoint",
        ("core.checkpoint.parse_checkpoint_text",),
        lambda: [Checkpoint("o", 5, bytes(32)).text(), checkpoint_over(some()).text() + b"more\n"],
        lambda data: parse_checkpoint_text(data, allow_extensions=True),
        Checkpoint.text,
        broken=checkpoints,
    ),
    Target(
        "signed checkpoint",
        ("core.checkpoint.parse_signed_checkpoint",),
        lambda: [checkpoint()],
        parse_signed_checkpoint,
        lambda pair: pair[1].encode(),
        broken=signed_checkpoints,
    ),
    Target(
        "proof",
        ("core.proof.parse_proof",),
        lambda: [*proofs()],
        parse_proof,
        Proof.encode,
        broken=tlog_proofs,
    ),
    Target(
        "policy",
        ("core.policy.parse_policy",),
        lambda: [
            from_keys(VKEYS[:1], {"us": VKEYS[1]}, 1).format(),
            b"# a remark\n\nlog " + LOG_VKEY + b" http://x\nquorum none\n",
        ],
        lambda data: parse_policy(parse_policy(data).format()),
        broken=policies,
    ),
    Target(
        "tile path",
        ("core.tiles.parse_tile_path",),
        lambda: [b"tile/entries/x001/234.p/56", b"tile/0/000"],
        lambda data: parse_tile_path(text(data)),
        lambda found: tile_path(*found).encode(),
        broken=tile_paths,
    ),
    Target(
        "bundle of entries",
        ("core.tiles.parse_bundle",),
        lambda: [format_bundle([b"one", b"", b"three"]), format_bundle(some())],
        lambda data: parse_bundle(data, 3),
        format_bundle,
        broken=bundles_of_entries,
    ),
    Target(
        "tile",
        ("core.tiles.split_tile",),
        lambda: [bytes(96)],
        lambda data: split_tile(data, 3),
        b"".join,
        broken=tiles,
    ),
    Target(
        "edge",
        ("core.merkle.RightEdge.decode",),
        lambda: [RightEdge().extend([bytes(32)] * n).encode() for n in (0, 3, 300)],
        RightEdge.decode,
        RightEdge.encode,
        broken=edges,
    ),
    Target(
        "hashes of a proof",
        ("core.merkle.parse_hashes",),
        lambda: [format_hashes([bytes(32)] * 3)],
        lambda data: parse_hashes(data.split(b"\n")[:-1], "note.vkey"),
        broken=hashes,
    ),
    Target(
        "split-view proof",
        ("core.split.parse_split",),
        lambda: [*splits()],
        parse_split,
        SplitProof.encode,
        broken=split_proofs,
    ),
    Target(
        "split-view proof in a record",
        ("core.split.parse_split_data",),
        lambda: [base64.b64encode(each) for each in splits()],
        # What else is no ASCII has been refused with the record.
        lambda data: parse_split_data({"of": "mx", "proof": data.decode("latin-1")}),
        lambda proof: base64.b64encode(proof.encode()),
        broken=split_data,
    ),
)
