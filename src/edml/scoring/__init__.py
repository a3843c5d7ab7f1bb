"""Scoring: predictions meet their outcomes, errors are added up by version, segment and window."""
