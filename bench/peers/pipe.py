"""The limit: the same bytes through the same clients, and no work at all."""

from dataclasses import dataclass

from bench.peers.peer import Tools, Work
from bench.processes import Command
from bench.stage import Stage


@dataclass(frozen=True)
class Pipe:
    """Writes as many bytes a record as edml, ``value_bytes``."""

    tools: Tools
    value_bytes: int
    name: str = "pipe"
    output: str = "bench.pipe"
    compiles: bool = False
    instances: int = 1

    def prepare(self, stage: Stage) -> None:
        """Nothing: its group is new each time."""

    def command(self, work: Work) -> Command:
        """Start the pipe."""
        told = {**self.tools.told(work), "value_bytes": str(self.value_bytes)}
        return self.tools.python("bench.programs.pipe", told)
