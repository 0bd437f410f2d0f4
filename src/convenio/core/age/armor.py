"""The text form of an age file, read strictly. We never write it: bodies and keys are binary.

Whitespace may stand before and after the block; inside, one spelling for each file, apart from
line ends, which are LF or CRLF.  Source: C2SP age.md, "ASCII armor"; RFC 7468 section 3.
"""

from __future__ import annotations

import re
from typing import Final

from convenio.core.encoding import parse_base64
from convenio.core.errors import MalformedError

_BLOCK = re.compile(
    rb"[ \t\r\n]*"
    rb"-----BEGIN AGE ENCRYPTED FILE-----\r?\n"
    rb"((?:[A-Za-z0-9+/]{64}\r?\n)*(?:[A-Za-z0-9+/=]{1,64}\r?\n))"
    rb"-----END AGE ENCRYPTED FILE-----"
    rb"[ \t\r\n]*"
)
_CODE: Final = "age.armor"


def unarmor(text: bytes) -> bytes:
    """The binary age file that armored `text` holds; its contents are not checked here.

    Raises:  MalformedError: age.armor.
    """
    found = _BLOCK.fullmatch(text)
    if not found:
        raise MalformedError(_CODE)
    return parse_base64(found[1].replace(b"\r", b"").replace(b"\n", b""), _CODE)
