"""The artefacts that an instance has fetched, kept in RocksDB so that a restart fetches nothing."""

import logging
from collections.abc import Container
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from rocksdict import Options, Rdict

from edml.errors import EdmlError

logger = logging.getLogger(__name__)

_LOCKED: Final = "lock"  # the word in RocksDB's message; its binding raises plain Exceptions


class ModelStore:
    """A cache of artefacts by their sha256. Whatever is damaged counts as missing.

    One process at a time has a folder open: each instance has its own.

    Raises:
        EdmlError: another process has the folder open, or it cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._database = self._open()

    def get(self, digest: str) -> bytes | None:
        """Give back the artefact with this sha256, or None when it is not there, or damaged."""
        try:
            found = self._database.get(digest.encode())
        except Exception:  # noqa: BLE001  a block that cannot be read is as good as none
            found = None
        if isinstance(found, bytes) and sha256(found).hexdigest() == digest:
            return found
        return None

    def put(self, artefact: bytes) -> str:
        """Keep an artefact if it can be kept, and give back its sha256."""
        digest = sha256(artefact).hexdigest()
        try:
            self._database[digest.encode()] = artefact
            self._database.flush()
        except Exception as error:  # noqa: BLE001  a full disk, say: it is only a cache
            logger.warning("A model is not kept in %s, and fetched anew: %s", self._folder, error)
        return digest

    def keep_only(self, digests: Container[str]) -> None:
        """Forget the artefacts that nobody needs any more."""
        for key in list(self._database.keys()):
            if isinstance(key, bytes) and key.decode() not in digests:
                del self._database[key]

    def close(self) -> None:
        """Let go of the folder."""
        try:
            self._database.close()
        except Exception as error:  # noqa: BLE001  what could not be written is fetched anew
            logger.warning("%s is not closed in good order: %s", self._folder, error)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _open(self) -> Rdict:
        """Open the database; one that is damaged is made anew, for it is only a cache."""
        self._folder.mkdir(parents=True, exist_ok=True)
        options = Options(raw_mode=True)
        options.create_if_missing(True)
        try:
            return Rdict(str(self._folder), options)
        except Exception as error:
            if _LOCKED in str(error).lower():
                raise EdmlError(
                    "another process has this store of models open",
                    where=str(self._folder),
                    todo="give each instance a folder of its own",
                ) from error
        try:
            Rdict.destroy(str(self._folder), options)
            self._folder.mkdir(parents=True, exist_ok=True)
            return Rdict(str(self._folder), options)
        except Exception as error:
            raise EdmlError(
                f"the store of models cannot be opened: {error}",
                where=str(self._folder),
                todo="see that the folder can be written and the disk has room; it is only a cache",
            ) from error
