"""Lineage: from one prediction back to all that it came from, and on to what became of it."""
