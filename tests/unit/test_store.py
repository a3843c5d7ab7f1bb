from hashlib import sha256
from pathlib import Path

import pytest

from edml.errors import EdmlError
from edml.models.store import ModelStore

MODEL = b"a model" * 1000
DIGEST = sha256(MODEL).hexdigest()


def test_what_is_put_is_there_after_a_restart(tmp_path: Path) -> None:
    """The store lives on disk."""
    with ModelStore(tmp_path) as store:
        assert store.get(DIGEST) is None
        assert store.put(MODEL) == DIGEST
    with ModelStore(tmp_path) as store:
        assert store.get(DIGEST) == MODEL


def test_what_nobody_needs_is_forgotten(tmp_path: Path) -> None:
    """Only the artefacts that are named stay."""
    with ModelStore(tmp_path) as store:
        store.put(MODEL)
        other = store.put(b"another model")
        store.keep_only({other})
        assert store.get(DIGEST) is None
        assert store.get(other) == b"another model"


def test_damaged_contents_count_as_missing(tmp_path: Path) -> None:
    """A block that was overwritten on disk is not given back, and can be put again."""
    with ModelStore(tmp_path) as store:
        store.put(MODEL)
    tables = list(tmp_path.glob("*.sst"))
    assert tables
    for table in tables:
        table.write_bytes(b"\0" * 64 + table.read_bytes()[64:])
    with ModelStore(tmp_path) as store:
        assert store.get(DIGEST) is None
        store.put(MODEL)
        assert store.get(DIGEST) == MODEL


def test_a_damaged_database_is_made_anew(tmp_path: Path) -> None:
    """A store that cannot be opened is only a cache that is empty."""
    with ModelStore(tmp_path) as store:
        store.put(MODEL)
    (tmp_path / "CURRENT").write_text("rubbish")
    with ModelStore(tmp_path) as store:
        assert store.get(DIGEST) is None
        store.put(MODEL)
        assert store.get(DIGEST) == MODEL


def test_two_processes_do_not_share_a_folder(tmp_path: Path) -> None:
    """The second one is told what to do, and the first one's models stay."""
    with ModelStore(tmp_path) as store:
        store.put(MODEL)
        with pytest.raises(EdmlError, match="another process") as refused:
            ModelStore(tmp_path)
        assert refused.value.where == str(tmp_path)
        assert store.get(DIGEST) == MODEL
