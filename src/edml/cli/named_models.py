"""Models as a person names them: a published version, or the folder of an artefact."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from edml.cli.models import version_named
from edml.errors import TopicError

if TYPE_CHECKING:
    from edml.application import Application
    from edml.kafka.models_topic import ModelsTable
    from edml.models.artefact import Artefact
    from edml.models.records import Model
    from edml.serving.served import Predicts
    from edml.wiring import Cluster


def artefact_at(name: str) -> "Artefact | None":
    """The artefact in this folder; None when there is no such folder.

    Raises `DataError` for a folder that holds none.
    """
    from edml.models.artefact import Artefact

    folder = Path(name)
    return Artefact.read(folder) if folder.is_dir() else None


@contextmanager
def published_models(cluster: "Cluster") -> "Iterator[ModelsTable]":
    """The published models of an application, read to the end; nothing is written.

    Raises `TopicError` when the topic of models does not exist.
    """
    from edml.kafka.spans import topic_names

    if cluster.control.models not in topic_names(cluster.settings.client()):
        raise TopicError(
            f"no model is published for {cluster.application.name}: the topic does not exist",
            where=cluster.control.models,
            todo="publish one with `edml publish`, or name the folder of an artefact",
        )
    with closing(cluster.models()) as models:
        models.read_to_end()
        yield models


def load(application: "Application", model: "Model", threads: int) -> "Predicts":
    """A model that passed its self-test here, ready to predict.

    Raises `ModelRefusedError` with the cause when it does not.
    """
    from edml.models.admission import admit
    from edml.models.quiet_tensorflow import import_tensorflow, silent_standard_error
    from edml.serving.served import Bound

    if model.flavour == "savedmodel":
        with silent_standard_error():
            import_tensorflow()
    admitted = admit(application, model, warm_sizes=(), threads=threads)
    return Bound(admitted.predictor, application.outcome.label)


def find(cluster: "Cluster", name: str) -> "Model":
    """The model in a folder, or the published one of a version, which may be written in part.

    Raises `UsageError` when there is none.
    """
    artefact = artefact_at(name)
    if artefact is not None:
        return artefact.model(artefact.flavours()[0])
    with published_models(cluster) as models:
        return models.model(version_named(models.versions, name))
