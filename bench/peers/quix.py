"""Quix Streams, in an environment of its own: it pins an older confluent-kafka than edml needs."""

from dataclasses import dataclass

from bench.peers.peer import Tools, Work
from bench.processes import Command
from bench.stage import Stage

COMMIT_INTERVAL_S = 1.0
LINGER_MS = 20


@dataclass(frozen=True)
class Quix:
    """A prediction a record with a model of one flavour."""

    tools: Tools
    name: str = "quix"
    flavour: str = "onnx"
    commit_interval_s: float = COMMIT_INTERVAL_S
    linger_ms: int = LINGER_MS
    predicts: bool = True

    @property
    def output(self) -> str:
        """The topic that it writes."""
        return f"bench.{self.name}"

    def prepare(self, stage: Stage) -> None:
        """Nothing: its group is new each time."""

    def command(self, work: Work) -> Command:
        """Start the application."""
        told = {
            **self.tools.told(work),
            **self.tools.schemas(),
            "flavour": self.flavour,
            "commit_interval_s": str(self.commit_interval_s),
            "linger_ms": str(self.linger_ms),
            "state": str(work.folder / work.group),
        }
        python = str(self.tools.bench_python)
        return self.tools.python("bench.programs.quix_serving", told, python=python)
