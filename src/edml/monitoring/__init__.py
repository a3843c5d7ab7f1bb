"""Who serves, and why: the rules by which models come into a role and leave it."""
