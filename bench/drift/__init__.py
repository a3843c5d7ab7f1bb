"""How often detectors of drift are wrong, and how soon they are right, on generated streams."""
