"""Quix Streams, in an environment of its own: it pins an older confluent-kafka than edml needs."""

from dataclasses import dataclass

from bench.peers.peer import Join, Tools, Work
from bench.processes import Command
from bench.stage import Stage


@dataclass(frozen=True)
class Quix:
    """A prediction a record with a model of one flavour."""

    tools: Tools
    name: str = "quix"
    flavour: str = "onnx"
    commit_interval_s: float = 1.0
    linger_ms: int = 20
    compiles: bool = False
    instances: int = 1

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
            **_told(work, self.commit_interval_s, self.linger_ms),
        }
        python = str(self.tools.bench_python)
        return self.tools.python("bench.programs.quix_serving", told, python=python)


@dataclass(frozen=True)
class QuixJoin:
    """An interval join, its state in RocksDB with changelogs."""

    tools: Tools
    join: Join
    name: str = "quix"
    commit_interval_s: float = 1.0
    linger_ms: int = 20
    compiles: bool = False
    instances: int = 1

    @property
    def output(self) -> str:
        """The topic that it writes."""
        return f"bench.{self.name}.scored"

    def prepare(self, stage: Stage) -> None:
        """Nothing: its group is new each time."""

    def command(self, work: Work) -> Command:
        """Start the application."""
        told = {
            **self.tools.told(work),
            **self.join.told(),
            **self.join.described(),
            **_told(work, self.commit_interval_s, self.linger_ms),
        }
        python = str(self.tools.bench_python)
        return self.tools.python("bench.programs.quix_scoring", told, python=python)


def _told(work: Work, commit_interval_s: float, linger_ms: int) -> dict[str, str]:
    """How its clients are set, and where its state is."""
    return {
        "commit_interval_s": str(commit_interval_s),
        "linger_ms": str(linger_ms),
        "state": str(work.folder / work.group),
    }
