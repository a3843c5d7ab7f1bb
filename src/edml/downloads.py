"""Files from the web: whole or not there, continued where they broke off, known by their sha256.

A file gets its name only when it is whole. What was downloaded is written down beside it, in
`MANIFEST`, so that a later run sees whether it is still the same and fetches nothing twice.
"""

import hashlib
import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Final, Literal, Protocol

from edml.errors import DownloadError
from edml.http import httpx

MANIFEST: Final = "downloads.json"
CHUNK_BYTES: Final = 1 << 18
TIMEOUT_S: Final = 30.0
ATTEMPTS: Final = 5
"""So often in a row may a connection break without that anything has arrived."""

PAUSE_S: Final = 0.5

Outcome = Literal["fetched", "already here", "fetched again: it had changed on disk"]


@dataclass(frozen=True)
class Entry:
    """What is known of a downloaded file."""

    url: str
    size_bytes: int
    sha256: str

    def matches(self, file: Path) -> bool:
        """Whether the file is what was downloaded."""
        return (
            file.is_file()
            and file.stat().st_size == self.size_bytes
            and sha256(file) == self.sha256
        )


class Progress(Protocol):
    """Told how a download goes."""

    def begin(self, name: str, done_bytes: int, total_bytes: int | None) -> None:
        """A file begins, or goes on; its size may not be known."""
        ...

    def advance(self, arrived_bytes: int) -> None:
        """Some more bytes have arrived."""
        ...


def fetch(
    url: str, folder: Path, progress: Progress, *, pause_s: float = PAUSE_S
) -> tuple[Path, Outcome]:
    """Have the file of this URL in the folder, under the last part of the URL's path.

    Raises `DownloadError` when it cannot be had.
    """
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / url.rsplit("/", 1)[-1]
    known = manifest(folder).get(file.name)
    if known is not None and known.url == url and known.matches(file):
        return file, "already here"
    _download(url, file, progress, pause_s)
    entry = Entry(url, file.stat().st_size, sha256(file))
    _write_manifest(folder, {**manifest(folder), file.name: entry})
    changed = known is not None and known.url == url
    return file, "fetched again: it had changed on disk" if changed else "fetched"


def manifest(folder: Path) -> dict[str, Entry]:
    """What has been downloaded into a folder, by file name."""
    try:
        written = json.loads((folder / MANIFEST).read_text())
    except FileNotFoundError:
        return {}
    return {name: Entry(**entry) for name, entry in written.items()}


def sha256(file: Path) -> str:
    """The hash of a file's content."""
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _write_manifest(folder: Path, entries: Mapping[str, Entry]) -> None:
    partial = folder / f"{MANIFEST}.part"
    written = {name: asdict(entry) for name, entry in sorted(entries.items())}
    partial.write_text(json.dumps(written, indent=2) + "\n")
    partial.replace(folder / MANIFEST)


def _download(url: str, file: Path, progress: Progress, pause_s: float) -> None:
    """Receive the file, going on after each break, until it is whole."""
    part = _Part(file.with_name(f"{file.name}.part"))
    with httpx.Client(timeout=TIMEOUT_S, follow_redirects=True) as client:
        fruitless = 0
        while True:
            before = part.size
            try:
                _receive(client, url, part, progress)
            except httpx.HTTPError as error:
                fruitless = 0 if part.size > before else fruitless + 1
                if isinstance(error, httpx.ConnectError) or fruitless == ATTEMPTS:
                    raise _unreachable(url, error) from error
                time.sleep(pause_s)
            else:
                break
    part.become(file)


class _Part:
    """What has arrived of a file, and of which version of it: an ETag, or when it last changed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._version_path = path.with_name(f"{path.name}.version")

    @property
    def size(self) -> int:
        """How many bytes are here."""
        return self.path.stat().st_size if self.path.exists() else 0

    def asked(self) -> dict[str, str]:
        """The headers that ask for the rest, or for all of another version (RFC 9110, 13.1.5)."""
        if not self.size or not self._version_path.exists():
            return {}
        return {"Range": f"bytes={self.size}-", "If-Range": self._version_path.read_text()}

    def begin(self, response: httpx.Response) -> None:
        """Begin anew with this version."""
        self.path.write_bytes(b"")
        version = response.headers.get("ETag") or response.headers.get("Last-Modified", "")
        if version and not version.startswith("W/"):
            self._version_path.write_text(version)
        else:
            self._version_path.unlink(missing_ok=True)

    def forget(self) -> None:
        """Let nothing be here."""
        self.path.unlink(missing_ok=True)
        self._version_path.unlink(missing_ok=True)

    def become(self, file: Path) -> None:
        """Be the whole file."""
        self.path.replace(file)
        self._version_path.unlink(missing_ok=True)


def _receive(client: httpx.Client, url: str, part: _Part, progress: Progress) -> None:
    """Receive what is missing. Raises `httpx.HTTPError` when the connection breaks."""
    headers = {"Accept-Encoding": "identity", **part.asked()}
    with client.stream("GET", url, headers=headers) as response:
        if response.status_code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            part.forget()
            raise httpx.RemoteProtocolError("the file is shorter than what is here of it")
        _refuse_other_answers(response, url)
        goes_on = response.status_code == HTTPStatus.PARTIAL_CONTENT
        if not goes_on:
            part.begin(response)
        length = response.headers.get("Content-Length")
        total = None if length is None else part.size + int(length)
        progress.begin(url.rsplit("/", 1)[-1], part.size, total)
        with part.path.open("ab") as file:
            for chunk in response.iter_raw(CHUNK_BYTES):
                file.write(chunk)
                progress.advance(len(chunk))


def _refuse_other_answers(response: httpx.Response, url: str) -> None:
    """Raise `DownloadError` for an answer that is not the file, and never will be."""
    if response.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
        raise httpx.RemoteProtocolError(f"the server fails: {response.status_code}")
    if response.status_code not in {HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT}:
        raise DownloadError(
            f"there is no such file: the server answers {response.status_code} "
            f"{response.reason_phrase}",
            where=url,
            todo="see whether it is published (a month appears some two months later)",
        )
    if response.headers.get("Content-Type", "").startswith("text/html"):
        raise DownloadError(
            "a web page comes instead of the file",
            where=url,
            todo="see with a browser what it says: a proxy or a portal may ask for a login",
        )


def _unreachable(url: str, error: httpx.HTTPError) -> DownloadError:
    return DownloadError(
        f"the download fails: {str(error) or type(error).__name__}",
        where=url,
        todo="see whether this machine has a network, and run the command again: it goes on where"
        " it stopped",
    )
