"""Where what is checked comes from: a bundle, a folder, a log as files, a log behind an address."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final, Protocol

from convenio.core.bundle import Member, Name, Source, parse_name, read_bundle, read_member
from convenio.core.errors import MalformedError, UnavailableError

Fetch = Callable[[str, int], bytes | None]  # from URL and most bytes; None: there is no such thing
MAX_FOLDER_FILES: Final = 60_000
_PIECE: Final = 1 << 16


def read_file(path: Path, most: int) -> bytes:
    """The bytes of a file.

    Raises:  UnavailableError: verify.unreadable · MalformedError: verify.too_long.
    """
    try:
        with path.open("rb") as file:
            data = file.read(most + 1)
    except OSError as error:
        raise UnavailableError("verify.unreadable", file=str(path)) from error
    if len(data) > most:
        raise MalformedError("verify.too_long", file=path.name, max_bytes=most)
    return data


class FileSource:
    """A file as a `bundle.Source`."""

    def __init__(self, path: Path) -> None:
        try:
            self._file = path.open("rb")
            self.size = path.stat().st_size
        except OSError as error:
            raise UnavailableError("verify.unreadable", file=str(path)) from error

    def read(self, start: int, length: int) -> bytes:
        try:
            self._file.seek(start)
            return self._file.read(length)
        except OSError as error:
            raise UnavailableError("verify.unreadable", file=self._file.name) from error

    def close(self) -> None:
        self._file.close()


class Files(Protocol):
    """The members of a bundle, packed or not. names: as text -> what it says."""

    @property
    def names(self) -> Mapping[str, Name]: ...
    def pieces(self, name: str) -> Iterator[bytes]:
        """The content, in constant memory.  Raises:  MalformedError: bundle.damaged."""
        ...


class ZipFiles:
    """A bundle as it was written. Read in place, by name; nothing is ever unpacked."""

    def __init__(self, source: Source) -> None:
        """Raises:  MalformedError: bundle.*."""
        self._source = source
        self._members: dict[str, Member] = {each.name.text: each for each in read_bundle(source)}
        self.names = {text: each.name for text, each in self._members.items()}

    def pieces(self, name: str) -> Iterator[bytes]:
        return read_member(self._source, self._members[name])


class FolderFiles:
    """A bundle that somebody unpacked. Files with other names are not looked at."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.names = {name.text: name for name in _names_in(folder)}

    def pieces(self, name: str) -> Iterator[bytes]:
        path, most = self._folder / name, self.names[name].most
        source = FileSource(path)
        try:
            if source.size > most:
                raise MalformedError("verify.too_long", file=name, max_bytes=most)
            for start in range(0, source.size, _PIECE):
                yield source.read(start, _PIECE)
        finally:
            source.close()


def whole(files: Files, name: str) -> bytes:
    return b"".join(files.pieces(name))


def _names_in(folder: Path) -> Iterator[Name]:
    seen = 0
    for below in ("", "bodies", "disclosed"):
        if not (folder / below).is_dir():
            continue
        for path in sorted((folder / below).iterdir()):
            seen += 1
            if seen > MAX_FOLDER_FILES:
                raise MalformedError("bundle.too_many", most=MAX_FOLDER_FILES)
            try:
                yield parse_name(f"{below}/{path.name}" if below else path.name)
            except MalformedError:
                continue


class LogFiles(Protocol):
    """The resources of a log in the C2SP tlog-tiles layout."""

    def read(self, path: str, most: int) -> bytes:
        """One of them.  Raises:  MalformedError: verify.missing · verify.too_long ·
        UnavailableError."""
        ...


class FolderLog:
    """A log as files."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, path: str, most: int) -> bytes:
        if not (self._folder / path).is_file():
            raise MalformedError("verify.missing", file=path)
        return read_file(self._folder / path, most)


class WebLog:
    """A log behind an address."""

    def __init__(self, url: str, fetch: Fetch) -> None:
        self._url, self._fetch = url, fetch

    def read(self, path: str, most: int) -> bytes:
        data = self._fetch(f"{self._url}/{path}", most)
        if data is None:
            raise MalformedError("verify.missing", file=path)
        if len(data) > most:
            raise MalformedError("verify.too_long", file=path, max_bytes=most)
        return data
