"""The jars on this machine: fetched once, checked by sha256, used offline ever after.

An interrupted download is continued where it stopped. A file gets its name only when its sha256 is
right, so that whatever has its name is whole.
"""

import hashlib
import shutil
import tarfile
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import TypeAlias

from edml.errors import DownloadError
from edml.http import httpx
from edml.kafka.embedded.lock import Artefact, Lock

Advance: TypeAlias = Callable[[int], None]
"""Told how many bytes have arrived since it was last told."""

PARALLEL_DOWNLOADS = 6
CHUNK_BYTES = 1 << 16
TIMEOUT_S = 30.0
# The registry's archive is unpacked, so it needs its size about twice.
SPARE_BYTES = 200_000_000


def registry_directory(lock: Lock, directory: Path) -> Path:
    """Give back the directory that holds the unpacked registry."""
    return directory / f"{lock.registry.name}-{lock.registry.version}"


def missing(lock: Lock, directory: Path) -> tuple[Artefact, ...]:
    """Give back what has to be fetched before the log can start."""
    jars = tuple(jar for jar in lock.kafka if not _is_here(jar, directory))
    unpacked = registry_directory(lock, directory).is_dir()
    return jars if unpacked else (*jars, lock.registry)


def fetch(lock: Lock, directory: Path, *, advance: Advance) -> None:
    """Fetch what is missing, check it and unpack the registry.

    Raises ``DownloadError`` when a file cannot be had or is not what the lock says.
    """
    wanted = missing(lock, directory)
    _check_space(wanted, directory)
    _download_all(wanted, directory, advance)
    if lock.registry in wanted:
        _unpack(directory / lock.registry.file_name, registry_directory(lock, directory))


def repositories() -> Mapping[str, str]:
    """Give back the Maven repositories to ask: Central, and the user's own in jgo's settings."""
    from jgo.config import GlobalSettings
    from jgo.constants import MAVEN_CENTRAL_URL

    return {"central": MAVEN_CENTRAL_URL, **GlobalSettings.load().repositories}


def _is_here(artefact: Artefact, directory: Path) -> bool:
    file = directory / artefact.file_name
    return file.is_file() and file.stat().st_size == artefact.size


def _check_space(wanted: tuple[Artefact, ...], directory: Path) -> None:
    if not wanted:
        return
    needed = sum(artefact.size for artefact in wanted) + SPARE_BYTES
    free = shutil.disk_usage(directory).free
    if free < needed:
        raise DownloadError(
            f"not enough disk space: {needed / 1e6:.0f} MB are needed, {free / 1e6:.0f} are free",
            where=str(directory),
            todo="free some space, or set EDML_JARS to a directory on another disk",
        )


def _download_all(wanted: tuple[Artefact, ...], directory: Path, advance: Advance) -> None:
    urls = tuple(repositories().values())
    stop = Event()
    with (
        httpx.Client(timeout=TIMEOUT_S, follow_redirects=True) as client,
        ThreadPoolExecutor(PARALLEL_DOWNLOADS) as pool,
    ):
        download = _Download(client, urls, directory, advance, stop)
        try:
            for done in as_completed([pool.submit(download, artefact) for artefact in wanted]):
                done.result()
        except BaseException:
            stop.set()
            pool.shutdown(cancel_futures=True)
            raise


@dataclass(frozen=True, slots=True)
class _Download:
    """Downloads one artefact at a call; stops between two chunks when told to."""

    client: httpx.Client
    urls: tuple[str, ...]
    directory: Path
    advance: Advance
    stop: Event

    def __call__(self, artefact: Artefact) -> None:
        partial = self.directory / f"{artefact.file_name}.part"
        self._receive(artefact, partial)
        if self.stop.is_set():
            return
        found = _sha256(partial)
        if found != artefact.sha256:
            partial.unlink()
            raise DownloadError(
                f"{artefact.file_name} is not what the lock says: sha256 {found}"
                f" instead of {artefact.sha256}",
                where=str(self.directory),
                todo="run `edml up` again; if it happens again, a proxy alters what is downloaded",
            )
        partial.replace(self.directory / artefact.file_name)

    def _receive(self, artefact: Artefact, partial: Path) -> None:
        causes = []
        for url in self.urls:
            try:
                self._receive_from(f"{url}/{artefact.path}", artefact, partial)
            except httpx.HTTPError as error:
                causes.append(str(error) or type(error).__name__)
            else:
                return
        raise DownloadError(
            f"{artefact.file_name} cannot be downloaded: {'; '.join(causes)}",
            where=str(self.directory),
            todo="connect this machine to the network and run `edml up` again: it goes on where it"
            " stopped. Or set EDML_JARS to a directory that was filled on another machine",
        )

    def _receive_from(self, url: str, artefact: Artefact, partial: Path) -> None:
        start = partial.stat().st_size if partial.exists() else 0
        if start >= artefact.size:
            self.advance(start)
            return
        headers = {"Range": f"bytes={start}-"} if start else {}
        with self.client.stream("GET", url, headers=headers) as response:
            response.raise_for_status()
            resumed = response.status_code == httpx.codes.PARTIAL_CONTENT
            self.advance(start if resumed else 0)
            with partial.open("ab" if resumed else "wb") as file:
                for chunk in response.iter_bytes(CHUNK_BYTES):
                    if self.stop.is_set():
                        return
                    file.write(chunk)
                    self.advance(len(chunk))


def _sha256(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _unpack(archive: Path, directory: Path) -> None:
    unfinished = directory.with_suffix(".unpacking")
    shutil.rmtree(unfinished, ignore_errors=True)
    with tarfile.open(archive) as content:
        content.extractall(unfinished, filter="data")
    unfinished.replace(directory)
    archive.unlink()
