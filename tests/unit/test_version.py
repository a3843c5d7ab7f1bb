from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from edml.errors import UsageError
from edml.models.version import NO_COMMIT, Version, current_commit

AT = datetime(2019, 11, 28, 14, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "0.1.0-20191128143000-1a2b3c4",
        "0.1.0-20191128143000-1a2b3c4-2",
        "1!2.0rc1-20191128143000-0000000",
    ],
)
def test_a_version_that_is_read_is_written_again(text: str) -> None:
    """Reading and writing are each other's reverse."""
    assert str(Version.parse(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0.1.0",
        "0.1.0-20191328143000-1a2b3c4",
        "0.1.0-20191128143000-1a2b3cg",
        "0.1.0-20191128143000-1a2b3c4-",
        "../0.1.0-20191128143000-1a2b3c4",
        "0.1.0-20191128143000-1a2b3c4\n",
    ],
)
def test_what_is_no_version_is_told_with_an_example(text: str) -> None:
    """A wrong version is a wrong usage."""
    with pytest.raises(UsageError, match="is not a model's version") as refused:
        Version.parse(text)
    assert refused.value.exit_code == 2


def test_a_version_tells_utc() -> None:
    """Wherever it is made, the time in a version is that of UTC."""
    here = AT.astimezone(timezone(timedelta(hours=-5)))
    assert str(Version("0.1.0", here, "1a2b3c4" + "0" * 33)) == "0.1.0-20191128143000-1a2b3c4"


def test_trainings_of_the_same_commit_are_counted() -> None:
    """The number is one more than the highest of that commit, whatever other commits have."""
    known = [
        "0.1.0-20191128143000-1a2b3c4",
        "0.1.0-20191128150000-1a2b3c4-4",
        "0.1.0-20191128160000-5a5a5a5-9",
    ]
    following = Version.following(known, package="0.1.0", trained_at=AT, commit="1a2b3c4")
    assert following.training == 5
    first = Version.following(known, package="0.1.0", trained_at=AT, commit="7777777")
    assert str(first) == "0.1.0-20191128143000-7777777"


def test_outside_of_git_there_is_no_commit(tmp_path: Path) -> None:
    """A model that is trained outside of a repository says so by zeros."""
    assert current_commit(tmp_path) == NO_COMMIT
    assert current_commit(tmp_path / "nowhere") == NO_COMMIT
