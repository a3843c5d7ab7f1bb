"""Trains again when that is asked for on the log, one at a time: requests in, candidates out."""
