"""The same work as plain micro-batch loops, in Python and in Java; exactly once."""

from dataclasses import dataclass

from bench.peers.peer import Tools, Work
from bench.processes import Command
from bench.stage import Stage


@dataclass(frozen=True)
class NaivePython:
    """confluent-kafka, fastavro, batched ONNX Runtime."""

    tools: Tools
    name: str = "naive_python"
    output: str = "bench.naive-python"
    compiles: bool = False
    instances: int = 1

    def prepare(self, stage: Stage) -> None:
        """Nothing: its group is new each time."""

    def command(self, work: Work) -> Command:
        """Start the loop."""
        told = {**self.tools.told(work), **self.tools.schemas()}
        return self.tools.python("bench.programs.naive", told)


@dataclass(frozen=True)
class NaiveJava:
    """Kafka's own clients, Avro's own coders, batched ONNX Runtime."""

    tools: Tools
    name: str = "naive_java"
    output: str = "bench.naive-java"
    compiles: bool = True
    instances: int = 1

    def prepare(self, stage: Stage) -> None:
        """Nothing: its group is new each time."""

    def command(self, work: Work) -> Command:
        """Start the loop."""
        return self.tools.jvm("NaiveLoop", self.tools.told(work))
