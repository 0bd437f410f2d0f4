"""What was kept and what to do, after an error.

It is the same for most errors of one class, so it is written once per class here; a code with
better advice has its own. The English is the key of the Spanish in the catalogue.
"""

from __future__ import annotations

from typing import Final

from convenio.core.errors import (
    ConflictError,
    ConvenioError,
    MalformedError,
    QuorumError,
    RefusedError,
    SplitViewError,
    UnavailableError,
    UnverifiedError,
)


def advice_for(error: ConvenioError) -> str:
    """What follows from this error, as a message id for the catalogue."""
    if error.code in ADVICE:
        return ADVICE[error.code]
    kind = next(kind for kind in type(error).__mro__ if kind in ADVICE_BY_CLASS)
    return ADVICE_BY_CLASS[kind]


def every_advice() -> list[str]:
    """All message ids of this table."""
    return [*ADVICE.values(), *ADVICE_BY_CLASS.values()]


ADVICE_BY_CLASS: Final[dict[type, str]] = {
    MalformedError: "Nothing was taken from it and nothing changed here. "
    "Ask whoever made it for an intact copy.",
    UnverifiedError: "It was not accepted and nothing changed here. "
    "Do not rely on it until its sender has explained it.",
    QuorumError: "It was not accepted and nothing changed here. "
    "Collect the signatures that are missing, then try again.",
    SplitViewError: "Both signed versions are kept as evidence. "
    "Stop relying on that party's log and call them by voice.",
    ConflictError: "What was there before is kept as it was. "
    "Look at the present state, then try again.",
    RefusedError: "It was not done, and nothing changed.",
    UnavailableError: "Everything accepted until now is kept. Try again later.",
    ConvenioError: "Nothing accepted until now is lost. "
    "Report the code to whoever keeps this node.",
}

