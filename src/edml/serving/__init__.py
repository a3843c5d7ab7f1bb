"""Serving: a batch of events and the models of the moment give predictions."""
