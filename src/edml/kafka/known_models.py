"""What is known of published models: where they come from, and what their inputs looked like."""

import logging

from edml.application import Application
from edml.errors import LogError, RegistryUnavailableError
from edml.kafka.models_topic import ModelsTable
from edml.models.records import Metadata
from edml.monitoring.inputs import Bins

logger = logging.getLogger(__name__)


class KnownModels:
    """Reads a model's record once, when it is first asked for.

    Of a model whose record is bad, nothing is known, and that is told once.
    """

    def __init__(self, table: ModelsTable, application: Application) -> None:
        self.metadata: dict[str, Metadata] = {}
        self.bins: dict[str, Bins] = {}
        self._table = table
        self._application = application
        self._bad: set[str] = set()

    def look_up(self, version: str) -> None:
        """Know what there is to know of a version.

        Raises `RegistryUnavailableError` when its record cannot be read now.
        """
        if version in self.metadata or version in self._bad or version not in self._table.versions:
            return
        try:
            self.metadata[version] = self._table.model(version).metadata
            self.bins[version] = Bins.of(self.metadata[version].distributions, self._application)
        except RegistryUnavailableError:
            raise
        except LogError as error:  # it may come when the broker does
            logger.warning("Model %s cannot be read now. %s", version, error)
        except Exception as error:  # noqa: BLE001  whatever a bad record may cause
            self._bad.add(version)
            logger.warning("Model %s is not watched: its record is bad: %s", version, error)