# What was kept and what to do, where the class of the error does not say it well.
_ADVICE_FOR: Final[dict[str, tuple[str, ...]]] = {
    "It stays sealed. Ask its sender to seal it to your desk as well.": (
        "age.no_identity",
        "decide.not_a_recipient",
    ),
    "Nothing was opened and nothing changed. Type it again.": (
        "age.passphrase",
        "age.wrong_passphrase",
    ),
    "It stays sealed. Ask for a file made with the usual setting.": ("age.work_factor",),
    "The lines before it are said; nothing from it on. Correct it and give the "
    "whole batch again.": ("batch.line",),
    "Nothing is lost. Give “./run bench” in the source directory.": ("bench.absent",),
    "Nothing changed. “convenio instrument list” shows those there are.": ("instrument.not_yaml",),
    "Its record and proof are kept. It may still come; the log of this node says what it lacks.": (
        "blob.absent",
    ),
    "Nothing is lost. The sending node goes on from there by itself.": (
        "blob.offset",
        "feed.unsteady",
        "mirror.moved",
        "mirror.not_there",
    ),
    "Nothing was written. Correct the command and give it again.": (
        "bundle.nothing",
        "bundle.other_channel",
        "bundle.too_many",
        "disclose.code",
        "disclose.reason",
    ),
    "Its content may be sound, but it was not accepted. Ask for the file as it was first made.": (
        "bundle.repacked",
    ),
    "Nothing was accepted. Type all 60 digits, in quotation marks or without spaces.": (
        "trust.fingerprint",
    ),
    "Nothing was confirmed. If it was read out correctly, stop: somebody may stand between you.": (
        "channel.fingerprint",
    ),
    "Nothing was signed. Give the root key files of this party, as many as it requires.": (
        "channel.foreign_root",
        "channel.roots",
    ),
    "Both histories are kept as evidence and can be shown. Agree by voice on a new channel.": (
        "channel.frozen",
    ),
    "Nothing was sent. Have each party accept the charter, then compare the fingerprint.": (
        "channel.incomplete",
    ),
    "Nothing was signed. Ask for a charter made from the card this node gives.": (
        "channel.not_ours",
        "channel.other_card",
    ),
    "Nothing was signed, kept or confirmed. Somebody may have exchanged the keys: call a person "
    "you know at that party, on a number you had before. Only if they say so, give “--other-roots” "
    "with its name.": ("channel.other_roots",),
    "Nothing was signed. Give one card of each other party; your own goes into the charter by "
    "itself.": ("channel.card_twice", "channel.own_card"),
    "Nothing was signed or kept, and the other channel stays as it is. It takes another name.": (
        "channel.name_taken",
    ),
    "Nothing changed: it is reached where its card says.": ("channel.no_route",),
    "Nothing was sent. Compare the fingerprint by voice, then give “channel confirm”.": (
        "channel.unconfirmed",
    ),
    "It was not done, and nothing changed. Look at what there is with “channel show” and “log”.": (
        "decide.no_such_body",
        "decide.unknown_recipient",
        "seal.part",
    ),
    "It was not done, and nothing changed. Type it as it is listed; a desk is named with its "
    "party, as in us:liaison.": ("trust.not_a_member",),
    "It was not done, and nothing changed. Type it as it is listed.": (
        "channel.unknown",
        "people.unknown",
        "trust.unknown_desk",
    ),
    "Nothing was signed, for a wrong date cannot be taken back. Set the clock "
    "right; the node goes on by itself.": ("clock.backwards",),
    "Nothing changed. Program and node must be of the same version; report this if they are.": (
        "command.argument",
        "command.unknown",
        "control.fault",
        "control.request",
    ),
    "Nothing was started and nothing changed. Correct the settings file of the node.": (
        "config.bad_value",
        "config.toml",
        "config.unknown_key",
    ),
    "Nothing was made there. Check the directory, or make a node with “convenio init”.": (
        "config.no_node",
    ),
    "Nothing was begun, and what was said before is delivered all the same. Try again later.": (
        "control.busy",
    ),
    "Start the node and give the same command again: nothing is said twice.": ("control.lost",),
    "Nothing is lost. Start it with “convenio serve”.": ("control.no_node",),
    "It was not done, and nothing changed. A keeper of this node can change who may do what.": (
        "decide.disabled",
        "decide.role",
    ),
    "It was not done, and nothing changed. Make somebody else a keeper first.": (
        "people.last_keeper",
    ),
    "Nothing was shown and nothing changed. “log” shows the records and their names.": (
        "decide.no_record",
    ),
    "Nothing was sent and nothing changed. Name a desk where this person sits, or "
    "another person.": ("decide.not_your_desk",),
    "It was not done, and nothing changed. Say who is acting with “--as”.": ("decide.stranger",),
    "Its log, {log}, says why.": ("demo.no_start",),
    "What it had accepted is kept. Start the demo again in the same directory to go on.": (
        "demo.node_ended",
    ),
    "Nothing changed. Check its name, the disk, and who may read and write there.": ("file.io",),
    "It stays as it is: the node may need it. Give another name, outside that directory.": (
        "file.of_a_node",
    ),
    "It is kept and was sent, but it is not a receipt. Ask the partner to look at its node.": (
        "feed.no_cosignature",
    ),
    "Sign nothing more with this node. Its data are older than what it has said; "
    "see how to restore a node.": ("compare.own_ahead", "feed.partner_ahead"),
    "It is kept and countersigned as received, but it changes nothing. Its author "
    "can say it again, properly.": (
        "fold.again",
        "fold.at",
        "fold.author",
        "fold.ch",
        "fold.from",
        "fold.gen",
        "fold.seen",
        "fold.signature",
        "fold.split",
    ),
    "Nothing was judged and nothing is lost. Bring this program up to date.": (
        "fold.version",
        "instrument.unknown",
    ),
    "Nothing is lost, and it is asked again by itself. Set both clocks right.": (
        "feed.time_differs",
    ),
    "Nothing is lost. Compare the clocks of both nodes and the keys in the charter.": (
        "http.expired",
        "http.too_early",
        "peer.stranger",
    ),
    "It was not done. Give an address that begins with https.": (
        "http.url",
        "peer.plain_http",
    ),
    "Nothing was sent to it. Call the partner by voice before you do anything else.": (
        "http.wrong_key",
        "peer.tls",
        "peer.tls_pin",
        "peer.unsigned",
    ),
    "Nothing was touched. Choose an empty directory.": ("init.exists",),
    "The node did not start and nothing changed. Put back the key file that was made with it.": (
        "keys.other_node",
    ),
    "Everything accepted until now is kept. Look at the node's log, then start it again.": (
        "node.failed",
        "node.pages",
    ),
    "Everything accepted until now is kept. Look at the node's log and report the code.": (
        "node.fault",
    ),
    "The node did not start and nothing changed. Put the file back, or see who may read it.": (
        "node.incomplete",
    ),
    "The node did not start and nothing changed. Copy the whole directory away as it is, then put "
    "the file back from the newest backup. What partners have countersigned, they still hold.": (
        "node.damaged",
    ),
    "Nothing changed. Use the node that runs, or stop it first.": ("node.running",),
    "Everything accepted until now is kept. Give the command again when the node is running.": (
        "node.stopping",
    ),
    "It may be genuine, but nobody you trust vouches for it. Give the keys you "
    "trust with “--trust”.": (
        "note.no_known_key",
        "policy.no_log",
        "verify.no_keys",
    ),
    "It stays sealed. Open it with “convenio open”.": ("open.sealed",),
    "Nothing was opened. Save it to a file with “-o FILE”.": ("open.too_large",),
    "Nothing was kept of the file. Send it again in a minute.": ("pages.busy",),
    "Nothing was opened and nothing changed. Name a file with one line of text.": (
        "passphrase.file",
    ),
    "Nothing was made. Choose a longer one: some words that do not belong together are easy to "
    "remember, and no signs or digits are asked for.": ("passphrase.short",),
    "What you said is kept and is sent by itself as soon as the partner answers.": (
        "peer.closed",
        "peer.connect",
        "peer.resolve",
        "peer.status",
        "peer.timeout",
    ),
    "Nothing changed. Choose another and try again.": (
        "people.exists",
        "people.name",
        "people.role",
    ),
    "Nothing changed. Give it a port for pages in its settings file and start it again.": (
        "people.no_pages",
    ),
    "It is not a receipt yet. Wait for the partner's countersignature and try again.": (
        "policy.quorum",
    ),
    "What came before is kept. It goes on tomorrow, or after both parties have "
    "changed the charter.": ("quota.exceeded",),
    "It was said and is kept, but it is not a receipt. Try again when the partner "
    "has countersigned.": (
        "receipt.not_published",
        "receipt.not_yet",
        "verify.no_receipt",
        "verify.not_cosigned",
    ),
    "Nothing was written. Say whose receipt with “--party”.": ("receipt.which_party",),
    "Nothing changed. “log” shows the records and their names.": (
        "record.ambiguous",
        "record.name",
        "record.unknown",
    ),
    "What was said first stays. Give the new record another id.": ("record.id_taken",),
    "Nothing was stored. Put what is long into the body, not into the record.": (
        "record.too_long",
        "tiles.entry_too_long",
    ),
    "Nothing was sent and nothing changed. Give another type.": ("say.automatic", "say.type"),
    "It is said and kept, and is delivered as soon as the partner answers; “log” shows when.": (
        "say.no_receipt",
    ),
    "Nothing was sent and nothing changed. Leave the time limit out and write it into the text, or "
    "say with “--instrument” or “--case” what the record belongs to.": ("say.no_clock",),
    "Nothing was sent and nothing changed. Say which desk, and to whom with “--to”.": (
        "say.no_recipient",
        "say.which_desk",
        "seal.readers",
    ),
    "The node did not start. Choose another port, or stop what uses this one.": ("serve.address",),
    "The node did not start and nothing changed. Check certificate, key and who may read them.": (
        "serve.failed",
        "serve.tls",
    ),
    "Nothing changed. Ask for a new link and use it.": (
        "signin.ended",
        "signin.link",
    ),
    "Nothing is shown against anybody. Both checkpoints can be of one history.": (
        "split.no_contradiction",
    ),
    "Nothing was written. Stop the node, keep the directory as it is and run “convenio doctor”.": (
        "store.absent",
        "store.corrupt",
        "store.foreign",
    ),
    "Everything accepted until now is kept. Stop the node, look at the disk, start "
    "it and run “convenio fsck”.": ("store.dead",),
    "Nothing is half stored. Make room; the node goes on by itself or when started again.": (
        "store.disk_full",
    ),
    "It is there once and stays there once; there is nothing to do.": ("store.duplicate_id",),
    "Everything accepted until now is kept. Check the disk and who may write to the directory.": (
        "store.io",
    ),
    "Nothing changed. Only one node process can work on a directory: find the other one.": (
        "store.locked",
    ),
    "Nothing was written. Use the version that made it, or upgrade as the manual says.": (
        "store.version",
    ),
    "Nothing was concluded and nothing changed here. “convenio verify” checks it under its own "
    "charter.": ("compare.unknown_log",),
    "Nothing was concluded. It ends in /log/ or /mirror/ and 64 digits 0 to 9 and a to f.": (
        "verify.address",
    ),
    "Nothing was concluded. Check what was named.": (
        "compare.nothing",
        "verify.kind",
        "verify.unreadable",
    ),
    "Nothing was taken from it and nothing changed here. Look whether it is the right file.": (
        "trust.kind",
    ),
    "Nothing was sent and nothing changed. Write party and desk as in us:liaison.": (
        "trust.no_desk",
    ),
    "Nothing was concluded. Give the charter's fingerprint or a trust file with “--trust”.": (
        "verify.no_charter",
        "verify.trust",
    ),
    "It vouches for itself only. Do not rely on it; ask for the charter both "
    "parties have confirmed.": (
        "verify.other_charter",
        "verify.other_fingerprint",
    ),
}
ADVICE: Final = {code: advice for advice, codes in _ADVICE_FOR.items() for code in codes}
