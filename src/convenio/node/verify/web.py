"""The public read path of somebody's node, for `verify`; loaded only when an address is given."""

from __future__ import annotations

from urllib.parse import urlsplit

from convenio.core.errors import UnavailableError
from convenio.core.httpsig import parse_base_url
from convenio.peer.wire import Limits, Wire


class PublicFetch:
    """A `files.Fetch` that reads as a stranger: no key, no cookie, no redirect.

    A call raises:  UnavailableError: peer.* · MalformedError: peer.* · http.url ·
    RefusedError: peer.plain_http.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._wires: dict[tuple[str, str], Wire] = {}

    def __call__(self, url: str, most: int) -> bytes | None:
        parts = urlsplit(url)
        key = (parts.scheme, parts.netloc)
        if key not in self._wires:
            base = parse_base_url(f"{parts.scheme}://{parts.netloc}")
            self._wires[key] = Wire(base, b"", self._limits)
        answer = self._wires[key].exchange("GET", parts.path, {}, b"", most)
        if answer.status == 404:
            return None
        if answer.status != 200:
            raise UnavailableError("peer.status", status=answer.status)
        return answer.content

    def close(self) -> None:
        """Closes the idle connections."""
        for wire in self._wires.values():
            wire.close()

    def __enter__(self) -> PublicFetch:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()


def public_fetch(limits: Limits | None = None) -> PublicFetch:
    """Reads addresses for `verify`; one connection for each host, kept until it is closed."""
    return PublicFetch(limits or Limits())
