"""The shape of the log database, and the guards that make it grow only (docs/spec/store.md).

Triggers hold against mistakes of ours and of whoever opens the file with another tool, not against
somebody who drops them; `check` and the partner's cosignatures are for that. BEFORE INSERT guards
are there because INSERT OR REPLACE deletes without asking a delete trigger.
"""

from __future__ import annotations

from typing import Final

from convenio.store.api import MAX_FOREIGN

VERSION: Final = 3
KIND: Final = 0x434E4C47  # "CNLG"

INDEX_BITS: Final = 40  # key of a piece: log << 40 | index of its first entry
LEVEL_BITS: Final = 36  # key of a tile: log << 40 | level << 36 | index
RUN_BITS: Final = 16  # a run is 65,536 leaves; key of a slot: log << 40 | run << 8 | first byte
# The first byte of a blob as a number, in SQL: its two hex digits.
_DIGIT: Final = "(instr('0123456789ABCDEF', substr(hex(substr(OLD.ids, 1, 1)), {}, 1)) - 1)"
_FIRST_BYTE: Final = f"{_DIGIT.format(1)} * 16 + {_DIGIT.format(2)}"

SCRIPT: Final = f"""
CREATE TABLE log (
  id INTEGER PRIMARY KEY CHECK (id BETWEEN 1 AND 4194303),
  origin TEXT NOT NULL, ch TEXT NOT NULL, party TEXT NOT NULL,
  gen INTEGER NOT NULL, own INTEGER NOT NULL,
  CHECK (typeof(origin) = 'text' AND typeof(ch) = 'text' AND typeof(party) = 'text'
         AND typeof(gen) = 'integer' AND own IN (0, 1))
);
CREATE INDEX log_origin ON log (origin);

-- size, root, checkpoint: what is signed. edge: of all that is stored; a mirror's may be beyond.
CREATE TABLE tree (
  log INTEGER PRIMARY KEY, size INTEGER NOT NULL, root BLOB NOT NULL,
  checkpoint BLOB NOT NULL, edge BLOB NOT NULL,
  CHECK (typeof(size) = 'integer' AND typeof(root) = 'blob' AND length(root) = 32
         AND typeof(checkpoint) = 'blob' AND typeof(edge) = 'blob')
);

-- Entries as they came, in pieces of a bundle (C2SP tlog-tiles). A piece lies within one bundle.
CREATE TABLE piece (
  key INTEGER PRIMARY KEY, count INTEGER NOT NULL, bundle BLOB NOT NULL,
  CHECK (typeof(count) = 'integer' AND count BETWEEN 1 AND 256 AND typeof(bundle) = 'blob')
);

-- Where the record with an id is; own logs only. fresh: ids of a commit, as they came. named: those
-- of a run that begin with one byte, each with its place in the run; start: the run's first entry.
CREATE TABLE fresh (
  key INTEGER PRIMARY KEY, ids BLOB NOT NULL,
  CHECK (typeof(ids) = 'blob' AND length(ids) > 0 AND length(ids) % 16 = 0)
);
CREATE TABLE named (
  key INTEGER PRIMARY KEY, start INTEGER NOT NULL, ids BLOB NOT NULL,
  CHECK (typeof(start) = 'integer' AND typeof(ids) = 'blob' AND length(ids) % 18 = 0)
);

-- Full tiles of hashes. root: of the tile, its one hash in the tile above.
CREATE TABLE tile (
  key INTEGER PRIMARY KEY, root BLOB NOT NULL, hashes BLOB NOT NULL,
  CHECK (typeof(root) = 'blob' AND length(root) = 32
         AND typeof(hashes) = 'blob' AND length(hashes) = 8192)
);

-- Leaf hashes of a whole run that begin with one byte: next 6 bytes and place in the run, each.
CREATE TABLE slot (
  key INTEGER PRIMARY KEY, leaves BLOB NOT NULL, CHECK (typeof(leaves) = 'blob')
);

CREATE TABLE pending (
  log INTEGER NOT NULL, size INTEGER NOT NULL, root BLOB NOT NULL, checkpoint BLOB NOT NULL,
  PRIMARY KEY (log, size),
  CHECK (typeof(size) = 'integer' AND typeof(root) = 'blob' AND length(root) = 32
         AND typeof(checkpoint) = 'blob')
) WITHOUT ROWID;

-- Checkpoints of a log that were met beyond its head: kept until they can be judged.
CREATE TABLE met (
  log INTEGER NOT NULL, size INTEGER NOT NULL, root BLOB NOT NULL, checkpoint BLOB NOT NULL,
  PRIMARY KEY (log, size),
  CHECK (typeof(size) = 'integer' AND typeof(root) = 'blob' AND length(root) = 32
         AND typeof(checkpoint) = 'blob')
) WITHOUT ROWID;

CREATE TABLE cosignature (
  seq INTEGER PRIMARY KEY, log INTEGER NOT NULL, size INTEGER NOT NULL, root BLOB NOT NULL,
  name TEXT NOT NULL, key_id BLOB NOT NULL, line BLOB NOT NULL,
  at INTEGER NOT NULL, taken_at INTEGER NOT NULL, flagged INTEGER NOT NULL,
  CHECK (typeof(size) = 'integer' AND typeof(root) = 'blob' AND length(root) = 32
         AND typeof(name) = 'text' AND typeof(key_id) = 'blob' AND typeof(line) = 'blob'
         AND typeof(at) = 'integer' AND typeof(taken_at) = 'integer' AND flagged IN (0, 1))
);
CREATE INDEX cosignature_size ON cosignature (log, size, at);
CREATE INDEX cosignature_name ON cosignature (log, name, flagged, size, at);

CREATE TABLE evidence (
  seq INTEGER PRIMARY KEY, log INTEGER NOT NULL, kind TEXT NOT NULL, payload BLOB NOT NULL,
  at INTEGER NOT NULL,
  CHECK (typeof(kind) = 'text' AND typeof(payload) = 'blob' AND typeof(at) = 'integer')
);

CREATE TABLE fold_mark (log INTEGER PRIMARY KEY, size INTEGER NOT NULL);
CREATE TABLE unfit (
  log INTEGER NOT NULL, idx INTEGER NOT NULL, code TEXT NOT NULL, PRIMARY KEY (log, idx)
) WITHOUT ROWID;

CREATE TRIGGER log_fixed BEFORE UPDATE ON log
BEGIN SELECT RAISE(ABORT, 'a log is never renamed'); END;
CREATE TRIGGER log_kept BEFORE DELETE ON log
BEGIN SELECT RAISE(ABORT, 'a log is never deleted'); END;
CREATE TRIGGER log_new BEFORE INSERT ON log
WHEN EXISTS (SELECT 1 FROM log WHERE id = NEW.id OR origin = NEW.origin)
BEGIN SELECT RAISE(ABORT, 'a log is never replaced'); END;

CREATE TRIGGER tree_grows BEFORE UPDATE ON tree
WHEN NEW.log <> OLD.log OR NEW.size < OLD.size OR (NEW.size = OLD.size AND NEW.root <> OLD.root)
BEGIN SELECT RAISE(ABORT, 'a tree only grows'); END;
CREATE TRIGGER tree_full BEFORE UPDATE ON tree
WHEN NEW.size > OLD.size
 AND NOT coalesce((
   SELECT key + count >= (NEW.log << {INDEX_BITS}) + NEW.size FROM piece
   WHERE key < (NEW.log << {INDEX_BITS}) + NEW.size AND key >= NEW.log << {INDEX_BITS}
   ORDER BY key DESC LIMIT 1), 0)
BEGIN SELECT RAISE(ABORT, 'a tree is not larger than its entries'); END;
CREATE TRIGGER tree_kept BEFORE DELETE ON tree
BEGIN SELECT RAISE(ABORT, 'a tree is never deleted'); END;
CREATE TRIGGER tree_new BEFORE INSERT ON tree
WHEN NEW.size <> 0 OR EXISTS (SELECT 1 FROM tree WHERE log = NEW.log)
BEGIN SELECT RAISE(ABORT, 'a tree starts empty, once'); END;

CREATE TRIGGER piece_fixed BEFORE UPDATE ON piece
WHEN NEW.key <> OLD.key OR NEW.count >= OLD.count
  OR NEW.bundle <> substr(OLD.bundle, 1, length(NEW.bundle))
  OR (NEW.key & ((1 << {INDEX_BITS}) - 1)) + NEW.count
     < (SELECT size FROM tree WHERE log = NEW.key >> {INDEX_BITS})
BEGIN SELECT RAISE(ABORT, 'an entry never changes'); END;
CREATE TRIGGER piece_kept BEFORE DELETE ON piece
WHEN (OLD.key & ((1 << {INDEX_BITS}) - 1))
   < (SELECT size FROM tree WHERE log = OLD.key >> {INDEX_BITS})
BEGIN SELECT RAISE(ABORT, 'a signed entry is never deleted'); END;
CREATE TRIGGER piece_next BEFORE INSERT ON piece
WHEN NEW.key <> coalesce((
  SELECT key + count FROM piece
  WHERE key >= NEW.key >> {INDEX_BITS} << {INDEX_BITS}
    AND key < ((NEW.key >> {INDEX_BITS}) + 1) << {INDEX_BITS}
  ORDER BY key DESC LIMIT 1), NEW.key >> {INDEX_BITS} << {INDEX_BITS})
BEGIN SELECT RAISE(ABORT, 'entries come after the last one'); END;

CREATE TRIGGER named_fixed BEFORE UPDATE ON named
BEGIN SELECT RAISE(ABORT, 'a record keeps its place'); END;
CREATE TRIGGER named_kept BEFORE DELETE ON named
BEGIN SELECT RAISE(ABORT, 'a record is never forgotten'); END;
CREATE TRIGGER named_new BEFORE INSERT ON named
WHEN EXISTS (SELECT 1 FROM named WHERE key = NEW.key)
BEGIN SELECT RAISE(ABORT, 'a record keeps its place'); END;
CREATE TRIGGER fresh_fixed BEFORE UPDATE ON fresh
BEGIN SELECT RAISE(ABORT, 'a record keeps its place'); END;
CREATE TRIGGER fresh_kept BEFORE DELETE ON fresh
WHEN NOT EXISTS (
  SELECT 1 FROM named
  WHERE key = {_FIRST_BYTE} + (
      SELECT max(key) >> 8 << 8 FROM named
      WHERE key >= OLD.key >> {INDEX_BITS} << {INDEX_BITS}
        AND key < ((OLD.key >> {INDEX_BITS}) + 1) << {INDEX_BITS})
    AND instr(ids, substr(OLD.ids, 1, 16)))
BEGIN SELECT RAISE(ABORT, 'a record is never forgotten'); END;
CREATE TRIGGER fresh_new BEFORE INSERT ON fresh
WHEN EXISTS (SELECT 1 FROM fresh WHERE key = NEW.key)
BEGIN SELECT RAISE(ABORT, 'a record keeps its place'); END;

CREATE TRIGGER tile_fixed BEFORE UPDATE ON tile
BEGIN SELECT RAISE(ABORT, 'a full tile never changes'); END;
CREATE TRIGGER tile_kept BEFORE DELETE ON tile
WHEN ((OLD.key & ((1 << {LEVEL_BITS}) - 1)) + 1)
     << (8 * (((OLD.key >> {LEVEL_BITS}) & 15) + 1))
   <= (SELECT size FROM tree WHERE log = OLD.key >> {INDEX_BITS})
BEGIN SELECT RAISE(ABORT, 'a signed tile is never deleted'); END;
CREATE TRIGGER tile_new BEFORE INSERT ON tile
WHEN EXISTS (SELECT 1 FROM tile WHERE key = NEW.key)
BEGIN SELECT RAISE(ABORT, 'a full tile is never replaced'); END;

CREATE TRIGGER pending_grows BEFORE INSERT ON pending
WHEN NEW.size <= (SELECT max(size) FROM pending WHERE log = NEW.log)
  OR NEW.size < (SELECT size FROM tree WHERE log = NEW.log)
BEGIN SELECT RAISE(ABORT, 'pending checkpoints only grow'); END;
CREATE TRIGGER pending_fixed BEFORE UPDATE ON pending
WHEN NEW.log <> OLD.log OR NEW.size <> OLD.size OR NEW.root <> OLD.root
BEGIN SELECT RAISE(ABORT, 'a pending checkpoint keeps its size and root'); END;
CREATE TRIGGER pending_kept BEFORE DELETE ON pending
WHEN OLD.size = (SELECT max(size) FROM pending WHERE log = OLD.log)
BEGIN SELECT RAISE(ABORT, 'the newest pending checkpoint is kept'); END;

CREATE TRIGGER met_new BEFORE INSERT ON met
WHEN NEW.size <= (SELECT size FROM tree WHERE log = NEW.log)
  OR EXISTS (SELECT 1 FROM met WHERE log = NEW.log AND size = NEW.size)
BEGIN SELECT RAISE(ABORT, 'a checkpoint met is beyond the tree, and never replaced'); END;
CREATE TRIGGER met_fixed BEFORE UPDATE ON met
BEGIN SELECT RAISE(ABORT, 'a checkpoint met never changes'); END;
CREATE TRIGGER met_kept BEFORE DELETE ON met
WHEN OLD.size > (SELECT size FROM tree WHERE log = OLD.log)
 AND (SELECT count(*) FROM met WHERE log = OLD.log) <= {MAX_FOREIGN}
BEGIN SELECT RAISE(ABORT, 'a checkpoint met is kept until the tree is there'); END;

CREATE TRIGGER cosignature_fixed BEFORE UPDATE ON cosignature
BEGIN SELECT RAISE(ABORT, 'a cosignature never changes'); END;
CREATE TRIGGER cosignature_kept BEFORE DELETE ON cosignature
BEGIN SELECT RAISE(ABORT, 'a cosignature is never deleted'); END;
CREATE TRIGGER cosignature_new BEFORE INSERT ON cosignature
WHEN EXISTS (SELECT 1 FROM cosignature WHERE seq = NEW.seq)
BEGIN SELECT RAISE(ABORT, 'a cosignature is never replaced'); END;

CREATE TRIGGER evidence_fixed BEFORE UPDATE ON evidence
BEGIN SELECT RAISE(ABORT, 'evidence never changes'); END;
CREATE TRIGGER evidence_kept BEFORE DELETE ON evidence
BEGIN SELECT RAISE(ABORT, 'evidence is never deleted'); END;
CREATE TRIGGER evidence_new BEFORE INSERT ON evidence
WHEN EXISTS (SELECT 1 FROM evidence WHERE seq = NEW.seq)
BEGIN SELECT RAISE(ABORT, 'evidence is never replaced'); END;
"""  # noqa: S608 - only constants of this file


def entry_key(log: int, index: int) -> int:
    """Where entry `index` of a log would lie, if a piece began with it."""
    return log << INDEX_BITS | index


def tile_key(log: int, level: int, index: int) -> int:
    """The row of full tile `index` of `level` of a log."""
    return log << INDEX_BITS | level << LEVEL_BITS | index


def slot_key(log: int, run: int, first_byte: int) -> int:
    """The row of what begins with a byte, in a run of leaf hashes or of ids of a log."""
    return log << INDEX_BITS | run << 8 | first_byte
