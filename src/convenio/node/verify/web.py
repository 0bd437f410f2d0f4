"""The public read path of somebody's node, for `verify`; loaded only when an address is given."""

from __future__ import annotations

from urllib.parse import urlsplit

from convenio.core.errors import UnavailableError
from convenio.core.httpsig import parse_base_url
from convenio.node.verify.files import Fetch
from convenio.peer.wire import Limits, Wire


def public_fetch(limits: Limits | None = None) -> Fetch:
    """Reads as a stranger: no key, no cookie, no redirect. One connection for each host.

    It raises:  UnavailableError: peer.* · MalformedError: peer.* · http.url ·
    RefusedError: peer.plain_http.
    """
    wires: dict[tuple[str, str], Wire] = {}

    def fetch(url: str, most: int) -> bytes | None:
        parts = urlsplit(url)
        key = (parts.scheme, parts.netloc)
        if key not in wires:
            wires[key] = Wire(parse_base_url(f"{key[0]}://{key[1]}"), b"", limits or Limits())
        answer = wires[key].exchange("GET", parts.path, {}, b"", most)
        if answer.status == 404:
            return None
        if answer.status != 200:
            raise UnavailableError("peer.status", status=answer.status)
        return answer.content

    return fetch
