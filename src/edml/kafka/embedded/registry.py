"""The schema registry: Apicurio with the API of Confluent's, its schemas in an H2 file.

What its properties mean: https://www.apicur.io/registry/docs/
"""

from dataclasses import dataclass
from pathlib import Path

from edml.kafka.embedded.java import jvm

HEAP_MB = 256
HOST = "127.0.0.1"
API = "/apis/ccompat/v7"


@dataclass(frozen=True, slots=True)
class Registry:
    """Where a registry keeps its data, the program it is, and the port on which it listens."""

    directory: Path
    program: Path
    port: int

    @property
    def url(self) -> str:
        """What any client of Confluent's schema registry is given as its URL."""
        return f"http://{HOST}:{self.port}{API}"

    @property
    def marker(self) -> str:
        """The argument by which the process is known as this registry."""
        return f"-Dedml.registry={self.directory}"

    @property
    def output_file(self) -> Path:
        """What the registry prints."""
        return self.directory / "registry.out"

    def prepare(self) -> None:
        """Make the directory for its data."""
        self.directory.mkdir(parents=True, exist_ok=True)

    def command(self) -> list[str]:
        """Give back the command that runs the registry."""
        # WRITE_DELAY=0: a schema id that is on the log must survive a killed registry.
        database = f"jdbc:h2:file:{self.directory / 'registry'};WRITE_DELAY=0"
        (runner,) = self.program.glob("*-runner.jar")
        return [
            *jvm(heap_mb=HEAP_MB, marker=self.marker),
            f"-Dquarkus.http.host={HOST}",
            f"-Dquarkus.http.port={self.port}",
            "-Dquarkus.http.access-log.enabled=false",
            "-Dapicurio.storage.kind=sql",
            "-Dapicurio.storage.sql.kind=h2",
            f"-Dapicurio.datasource.url={database}",
            f"-Dapicurio.import.work-dir={self.directory}",
            "-jar",
            str(runner),
        ]
