"""The moments at which a process may die."""

from enum import Enum


class Crash(Enum):
    """Where an instance dies; what it leaves behind is all that the next one finds."""

    AFTER_READ = "after a batch was read"
    BEFORE_COMMIT = "before anything of a batch was written"
    AFTER_OUTPUTS = "after outputs were sent, before their transaction was committed"
    AFTER_COMMIT = "after the commit, before the instance learned of it"
    IN_REBUILD = "while a state is rebuilt after an assignment"


class CrashedError(BaseException):
    """An instance has died. Not an `Exception`: no code under test lives to catch it."""

    def __init__(self, at: Crash) -> None:
        super().__init__(at.value)
        self.at = at
