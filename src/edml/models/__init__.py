"""Models: what they are made of, how they are named, loaded, checked, and told about on the log."""
