"""The trainer: history becomes a model artefact."""
