"""What every unit test may ask for."""

from tests.models_fixture import artefact, training

__all__ = ["artefact", "training"]
