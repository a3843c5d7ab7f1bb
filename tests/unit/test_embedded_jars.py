import hashlib
import io
import tarfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from edml.errors import DownloadError
from edml.kafka.embedded.jars import fetch, missing, registry_directory
from edml.kafka.embedded.lock import Artefact, Lock, read_lock, write_lock

JAR = bytes(range(256)) * 1000


def _archive() -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as archive:
        member = tarfile.TarInfo("registry-runner.jar")
        member.size = len(JAR)
        archive.addfile(member, io.BytesIO(JAR))
    return content.getvalue()


def _artefact(name: str, extension: str, content: bytes) -> Artefact:
    return Artefact(
        group="org.example",
        name=name,
        version="1.0",
        extension=extension,
        classifier="",
        size=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
    )


class Repository(ThreadingHTTPServer):
    """A Maven repository on this machine, which can continue a download and notes what is asked."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.files: dict[str, bytes] = {}
        self.asked: list[tuple[str, str | None]] = []


class _Answer(BaseHTTPRequestHandler):
    server: Repository

    def do_GET(self) -> None:
        asked = self.headers.get("Range")
        self.server.asked.append((self.path.rpartition("/")[2], asked))
        content = self.server.files.get(self.path)
        if content is None:
            self.send_error(404)
            return
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked else 0
        self.send_response(206 if asked else 200)
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        self.wfile.write(content[start:])

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Repository]:
    """A running repository that the user's settings name instead of Maven Central."""
    with Repository() as server:
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        settings = tmp_path / "jgo.conf"
        settings.write_text(f"[repositories]\ncentral = http://127.0.0.1:{server.server_port}\n")
        monkeypatch.setenv("JGO_CONFIG_FILE", str(settings))
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def lock(repository: Repository) -> Lock:
    """A lock of one jar and one archive, both of which the repository has."""
    archive = _archive()
    lock = Lock((_artefact("kafka", "jar", JAR),), _artefact("registry", "tar.gz", archive))
    repository.files = {f"/{lock.kafka[0].path}": JAR, f"/{lock.registry.path}": archive}
    return lock


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """An empty directory for the jars."""
    directory = tmp_path / "jars"
    directory.mkdir()
    return directory


def test_fetch_and_never_ask_again(lock: Lock, directory: Path, repository: Repository) -> None:
    """What was fetched is whole, the registry is unpacked, and a second fetch asks for nothing."""
    arrived: list[int] = []
    fetch(lock, directory, advance=arrived.append)
    repository.asked.clear()
    fetch(lock, directory, advance=arrived.append)

    assert (directory / "kafka-1.0.jar").read_bytes() == JAR
    assert (registry_directory(lock, directory) / "registry-runner.jar").read_bytes() == JAR
    assert sum(arrived) == sum(artefact.size for artefact in lock.artefacts)
    assert missing(lock, directory) == ()
    assert repository.asked == []
    assert sorted(file.name for file in directory.iterdir()) == ["kafka-1.0.jar", "registry-1.0"]


def test_interrupted_download_is_continued(
    lock: Lock, directory: Path, repository: Repository
) -> None:
    """What has arrived is not downloaded again."""
    (directory / "kafka-1.0.jar.part").write_bytes(JAR[:100_000])
    arrived: list[int] = []

    fetch(lock, directory, advance=arrived.append)

    assert (directory / "kafka-1.0.jar").read_bytes() == JAR
    assert ("kafka-1.0.jar", "bytes=100000-") in repository.asked
    assert sum(arrived) == sum(artefact.size for artefact in lock.artefacts)


def test_altered_file_is_refused(lock: Lock, directory: Path, repository: Repository) -> None:
    """A file with another sha256 never gets its name, and the next try begins anew."""
    repository.files[f"/{lock.kafka[0].path}"] = b"x" * len(JAR)

    with pytest.raises(DownloadError, match=r"kafka-1\.0\.jar is not what the lock says"):
        fetch(lock, directory, advance=lambda _: None)

    assert lock.kafka[0] in missing(lock, directory)
    assert not (directory / "kafka-1.0.jar.part").exists()


def test_truncated_file_is_fetched_again(lock: Lock, directory: Path) -> None:
    """A jar that lost its end is missing, not used."""
    fetch(lock, directory, advance=lambda _: None)
    (directory / "kafka-1.0.jar").write_bytes(JAR[:10])

    assert missing(lock, directory) == lock.kafka
    fetch(lock, directory, advance=lambda _: None)
    assert (directory / "kafka-1.0.jar").read_bytes() == JAR


def test_file_that_nobody_has(lock: Lock, directory: Path, repository: Repository) -> None:
    """The error names the file and what the repository said."""
    repository.files.clear()

    with pytest.raises(DownloadError, match=r"cannot be downloaded: .*404"):
        fetch(lock, directory, advance=lambda _: None)


def test_no_network(lock: Lock, directory: Path, repository: Repository) -> None:
    """Without a network, the error says that one is needed once, and how to do without."""
    repository.shutdown()
    repository.server_close()

    with pytest.raises(DownloadError, match="cannot be downloaded") as raised:
        fetch(lock, directory, advance=lambda _: None)

    assert "EDML_JARS" in str(raised.value.todo)


def test_interrupt_keeps_what_has_arrived(lock: Lock, directory: Path) -> None:
    """Ctrl-C while files arrive ends the fetch, and nothing half has the name of a whole file."""

    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(lock, directory, advance=interrupt)

    assert set(missing(lock, directory)) == set(lock.artefacts)


def test_lock_is_written_as_it_is_read(lock: Lock, tmp_path: Path) -> None:
    """A lock survives being written and read."""
    write_lock(lock, tmp_path / "lock.json")

    assert read_lock(tmp_path / "lock.json") == lock


def test_committed_lock() -> None:
    """The committed lock holds one Kafka, the registry, no host's name and no file twice."""
    lock = read_lock()
    names = [artefact.file_name for artefact in lock.artefacts]

    assert "kafka_2.13-4.3.1.jar" in names
    assert lock.registry.path.as_posix() == (
        "io/apicurio/apicurio-registry-app/3.0.9/apicurio-registry-app-3.0.9-all.tar.gz"
    )
    assert len(names) == len(set(names))
    assert all(len(artefact.sha256) == 64 for artefact in lock.artefacts)
