"""What one message between nodes may weigh, for whoever sends and whoever receives."""

from __future__ import annotations

from typing import Final

from convenio.core.checkpoint import MAX_CHECKPOINT_BYTES
from convenio.core.fields import MAX_TRUST_BYTES as MAX_CHARTER_BYTES
from convenio.core.tiles import FULL_TILE_BYTES as MAX_TILE_BYTES
from convenio.core.tiles import MAX_BUNDLE_BYTES

__all__ = [
    "MAX_BUNDLE_BYTES",
    "MAX_CHARTER_BYTES",
    "MAX_CHECKPOINT_BYTES",
    "MAX_CHUNK_BYTES",
    "MAX_ENTRIES_BYTES",
    "MAX_REPLY_BYTES",
    "MAX_TILE_BYTES",
]

# One chunk of a blob, both ways. It is held in memory whole, since its digest is signed in front.
MAX_CHUNK_BYTES: Final = 1024 * 1024
# One add-entries request, unpacked. The largest entry package there can be has 16 MiB.
MAX_ENTRIES_BYTES: Final = 24 * 1024 * 1024
MAX_REPLY_BYTES: Final = 64 * 1024
