"""age v1 files (C2SP age.md 1.1.0): one sealed file, several readers, each with its own key.

`file` joins the parts: `header` (who can open it), `recipients` (how each of them can), `stream`
(the payload in chunks). What a body must say inside such a file is `core.seal`'s question.
Written here: hybrid post-quantum recipients and passphrases. Read besides: X25519, armor.
"""

from convenio.core.age.armor import unarmor
from convenio.core.age.file import decrypt, decrypt_stream, encrypt, encrypt_stream
from convenio.core.age.recipients import (
    DEFAULT_LOG_N,
    MAX_LOG_N,
    HybridIdentity,
    HybridRecipient,
    Identity,
    Passphrase,
    Recipient,
    Rng,
    X25519Identity,
)

__all__ = [
    "DEFAULT_LOG_N",
    "MAX_LOG_N",
    "HybridIdentity",
    "HybridRecipient",
    "Identity",
    "Passphrase",
    "Recipient",
    "Rng",
    "X25519Identity",
    "decrypt",
    "decrypt_stream",
    "encrypt",
    "encrypt_stream",
    "unarmor",
]
