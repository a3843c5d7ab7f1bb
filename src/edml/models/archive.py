"""One flavour of an artefact as bytes: a zip, the same for the same files, and safely unpacked."""

import io
import stat
import zipfile
from pathlib import Path, PurePosixPath
from typing import Final

from edml.errors import ModelRefusedError

LARGEST_BYTES: Final = 2 << 30
"""What an artefact may take, packed or unpacked."""

_MOST_FILES: Final = 10_000
_EPOCH: Final = (1980, 1, 1, 0, 0, 0)
_CHUNK: Final = 1 << 20


def pack(folder: Path, path: str) -> bytes:
    """Zip the file or folder ``path`` of ``folder``: equal files give equal bytes.

    Raises:
        ModelRefusedError: there is no such file or folder, or it holds a link.
    """
    root = folder / path
    if not root.exists():
        raise ModelRefusedError(f"the artefact has no {path!r}", where=str(folder))
    files = (
        sorted(each for each in root.rglob("*") if not each.is_dir()) if root.is_dir() else [root]
    )
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for file in files:
            if file.is_symlink():
                raise ModelRefusedError("the artefact holds a link", where=str(file))
            entry = zipfile.ZipInfo(file.relative_to(folder).as_posix(), _EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = 3  # Unix, wherever it was packed
            entry.external_attr = (stat.S_IFREG | 0o644) << 16
            archive.writestr(entry, file.read_bytes())
    return buffer.getvalue()


def unpack(packed: bytes, folder: Path, *, largest_bytes: int = LARGEST_BYTES) -> None:
    """Unpack a zip into ``folder``; nothing is written outside of it, nor more than is allowed.

    Raises:
        ModelRefusedError: it is no whole zip, holds a path that climbs out, a link, a file twice,
            or more than ``largest_bytes``.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(packed)) as archive:
            entries = archive.infolist()
            _check(entries, largest_bytes)
            for entry in entries:
                _extract(archive, entry, folder)
    except (zipfile.BadZipFile, zipfile.LargeZipFile, EOFError, NotImplementedError) as error:
        raise ModelRefusedError(f"the artefact is not a whole zip: {error}") from error
    # A damaged stream inside of a whole directory: zlib's error is no class of zipfile's.
    except (RuntimeError, ValueError, OSError) as error:  # or the disk is full
        raise ModelRefusedError(f"the artefact cannot be unpacked: {error}") from error


def _check(entries: list[zipfile.ZipInfo], largest_bytes: int) -> None:
    names = [entry.filename for entry in entries]
    if len(names) > _MOST_FILES:
        raise ModelRefusedError(f"the artefact has {len(names)} files: more than {_MOST_FILES}")
    if len(set(names)) != len(names):
        raise ModelRefusedError("the artefact holds a file twice")
    size = sum(entry.file_size for entry in entries)
    if size > largest_bytes:
        raise ModelRefusedError(f"the artefact unpacks to {size} bytes: more than {largest_bytes}")
    for entry in entries:
        path = PurePosixPath(entry.filename)
        if (
            path.is_absolute()
            or ".." in path.parts
            or "\\" in entry.filename
            or ":" in path.parts[0]
        ):
            raise ModelRefusedError(
                f"the artefact holds a path that climbs out: {entry.filename!r}"
            )
        kind = stat.S_IFMT(entry.external_attr >> 16)
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise ModelRefusedError(f"the artefact holds a link or a device: {entry.filename!r}")


def _extract(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, folder: Path) -> None:
    target = folder / entry.filename
    if entry.is_dir():
        target.mkdir(parents=True, exist_ok=True)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    # Python's reader stops at the declared size, so that a lie about it cannot fill the disk.
    with archive.open(entry) as source, target.open("xb") as sink:
        while chunk := source.read(_CHUNK):
            sink.write(chunk)
