"""The schema registry: Apicurio with the API of Confluent's, its schemas in an H2 file.

What its properties mean: https://www.apicur.io/registry/docs/
"""

from dataclasses import dataclass
from pathlib import Path

from edml.http import httpx
from edml.kafka.embedded.installation import Installation
from edml.kafka.embedded.java import Caching, jvm
from edml.kafka.embedded.ports import HOST

HEAP_MB = 256
ANSWER_TIMEOUT_S = 2.0
API = "/apis/ccompat/v7"


@dataclass(frozen=True, slots=True)
class Registry:
    """Where a registry keeps its data, and the port on which it listens."""

    directory: Path
    installation: Installation
    port: int
    caching: Caching = Caching.USE

    @property
    def name(self) -> str:
        """What a person calls it."""
        return "the schema registry"

    @property
    def url(self) -> str:
        """What any client of Confluent's schema registry is given as its URL."""
        return f"http://{HOST}:{self.port}{API}"

    @property
    def marker(self) -> str:
        """The argument by which the process is known as this registry."""
        return f"-Dedml.registry={self.directory}"

    @property
    def log_file(self) -> Path:
        """What the registry says it does."""
        return self.directory / "registry.log"

    @property
    def output_file(self) -> Path:
        """What the process prints: why Java does not start, say."""
        return self.directory / "registry.out"

    def prepare(self) -> None:
        """Make the directory for its data."""
        self.directory.mkdir(parents=True, exist_ok=True)

    def command(self) -> list[str]:
        """Give back the command that runs the registry."""
        # WRITE_DELAY=0: a schema id that is on the log must survive a killed registry.
        database = f"jdbc:h2:file:{self.directory / 'registry'};WRITE_DELAY=0"
        cache = self.installation.registry_cache
        return [
            *jvm(heap_mb=HEAP_MB, marker=self.marker, cache=cache, caching=self.caching),
            # It answers few requests: to start soon is worth more than to be fast after an hour.
            "-XX:TieredStopAtLevel=1",
            f"-Dquarkus.http.host={HOST}",
            f"-Dquarkus.http.port={self.port}",
            "-Dquarkus.http.access-log.enabled=false",
            "-Dquarkus.log.console.enable=false",
            "-Dquarkus.log.file.enable=true",
            "-Dquarkus.log.file.json.enabled=false",
            "-Dquarkus.log.file.json=false",
            f"-Dquarkus.log.file.path={self.log_file}",
            "-Dquarkus.log.file.rotation.max-file-size=10M",
            "-Dquarkus.log.file.rotation.max-backup-index=2",
            "-Dquarkus.log.file.rotation.rotate-on-boot=false",
            # As in Confluent's: the same schema, written in another way, has the same id.
            "-Dapicurio.ccompat.use-canonical-hash=true",
            "-Dapicurio.rules.global.compatibility=BACKWARD",
            "-Dapicurio.storage.kind=sql",
            "-Dapicurio.storage.sql.kind=h2",
            f"-Dapicurio.datasource.url={database}",
            f"-Dapicurio.import.work-dir={self.directory}",
            "-jar",
            str(self.installation.registry_program),
        ]

    def answers(self) -> bool:
        """Whether the registry lists its subjects."""
        try:
            return httpx.get(f"{self.url}/subjects", timeout=ANSWER_TIMEOUT_S).is_success
        except httpx.TransportError:
            return False
