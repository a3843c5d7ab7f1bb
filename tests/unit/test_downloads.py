import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import ClassVar

import pytest

from edml import downloads
from edml.errors import DownloadError

CONTENT = bytes(range(256)) * 4096


@dataclass
class Site:
    """A web server that misbehaves as it is told to: what it publishes, and when it hangs up."""

    url: str
    files: dict[str, bytes] = field(default_factory=lambda: {"/trips.parquet": CONTENT})
    version: str = '"1"'
    hangs_up_after: list[int] = field(default_factory=list)
    ranges: bool = True
    status: int = 200
    content_type: str = "application/octet-stream"
    asked: list[str | None] = field(default_factory=list)


class Handler(BaseHTTPRequestHandler):
    """Answers with ranges, as a content delivery network does."""

    site: ClassVar[Site]

    def do_GET(self) -> None:
        """Send a file, or the part that is asked for."""
        site = self.site
        asked = self.headers.get("Range")
        site.asked.append(asked)
        content = site.files.get(self.path)
        if content is None or site.status != 200:
            self.send_error(404 if content is None else site.status)
            return
        start = 0
        if asked and site.ranges and self.headers.get("If-Range") == site.version:
            start = int(asked.removeprefix("bytes=").rstrip("-"))
        if start > len(content):
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        self.send_header("Content-Type", site.content_type)
        self.send_header("ETag", site.version)
        self.send_header("Content-Length", str(len(content) - start))
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.end_headers()
        end = start + site.hangs_up_after.pop(0) if site.hangs_up_after else len(content)
        self.wfile.write(content[start:end])

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def site() -> Iterator[Site]:
    """A server on the loopback interface."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("TheHandler", (Handler,), {}))
    site = Site(f"http://127.0.0.1:{server.server_address[1]}/trips.parquet")
    server.RequestHandlerClass.site = site  # type: ignore[attr-defined]
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield site
    server.shutdown()
    thread.join()
    server.server_close()


@dataclass
class Seen:
    """What a person would see."""

    begun: list[tuple[str, int, int | None]] = field(default_factory=list)
    arrived: int = 0

    def begin(self, name: str, done_bytes: int, total_bytes: int | None) -> None:
        """See a file begin."""
        self.begun.append((name, done_bytes, total_bytes))

    def advance(self, arrived_bytes: int) -> None:
        """See bytes arrive."""
        self.arrived += arrived_bytes


def fetch(site: Site, folder: Path) -> tuple[Path, str]:
    """Fetch the site's file without waiting between attempts."""
    return downloads.fetch(site.url, folder, Seen(), pause_s=0)


def test_a_file_arrives_whole_and_its_hash_is_written_down(site: Site, tmp_path: Path) -> None:
    """Beside the file stands the manifest; nothing else is left."""
    seen = Seen()
    file, outcome = downloads.fetch(site.url, tmp_path, seen)
    assert file.read_bytes() == CONTENT
    assert outcome == "fetched"
    assert downloads.manifest(tmp_path) == {
        "trips.parquet": downloads.Entry(
            site.url, len(CONTENT), hashlib.sha256(CONTENT).hexdigest()
        )
    }
    assert sorted(each.name for each in tmp_path.iterdir()) == ["downloads.json", "trips.parquet"]
    assert seen == Seen([("trips.parquet", 0, len(CONTENT))], len(CONTENT))


def test_what_is_here_is_checked_and_not_fetched_again(site: Site, tmp_path: Path) -> None:
    """The second run asks the server for nothing."""
    fetch(site, tmp_path)
    assert fetch(site, tmp_path)[1] == "already here"
    assert len(site.asked) == 1


def test_a_file_that_was_changed_is_fetched_again(site: Site, tmp_path: Path) -> None:
    """A bit that has turned on the disk is noticed by the hash."""
    file, _ = fetch(site, tmp_path)
    file.write_bytes(CONTENT[:-1] + b"?")
    assert fetch(site, tmp_path)[1] == "fetched again: it had changed on disk"
    assert file.read_bytes() == CONTENT


def test_a_broken_connection_is_gone_on_with(site: Site, tmp_path: Path) -> None:
    """After each break only the rest is asked for."""
    site.hangs_up_after = [300_000, 300_000, 300_000]
    file, _ = fetch(site, tmp_path)
    assert file.read_bytes() == CONTENT
    assert len(site.asked) == 4
    assert site.asked[0] is None
    assert all(asked is not None for asked in site.asked[1:])


def test_an_interrupted_download_is_gone_on_with_by_the_next_run(
    site: Site, tmp_path: Path
) -> None:
    """A process that ended in the middle leaves a part, never a file; the next one takes it up."""
    site.hangs_up_after = [500_000, *[0] * downloads.ATTEMPTS]
    with pytest.raises(DownloadError, match="the download fails"):
        fetch(site, tmp_path)
    assert not (tmp_path / "trips.parquet").exists()
    file, _ = fetch(site, tmp_path)
    assert file.read_bytes() == CONTENT
    assert site.asked[-1] is not None


def test_a_part_of_another_version_is_not_gone_on_with(site: Site, tmp_path: Path) -> None:
    """When the publisher replaces the file meanwhile, it is fetched from the beginning."""
    site.hangs_up_after = [500_000, *[0] * downloads.ATTEMPTS]
    with pytest.raises(DownloadError):
        fetch(site, tmp_path)
    site.version, site.files["/trips.parquet"] = '"2"', CONTENT[::-1]
    assert fetch(site, tmp_path)[0].read_bytes() == CONTENT[::-1]


def test_a_server_without_ranges_is_no_problem(site: Site, tmp_path: Path) -> None:
    """It sends the whole file again, which replaces the part."""
    site.ranges, site.hangs_up_after = False, [300_000]
    assert fetch(site, tmp_path)[0].read_bytes() == CONTENT


def test_a_part_that_is_too_long_is_thrown_away(site: Site, tmp_path: Path) -> None:
    """The server cannot go on after the end: the download begins anew."""
    site.hangs_up_after = [500_000, *[0] * downloads.ATTEMPTS]
    with pytest.raises(DownloadError):
        fetch(site, tmp_path)
    (tmp_path / "trips.parquet.part").write_bytes(CONTENT * 2)
    assert fetch(site, tmp_path)[0].read_bytes() == CONTENT


def test_a_file_that_is_not_published_is_said(site: Site, tmp_path: Path) -> None:
    """The answer is told, with the address; nothing is tried again."""
    site.files = {}
    with pytest.raises(DownloadError, match="no such file: the server answers 404") as error:
        fetch(site, tmp_path)
    assert site.url in str(error.value)
    assert len(site.asked) == 1


def test_a_web_page_is_no_file(site: Site, tmp_path: Path) -> None:
    """What a portal sends instead of the file is refused."""
    site.content_type = "text/html; charset=utf-8"
    with pytest.raises(DownloadError, match="a web page comes instead"):
        fetch(site, tmp_path)
    assert list(tmp_path.glob("*.parquet")) == []


def test_a_failing_server_is_asked_again_and_given_up(site: Site, tmp_path: Path) -> None:
    """A 503 may pass; after some attempts it is told."""
    site.status = 503
    with pytest.raises(DownloadError, match="the server fails: 503"):
        fetch(site, tmp_path)
    assert len(site.asked) == downloads.ATTEMPTS


def test_no_network_is_said_at_once(tmp_path: Path) -> None:
    """Where nothing answers, the message says what to see to."""
    with pytest.raises(DownloadError, match="Connection refused") as error:
        downloads.fetch("http://127.0.0.1:9/trips.parquet", tmp_path, Seen())
    assert "network" in str(error.value)
