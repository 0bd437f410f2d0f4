"""The sentence for each error code: what happened; then what was kept and what to do.

The second half is the same for most errors of one class, so it is written once per class here;
a code with better advice has its own. The English is the key of the Spanish in the catalogue.
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

_UNKNOWN: Final = "Something failed for which there are no words yet ({code})."


def sentences(error: ConvenioError) -> tuple[str, str]:
    """What happened and what follows from it, as message ids for the catalogue."""
    happened = HAPPENED.get(error.code, _UNKNOWN)
    if error.code in ADVICE:
        return happened, ADVICE[error.code]
    kind = next(kind for kind in type(error).__mro__ if kind in ADVICE_BY_CLASS)
    return happened, ADVICE_BY_CLASS[kind]


def every_sentence() -> list[str]:
    """All message ids of this table, for the catalogues."""
    return [_UNKNOWN, *HAPPENED.values(), *ADVICE.values(), *ADVICE_BY_CLASS.values()]


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

# What happened. Sorted by code; every code the source can raise is here and no other.
HAPPENED: Final[dict[str, str]] = {
    "age.armor": "The sealed file is written in text form and that text is damaged.",
    "age.header": "The head of the sealed file is damaged.",
    "age.header_mac": "The head of the sealed file was changed after sealing.",
    "age.header_too_long": "The head of the sealed file is longer than allowed.",
    "age.identity": "This is not a key that opens sealed files.",
    "age.no_identity": "None of your keys opens this sealed file.",
    "age.passphrase": "The passphrase is empty.",
    "age.passphrase_not_alone": "A file sealed with a passphrase names other readers as well.",
    "age.payload": "The sealed content is damaged.",
    "age.recipient": "This is not a key that files can be sealed to.",
    "age.recipients": "A file can be sealed to 1 to {max} desks, not to more and not to none.",
    "age.stanza": "One of the readers' lines in the sealed file is damaged.",
    "age.stanzas": "The sealed file names more than {max} readers.",
    "age.truncated": "The sealed file ends too early.",
    "age.version": "This is not a sealed file of a kind we read.",
    "age.work_factor": "Opening this file would take more work than is allowed (at most {max}).",
    "age.wrong_passphrase": "The passphrase is wrong.",
    "batch.line": "Line {line} of the batch is not understood.",
    "bench.absent": "The benchmarks come with the source and are not installed here.",
    "blob.absent": "The content is not in the store of this node.",
    "blob.beyond_total": "More bytes came than the {total} that were announced.",
    "blob.chunk_size": "One piece of an upload may have {max_bytes} bytes at most.",
    "blob.hash_differs": "The content that came is not the one that was announced.",
    "blob.name": "This is not the name of a content: 64 digits 0 to 9 and a to f.",
    "blob.not_cited": (
        "No record we hold mentions this content yet, and it is too large to take unasked."
    ),
    "blob.offset": "The upload must go on at byte {offset}.",
    "blob.shelf": "This does not name a channel and a party, so no content can be kept for them.",
    "blob.too_large": "The content is larger than {max_bytes} bytes.",
    "blob.too_many_uploads": "More than {max} uploads are unfinished.",
    "bundle.changed": "The file {name} in the bundle changed while it was read.",
    "bundle.damaged": "The file {name} in the bundle is damaged.",
    "bundle.label": "The label of a content in the bundle is damaged.",
    "bundle.name": "The bundle holds a file that bundles do not have ({name}).",
    "bundle.name_twice": "The bundle holds {name} twice.",
    "bundle.not_a_bundle": "This is not a bundle.",
    "bundle.nothing": "No record was named.",
    "bundle.other_channel": "The records are of different channels; a bundle is of one.",
    "bundle.repacked": "The bundle was packed again by another program.",
    "bundle.too_long": "The file {name} in the bundle is longer than {max_bytes} bytes.",
    "bundle.too_many": "A bundle holds {most} records at most.",
    "bundle.truncated": "The bundle ends too early.",
    "canon.not_canonical": "The line is valid JSON but not in the one form that can be signed.",
    "canon.not_json": "The line is not JSON.",
    "canon.profile": "The line holds a value that signed lines may not hold.",
    "canon.too_long": "The line is longer than {max_bytes} bytes.",
    "case.none": "The record {record} did not open a case.",
    "channel.card_twice": "Two of the cards given are of {party}.",
    "channel.fingerprint": "This is not the fingerprint of the channel {channel}.",
    "channel.foreign_root": "One of the root keys given is not a root key of {party}.",
    "channel.frozen": "The channel {channel} is frozen: a party has signed two histories.",
    "channel.incomplete": "Not all parties have signed the charter of {channel} yet.",
    "channel.name_taken": "Another channel here is already called {channel}.",
    "channel.no_route": "No other address was given here for {party} in {channel}.",
    "channel.nonce_taken": "Another channel here already uses the logs that this charter names.",
    "channel.not_ours": "The charter of {channel} does not name this node's party.",
    "channel.other_card": "The charter of {channel} holds a card of ours that is not this node's.",
    "channel.other_roots": "The charter gives {party} other root keys than {channel}, which is "
    "confirmed.",
    "channel.own_card": "One of the cards given is this node's own, of {party}.",
    "channel.roots": "Of {needed} root keys needed, {given} were given.",
    "channel.unconfirmed": (
        "The fingerprint of the channel {channel} has not been confirmed on this node."
    ),
    "channel.unknown": "This node has no channel “{channel}”. It has: {known}.",
    "checkpoint.extension": "The checkpoint has extra lines, which we do not accept.",
    "checkpoint.lines": "The checkpoint does not have its three lines.",
    "checkpoint.not_text": "The checkpoint is not text.",
    "checkpoint.origin": "The checkpoint does not name its log properly.",
    "checkpoint.other_log": "The checkpoint belongs to another log ({origin}).",
    "checkpoint.root": "The root hash in the checkpoint is damaged.",
    "checkpoint.size": "The size in the checkpoint is not a number we accept.",
    "clock.backwards": (
        "This machine's clock is {behind_s} seconds behind what has already been signed."
    ),
    "command.argument": "The argument {argument} of the command is missing or not allowed.",
    "command.unknown": "The node does not know the command {command}.",
    "compare.nothing": "There is no signed checkpoint in it to compare.",
    "compare.own_ahead": (
        "This node's own log was signed at {size} entries, and this node holds {ours}: it has lost "
        "some."
    ),
    "compare.unknown_log": "No channel of this node has the log {origin}.",
    "config.bad_value": "The setting {key} is missing or has a value that is not allowed.",
    "config.no_node": "There is no node in {directory}.",
    "config.toml": "The settings file is not valid TOML.",
    "config.unknown_key": "There is no setting called {key}.",
    "control.busy": "Too many commands that may last are running on this node already ({max}).",
    "control.fault": "The node could not make sense of the request ({kind}).",
    "control.lost": "The node went away before it answered; whether it acted is not known.",
    "control.no_node": "No node is running in this directory.",
    "control.request": "The node could not read the request.",
    "cosign.bad_signature": "A countersignature by {key} is not valid.",
    "cosign.key_type": "A countersigning key is of a kind we do not know ({type}).",
    "cosign.not_checkpoint": "{key} countersigned something that is not a checkpoint.",
    "cosign.public_key": "A countersigning key is damaged.",
    "cosign.timestamp": "A countersignature carries no usable time.",
    "decide.disabled": "This person's access has been switched off.",
    "decide.no_record": "No record of this channel was named.",
    "decide.no_such_body": "The record has no such part.",
    "decide.not_a_member": "This person's party is not a member of the channel.",
    "decide.not_a_recipient": "This content is sealed to other desks than this person's.",
    "decide.not_your_desk": "A person can only speak for a desk where they sit.",
    "decide.role": "None of this person's roles allows this.",
    "decide.stranger": "Nobody is signed in, and this is not open to everybody.",
    "decide.unknown_recipient": "A recipient is not a desk of any member of the channel.",
    "demo.no_agreement": "The two nodes did not come to the same clock for the request.",
    "demo.no_port": "There are not enough free ports on this machine.",
    "demo.no_start": "The demo's node of {party} did not start.",
    "demo.node_ended": "The demo's node of {party} ended by itself.",
    "disclose.code": "Say to whom it is shown: one of {allowed}.",
    "disclose.reason": "A reason is needed, of at most {most} characters.",
    "feed.no_cosignature": "{party} took the entries but did not countersign them.",
    "feed.partner_ahead": (
        "The partner holds {size} entries of our log and we hold {ours}: this node has lost some."
    ),
    "feed.time_differs": "{party} countersigned, but its clock and ours are too far apart for "
    "the time to count.",
    "feed.unsteady": "The partner's answers about how much it holds do not settle.",
    "file.io": "The file {file} could not be read or written.",
    "fold.again": "The record repeats one that its author has already said.",
    "fold.at": "The record is dated before one that its author said earlier.",
    "fold.author": "The record is signed for a desk that its party does not have.",
    "fold.ch": "The record was made for another channel.",
    "fold.from": "The record speaks for another party than the one whose log holds it.",
    "fold.gen": "The record belongs to another generation of the log.",
    "fold.seen": "The record claims to have seen the log of somebody who is not in the channel.",
    "fold.signature": "The record's signature is not valid.",
    "fold.split": "The record says that a party has signed two histories, and does not prove it.",
    "fold.stamp": "The countersignature quoted in the record is damaged.",
    "fold.version": (
        "The charter asks for rules of reading ({version}) that this program does not know."
    ),
    "http.bad_signature": "The request's signature by {key} is not valid.",
    "http.chunk": "The piece of the upload is empty or does not fit where it says.",
    "http.digest": "The digest of the message is missing or wrong.",
    "http.encoding": "The message is packed in a way we do not accept.",
    "http.entries": "The upload of entries is damaged.",
    "http.expired": "The request came {late_s} seconds too late.",
    "http.field": "The field {name} of the message is missing, or there twice.",
    "http.lifetime": "A request may be valid for {max_s} seconds at most.",
    "http.replayed": "A request by {key} was sent a second time.",
    "http.signature": "The signature of the message is damaged.",
    "http.signature_input": "What the message's signature covers is not what it must cover.",
    "http.target": "The address in the request is not one we accept.",
    "http.too_early": "The request is dated {ahead_s} seconds in the future: a clock is wrong.",
    "http.too_long": "The message is longer than {max_bytes} bytes.",
    "http.too_many_requests": "More than {max} requests came within a minute.",
    "http.unknown_key": "The request is signed with a key of no member ({key}).",
    "http.url": "This is not an address a node can have.",
    "http.wrong_digest": "The message was changed on its way.",
    "http.wrong_key": "The message is signed with another key than expected ({key}).",
    "init.exists": "There is already something in {directory}.",
    "instrument.unknown": "The charter uses an instrument that this program lacks ({hash}).",
    "keys.format": "This is not a key file of ours, or it is damaged.",
    "keys.other_node": "The key file is not that of this node's card.",
    "merkle.edge": "The stored summary of the log is damaged.",
    "merkle.hash_length": "A hash in the proof has the wrong length.",
    "merkle.proof_length": "The proof has the wrong number of hashes ({expected} were expected).",
    "merkle.range": (
        "The proof speaks of entries {start} to {end} of a log of {size}, which cannot be."
    ),
    "merkle.root_differs": "The proof does not lead to the root that was signed.",
    "mirror.log_signature": "The checkpoint of {origin} is not signed by that log's key.",
    "mirror.moved": "Our copy of that log has moved on; it is at {size} entries.",
    "mirror.no_checkpoint": "Entries came before the checkpoint they belong to.",
    "mirror.not_there": "The upload does not fit where our copy of that log stands.",
    "mirror.split_view": "The party that keeps {origin} has signed two different histories.",
    "mirrorwire.add_checkpoint": "The request to countersign a checkpoint is damaged.",
    "mirrorwire.excess": "The upload carries more than it announced.",
    "mirrorwire.header": "The head of the upload is damaged.",
    "mirrorwire.info": "The mirror's answer about where it stands is damaged.",
    "mirrorwire.old_size": "The request starts above the checkpoint's own size ({size}).",
    "mirrorwire.proof_too_long": "A proof in the upload has more than {max_hashes} hashes.",
    "mirrorwire.size": "The size in the mirror's answer is not a number we accept.",
    "mirrorwire.too_long": "The request is longer than {max_bytes} bytes.",
    "node.damaged": "The file {file} is damaged, or is not a file of this node ({why}).",
    "node.failed": "A part of the node stopped working, so the node stopped as a whole.",
    "node.fault": "Something unexpected failed inside the node ({kind}).",
    "node.incomplete": "The file {file} of this node is missing or cannot be read.",
    "node.pages": "The node's pages stopped working, so the node stopped as a whole.",
    "node.running": "A node is already running on {directory}.",
    "node.stopping": "The node is stopping.",
    "note.bad_signature": "A signature by {key} is not valid.",
    "note.key_name": "A key has a name that keys may not have.",
    "note.no_known_key": "Nobody we know has signed this.",
    "note.no_signature": "There is no signature under the text.",
    "note.not_text": "The signed text holds bytes that are not plain text.",
    "note.public_key": "A signing key is damaged.",
    "note.signature_line": "A signature line is damaged.",
    "note.too_long": "The signed text is longer than {max_bytes} bytes.",
    "note.vkey": "This is not a public key in its written form, or it is mistyped.",
    "open.sealed": "This content is sealed; opening it asks a purpose.",
    "pages.busy": "Two files are being checked here already.",
    "passphrase.file": "The first line of {file} cannot be a passphrase.",
    "passphrase.short": "The passphrase is too short: it needs {least} characters or more.",
    "peer.closed": "The partner's node closed the connection early.",
    "peer.connect": "The partner's node at {host} does not answer.",
    "peer.content": "The partner's node answered with something else than was asked for.",
    "peer.digest": "The partner's answer was changed on its way.",
    "peer.http": "The partner's node does not speak HTTP properly.",
    "peer.plain_http": (
        "{host} is not this machine, and outside it only encrypted connections are used."
    ),
    "peer.redirect": (
        "The partner's node sends us to another address (status {status}), which we do not follow."
    ),
    "peer.refused": "The partner's node refused (status {status}).",
    "peer.resolve": "The name {host} is not known to the network.",
    "peer.status": "The partner's node cannot answer now (status {status}).",
    "peer.stranger": (
        "The partner's node does not know us as a member, or its clock differs from ours."
    ),
    "peer.timeout": "The partner's node took too long.",
    "peer.tls": "No encrypted connection could be made with the partner's node.",
    "peer.tls_pin": "The partner's node shows another certificate than the one agreed on.",
    "peer.too_long": "The partner's answer is longer than {max_bytes} bytes.",
    "peer.unsigned": "The partner's answer is not signed (status {status}).",
    "people.exists": "There is already somebody called “{person}”.",
    "people.last_keeper": "{person} is the last keeper of this node.",
    "people.name": (
        "“{person}” is not a name that can be used here: letters a to z, digits and hyphens."
    ),
    "people.no_pages": "This node has no pages.",
    "people.role": "There is no role “{role}”.",
    "people.unknown": "Nobody here is called “{person}”. There are: {known}.",
    "policy.key_type": "A key in the trust file is of a kind it cannot use there.",
    "policy.line": "A line of the trust file is not understood.",
    "policy.member": "The trust file counts one member twice, or none.",
    "policy.name": "The trust file gives a name that is taken or not allowed.",
    "policy.no_log": "The trust file does not name the log {origin}.",
    "policy.not_text": "The trust file is not text.",
    "policy.one_quorum": "The trust file must say once, and only once, who has to agree.",
    "policy.quorum": "Those whose countersignature is required ({needed}) have not all given it.",
    "policy.same_key": "The trust file lists one key twice.",
    "policy.threshold": "The trust file asks for a number of signatures that cannot be.",
    "policy.too_long": "The trust file is longer than {max_bytes} bytes.",
    "policy.too_many": "The trust file has more than {most} lines of one kind.",
    "policy.undefined": "The trust file uses a name it has not defined.",
    "proof.extra": "The extra line of the proof is damaged.",
    "proof.first_line": "This is not a proof file.",
    "proof.hash": "A hash in the proof is damaged.",
    "proof.index": "The proof does not say which entry it is about.",
    "proof.no_checkpoint": "The proof has no checkpoint.",
    "proof.too_long": "The proof is longer than {max_bytes} bytes.",
    "quota.exceeded": (
        "The partner has sent more today than the charter allows ({entries_per_day} entries a day)."
    ),
    "receipt.not_published": "{record} is not in a published checkpoint yet.",
    "receipt.not_yet": "{party} has not countersigned {record} yet.",
    "receipt.which_party": "There are several partners: {parties}.",
    "record.act": "What the record says of the act (“act”) is not of the form it must have.",
    "record.ambiguous": "“{record}” fits more than one record.",
    "record.at": "What the record says of the time (“at”) is not of the form it must have.",
    "record.bodies": (
        "What the record says of its contents (“bodies”) is not of the form it must have."
    ),
    "record.by": "What the record says of who signs (“by”) is not of the form it must have.",
    "record.case": "What the record says of the case (“case”) is not of the form it must have.",
    "record.cav": "What the record says of the caveat (“cav”) is not of the form it must have.",
    "record.ch": "What the record says of the channel (“ch”) is not of the form it must have.",
    "record.data": "What the record says of its data (“data”) is not of the form it must have.",
    "record.due_in": (
        "What the record says of the time allowed (“due_in”) is not of the form it must have."
    ),
    "record.from": "What the record says of the sender (“from”) is not of the form it must have.",
    "record.gen": (
        "What the record says of the log's generation (“gen”) is not of the form it must have."
    ),
    "record.id": "What the record says of its id (“id”) is not of the form it must have.",
    "record.id_taken": "Another record with this id is already in the log, at {index}.",
    "record.inst": (
        "What the record says of the instrument (“inst”) is not of the form it must have."
    ),
    "record.kind": "This is not a record.",
    "record.missing_field": "The record lacks a field that it must have.",
    "record.name": "“{record}” does not name a record: give its hash, or party and number.",
    "record.one_line": "A record is one line, and this is not.",
    "record.seen": (
        "What the record says of what had been seen (“seen”) is not of the form it must have."
    ),
    "record.signers": "The record is not signed by exactly those whom it names.",
    "record.to": "What the record says of the recipients (“to”) is not of the form it must have.",
    "record.too_long": "The record is longer than {max_bytes} bytes.",
    "record.type": "What the record says of its type (“type”) is not of the form it must have.",
    "record.unknown": "There is no record “{record}” here.",
    "record.unknown_field": "The record has a field that records do not have.",
    "say.automatic": "Records of the type {type} are written by the node itself.",
    "say.empty": "There is nothing to say: the content is empty or was not named.",
    "say.no_clock": "A time limit was given, but the record belongs to no instrument and no case, "
    "so that nobody would be held to it.",
    "say.no_receipt": "After {seconds} seconds there is no receipt yet for {record}, {leaf}.",
    "say.no_recipient": "A sealed content needs somebody it is sealed to.",
    "say.type": "The charter does not allow records of the type “{type}”. It allows: {known}.",
    "say.which_desk": "{person} sits at several desks or at none.",
    "seal.blob": "The stored content is not the one the record names.",
    "seal.commitment": "The content is not what the record commits to.",
    "seal.inner": "The label inside the content is damaged.",
    "seal.length": "The content is not as long as it says.",
    "seal.not_this_record": "This content was made for another record.",
    "seal.padding": "The filling after the content is not what it must be.",
    "seal.part": "The record has no such part.",
    "seal.readers": "A content can be sealed to 1 to {max} desks.",
    "seal.salt": "The salt of a content is not 32 bytes.",
    "serve.address": "The node cannot listen at {host}, port {port}.",
    "serve.failed": "The node could not begin to listen to its partners.",
    "serve.tls": "The node's certificate or its key cannot be used.",
    "signin.ended": "This session is over.",
    "signin.link": "This sign-in link is not valid, was used, or is too old.",
    "split.format": "This is not a proof of two histories, or it is damaged.",
    "split.no_contradiction": "The two checkpoints do not contradict each other.",
    "store.absent": "The node's database is not where it should be.",
    "store.beyond": "The log does not reach that far.",
    "store.corrupt": "The node's database is damaged.",
    "store.dead": (
        "The disk failed while something was being stored, so this node stores nothing more."
    ),
    "store.disk_full": "The disk is full.",
    "store.duplicate_id": "A record with this id is already in the log.",
    "store.evidence_size": "The evidence is longer than {max_bytes} bytes.",
    "store.exists": "There is already a database here.",
    "store.foreign": "This file is not a database of ours.",
    "store.gap": "Entries are missing before these; the next one needed is {next}.",
    "store.io": "The disk of this node could not be read or written.",
    "store.locked": "Another process is using this node's database.",
    "store.moved": "The log has grown in the meantime; it now has {size} entries.",
    "store.not_pending": "No checkpoint of {size} entries is waiting.",
    "store.other_log": "A log of this name is already here, with other properties.",
    "store.other_root": "A different root is already known for {size} entries.",
    "store.reached": "The log already has {size} entries.",
    "store.root_differs": "The stored entries do not add up to the root that was signed.",
    "store.smaller": "The log was already larger ({size} entries).",
    "store.unknown_log": "This node keeps no such log.",
    "store.version": "The database was made by another version of this program ({found}).",
    "tiles.bundle": "A bundle of log entries is damaged.",
    "tiles.entry_too_long": "A log entry is longer than {max_bytes} bytes.",
    "tiles.length": "A piece of the log's tree has the wrong length.",
    "tiles.path": "This path does not name a piece of a log.",
    "trust.access": "The charter does not say properly who may read.",
    "trust.at": "A time in the document is not of the form it must have.",
    "trust.card_quorum": "Too few of {party}'s root keys have signed its card.",
    "trust.charter_quorum": "Too few root keys have signed the charter for: {party}.",
    "trust.desk": "A desk in the document is not described properly, or is there twice.",
    "trust.domain": "A domain in the document is not allowed, or two parties share it.",
    "trust.fields": "The document does not have exactly the fields of its kind.",
    "trust.fingerprint": (
        "“{typed}” is not a fingerprint: {digits} digits were typed, and it has 60."
    ),
    "trust.fold": "The charter asks for rules of reading that are not a number we accept.",
    "trust.foreign_signature": "The document carries a signature by somebody who has no say in it.",
    "trust.instruments": "The charter's list of instruments is not of the form it must have.",
    "trust.key": "A key in the document is damaged.",
    "trust.key_reused": "One key is used for two purposes; every key must have one.",
    "trust.kind": "This is not a document of the kind “{expected}”.",
    "trust.name": "A name in the document is not allowed.",
    "trust.no_desk": "Only the party is named, not its desk. There are: {known}.",
    "trust.nonce": "The charter's random number is not of the form it must have.",
    "trust.not_a_member": "“{party}” is not a member of this channel. Its members are: {known}.",
    "trust.one_line": "A card, charter or roster is one line, and this is not.",
    "trust.other_charter": "This belongs to another charter.",
    "trust.parties": "A charter has two parties or more, each once and in order.",
    "trust.party": "The party's short name is not allowed.",
    "trust.purpose": "The charter's purpose is not one of those we know.",
    "trust.quota": "The charter's limits are not numbers we accept.",
    "trust.roots": "The list of root keys is not of the form it must have.",
    "trust.roster_order": "This roster is not newer than the one in force.",
    "trust.roster_quorum": "Too few of {party}'s root keys have signed its roster.",
    "trust.seal_key": "A desk's sealing key is not of the form it must have.",
    "trust.seq": "The roster's number is not one we accept.",
    "trust.text": "A name must be there in English and in Spanish.",
    "trust.tls": "The fingerprint of the connection certificate is not of the form it must have.",
    "trust.types": "The charter's list of record types is not of the form it must have.",
    "trust.unknown_desk": "There is no desk “{desk}”. There are: {known}.",
    "trust.url": "The node's address is not one we accept.",
    "verify.address": "This is not the address of a log.",
    "verify.future": "A countersignature is dated in the future.",
    "verify.half_disclosed": (
        "A disclosed content is there without its label, or a label without its content."
    ),
    "verify.kind": "{file} is nothing that can be checked: not a proof, a bundle or a log.",
    "verify.log_line": "The checkpoint of {origin} lacks a signature of its own log.",
    "verify.missing": "The file {file} is missing.",
    "verify.no_authors": (
        "A trust file vouches for logs and for who countersigns them, not for authors: that these "
        "bytes are in the log is shown, not who said them."
    ),
    "verify.no_charter": "There is no charter here, so nobody says whose keys these are.",
    "verify.no_keys": "The keys of the log that this is about are not here.",
    "verify.no_receipt": "Nobody has countersigned this.",
    "verify.no_record": "The record that {file} belongs to is not beside it.",
    "verify.no_time": "A countersignature carries no time.",
    "verify.not_cosigned": "{party} has not countersigned this.",
    "verify.other_card": "This is not the card of {party} that its charter holds.",
    "verify.other_charter": "The charter that was brought along is not the one you trust.",
    "verify.other_fingerprint": (
        "The charter that was brought along does not have the fingerprint you gave."
    ),
    "verify.other_log": "This comes from the log {origin}, which is not its author's.",
    "verify.other_place": "The record does not stand where its name says ({place}).",
    "verify.policy_differs": "The trust file in the bundle does not follow from its charter.",
    "verify.root_differs": "The {size} entries do not add up to the root that was signed.",
    "verify.seen_differs": "A record claims to have seen a log of {party} that is not this one.",
    "verify.split": "The party that keeps {origin} has signed two different histories.",
    "verify.tile_differs": "The file {file} does not agree with the entries.",
    "verify.too_long": "The file {file} is longer than {max_bytes} bytes.",
    "verify.too_many_logs": "There are more than {most} logs here.",
    "verify.trust": (
        "What you trust is neither a charter, a trust file, a hash nor a fingerprint of 60 digits."
    ),
    "verify.unreadable": "The file {file} cannot be read.",
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
